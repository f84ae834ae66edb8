-- The first schema.  Times are RFC 3339 text in UTC, documents are JSON text, booleans are 0 and 1.
-- Written so that SQLite, PostgreSQL and DuckDB differ from it only in how an id is counted up.

CREATE TABLE models (
	model_id TEXT NOT NULL PRIMARY KEY, -- repo id, or the path of a folder or file
	model_name TEXT NOT NULL,           -- its last segment
	model_type TEXT,
	architecture TEXT,
	first_seen TEXT NOT NULL,
	last_seen TEXT NOT NULL
);

-- One row a run of verify, convert or check, failures included.
CREATE TABLE verifications (
	id INTEGER PRIMARY KEY,
	run_time TEXT NOT NULL,
	command TEXT NOT NULL,
	model_id TEXT NOT NULL REFERENCES models (model_id),
	revision TEXT,
	requested_file TEXT,
	requested_type TEXT,
	requested_task TEXT,
	requested_dtype TEXT,
	requested_opset INTEGER,
	status TEXT NOT NULL,
	exit_code INTEGER NOT NULL,
	error_message TEXT,
	error_hint TEXT,
	verdict TEXT NOT NULL,
	level TEXT NOT NULL,
	path TEXT,
	was_converted BOOLEAN NOT NULL,
	cached BOOLEAN NOT NULL,
	onnx_source TEXT,
	onnx_conversion_status TEXT,
	onnx_conversion_time TEXT,
	onnx_local_path TEXT,
	model_type TEXT,
	architecture TEXT,
	task TEXT,
	task_reason TEXT,
	dtype TEXT,
	opset INTEGER,
	runtime TEXT,
	runtime_peak_bytes BIGINT,
	total_ms DOUBLE PRECISION,
	files TEXT NOT NULL,      -- JSON, as in the document of the command
	checks TEXT NOT NULL,     -- JSON
	attempts TEXT NOT NULL,   -- JSON
	timings_ms TEXT NOT NULL, -- JSON
	notes TEXT NOT NULL,      -- JSON
	program_version TEXT NOT NULL
);
CREATE INDEX verifications_model ON verifications (model_id, id);

-- One row a conversion that was done, or tried in vain; a run that is served from the cache counts up its use.
CREATE TABLE onnx_conversions (
	id INTEGER PRIMARY KEY,
	model_id TEXT NOT NULL REFERENCES models (model_id),
	model_type TEXT,
	onnx_path TEXT NOT NULL,  -- the file that was asked for
	local_path TEXT NOT NULL, -- where it is; '' when the conversion failed
	conversion_time TEXT NOT NULL,
	conversion_config TEXT NOT NULL, -- JSON
	conversion_success BOOLEAN NOT NULL,
	error_message TEXT,
	opset_version INTEGER,
	file_size_bytes BIGINT,
	verification_status TEXT,
	last_used TEXT NOT NULL,
	use_count INTEGER NOT NULL DEFAULT 1,
	"commit" TEXT, -- a word of SQL: needs its quotes
	sha256 TEXT,
	converter_version TEXT,
	verification_id INTEGER REFERENCES verifications (id)
);
CREATE INDEX onnx_conversions_model ON onnx_conversions (model_id, local_path, id);

-- One row a model, execution provider, batch size and sequence length of a benchmark.
CREATE TABLE performance_results (
	id INTEGER PRIMARY KEY,
	run_time TEXT NOT NULL,
	model_id TEXT NOT NULL REFERENCES models (model_id),
	revision TEXT,
	file TEXT,
	hardware TEXT,
	execution_provider TEXT,
	runtime_version TEXT,
	dtype TEXT,
	batch_size BIGINT,
	sequence_length BIGINT,
	runs INTEGER,
	warmup INTEGER,
	latency_mean_ms DOUBLE PRECISION,
	latency_stddev_ms DOUBLE PRECISION,
	latency_p50_ms DOUBLE PRECISION,
	latency_p90_ms DOUBLE PRECISION,
	latency_p95_ms DOUBLE PRECISION,
	latency_p99_ms DOUBLE PRECISION,
	latency_min_ms DOUBLE PRECISION,
	latency_max_ms DOUBLE PRECISION,
	throughput DOUBLE PRECISION, -- items a second
	load_ms DOUBLE PRECISION,
	peak_memory_bytes BIGINT,
	host TEXT NOT NULL, -- JSON: cpu, cores, memory, kernel
	onnx_source TEXT,
	onnx_conversion_status TEXT,
	onnx_conversion_time TEXT,
	onnx_local_path TEXT,
	verification_id INTEGER REFERENCES verifications (id),
	program_version TEXT NOT NULL
);
CREATE INDEX performance_results_model ON performance_results (model_id, id);

-- One row a model: what its newest run with an answer about ONNX said, and its newest good conversion.
CREATE VIEW model_onnx_registry AS
SELECT m.model_id, m.model_name, m.model_type,
	COALESCE(v.onnx_conversion_status, 'unknown') AS onnx_status,
	COALESCE(v.onnx_local_path, c.local_path) AS onnx_local_path,
	c.conversion_time, c.opset_version, c.file_size_bytes, c.use_count
FROM models m
LEFT JOIN (SELECT model_id, max(id) AS id FROM verifications WHERE onnx_conversion_status IS NOT NULL GROUP BY model_id) newest
	ON newest.model_id = m.model_id
LEFT JOIN verifications v ON v.id = newest.id
LEFT JOIN (SELECT model_id, max(id) AS id FROM onnx_conversions WHERE conversion_success GROUP BY model_id) good
	ON good.model_id = m.model_id
LEFT JOIN onnx_conversions c ON c.id = good.id;
