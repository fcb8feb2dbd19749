"""A git server on the loopback interface: git's own smart HTTP, behind a password where a test says so."""

import base64
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Test"), ("EMAIL", "test@example.com"))
}


class GitServer:
    """Bare repositories in a folder, each of which has a working copy that pushes to it.

    `password` (`user:password`) is asked for if set; `redirect` is where every request is sent instead; `requests`
    holds the lines of all requests.
    """

    def __init__(self, folder: Path, *, tls: tuple[Path, Path] | None = None) -> None:
        self.folder = folder
        self.password = ""
        self.redirect = ""
        self.requests: list[str] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"git": self}))
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.base = f"{'https' if tls else 'http'}://127.0.0.1:{self._http.server_address[1]}"

    def serve(self) -> None:
        """Serve until `close`."""
        self._http.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """Serve no more."""
        self._http.shutdown()
        self._http.server_close()

    def url(self, name: str) -> str:
        """Where a repository is."""
        return f"{self.base}/{name}.git"

    def commit(self, name: str, files: Mapping[str, str | bytes | None], *, branch: str = "main") -> None:
        """Write files of a repository, remove those that are None, and push. The first commit makes the repository."""
        work = self.folder / f"{name}.work"
        if not work.exists():
            self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.folder / f"{name}.git"))
            self.git("config", "uploadpack.allowFilter", "true", at=self.folder / f"{name}.git")
            self.git("init", "--quiet", "--initial-branch=main", str(work))
            self.git("remote", "add", "origin", str(self.folder / f"{name}.git"), at=work)
        for path, content in files.items():
            file = work / path
            if content is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all", at=work)
        self.git("commit", "--quiet", "--message=change", at=work)
        self.git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}", at=work)

    def git(self, *words: str, at: Path | None = None) -> None:
        """Run git."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **AUTHOR}
        subprocess.run(["git", *words], cwd=at, env=environment, check=True, capture_output=True, timeout=300)


@contextmanager
def git_server(folder: Path, *, tls: tuple[Path, Path] | None = None) -> Iterator[GitServer]:
    """A server over a folder, in a thread."""
    server = GitServer(folder, tls=tls)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    git: GitServer

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.git
        server.requests.append(f"{self.command} {self.path}")
        if server.redirect:
            self._answer(302, {"Location": server.redirect + self.path}, b"")
        elif server.password and not self._is_signed_in():
            self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
        else:
            self._answer(*self._backend())

    def do_POST(self) -> None:
        self.do_GET()

    def _is_signed_in(self) -> bool:
        expected = base64.b64encode(self.git.password.encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"

    def _backend(self) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(self.path)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.git.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
        }
        body = self._body()
        environment["CONTENT_LENGTH"] = str(len(body))
        done = subprocess.run(
            ["git", "http-backend"], env=environment, input=body, capture_output=True, check=False, timeout=300
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(headers.pop("Status", "200").split()[0])
        return status, headers, content

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""
