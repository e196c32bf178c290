"""One page for this computer alone, from memory."""

from __future__ import annotations

import math
import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from time import monotonic
from typing import cast
from urllib.parse import urlsplit

HOST = "127.0.0.1"
POLL_SECONDS = 0.5
"""Windows tells of Ctrl-C only between two waits."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",  # the rest of its policy the page brings along
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PageServer(ThreadingTCPServer):
    """Serves `page`, HTML, at `url` and nothing else, on a free port of this computer's own network.

    Who does not know the address cannot guess it, and a site whose name is bent to this computer (DNS rebinding) is
    known by the Host that it asks for.
    """

    # `HTTPServer` would look the computer's name up, which takes seconds where no name server answers.
    daemon_threads = True

    def __init__(self, page: str) -> None:
        super().__init__((HOST, 0), _Handler)
        self.page = page.encode()
        self.path = f"/{secrets.token_urlsafe(16)}"
        self.port: int = self.server_address[1]

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.port}{self.path}"

    def serve(self, seconds: float = math.inf) -> None:
        """Answer requests for so long."""
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0:
            self.timeout = min(left, POLL_SECONDS)
            self.handle_request()

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that leaves early is no error."""


class _Handler(BaseHTTPRequestHandler):
    timeout = 10
    """Seconds that a connection may keep silent, and a thread waiting."""

    def do_GET(self) -> None:
        if self._answer_head():
            self.wfile.write(self._page_server.page)

    def do_HEAD(self) -> None:
        self._answer_head()

    @property
    def _page_server(self) -> PageServer:
        return cast(PageServer, self.server)

    def _answer_head(self) -> bool:
        """The status and headers; whether the page follows."""
        if refusal := self._refuse():
            self.send_error(refusal)
            return False
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(self._page_server.page)))
        self.end_headers()
        return True

    def _refuse(self) -> HTTPStatus | None:
        hosts = [f"{name}:{self._page_server.port}" for name in (HOST, "localhost")]
        if self.headers.get_all("Host", []) not in [[host] for host in hosts]:
            return HTTPStatus.MISDIRECTED_REQUEST
        # In constant time: the answer's speed does not tell how much of a guess is right.
        known = secrets.compare_digest(urlsplit(self.path).path.encode(), self._page_server.path.encode())
        return None if known else HTTPStatus.NOT_FOUND

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def version_string(self) -> str:
        return "deepdance"

    def log_message(self, *message: object) -> None:
        """Requests are no news."""
