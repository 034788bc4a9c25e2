"""A forward proxy on loopback: whole URLs for http, CONNECT for https and WebSocket."""

import select
import socket
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        headers = {key: value for key, value in self.headers.items() if key != "Accept-Encoding"}
        try:
            answered = urlopen(Request(self.path, headers=headers), timeout=10)  # noqa: S310
        except OSError:
            self.send_error(502)  # as proxies say it; the client asks again
            return
        with closing(answered):
            body = answered.read()
            self.send_response(answered.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def do_CONNECT(self):
        self.server.asked.append(self.path)
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as far:
            self.send_response(200)
            self.end_headers()
            near = self.connection
            while True:
                for end in select.select([near, far], [], [], 30)[0]:
                    data = end.recv(65536)
                    if not data:
                        self.close_connection = True
                        return
                    (far if end is near else near).sendall(data)

    def log_message(self, *_):
        pass


@contextmanager
def forward_proxy():
    """The proxy; `asked` holds what it was asked for."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as one:
        one.daemon_threads = True
        one.asked = []
        one.url = f"http://127.0.0.1:{one.server_port}"
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield one
        one.shutdown()
