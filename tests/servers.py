"""Servers on this machine's own address: a web server that misbehaves as it is told, and a store of objects."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote
from urllib.request import Request, urlopen

Answer = Callable[["Handler"], None]


@dataclass
class WebServer:
    """Answers each path as `paths` says, and notes who asked for what."""

    address: str
    paths: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], int]] = field(default_factory=list)
    """Path, the request's headers, and the status of the answer."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        web = self.server.web
        with suppress(ConnectionError):
            web.paths.get(self.path.partition("?")[0], answer_status(404))(self)

    def start(self, status: int, **headers: object) -> None:
        """Send the status and headers; `_` stands for `-`."""
        self.server.web.asked.append((self.path, dict(self.headers), status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, *arguments):
        pass


@contextmanager
def serve_web(host: str = "127.0.0.1") -> Iterator[WebServer]:
    server = ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    server.web = WebServer(f"http://{host}:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer_status(status: int) -> Answer:
    return lambda handler: handler.start(status, Content_Length=0)


def answer_redirect(target: str) -> Answer:
    return lambda handler: handler.start(302, Location=target, Content_Length=0)


def answer_file(
    content: bytes,
    *,
    breaks_after: int = 0,
    times: int = 0,
    tag: str = "",
    ranges: bool = True,
    await_bytes: Callable[[int], None] = lambda size: None,
) -> Answer:
    """A file as good servers send it, ranges and ETags too; the connection ends early, so many `times`.

    Before that `await_bytes` is called with how much has been sent of it: what has come then, but is not read, is lost.
    """
    tag = tag or f'"{hashlib.md5(content).hexdigest()}"'
    left = [times]

    def answer(handler: Handler) -> None:
        if handler.headers.get("If-None-Match") == tag:
            handler.start(304, ETag=tag)
            return
        start, status, headers = 0, 200, {"ETag": tag}
        asked = handler.headers.get("Range", "").removeprefix("bytes=").rstrip("-")
        if ranges and asked and handler.headers.get("If-Range") == tag:
            start, status = int(asked), 206
            headers["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.start(status, Content_Length=len(content) - start, **headers)
        if left[0] and breaks_after:
            left[0] -= 1
            handler.wfile.write(content[start : start + breaks_after])
            await_bytes(start + breaks_after)
            handler.close_connection = True
        else:
            handler.wfile.write(content[start:])

    return answer


def answer_endlessly(seconds: float = 0, piece: bytes = b"x" * 65536) -> Answer:
    """A stream without a length; a pause between two pieces makes it trickle."""

    def answer(handler: Handler) -> None:
        handler.start(200, Connection="close")
        handler.close_connection = True
        for _ in range(100_000):
            handler.wfile.write(piece)
            time.sleep(seconds)

    return answer


@contextmanager
def serve_store(objects: dict[str, bytes]) -> Iterator[str]:
    """The address of an S3 server, with `objects` by `bucket/key`."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        put_objects(f"http://{host}:{port}", objects)
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def serve_google_store(objects: dict[str, bytes]) -> Iterator[str]:
    """A server of Google's kind that holds objects by bucket and name, at its address."""
    from gcp_storage_emulator.server import create_server

    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    server.start()
    host, port = server._api._httpd.socket.getsockname()
    try:
        put_google_objects(f"http://{host}:{port}", objects)
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def put_google_objects(address: str, objects: dict[str, bytes]) -> None:
    for name, content in objects.items():
        bucket, _, key = name.partition("/")
        place = f"{address}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(key, safe='')}"
        urlopen(Request(place, content, method="POST")).close()


def put_objects(address: str, objects: dict[str, bytes]) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
    for name, content in objects.items():
        bucket, _, key = name.partition("/")
        client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key=key, Body=content)
