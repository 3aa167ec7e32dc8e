"""A dashboard on this machine alone: a page, and the numbers that it asks for again and again."""

import hashlib
import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from cvpo_jax.pages.assemble import page
from cvpo_jax.pages.dashboard import Dashboard

ADDRESS = "127.0.0.1"
_OWN_NAMES = {ADDRESS, "localhost"}


class Server(ThreadingHTTPServer):
    """Serves `dashboard`, called `title`, on loopback; port 0 is any free one. Raises OSError where it is taken."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, dashboard: Dashboard, title: str, port: int) -> None:
        super().__init__((ADDRESS, port), _Handler)
        self.page = page("watch.html", {"title": title}).encode()
        self._dashboard = dashboard
        self._reading = Lock()

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://{ADDRESS}:{self.server_address[1]}"

    def numbers(self) -> bytes:
        """What is known of all runs, JSON."""
        with self._reading:
            return json.dumps(self._dashboard.runs(), separators=(",", ":"), allow_nan=False).encode()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        """Answer with the page or the numbers, and with nothing else."""
        # Another site must not read this through a name of its own that leads here.
        if self.headers.get("Host", "").rpartition(":")[0] not in _OWN_NAMES:
            self.send_error(HTTPStatus.FORBIDDEN)
        elif self.path == "/":
            self._answer(self.server.page, "text/html; charset=utf-8")
        elif self.path == "/runs.json":
            self._answer(self.server.numbers(), "application/json")
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _answer(self, content: bytes, kind: str) -> None:
        """Send `content`, unless the browser says that it has it."""
        tag = f'"{hashlib.sha1(content).hexdigest()}"'
        known = self.headers.get("If-None-Match") == tag
        self.send_response(HTTPStatus.NOT_MODIFIED if known else HTTPStatus.OK)
        self.send_header("ETag", tag)
        self.send_header("Cache-Control", "no-cache")
        if not known:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not known:
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing of each request."""
