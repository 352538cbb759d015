"""A proxy before an object store: what a store or a network does to a request, tests do there."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Headers = dict[str, str]
Rule = Callable[[str, str, Headers], int | None]
"""Takes a method, a path and headers, which it may change; gives an error's status, or None to pass
the request on; `LOSE_ANSWER` to pass it on and break the connection.
"""
LOSE_ANSWER = -1
_OF_THE_WAY = {"transfer-encoding", "connection", "content-length", "expect"}


@dataclass
class Proxy:
    """A running proxy: its address, its rule, and what it was asked."""

    address: str
    rule: Rule = lambda method, path, headers: None
    asked: list[tuple[str, str]] = field(default_factory=list)

    def count(self, method: str) -> int:
        return sum(each == method for each, _ in self.asked)

    def paths(self, method: str) -> list[str]:
        return [path.partition("?")[0] for each, path in self.asked if each == method]


@contextmanager
def proxy_before(endpoint: str) -> Iterator[Proxy]:
    """Pass requests on to an endpoint, as the rule says."""
    there = urlsplit(endpoint)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            proxy.asked.append((self.command, self.path))
            body, headers = self.body(), dict(self.headers)
            headers = {name: headers[name] for name in headers if name.lower() not in _OF_THE_WAY}
            verdict = proxy.rule(self.command, self.path, headers)
            if verdict is not None and verdict != LOSE_ANSWER:
                self.answer(verdict, {}, b"")
                return
            onward = http.client.HTTPConnection(str(there.hostname), there.port, timeout=60)
            try:
                onward.request(self.command, self.path, body, headers)
                answer = onward.getresponse()
                content = answer.read()
            finally:
                onward.close()
            if verdict == LOSE_ANSWER:
                self.close_connection = True
                return
            self.answer(answer.status, dict(answer.getheaders()), content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815 -- its names

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            content = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                continue
            return content

        def answer(self, status: int, headers: Headers, content: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in _OF_THE_WAY:
                    self.send_header(name, value)
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else len(content)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
