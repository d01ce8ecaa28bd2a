# A piece of internet for one test, on port 443 of one address under every name that it is given as an argument:
# a git repository, an npm registry, a Python index, and a text everywhere else. Each request is a line of its output.
import base64, hashlib, html, http.server, io, json, os, ssl, subprocess, sys, tarfile, urllib.parse, zipfile

FOLDER = "/tmp/internet"
INSPECTED = "registry.npmjs.org"
os.makedirs(FOLDER)
os.chdir(FOLDER)


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, **more).stdout


def certificates(name, hosts, constraint=()):
    """An authority, and what it says of these hosts, with its key."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    run("openssl", "req", "-x509", *key, "-keyout", name + ".key", "-out", name + ".pem", "-subj", "/CN=" + name,
        "-addext", "keyUsage=critical,keyCertSign", *constraint)
    run("openssl", "req", "-x509", *key, "-CA", name + ".pem", "-CAkey", name + ".key", "-keyout", name + "-own.key",
        "-out", name + "-own.pem", "-subj", "/CN=own", "-addext", "basicConstraints=critical,CA:FALSE",
        "-addext", "subjectAltName=" + ",".join("DNS:" + host for host in hosts))
    with open(name + "-own.pem", "a") as both, open(name + "-own.key") as key:
        both.write(key.read())


def repository():
    """`tiny.git`, with one file in one commit."""
    who = {**os.environ, "HOME": FOLDER, "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
           "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org"}
    run("git", "init", "-q", "-b", "main", "work", env=who)
    with open("work/file.txt", "w") as file:
        file.write("out of the repository\n")
    run("git", "-C", "work", "add", ".", env=who)
    run("git", "-C", "work", "commit", "-q", "-m", "one file", env=who)
    run("git", "clone", "-q", "--bare", "work", "git/tiny.git", env=who)


def npm_package():
    """The tarball, what the registry says of it, and a lock file that has chosen it."""
    packed = io.BytesIO()
    files = {"package.json": '{"name":"tiny","version":"1.0.0","main":"index.js"}',
             "index.js": 'module.exports = "out of the registry"\n'}
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo("package/" + name)
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    tarball = packed.getvalue()
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    where = "https://registry.npmjs.org/tiny/-/tiny-1.0.0.tgz"
    version = {"name": "tiny", "version": "1.0.0", "dist": {"tarball": where, "integrity": integrity}}
    lock = {"name": "target", "version": "1.0.0", "lockfileVersion": 3, "packages": {
        "": {"name": "target", "version": "1.0.0", "dependencies": {"tiny": "1.0.0"}},
        "node_modules/tiny": {"version": "1.0.0", "resolved": where, "integrity": integrity}}}
    with open("package-lock.json", "w") as file:
        json.dump(lock, file)
    return tarball, {"name": "tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}


def wheel():
    """A wheel of one module."""
    files = {"tiny.py": 'said = "out of the index"\n',
             "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
             "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files["tiny-1.0.dist-info/RECORD"] = "".join(name + ",,\n" for name in [*files, "tiny-1.0.dist-info/RECORD"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


class Host(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, kind, body, status=200):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            whole = b""
            while size := int(self.rfile.readline(), 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return whole
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def git(self, path, query, sent):
        """What git's own server says."""
        env = {**os.environ, "GIT_PROJECT_ROOT": FOLDER + "/git", "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
               "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_LENGTH": str(len(sent)),
               "CONTENT_TYPE": self.headers.get("Content-Type", ""), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
               "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "REMOTE_ADDR": "0.0.0.0"}
        head, _, body = run("git", "http-backend", input=sent, env=env).partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.answer(fields["Content-Type"], body, int(fields.get("Status", "200").split()[0]))

    def do_GET(self):
        print(self.headers["Host"], self.command, self.path, flush=True)
        path, _, query = self.path.partition("?")
        path, sent = urllib.parse.unquote(path), self.body()
        if path.startswith("/tiny.git/"):
            self.git(path, query, sent)
        elif path == "/tiny":
            self.answer("application/json", json.dumps(PACKAGE).encode())
        elif path.endswith(".tgz"):
            self.answer("application/octet-stream", TARBALL)
        elif path == "/simple/tiny/":
            link = f'<a href="https://files.pythonhosted.org/tiny-1.0-py3-none-any.whl#sha256={hashlib.sha256(WHEEL).hexdigest()}">tiny-1.0-py3-none-any.whl</a>'
            self.answer("text/html", f"<!DOCTYPE html><html><body>{link}</body></html>".encode())
        elif path.endswith(".whl"):
            self.answer("application/octet-stream", WHEEL)
        elif path.startswith("/-/npm/v1/security/"):
            self.answer("application/json", b"{}")
        elif path == "/":
            self.answer("text/plain", f"this is {html.escape(self.headers['Host'])}\n".encode())
        else:
            self.answer("text/plain", b"there is nothing here\n", 404)

    do_POST = do_PUT = do_GET


certificates("web", sys.argv[1:])
# As a job's own authority is made: it can speak for the inspected host alone.
certificates("gate", [INSPECTED], ("-addext", "nameConstraints=critical,permitted;DNS:" + INSPECTED))
repository()
TARBALL, PACKAGE = npm_package()
WHEEL = wheel()
server = http.server.ThreadingHTTPServer(("0.0.0.0", 443), Host)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("web-own.pem")
# The handshake is the handling thread's, so that nobody who stalls holds up the others.
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print("ready", flush=True)
server.serve_forever()
