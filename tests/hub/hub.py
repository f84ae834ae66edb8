#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small Hugging Face Hub on loopback, for tests and for scripts/quickstart.sh.

    python3 hub.py --root DIR [--port 0] [--port-file F] [--tls PEM] [--rules FILE]

DIR/<org>/<name>/... are the repositories.  A commit is derived from the content (SHA-1 over names and digests), so
the same files always have the same commit and a changed file moves the branch.  What the real Hub does and its
clients depend on is kept: 307 to a relative /api/resolve-cache/ for small files, 302 to a CDN on another port for
LFS files (X-Linked-* and X-Repo-Commit only there, the CDN's ETag is a decoy), X-Error-Code, Range, Link paging.

A file .hub.json in a repository may hold (it is not served):
    {"revisions": {"v1": {"dir": ".v1"}, "refs/pr/1": {"same_as": "main"}},   a folder of its own, or another name
     "gated": "auto", "private": true, "disabled": true, "info": {...}}       info: merged into the model's answer
and one in DIR: {"tokens": {"hf_x": true}, "aliases": {"gpt2": "openai-community/gpt2"}}; true: may read everything.
Without it hf_good may read everything and hf_other is valid but may read nothing that is gated or private.

POST /_control (from loopback only) {"reset": true} forgets rules and log; {"rules": [RULE, ...]} replaces the rules
(--rules FILE: the same document, at the start).
    RULE: {"path": REGEX, "method": "GET", "side": "hub"|"cdn", "skip": N, "times": N, ACTION...}; the first that fits
    ACTION (any number):  "status": 503, "body": TEXT | "json": VALUE | "garbage": BYTES   instead of the answer
      "redirect": URL ({hub} and {cdn} are replaced)    "headers": {NAME: VALUE or null}    "delay": SECONDS
      "drop_after": BYTES of the body    "corrupt": OFFSET    "resize": +N or -N    "gzip": true    "chunked": true
      "ignore_range": true    "slow": [BYTES, SECONDS]    "merge": {KEY: VALUE} into a JSON object
      "siblings": N, at most so many    "no_blobs": true    "page": N entries of a tree page
GET /_log gives every request so far: [{side, method, path, status, sent, headers{}}].
"""

import argparse
import gzip
import hashlib
import http.server
import json
import os
import re
import signal
import ssl
import sys
import threading
import time
import urllib.parse

LFS_SIZE = 1_000_000
LFS_NAMES = (".safetensors", ".onnx", ".onnx_data", ".bin", ".h5", ".msgpack", ".pt", ".pth", ".gguf", ".npz", ".zip")
DISABLED = "Access to this resource is disabled."


class Reply(Exception):
    """An answer that ends the handling at once: errors mostly."""

    def __init__(self, status, code=None, message=None, **headers):
        super().__init__(status)
        self.status = status
        self.headers = {k.replace("_", "-"): v for k, v in headers.items()}
        if code:
            self.headers["X-Error-Code"] = code
        if message:
            self.headers["X-Error-Message"] = message
        self.body = json.dumps({"error": message or str(status)}).encode()


class Entry:
    """One file of one commit."""

    def __init__(self, path, local, size, sha1, sha256):
        self.path, self.local, self.size, self.sha256 = path, local, size, sha256
        self.lfs = size >= LFS_SIZE or path.endswith(LFS_NAMES)
        self.pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (sha256.encode(), size)
        self.oid = git_blob(self.pointer) if self.lfs else sha1
        self.etag = sha256 if self.lfs else sha1


def git_blob(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Store:
    """The folder of repositories.  Digests are kept by path, size and time, so that a listing costs one stat a file."""

    def __init__(self, root):
        self.root = root
        self.lock = threading.Lock()
        self.digests = {}
        self.by_sha256 = {}

    def config(self, folder):
        try:
            with open(os.path.join(folder, ".hub.json"), encoding="utf-8") as f:
                return json.load(f)
        except FileNotFoundError:
            return {}

    def repo(self, repo_id):
        folder = os.path.join(self.root, *repo_id.split("/"))
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", repo_id) or ".." in repo_id or not os.path.isdir(folder):
            return None, {}
        if "/" not in repo_id and not os.path.exists(os.path.join(folder, ".hub.json")):
            return None, {}
        return folder, self.config(folder)

    def digest(self, local):
        st = os.stat(local)
        key = (local, st.st_size, st.st_mtime_ns)
        with self.lock:
            if key in self.digests:
                return (st.st_size,) + self.digests[key]
        sha1, sha256 = hashlib.sha1(b"blob %d\0" % st.st_size), hashlib.sha256()
        with open(local, "rb") as f:
            while block := f.read(1 << 20):
                sha1.update(block)
                sha256.update(block)
        with self.lock:
            self.digests[key] = (sha1.hexdigest(), sha256.hexdigest())
            self.by_sha256[sha256.hexdigest()] = local
        return st.st_size, sha1.hexdigest(), sha256.hexdigest()

    def tree(self, folder, config, revision):
        """(commit, [Entry]) of a branch, tag, commit or its beginning; None: no such revision."""
        names = {"main": {"dir": "."}}
        names.update(config.get("revisions", {}))
        if revision in names:
            spec = names[revision]
            if "same_as" in spec:
                return self.tree(folder, config, spec["same_as"])
            return self.files(folder, spec["dir"], [s.get("dir") for s in names.values()])
        if re.fullmatch(r"[0-9a-f]{7,40}", revision):
            for name in names:
                commit, files = self.tree(folder, config, name)
                if commit.startswith(revision):
                    return commit, files
        return None

    def files(self, folder, sub, others):
        top = os.path.normpath(os.path.join(folder, sub))
        hidden = {os.path.normpath(os.path.join(folder, o)) for o in others if o} - {top}
        found = []
        for where, dirs, names in os.walk(top, followlinks=True):
            dirs[:] = [d for d in dirs if os.path.join(where, d) not in hidden and d != ".git"]
            for name in names:
                local = os.path.join(where, name)
                path = os.path.relpath(local, top)
                if path != ".hub.json":
                    found.append(Entry(path, local, *self.digest(local)))
        found.sort(key=lambda e: e.path)
        commit = hashlib.sha1("".join(f"{e.path}\0{e.sha256}\n" for e in found).encode()).hexdigest()
        return commit, found


class Faults:
    """The rules of /_control and the log of /_log."""

    def __init__(self):
        self.lock = threading.Lock()
        self.rules, self.log = [], []

    def control(self, order):
        with self.lock:
            if order.get("reset"):
                self.rules, self.log = [], []
            if "rules" in order:
                self.rules = [dict(r, seen=0) for r in order["rules"]]

    def find(self, side, method, path):
        with self.lock:
            for r in self.rules:
                if r.get("side", side) != side or r.get("method", method) != method or not re.search(r.get("path", ""), path):
                    continue
                r["seen"] += 1
                first = r.get("skip", 0)
                if first < r["seen"] <= first + r.get("times", 1 << 60):
                    return r
        return {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "hub.py", ""
    disable_nagle_algorithm, wbufsize = True, 1 << 16

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.handle_request()

    def do_GET(self):
        self.handle_request()

    def do_POST(self):
        self.handle_request()

    # ---- the answer ----

    def handle_request(self):
        self.hub = self.server.hub
        url = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        self.sent, self.status, self.rule = 0, 0, {}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if url.path.startswith("/_"):
            return self.meta(url.path, body)
        self.rule = self.hub.faults.find(self.server.side, self.command, self.path)
        entry = {"side": self.server.side, "method": self.command, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}
        with self.hub.faults.lock:
            self.hub.faults.log.append(entry)
        try:
            self.route(url.path)
        except Reply as r:
            self.respond(r.status, r.headers, r.body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        entry["status"], entry["sent"] = self.status, self.sent

    def meta(self, path, body):
        if self.client_address[0] not in ("127.0.0.1", "::1"):
            return self.respond(403, {}, b"")
        if path == "/_log":
            with self.hub.faults.lock:
                text = json.dumps(self.hub.faults.log)
            return self.respond(200, {"Content-Type": "application/json"}, text.encode())
        if path == "/_control" and self.command == "POST":
            self.hub.faults.control(json.loads(body))
            return self.respond(200, {}, b"{}")
        return self.respond(404, {}, b"")

    def route(self, path):
        rule = self.rule
        if "delay" in rule:
            time.sleep(rule["delay"])
        if "redirect" in rule:
            where = rule["redirect"].replace("{hub}", self.hub.url(self, "hub")).replace("{cdn}", self.hub.url(self, "cdn"))
            raise Reply(rule.get("status", 302), Location=where)
        if "status" in rule or "body" in rule or "json" in rule or "garbage" in rule:
            body = json.dumps(rule["json"]).encode() if "json" in rule else rule.get("body", "").encode() or b"[" * rule.get("garbage", 0)
            return self.respond(rule.get("status", 200), {"Content-Type": "application/json"}, body)
        if self.server.side == "cdn":
            return self.cdn(path)
        self.user()
        if path == "/api/whoami-v2":
            return self.whoami()
        if m := re.fullmatch(r"/api/models/([^/]+(?:/[^/]+)?)/refs", path):
            return self.refs(*m.groups())
        if m := re.fullmatch(r"/api/models/([^/]+(?:/[^/]+)?)/tree/([^/]+)(?:/(.*))?", path):
            return self.tree(*m.groups())
        if m := re.fullmatch(r"/api/models/([^/]+(?:/[^/]+)?)/revision/([^/]+)", path):
            return self.info(*m.groups())
        if m := re.fullmatch(r"/api/resolve-cache/models/([^/]+(?:/[^/]+)?)/([0-9a-f]{40})/(.+)", path):
            return self.resolve_cache(*m.groups())
        if m := re.fullmatch(r"/api/models/([^/]+(?:/[^/]+)?)", path):
            return self.info(m.group(1), "main")
        if m := re.fullmatch(r"/([^/]+(?:/[^/]+)?)/resolve/([^/]+)/(.+)", path):
            return self.resolve(*m.groups())
        if m := re.fullmatch(r"/([^/]+(?:/[^/]+)?)/raw/([^/]+)/(.+)", path):
            return self.raw(*m.groups())
        raise Reply(404, None, "Not found")

    def respond(self, status, headers, body, local=None, size=0, start=0):
        """body: bytes, or None and then `size` bytes of the file `local` from `start` on."""
        rule = self.rule
        if local and ("corrupt" in rule or "resize" in rule or "gzip" in rule):
            with open(local, "rb") as f:
                f.seek(start)
                body, local = f.read(size), None
        if body is not None:
            body = self.distort(body, headers)
            size = len(body)
        headers.setdefault("X-Request-Id", "Root=1-00000000-%024x" % id(headers))
        headers.update({k: v for k, v in rule.get("headers", {}).items()})
        if rule.get("chunked") and self.command != "HEAD":
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers.setdefault("Content-Length", str(size))
        self.status = status
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD" or status == 304:
            return
        if body is not None:
            return self.pour([body])
        with open(local, "rb") as f:
            f.seek(start)
            self.pour(self.pieces(f, size))

    def distort(self, body, headers):
        rule = self.rule
        if "corrupt" in rule and rule["corrupt"] < len(body):
            body = bytearray(body)
            body[rule["corrupt"]] ^= 1
        if "resize" in rule:
            body = body + b"x" * rule["resize"] if rule["resize"] > 0 else body[: rule["resize"]]
        if "gzip" in rule:
            body = gzip.compress(bytes(body), mtime=0)
            headers["Content-Encoding"] = "gzip"
        return bytes(body)

    @staticmethod
    def pieces(f, size):
        while size:
            piece = f.read(min(size, 1 << 18))
            size -= len(piece)
            yield piece

    def pour(self, pieces):
        rule, left = self.rule, self.rule.get("drop_after", 1 << 62)
        step, pause = rule.get("slow", (1 << 18, 0))
        for piece in pieces:
            for at in range(0, len(piece), step):
                part = piece[at : at + step][:left]
                if rule.get("chunked"):
                    self.wfile.write(b"%x\r\n" % len(part) + part + b"\r\n")
                else:
                    self.wfile.write(part)
                self.sent += len(part)
                left -= len(part)
                if pause:
                    self.wfile.flush()
                    time.sleep(pause)
                if left <= 0:
                    self.wfile.flush()
                    self.close_connection = True
                    self.connection.shutdown(2)
                    return
        if rule.get("chunked"):
            self.wfile.write(b"0\r\n\r\n")

    def answer_json(self, value, **headers):
        if isinstance(value, dict):
            value.update(self.rule.get("merge", {}))
        headers = {k.replace("_", "-"): v for k, v in headers.items() if v}
        headers.update({"Content-Type": "application/json; charset=utf-8", "RateLimit": '"api";r=499;t=270'})
        self.respond(200, headers, json.dumps(value).encode())

    def answer_file(self, local, size, headers):
        headers.update({"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"})
        m = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not m or m.groups() == ("", "") or self.rule.get("ignore_range"):
            return self.respond(200, headers, None, local, size)
        first, last = m.groups()
        start = int(first) if first else max(size - int(last), 0)
        end = min(int(last), size - 1) if first and last else size - 1
        if start > end:
            headers["Content-Range"] = f"bytes */{size}"
            return self.respond(416, headers, b"")
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        self.respond(206, headers, None, local, end - start + 1, start)

    # ---- who asks, and for what ----

    def user(self):
        """None: anonymous; else whether the token may read everything."""
        token = self.headers.get("Authorization", "")
        if not token:
            return None
        known = self.hub.store.config(self.hub.store.root).get("tokens", {"hf_good": True, "hf_other": False})
        if not token.startswith("Bearer ") or token[7:] not in known:
            raise Reply(401, None, "Invalid credentials in Authorization header")
        return known[token[7:]]

    def repo(self, repo_id, files):
        aliases = self.hub.store.config(self.hub.store.root).get("aliases", {})
        if repo_id in aliases:
            raise Reply(307, Location=self.path.replace(repo_id, aliases[repo_id], 1))
        folder, config = self.hub.store.repo(urllib.parse.unquote(repo_id))
        user = self.user()
        if folder is None or (config.get("private") and not user):
            if user is None:
                raise Reply(401, None, "Invalid username or password.")
            raise Reply(404, "RepoNotFound", "Repository not found")
        if config.get("disabled"):
            raise Reply(403, None, DISABLED)
        if config.get("gated") and files and not user:
            text = f"Access to model {repo_id} is restricted."
            raise Reply(401 if user is None else 403, "GatedRepo", text)
        return folder, config

    def commit(self, repo_id, revision, files=False):
        folder, config = self.repo(repo_id, files)
        revision = urllib.parse.unquote(revision)
        found = self.hub.store.tree(folder, config, revision)
        if not found:
            raise Reply(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return folder, config, found[0], found[1]

    def entry(self, repo_id, revision, path):
        _, config, commit, files = self.commit(repo_id, revision, True)
        path = urllib.parse.unquote(path)
        for e in files:
            if e.path == path:
                return config, commit, e
        raise Reply(404, "EntryNotFound", "Entry not found", X_Repo_Commit=commit)

    # ---- end points ----

    def whoami(self):
        if self.user() is None:
            raise Reply(401, None, "Invalid username or password.")
        self.answer_json({"type": "user", "id": "0", "name": "someone", "fullname": "Some One", "orgs": [], "auth": {"type": "access_token"}})

    def refs(self, repo_id):
        folder, config = self.repo(repo_id, False)
        names = ["main"] + [n for n in config.get("revisions", {}) if not n.startswith("refs/")]
        branches = [{"name": n, "ref": f"refs/heads/{n}", "targetCommit": self.hub.store.tree(folder, config, n)[0]} for n in names]
        self.answer_json({"branches": branches, "tags": [], "converts": []})

    def info(self, repo_id, revision):
        folder, config, commit, files = self.commit(repo_id, revision)
        blobs = self.query.get("blobs", ["false"])[0].lower() in ("true", "1") and not self.rule.get("no_blobs")
        siblings = []
        for e in files[: self.rule.get("siblings", len(files))]:
            row = {"rfilename": e.path}
            if blobs:
                row.update(blobId=e.oid, size=e.size)
                if e.lfs:
                    row["lfs"] = {"sha256": e.sha256, "size": e.size, "pointerSize": len(e.pointer)}
            siblings.append(row)
        info = {"_id": hashlib.md5(repo_id.encode()).hexdigest()[:24], "id": repo_id, "modelId": repo_id, "author": repo_id.split("/")[0], "sha": commit,
                "lastModified": "2024-01-01T00:00:00.000Z", "createdAt": "2024-01-01T00:00:00.000Z", "private": bool(config.get("private")),
                "disabled": False, "gated": config.get("gated", False), "tags": [], "downloads": 0, "likes": 0, "spaces": [], "usedStorage": 0,
                "siblings": siblings}
        info.update(self.card(files))
        info.update(config.get("info", {}))
        self.answer_json(info)

    @staticmethod
    def card(files):
        """What the Hub reads out of config.json and the README's front matter."""
        out = {}
        for e in files:
            try:
                with open(e.local, encoding="utf-8") as f:
                    if e.path == "config.json":
                        config = json.load(f)
                        out["config"] = {k: config[k] for k in ("architectures", "model_type") if k in config}
                    if e.path == "README.md" and (m := re.match(r"---\n(.*?)\n---", f.read(), re.S)):
                        card = dict(re.findall(r"^(\w+): *([^\s\[]\S*)$", m.group(1), re.M))
                        out["cardData"] = card
                        out["tags"] = [f"license:{card['license']}"] if "license" in card else []
                        out.update({k: card[k] for k in ("pipeline_tag", "library_name") if k in card})
            except (ValueError, TypeError):
                pass
        return out

    def tree(self, repo_id, revision, path):
        _, _, _, files = self.commit(repo_id, revision)
        recursive = self.query.get("recursive", ["false"])[0].lower() in ("true", "1")
        below = urllib.parse.unquote(path) + "/" if path else ""
        rows, folders = [], set()
        for e in files:
            if not e.path.startswith(below):
                continue
            rest = e.path[len(below) :].split("/")
            for depth in range(1, len(rest) if recursive else min(len(rest), 2)):
                folder = below + "/".join(rest[:depth])
                if folder not in folders:
                    folders.add(folder)
                    rows.append({"type": "directory", "oid": hashlib.sha1(folder.encode()).hexdigest(), "size": 0, "path": folder})
            if recursive or len(rest) == 1:
                row = {"type": "file", "oid": e.oid, "size": e.size, "path": e.path}
                if e.lfs:
                    row["lfs"] = {"oid": e.sha256, "size": e.size, "pointerSize": len(e.pointer)}
                rows.append(row)
        if below and not rows:
            raise Reply(404, "EntryNotFound", f"{path} does not exist")
        at, page = int(self.query.get("cursor", ["0"])[0]), self.rule.get("page", int(self.query.get("limit", ["1000"])[0]))
        link = None
        if at + page < len(rows):
            query = {k: v[0] for k, v in self.query.items()} | {"cursor": str(at + page)}
            link = f'<{self.hub.url(self, "hub")}{urllib.parse.urlsplit(self.path).path}?{urllib.parse.urlencode(query)}>; rel="next"'
        self.answer_json(rows[at : at + page], Link=link)

    def resolve(self, repo_id, revision, path):
        config, commit, e = self.entry(repo_id, revision, path)
        headers = {"X-Repo-Commit": commit, "RateLimit": '"resolvers";r=2998;t=172', "Vary": "Origin"}
        if e.lfs:
            headers.update({"X-Linked-Etag": f'"{e.etag}"', "X-Linked-Size": str(e.size)})
            shape = hashlib.sha256(repo_id.encode()).hexdigest()
            query = urllib.parse.urlencode({"response-content-disposition": "inline", "Expires": str(int(time.time()) + 3600), "Signature": self.hub.secret})
            headers["Location"] = f'{self.hub.url(self, "cdn")}/repos/{shape[:2]}/{shape}/{e.sha256}?{query}'
            return self.respond(302, headers, b"Found. Redirecting to " + headers["Location"].encode())
        if e.size == 0 or config.get("gated") or config.get("private"):
            headers["ETag"] = f'"{e.etag}"'
            return self.answer_file(e.local, e.size, headers)
        quoted = urllib.parse.quote(e.path)
        asked = urllib.parse.quote(urllib.parse.urlsplit(self.path).path, safe="")
        headers["Location"] = f"/api/resolve-cache/models/{repo_id}/{commit}/{quoted}?{asked}=&etag=%22{e.etag}%22"
        self.respond(307, headers, b"Temporary Redirect. Redirecting to " + headers["Location"].encode())

    def resolve_cache(self, repo_id, commit, path):
        _, commit, e = self.entry(repo_id, commit, path)
        self.answer_file(e.local, e.size, {"X-Repo-Commit": commit, "ETag": f'"{e.etag}"'})

    def raw(self, repo_id, revision, path):
        _, commit, e = self.entry(repo_id, revision, path)
        if e.lfs:
            return self.respond(200, {"X-Repo-Commit": commit, "Content-Type": "text/plain"}, e.pointer)
        self.answer_file(e.local, e.size, {"X-Repo-Commit": commit, "ETag": f'"{e.etag}"'})

    def cdn(self, path):
        sha256 = path.rsplit("/", 1)[-1]
        local = self.hub.store.by_sha256.get(sha256)
        if self.headers.get("Authorization"):  # as object stores do
            raise Reply(400, None, "Only one auth mechanism allowed; only the Signature query parameter or the Authorization header")
        if local is None or self.query.get("Signature", [""])[0] != self.hub.secret or int(self.query.get("Expires", ["0"])[0]) < time.time():
            raise Reply(403, None, "Request has expired")
        decoy = hashlib.sha256(b"decoy" + sha256.encode()).hexdigest()
        self.answer_file(local, os.path.getsize(local), {"ETag": f'"{decoy}"'})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError, TimeoutError)):
            super().handle_error(request, client_address)


class Hub:
    def __init__(self, root, port=0, tls=None, bind="127.0.0.1"):
        self.store, self.faults, self.secret = Store(os.path.abspath(root)), Faults(), os.urandom(8).hex()
        self.scheme = "https" if tls else "http"
        self.servers = {}
        for side in ("hub", "cdn"):
            server = Server((bind, port if side == "hub" else 0), Handler)
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(tls)
                server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            server.hub, server.side = self, side
            self.servers[side] = server

    def port(self, side):
        return self.servers[side].server_address[1]

    def url(self, handler, side):
        host = handler.headers.get("Host", "127.0.0.1").rsplit(":", 1)[0]
        return f"{self.scheme}://{host}:{self.port(side)}"

    def start(self):
        for server in self.servers.values():
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self):
        for server in self.servers.values():
            server.shutdown()
            server.server_close()


def main():
    p = argparse.ArgumentParser(description="a small Hugging Face Hub on loopback")
    p.add_argument("--root", required=True, help="folder of repositories: ORG/NAME/...")
    p.add_argument("--port", type=int, default=0, help="0: any free one")
    p.add_argument("--port-file", help="written when ready: first line the port, second that of the CDN")
    p.add_argument("--rules", metavar="FILE", help="what POST /_control takes, to begin with")
    p.add_argument("--tls", metavar="PEM", help="serve https with this key and certificate")
    a = p.parse_args()
    if not os.path.isdir(a.root):
        p.error(f"--root {a.root}: no such folder")
    hub = Hub(a.root, a.port, a.tls)
    if a.rules:
        with open(a.rules, encoding="utf-8") as f:
            hub.faults.control(json.load(f))
    hub.start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if a.port_file:
        with open(a.port_file + ".tmp", "w", encoding="ascii") as f:
            f.write(f"{hub.port('hub')}\n{hub.port('cdn')}\n")
        os.rename(a.port_file + ".tmp", a.port_file)
    print(f"{hub.scheme}://127.0.0.1:{hub.port('hub')}", flush=True)
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
