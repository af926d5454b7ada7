"""A server on loopback that serves one file, well or badly, and notes what it was asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """What is served, how; ``asked`` has the Range of each request (None: all of it), ``sent`` the bytes of
    each answer's body.

    ``cuts``: how many bytes of an answer are sent before the connection ends, answer by answer; ``hold``: an
    answer stops there until the event is set. ``length``: what Content-Length says instead, "" for none.
    """

    content: bytes
    ranges: bool = True
    tag: str = '"one"'
    modified: str = ""
    status: int = 200
    length: str | None = None
    location: str = ""
    cuts: list[int] = field(default_factory=list)
    hold: threading.Event | None = None
    shift: int = 0
    asked: list[str | None] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(served: Served, name: str = "linux-2.4.99.tar") -> Iterator[Served]:
    """Serve it on a port of its own; ``url`` is filled in."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):
                _answer(self, served)
            self.close_connection = True

        def log_message(self, *unused: object) -> None:
            """Tests are quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_address[1]}/old/{name}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield served
        finally:
            if served.hold:
                served.hold.set()
            server.shutdown()
            thread.join()


def _answer(handler: BaseHTTPRequestHandler, served: Served) -> None:
    asked = handler.headers.get("Range")
    served.asked.append(asked)
    if served.location and handler.path.startswith("/old/"):
        handler.send_response(302)
        handler.send_header("Location", served.location)
        handler.end_headers()
        return
    if served.status != 200:
        handler.send_error(served.status)
        return
    first = _first(handler, served, asked)
    if first >= len(served.content):
        handler.send_error(416)
        return
    body = served.content[first:]
    handler.send_response(206 if first else 200)
    if first:
        span = f"{first + served.shift}-{len(served.content) - 1}"
        handler.send_header("Content-Range", f"bytes {span}/{len(served.content)}")
    for key, value in (("ETag", served.tag), ("Last-Modified", served.modified)):
        if value:
            handler.send_header(key, value)
    length = str(len(body)) if served.length is None else served.length
    if length:
        handler.send_header("Content-Length", length)
    handler.end_headers()
    _send(handler, served, body)


def _first(handler: BaseHTTPRequestHandler, served: Served, asked: str | None) -> int:
    """Where to begin: at what was asked for, if it is still the same file and parts are served."""
    same = handler.headers.get("If-Range") in (served.tag, served.modified)
    if not (served.ranges and asked and same):
        return 0
    return int(asked.removeprefix("bytes=").partition("-")[0])


def _send(handler: BaseHTTPRequestHandler, served: Served, body: bytes) -> None:
    cut = served.cuts.pop(0) if served.cuts else len(body)
    handler.wfile.write(body[:cut])
    handler.wfile.flush()
    served.sent.append(len(body[:cut]))
    if served.hold and cut < len(body):
        served.hold.wait(30)
