# SPDX-License-Identifier: Apache-2.0
"""huggingface_hub as the judge of two things: our local Hub (tests/hub/hub.py), which must look like the real one to it, and our
cache, which must be its cache: what either of the two wrote, the other finds, verified, with no request for it."""

import argparse
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
sys.path.insert(0, os.path.join(ROOT, "tests/hub"))
SCRATCH = tempfile.mkdtemp(prefix="hub-judge-")
os.environ.update(HF_HUB_OFFLINE="0", HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_XET="1", HF_HOME=os.path.join(SCRATCH,
        "home"))
for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE", "HF_ENDPOINT"):
    os.environ.pop(name, None)

import filelock  # noqa: E402
import huggingface_hub as hf  # noqa: E402
from huggingface_hub import errors  # noqa: E402

import hub as local_hub  # noqa: E402

hf.logging.set_verbosity_error()
WRITES_TREES = tuple(int(n) for n in hf.__version__.split(".")[:2]) >= (1, 22)
ODD = "sub/dir/a b#ü%?+.txt"
BIG = bytes((i * i * 31 + i // 7) & 255 for i in range(2_500_000))
HEADER = json.dumps({"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__": {"format": "pt"}}).encode()
TENSORS = struct.pack("<Q", len(HEADER)) + HEADER + bytes(24)
FILES = {"config.json": b'{"model_type": "bert"}\n', "README.md": b"---\nlicense: mit\n---\n", "empty.txt": b"", ODD: b"odd name\n", "pytorch_model.bin": BIG,
         "model.safetensors": TENSORS}


class Judge:
    def __init__(self, build):
        self.program = os.path.join(os.path.abspath(build), "tests/hub/hub_get")
        self.root = os.path.join(SCRATCH, "root")
        self.passed = self.failed = self.caches = 0
        for path, data in FILES.items():
            self.put("org/tiny/" + path, data)
        self.put("org/tiny/.v1/config.json", b"{}\n")
        self.put("org/tiny/.hub.json", b'{"revisions": {"v1": {"dir": ".v1"}, "refs/pr/1": {"dir": ".v1"}}}')
        for name, config in (("gated", '{"gated": "auto"}'), ("private", '{"private": true}'), ("disabled", '{"disabled": true}')):
            self.put(f"org/{name}/config.json", b"{}\n")
            self.put(f"org/{name}/.hub.json", config.encode())
        self.put(".hub.json", b'{"tokens": {"hf_good": true, "hf_other": false}, "aliases": {"tiny": "org/tiny"}}')
        self.hub = local_hub.Hub(self.root).start()
        self.url = f"http://127.0.0.1:{self.hub.port('hub')}"
        self.api = hf.HfApi(endpoint=self.url, token=False)

    def put(self, path, data):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)

    def check(self, ok, text):
        self.passed, self.failed = self.passed + bool(ok), self.failed + (not ok)
        print(("ok      " if ok else "FAILED  ") + text, flush=True)

    def raises(self, kind, text, fn, *args, **kwargs):
        try:
            fn(*args, **kwargs)
            self.check(False, f"{text}: nothing was raised")
        except Exception as e:  # noqa: BLE001: the class is what is judged
            self.check(type(e) is kind, f"{text}: {type(e).__name__}")

    def cache(self):
        self.caches += 1
        return os.path.join(SCRATCH, f"cache-{self.caches}")

    def control(self, **order):
        self.hub.faults.control(order)

    def log(self, side=None, method=None, part=""):
        with self.hub.faults.lock:
            rows = list(self.hub.faults.log)
        return [r for r in rows if (side or r["side"]) == r["side"] and (method or r["method"]) == r["method"] and part in r["path"]]

    def download(self, cache, path, **more):
        return hf.hf_hub_download("org/tiny", path, cache_dir=cache, endpoint=self.url, token=more.pop("token", False), **more)

    def ours(self, cache, *args):
        """hub_get: (exit code, commit, flags, files, what it said)."""
        done = subprocess.run([self.program, self.url, cache, *args], capture_output=True, text=True, timeout=60)
        rows = done.stdout.splitlines()
        head = rows[0].split() if rows else ["commit", ""]
        return done.returncode, head[1], head[2:], [r[5:] for r in rows if r.startswith("file ")], done.stderr

    def same(self, folder):
        return all(open(os.path.join(folder, p), "rb").read() == data for p, data in FILES.items())


def listing(j):
    info = j.api.model_info("org/tiny", files_metadata=True)
    by_name = {s.rfilename: s for s in info.siblings}
    commit, entries = j.hub.store.tree(os.path.join(j.root, "org/tiny"), j.hub.store.config(os.path.join(j.root, "org/tiny")), "main")
    j.check(info.sha == commit and set(by_name) == set(FILES), "model_info: commit and files")
    j.check(all(by_name[p].size == len(d) for p, d in FILES.items()), "model_info: sizes")
    j.check(by_name["pytorch_model.bin"].lfs.sha256 == hashlib.sha256(BIG).hexdigest(), "model_info: SHA-256 of an LFS file")
    j.check(by_name["empty.txt"].blob_id == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391" and by_name["empty.txt"].lfs is None,
            "model_info: git's id of an ordinary file")
    j.check(info.gated is False and info.private is False and info.card_data.license == "mit", "model_info: facts")
    tree = {e.path: e for e in j.api.list_repo_tree("org/tiny", recursive=True)}
    j.check({p for p, e in tree.items() if isinstance(e, hf.hf_api.RepoFile)} == set(FILES) and "sub/dir" in tree, "list_repo_tree")
    j.control(rules=[{"path": "/tree/", "page": 3}])
    j.check(set(j.api.list_repo_files("org/tiny")) == set(FILES) and {e.path for e in j.api.list_repo_tree("org/tiny", recursive=True)} == set(tree),
            "pages of a tree")
    j.control(reset=True)
    j.check({b.name: b.target_commit for b in j.api.list_repo_refs("org/tiny").branches}["main"] == commit, "list_repo_refs")
    meta = hf.get_hf_file_metadata(hf.hf_hub_url("org/tiny", "pytorch_model.bin", endpoint=j.url), token=False)
    j.check((meta.etag, meta.size, meta.commit_hash) == (hashlib.sha256(BIG).hexdigest(), len(BIG), commit) and str(j.hub.port("cdn")) in meta.location,
            "HEAD of an LFS file")
    meta = hf.get_hf_file_metadata(hf.hf_hub_url("org/tiny", ODD, endpoint=j.url), token=False)
    j.check((meta.etag, meta.size, meta.commit_hash) == (local_hub.git_blob(FILES[ODD]), len(FILES[ODD]), commit), "HEAD of an ordinary file with an odd name")
    j.check(j.api.get_safetensors_metadata("org/tiny").parameter_count == {"F32": 6}, "a range of a file: get_safetensors_metadata")


def downloads(j):
    cache = j.cache()
    for path, data in FILES.items():
        j.check(open(j.download(cache, path), "rb").read() == data, f"hf_hub_download {path}")
    j.check(j.same(hf.snapshot_download("org/tiny", cache_dir=j.cache(), endpoint=j.url, token=False)), "snapshot_download")
    j.check(open(j.download(cache, "config.json", revision="refs/pr/1"), "rb").read() == b"{}\n", "a revision with slashes")
    j.check(open(hf.hf_hub_download("tiny", "config.json", cache_dir=cache, endpoint=j.url, token=False), "rb").read() == FILES["config.json"],
            "a name that is redirected")
    j.control(reset=True)
    j.download(j.cache(), "pytorch_model.bin", token="hf_good")
    j.check({r["headers"].get("authorization") for r in j.log("hub")} == {"Bearer hf_good"}
            and all("authorization" not in r["headers"] for r in j.log("cdn")), "the CDN sees no token")
    j.control(reset=True, rules=[{"path": "/resolve/", "method": "HEAD", "status": 503, "times": 1}])
    j.check(open(j.download(j.cache(), "config.json"), "rb").read() == FILES["config.json"] and len(j.log(part="/resolve/")) >= 2, "503 once, then tried again")
    j.control(reset=True)
    if WRITES_TREES:  # and resumes no more
        return
    fresh = j.cache()
    part = os.path.join(fresh, "models--org--tiny/blobs", hashlib.sha256(BIG).hexdigest() + ".incomplete")
    os.makedirs(os.path.dirname(part))
    with open(part, "wb") as f:
        f.write(BIG[:1_000_000])
    j.control(reset=True)
    j.check(open(j.download(fresh, "pytorch_model.bin"), "rb").read() == BIG and j.log("cdn", "GET")[0]["headers"].get("range") == "bytes=1000000-",
            "a download is resumed")
    j.control(reset=True)


def refusals(j):
    cache = j.cache()
    get = lambda repo, path="config.json", **more: hf.hf_hub_download(repo, path, cache_dir=cache, endpoint=j.url, **{"token": False, **more})  # noqa: E731
    j.raises(errors.GatedRepoError, "gated, anonymous", get, "org/gated")
    j.raises(errors.GatedRepoError, "gated, a token without access", get, "org/gated", token="hf_other")
    j.check(open(get("org/gated", token="hf_good"), "rb").read() == b"{}\n", "gated, a token with access")
    j.check(j.api.model_info("org/gated").gated == "auto", "gated: the page can be read")
    j.raises(errors.RepositoryNotFoundError, "missing, with a token", get, "org/nothing", token="hf_other")
    j.raises(errors.RepositoryNotFoundError, "private, a token without access", get, "org/private", token="hf_other")
    j.check(open(get("org/private", token="hf_good"), "rb").read() == b"{}\n", "private, a token with access")
    try:
        j.api.model_info("org/nothing")
        j.check(False, "missing, anonymous: nothing was raised")
    except errors.HfHubHTTPError as e:  # over http a bare 401 stays what it is
        j.check(e.response.status_code == 401, f"missing, anonymous: HTTP {e.response.status_code}")
    j.raises(errors.RevisionNotFoundError, "no such revision", get, "org/tiny", revision="nope")
    j.raises(errors.RemoteEntryNotFoundError if hasattr(errors, "RemoteEntryNotFoundError") else errors.EntryNotFoundError, "no such file", get,
            "org/tiny", "nope.txt")
    j.check(hf.try_to_load_from_cache("org/tiny", "nope.txt", cache_dir=cache) is hf.file_download._CACHED_NO_EXIST, "its absence is remembered")
    j.raises(errors.DisabledRepoError, "disabled", j.api.model_info, "org/disabled")
    j.check(j.api.whoami(token="hf_good")["name"] == "someone", "whoami")
    try:
        j.api.model_info("org/tiny", token="hf_wrong")
        j.check(False, "a wrong token is refused")
    except errors.HfHubHTTPError as e:
        j.check("Invalid credentials" in str(e), "a wrong token is refused")


def our_cache_is_theirs(j):
    cache = j.cache()
    code, commit, _, files, said = j.ours(cache, "org/tiny", "--all")
    j.check(code == 0 and len(files) == len(FILES), f"our client fetches everything {said if code else ''}")
    j.check(j.ours(cache, "org/tiny@v1", "--all")[0] == 0, "and another revision")
    j.check(j.ours(cache, "org/tiny", "nope.onnx")[0] == 3, "and learns that a file does not exist")
    j.control(reset=True)
    for path, data in FILES.items():
        j.check(open(j.download(cache, path, local_files_only=True), "rb").read() == data, f"theirs finds {path} without the network")
    j.check(j.same(hf.snapshot_download("org/tiny", cache_dir=cache, endpoint=j.url, local_files_only=True)), "and the snapshot")
    j.check(hf.try_to_load_from_cache("org/tiny", "nope.onnx", cache_dir=cache) is hf.file_download._CACHED_NO_EXIST, "and what does not exist")
    j.check(not j.log(), "no request was made for any of it")
    j.check(j.same(hf.snapshot_download("org/tiny", cache_dir=cache, endpoint=j.url, token=False)) and not j.log("cdn"),
            "with the network it fetches nothing again")
    report = hf.scan_cache_dir(cache)
    j.check(not report.warnings, f"scan_cache_dir: no warnings {report.warnings or ''}")
    repo = next(iter(report.repos))
    j.check(len(report.repos) == 1 and repo.repo_id == "org/tiny" and repo.nb_files == len(FILES) + 1, "scan_cache_dir: one repository, all its files")
    j.check(repo.size_on_disk == sum(map(len, FILES.values())) + 3 and repo.refs["main"].commit_hash == commit and set(repo.refs) == {"main", "v1"},
            "scan_cache_dir: sizes and refs")
    report.delete_revisions(repo.refs["v1"].commit_hash).execute()
    j.check(j.ours(cache, "org/tiny", "--offline", "--all")[0] == 0 and len(next(iter(hf.scan_cache_dir(cache).repos)).revisions) == 1,
            "theirs deletes a revision, ours goes on")


def their_cache_is_ours(j):
    cache = j.cache()
    hf.snapshot_download("org/tiny", cache_dir=cache, endpoint=j.url, token=False)
    j.control(reset=True)
    code, commit, flags, files, said = j.ours(cache, "org/tiny", "--offline", "--all")
    j.check(code == 0 and len(files) == len(FILES) and flags == ["cached", "partial"][: 1 if WRITES_TREES else 2],
            f"ours finds a snapshot of theirs offline {said if code else ''}")
    j.check(all(open(f, "rb").read() == FILES[os.path.relpath(f, os.path.join(cache, "models--org--tiny/snapshots", commit))] for f in files),
            "with the right bytes")
    j.check(not j.log(), "no request was made for it")
    code, _, flags, _, _ = j.ours(cache, "org/tiny", "--all")
    tree = os.path.join(cache, "models--org--tiny/trees", commit + ".json")
    if WRITES_TREES:
        theirs = open(tree, encoding="utf-8").read()
        shutil.rmtree(os.path.dirname(tree))
        j.ours(cache, "org/tiny")
        j.check(json.load(open(tree, encoding="utf-8")) == json.loads(theirs), "ours keeps the same listing as theirs")
        j.control(reset=True)
        code, _, flags, _, _ = j.ours(cache, "org/tiny", "--all")
    j.check(code == 0 and flags == [] and [r["path"] for r in j.log()] == ["/api/models/org/tiny/revision/main?blobs=True"],
            "with the network it asks once and fetches nothing")
    j.check(j.ours(cache, "org/tiny", "--offline")[2] == ["cached"] and not hf.scan_cache_dir(cache).warnings,
            "and has made the listing whole, without a warning of theirs")


def together(j):
    cache = j.cache()
    j.control(reset=True, rules=[{"side": "cdn", "slow": [250_000, 0.05]}])
    outcome = []
    theirs = threading.Thread(target=lambda: outcome.append(open(j.download(cache, "pytorch_model.bin"), "rb").read() == BIG))
    theirs.start()
    codes = []
    mine = [threading.Thread(target=lambda: codes.append(j.ours(cache, "org/tiny", "pytorch_model.bin")[0])) for _ in range(3)]
    for t in mine:
        t.start()
    for t in (*mine, theirs):
        t.join()
    j.check(outcome == [True] and codes == [0, 0, 0], "theirs and three of ours at once")
    j.check(len(j.log("cdn", "GET")) == 1, f"one download among them: {len(j.log('cdn', 'GET'))}")
    blobs = os.listdir(os.path.join(cache, "models--org--tiny/blobs"))
    j.check(blobs == [hashlib.sha256(BIG).hexdigest()] and not hf.scan_cache_dir(cache).warnings, "one blob, nothing left over")
    j.control(reset=True)
    cache = j.cache()
    lock = os.path.join(cache, ".locks/models--org--tiny", local_hub.git_blob(FILES["config.json"]) + ".lock")
    os.makedirs(os.path.dirname(lock))
    with filelock.FileLock(lock):
        mine = subprocess.Popen([j.program, j.url, cache, "org/tiny", "config.json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.7)
        waiting = mine.poll() is None and not j.log(part="/resolve/")
    j.check(waiting and mine.wait(20) == 0, "ours waits for their lock, then goes on")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default=os.path.join(ROOT, "build"), help="folder of the built program")
    j = Judge(p.parse_args().build)
    print(f"note: judged by huggingface_hub {hf.__version__}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for part in (listing, downloads, refusals, our_cache_is_theirs, their_cache_is_ours, together):
                try:
                    part(j)
                except Exception:  # noqa: BLE001: the other parts are still to be judged
                    j.check(False, f"{part.__name__}: {traceback.format_exc()}")
    finally:
        j.hub.stop()
        shutil.rmtree(SCRATCH, ignore_errors=True)
    print(f"{j.passed} passed, {j.failed} failed")
    return j.failed != 0


if __name__ == "__main__":
    sys.exit(main())
