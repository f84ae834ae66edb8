/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx/reader.h. */
#include "make_onnx.h"

#include "base/limits.h"
#include "onnx/reader.h"

/* ---- a source that counts what is read of it, of any size ------------------------------------------------ */

typedef struct sparse_source {
	og_source s;
	const uint8_t *head; /* the first bytes; zeros behind them */
	size_t nhead;
	uint64_t read;
} sparse_source;

static og_status sparse_read(og_source *s, uint64_t offset, void *buf, size_t n, og_error *err)
{
	sparse_source *p = (sparse_source *)s;
	if (offset > s->size || n > s->size - offset)
		return og_fail(err, ONNXGATE_FORMAT, "truncated");
	memset(buf, 0, n);
	if (offset < p->nhead)
		memcpy(buf, p->head + offset, n < p->nhead - offset ? n : p->nhead - offset);
	p->read += n;
	return OG_OK;
}

static const og_source_ops sparse_ops = { sparse_read, NULL };

static sparse_source sparse(const og_buf *head, uint64_t size)
{
	static char name[] = "big.onnx";
	return (sparse_source){ .s = { .ops = &sparse_ops, .size = size, .fd = -1, .name = name }, .head = head->p, .nhead = head->n };
}

static og_status read_bytes(const void *p, size_t n, og_arena *a, og_onnx_model **out, og_error *err)
{
	og_auto(og_source) *s = NULL;
	assert_int_equal(og_source_memory("m.onnx", p, n, &s, NULL), OG_OK);
	return og_onnx_read(s, NULL, a, out, err);
}

static og_onnx_model *read_text(const char *text, og_arena *a)
{
	og_buf b = make_model(text);
	og_onnx_model *m = NULL;
	og_error err = { 0 };
	if (read_bytes(b.p, b.n, a, &m, &err) != OG_OK)
		fail_msg("%s", err.message);
	og_buf_done(&b);
	return m;
}

static void refused(const og_buf *b, const char *why)
{
	og_auto(og_arena) *a = og_arena_new();
	og_onnx_model *m = NULL;
	og_error err = { 0 };
	assert_false(b->failed);
	assert_int_equal(read_bytes(b->p, b->n, a, &m, &err), ONNXGATE_FORMAT);
	assert_null(m);
	if (!strstr(err.message, why))
		fail_msg("expected \"%s\" in \"%s\"", why, err.message);
	assert_memory_equal(err.message, "m.onnx: ", 8);
}

/* A model whose graph holds `content`. */
static og_buf with_graph(og_buf *content)
{
	og_buf m;
	og_buf_init(&m, MAKE_MAX);
	og_wire_put_u64(&m, 1, 8);
	make_put(&m, 7, content);
	return m;
}

/* ---- what is read ---------------------------------------------------------------------------------------- */

static void test_reader__a_graph_is_read_as_it_was_written(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	og_onnx_model *m = read_text("ir 9\nopset 17\nimport com.microsoft 1\n"
	                             "input x float32 [batch, 3]\noutput y float16 [?, -1]\nvalue v int64\n"
	                             "init w float32 [3, 4]\nints axes [1, -2]\n"
	                             "node MatMul x,w -> v name=mm\n"
	                             "node com.microsoft:Gelu v,_ -> y,_ axis=-1 alpha=1.5 perm=[1,0] mode=\"s\"\n",
	                             a);
	(void)state;
	assert_int_equal(m->ir_version, 9);
	assert_int_equal(m->nopsets, 2);
	assert_string_equal(m->opsets[0].domain, "com.microsoft");
	assert_int_equal(og_onnx_opset_of(m->opsets, m->nopsets, ""), 17);
	og_onnx_graph *g = m->graph;
	assert_string_equal(g->name, "g");
	assert_true(g->nnodes == 2 && g->ninputs == 1 && g->noutputs == 1 && g->nvalue_info == 1 && g->ninitializers == 2);
	assert_true(m->node_count == 2 && m->tensor_count == 2 && m->subgraph_count == 0);
	assert_ptr_equal(g->inputs[0].name, g->nodes[0].inputs[0]); /* one copy of a name */
	const og_onnx_type *t = g->inputs[0].type;
	assert_true(t->kind == OG_ONNX_TENSOR && t->dtype == OG_F32 && t->has_shape && t->rank == 2);
	assert_string_equal(t->dims[0].symbol, "batch");
	assert_true(t->dims[0].value == -1 && t->dims[1].value == 3 && t->dims[1].symbol == NULL);
	t = g->outputs[0].type;
	assert_true(t->dtype == OG_F16 && t->dims[0].value == -1 && !t->dims[0].symbol && t->dims[1].value == -1);
	assert_true(g->value_info[0].type->dtype == OG_I64 && !g->value_info[0].type->has_shape);

	const og_onnx_node *n = &g->nodes[1];
	assert_string_equal(n->op_type, "Gelu");
	assert_string_equal(n->domain, "com.microsoft");
	assert_true(n->ninputs == 2 && n->noutputs == 2 && n->inputs[1][0] == 0 && n->outputs[1][0] == 0);
	assert_int_equal(og_onnx_attr_int(n, "axis", 7), -1);
	assert_int_equal(og_onnx_attr_int(n, "absent", 7), 7);
	assert_true(og_onnx_attr(n, "alpha")->f == 1.5f && og_onnx_attr(n, "alpha")->type == OG_ATTR_FLOAT);
	const og_onnx_attribute *perm = og_onnx_attr(n, "perm");
	assert_true(perm->type == OG_ATTR_INTS && perm->nints == 2 && perm->ints[0] == 1 && perm->ints[1] == 0);
	assert_true(og_str_is(og_onnx_attr(n, "mode")->s, "s"));
}

static void test_reader__weights_are_references_and_small_ones_are_kept(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	og_onnx_model *m = read_text("output y int64 [2]\ninit w float32 [100, 100]\nints s [7, -9]\nnode Identity s -> y\n", a);
	const og_onnx_tensor *w = &m->graph->initializers[0], *s = &m->graph->initializers[1];
	int64_t numbers[4];
	size_t n;
	(void)state;
	assert_true(w->has_raw && w->raw_size == 40000 && w->raw == NULL && w->rank == 2 && w->dims[1] == 100);
	assert_true(s->has_raw && s->raw_size == 16 && s->raw != NULL);
	assert_int_equal(m->weight_bytes, 40016);
	assert_true(og_onnx_tensor_ints(s, numbers, 4, &n));
	assert_true(n == 2 && numbers[0] == 7 && numbers[1] == -9);
	assert_false(og_onnx_tensor_ints(s, numbers, 1, &n));
	assert_false(og_onnx_tensor_ints(w, numbers, 4, &n));
}

static void test_reader__weights_are_not_read(void **state)
{
	const uint64_t weight = (uint64_t)1 << 30;
	og_auto(og_arena) *a = og_arena_new();
	og_onnx_model *m = NULL;
	og_error err = { 0 };
	og_buf head, inner;
	(void)state;
	og_buf_init(&head, 1000);
	og_buf_init(&inner, 1000);
	/* graph { initializer { dims 2^28, float, raw_data of 1 GiB } } with only the heads in memory */
	og_wire_put_i64(&inner, 1, (int64_t)weight / 4);
	og_wire_put_u64(&inner, 2, 1);
	og_wire_put_tag(&inner, 9, OG_WIRE_LEN);
	og_wire_put_varint(&inner, weight);
	uint64_t tensor = inner.n + weight, graph = 1 + og_wire_varint_size(tensor) + tensor;
	og_wire_put_tag(&head, 7, OG_WIRE_LEN);
	og_wire_put_varint(&head, graph);
	og_wire_put_tag(&head, 5, OG_WIRE_LEN);
	og_wire_put_varint(&head, tensor);
	og_buf_add(&head, inner.p, inner.n);
	sparse_source s = sparse(&head, head.n + weight);
	if (og_onnx_read(&s.s, NULL, a, &m, &err) != OG_OK)
		fail_msg("%s", err.message);
	assert_int_equal(m->graph->initializers[0].raw_size, weight);
	assert_int_equal(m->graph->initializers[0].raw_at, head.n);
	assert_true(s.read < 65536);
	og_buf_done(&head);
	og_buf_done(&inner);
}

static void test_reader__packed_and_unpacked_numbers_are_the_same(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	og_buf packed, unpacked, graph, numbers;
	og_onnx_model *m[2];
	(void)state;
	og_buf_init(&packed, 1000);
	og_buf_init(&unpacked, 1000);
	og_buf_init(&numbers, 1000);
	for (int i = 0; i < 5; i++) {
		og_wire_put_i64(&unpacked, 7, i - 2);
		og_wire_put_varint(&numbers, (uint64_t)(int64_t)(i - 2));
	}
	make_put(&packed, 7, &numbers);
	og_buf_init(&numbers, 1000);
	og_wire_put_i64(&unpacked, 1, 5);
	og_wire_put_varint(&numbers, 5);
	make_put(&packed, 1, &numbers);
	for (int i = 0; i < 2; i++) {
		og_wire_put_u64(i ? &packed : &unpacked, 2, 7);
		og_buf_init(&graph, 1000);
		make_put(&graph, 5, i ? &packed : &unpacked);
		og_buf b = with_graph(&graph);
		assert_int_equal(read_bytes(b.p, b.n, a, &m[i], NULL), OG_OK);
		og_buf_done(&b);
		const og_onnx_tensor *t = &m[i]->graph->initializers[0];
		int64_t out[8];
		size_t n;
		assert_true(og_onnx_tensor_ints(t, out, 8, &n));
		assert_int_equal(n, 5);
		for (int k = 0; k < 5; k++)
			assert_int_equal(out[k], k - 2);
	}
}

static void test_reader__typed_fields_are_counted(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	og_onnx_model *m;
	og_buf t, graph;
	(void)state;
	og_buf_init(&t, 1000);
	og_wire_put_bytes(&t, 4, "abcdefgh", 8);
	og_wire_put_f32(&t, 4, 1);
	og_wire_put_bytes(&t, 10, "abcdefghabcdefgh", 16);
	og_wire_put_str(&t, 6, "one");
	og_wire_put_str(&t, 6, "two");
	og_wire_put_u64(&t, 11, 9);
	og_wire_put_i64(&t, 5, -1);
	og_buf_init(&graph, 1000);
	make_put(&graph, 5, &t);
	og_buf b = with_graph(&graph);
	assert_int_equal(read_bytes(b.p, b.n, a, &m, NULL), OG_OK);
	const uint64_t *c = m->graph->initializers[0].counts;
	assert_true(c[OG_DATA_FLOAT] == 3 && c[OG_DATA_DOUBLE] == 2 && c[OG_DATA_STRING] == 2 && c[OG_DATA_UINT64] == 1 && c[OG_DATA_INT32] == 1
		&& c[OG_DATA_INT64] == 0);
	og_buf_done(&b);
}

static void test_reader__subgraphs_hang_at_their_attributes(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	og_onnx_model *m = read_text("input c bool []\noutput y float32\nnode If c -> y {\n graph then_branch\n init p float32 [2]\n output p\n end\n"
	                             " graph else_branch\n node Identity c -> q\n output q\n end\n }\n",
	                             a);
	(void)state;
	const og_onnx_attribute *yes = og_onnx_attr(&m->graph->nodes[0], "then_branch");
	assert_true(yes->type == OG_ATTR_GRAPH && yes->g && yes->g->ninitializers == 1 && yes->g->outputs[0].type == NULL);
	assert_int_equal(m->subgraph_count, 2);
	assert_int_equal(m->node_count, 2);
}

static void test_reader__unknown_fields_and_groups_are_counted_and_passed_over(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	og_buf b = make_model("input x float32\noutput y float32\nnode Relu x -> y\n");
	og_onnx_model *m;
	(void)state;
	og_wire_put_str(&b, 400, "from the future");
	og_wire_put_tag(&b, 401, OG_WIRE_GROUP);
	og_wire_put_str(&b, 1, "inside");
	og_wire_put_tag(&b, 401, OG_WIRE_END);
	assert_int_equal(read_bytes(b.p, b.n, a, &m, NULL), OG_OK);
	assert_int_equal(m->unknown_fields, 2);
	assert_int_equal(m->graph->nnodes, 1);
	og_buf_done(&b);
}

static void test_reader__external_data_and_functions_are_read(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	og_buf b = make_model("output w float32 [2]\nexternal w float32 [2] location=w.bin offset=4096 length=8\n"), f, import;
	og_onnx_model *m;
	(void)state;
	og_buf_init(&f, 1000);
	og_buf_init(&import, 100);
	og_wire_put_str(&f, 1, "Fn");
	og_wire_put_str(&f, 10, "local");
	og_wire_put_str(&f, 4, "x");
	og_wire_put_str(&f, 5, "y");
	og_wire_put_u64(&import, 2, 18);
	make_put(&f, 9, &import);
	make_put(&b, 25, &f);
	assert_int_equal(read_bytes(b.p, b.n, a, &m, NULL), OG_OK);
	const og_onnx_tensor *t = &m->graph->initializers[0];
	assert_true(t->external && t->nexternal_data == 3);
	assert_string_equal(t->external_data[1].key, "offset");
	assert_string_equal(t->external_data[1].value, "4096");
	assert_int_equal(m->nfunctions, 1);
	assert_string_equal(m->functions[0].domain, "local");
	assert_int_equal(og_onnx_opset_of(m->functions[0].opsets, 1, ""), 18);
	og_buf_done(&b);
}

/* ---- what is refused ------------------------------------------------------------------------------------- */

static void test_reader__what_is_no_model_is_called_by_its_name(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "an empty file" },
		{ "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a git-LFS pointer" },
		{ "<!DOCTYPE html><html>", "an HTML page" },
		{ "<html><body>404</body></html>", "an HTML page" },
		{ "PK\003\004....", "a zip archive" },
		{ "\x08\x08", "a message without a graph" },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(cases); i++) {
		og_buf b;
		og_buf_init(&b, 1000);
		og_buf_str(&b, cases[i].text);
		refused(&b, cases[i].why);
		og_buf_done(&b);
	}
}

static void test_reader__every_truncation_is_refused(void **state)
{
	og_buf b = make_model("input x float32 [batch, 3]\noutput y float32 [batch, 4]\ninit w float32 [3, 4]\nnode MatMul x,w -> y name=mm\n"
		"node Cast y -> z to=10\n");
	size_t good = 0;
	(void)state;
	for (size_t n = 0; n < b.n; n++) {
		og_auto(og_arena) *a = og_arena_new();
		og_onnx_model *m;
		og_error err = { 0 };
		og_status s = read_bytes(b.p, n, a, &m, &err);
		if (s == OG_OK) /* only between two fields of the model itself */
			good++;
		else
			assert_int_equal(s, ONNXGATE_FORMAT);
	}
	assert_true(good <= 2);
	og_buf_done(&b);
}

static void refused_graph(void (*fill)(og_buf *graph), const char *why)
{
	og_buf graph, b;
	og_buf_init(&graph, MAKE_MAX);
	fill(&graph);
	b = with_graph(&graph);
	refused(&b, why);
	og_buf_done(&b);
}

static void put_one(og_buf *parent, uint32_t field, uint32_t inner, const char *text, size_t n)
{
	og_buf b;
	og_buf_init(&b, MAKE_MAX);
	og_wire_put_bytes(&b, inner, text, n);
	make_put(parent, field, &b);
}

static void name_not_utf8(og_buf *g)
{
	put_one(g, 1, 4, "Re\xff", 3);
}
static void name_with_zero(og_buf *g)
{
	put_one(g, 1, 4, "Re\0lu", 5);
}
static void name_too_long(og_buf *g)
{
	char text[OG_NAME_MAX + 1];
	memset(text, 'a', sizeof(text));
	put_one(g, 11, 1, text, sizeof(text));
}
static void op_type_twice(og_buf *g)
{
	og_buf b;
	og_buf_init(&b, 100);
	og_wire_put_str(&b, 4, "Relu");
	og_wire_put_str(&b, 4, "Tanh");
	make_put(g, 1, &b);
}
static void number_where_text_is(og_buf *g)
{
	og_buf b;
	og_buf_init(&b, 100);
	og_wire_put_u64(&b, 4, 5);
	make_put(g, 1, &b);
}
static void packed_floats_cut(og_buf *g)
{
	put_one(g, 5, 4, "abcde", 5);
}
static void packed_varint_cut(og_buf *g)
{
	put_one(g, 5, 7, "\x80", 1);
}
static void dim_with_two_values(og_buf *g)
{
	og_buf dim, shape, tensor, type, value;
	og_buf_init(&dim, 100);
	og_buf_init(&shape, 100);
	og_buf_init(&tensor, 100);
	og_buf_init(&type, 100);
	og_buf_init(&value, 100);
	og_wire_put_u64(&dim, 1, 5);
	og_wire_put_str(&dim, 2, "n");
	make_put(&shape, 1, &dim);
	make_put(&tensor, 2, &shape);
	make_put(&type, 1, &tensor);
	make_put(&value, 2, &type);
	make_put(g, 11, &value);
}
static void type_with_two_values(og_buf *g)
{
	og_buf type, value;
	og_buf_init(&type, 100);
	og_buf_init(&value, 100);
	og_wire_put_str(&type, 1, "");
	og_wire_put_str(&type, 4, "");
	make_put(&value, 2, &type);
	make_put(g, 11, &value);
}
static void types_too_deep(og_buf *g)
{
	og_buf b, outer;
	og_buf_init(&b, 10000);
	for (int i = 0; i < 41; i++) { /* TypeProto { sequence_type { elem_type … } } */
		og_buf_init(&outer, 10000);
		make_put(&outer, i % 2 ? 1 : 4, &b);
		b = outer;
	}
	og_buf_init(&outer, 10000);
	make_put(&outer, 2, &b);
	make_put(g, 11, &outer);
}
static void group_not_closed(og_buf *g)
{
	og_wire_put_tag(g, 77, OG_WIRE_GROUP);
}
static void field_past_the_graph(og_buf *g)
{
	og_wire_put_tag(g, 1, OG_WIRE_LEN);
	og_wire_put_varint(g, 100);
}

static void test_reader__malformed_messages_are_refused(void **state)
{
	(void)state;
	refused_graph(name_not_utf8, "NodeProto.op_type: not UTF-8");
	refused_graph(name_with_zero, "NodeProto.op_type: not UTF-8");
	refused_graph(name_too_long, "ValueInfoProto.name: 1025 bytes");
	refused_graph(op_type_twice, "NodeProto.op_type: given twice");
	refused_graph(number_where_text_is, "NodeProto.op_type: wire type 0, expected 2");
	refused_graph(packed_floats_cut, "TensorProto.float_data: 5 bytes");
	refused_graph(packed_varint_cut, "truncated varint in packed numbers");
	refused_graph(dim_with_two_values, "both dim_value and dim_param");
	refused_graph(type_with_two_values, "two values");
	refused_graph(types_too_deep, "types nested deeper");
	refused_graph(group_not_closed, "group without an end");
	refused_graph(field_past_the_graph, "longer than what holds it");
}

/* graph { node { attribute { g: graph { … } } } } */
static og_buf nested(int depth)
{
	og_buf b, outer;
	og_buf_init(&b, MAKE_MAX);
	for (int i = 0; i < depth; i++) {
		static const uint32_t fields[] = { 6, 5, 1 };
		for (size_t k = 0; k < OG_COUNT(fields); k++) {
			og_buf_init(&outer, MAKE_MAX);
			make_put(&outer, fields[k], &b);
			b = outer;
		}
	}
	return with_graph(&b);
}

static void test_reader__nesting_is_bounded(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	og_onnx_model *m;
	og_buf b = nested(OG_ONNX_DEPTH_MAX - 1);
	(void)state;
	assert_int_equal(read_bytes(b.p, b.n, a, &m, NULL), OG_OK);
	og_buf_done(&b);
	b = nested(OG_ONNX_DEPTH_MAX);
	refused(&b, "subgraphs nested deeper than 32");
	og_buf_done(&b);
	b = nested(10000);
	refused(&b, "subgraphs nested deeper than 32");
	og_buf_done(&b);
}

static void test_reader__more_nodes_than_the_limit_are_refused(void **state)
{
	og_buf graph, b;
	(void)state;
	og_buf_init(&graph, MAKE_MAX);
	for (int i = 0; i <= OG_ONNX_NODES_MAX; i++)
		og_buf_add(&graph, "\x0a\x00", 2);
	b = with_graph(&graph);
	refused(&b, "more than 1000000 nodes");
	og_buf_done(&b);
}

static void test_reader__what_one_node_or_model_may_list_is_bounded(void **state)
{
	og_buf node, graph, b;
	(void)state;
	og_buf_init(&node, MAKE_MAX);
	og_buf_init(&graph, MAKE_MAX);
	for (int i = 0; i <= OG_ONNX_PORTS_MAX; i++)
		og_wire_put_str(&node, 2, "");
	make_put(&graph, 1, &node);
	b = with_graph(&graph);
	refused(&b, "NodeProto.output: more than 65536 of one node");
	og_buf_done(&b);
	b = make_model("output x float32\nnode Relu x -> x\n");
	for (int i = 0; i < OG_ONNX_OPSETS_MAX; i++)
		og_wire_put_str(&b, 8, "");
	refused(&b, "ModelProto.opset_import: more than 256");
	og_buf_done(&b);
}

static void test_reader__memory_is_bounded(void **state)
{
	og_buf graph, b;
	(void)state;
	og_buf_init(&graph, MAKE_MAX);
	for (int i = 0; i < 2000000; i++) /* empty initializers: 2 bytes in the file, two hundred in memory */
		og_buf_add(&graph, "\x2a\x00", 2);
	b = with_graph(&graph);
	refused(&b, "limit of 256 MiB");
	og_buf_done(&b);
}

static void test_reader__a_file_over_two_gibibytes_is_refused(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	og_onnx_model *m = NULL;
	og_error err = { 0 };
	og_buf none = { 0 };
	sparse_source s = sparse(&none, OG_ONNX_BYTES_MAX + 1);
	(void)state;
	assert_int_equal(og_onnx_read(&s.s, NULL, a, &m, &err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, "2 GiB"));
	assert_int_equal(s.read, 0);
}

static void test_reader__an_interruption_ends_the_reading(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	og_auto(og_source) *s = NULL;
	og_onnx_model *m;
	og_buf graph, b;
	int cancel = 1;
	og_context ctx = { .cancel = &cancel, .threads = 1 };
	(void)state;
	og_buf_init(&graph, MAKE_MAX);
	for (int i = 0; i < 200000; i++)
		og_buf_add(&graph, "\x0a\x00", 2);
	b = with_graph(&graph);
	assert_int_equal(og_source_memory("m.onnx", b.p, b.n, &s, NULL), OG_OK);
	assert_int_equal(og_onnx_read(s, &ctx, a, &m, NULL), ONNXGATE_CANCELLED);
	og_buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reader__a_graph_is_read_as_it_was_written),
		cmocka_unit_test(test_reader__weights_are_references_and_small_ones_are_kept),
		cmocka_unit_test(test_reader__weights_are_not_read),
		cmocka_unit_test(test_reader__packed_and_unpacked_numbers_are_the_same),
		cmocka_unit_test(test_reader__typed_fields_are_counted),
		cmocka_unit_test(test_reader__subgraphs_hang_at_their_attributes),
		cmocka_unit_test(test_reader__unknown_fields_and_groups_are_counted_and_passed_over),
		cmocka_unit_test(test_reader__external_data_and_functions_are_read),
		cmocka_unit_test(test_reader__what_is_no_model_is_called_by_its_name),
		cmocka_unit_test(test_reader__every_truncation_is_refused),
		cmocka_unit_test(test_reader__malformed_messages_are_refused),
		cmocka_unit_test(test_reader__nesting_is_bounded),
		cmocka_unit_test(test_reader__more_nodes_than_the_limit_are_refused),
		cmocka_unit_test(test_reader__what_one_node_or_model_may_list_is_bounded),
		cmocka_unit_test(test_reader__memory_is_bounded),
		cmocka_unit_test(test_reader__a_file_over_two_gibibytes_is_refused),
		cmocka_unit_test(test_reader__an_interruption_ends_the_reading),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
