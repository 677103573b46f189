"""A receiver in Python that keeps every request whole, for tests of what a delivery carries.

Slower than tests/support/receiver, but it shows all headers and the body, and a test may script
each answer.
"""

import base64
import dataclasses
import hashlib
import hmac
import http.server
import json
import threading
import time

from processes import wait_until


@dataclasses.dataclass
class Request:
    at: float  # seconds since the epoch, when its head had been read
    method: str
    path: str
    headers: dict  # names in lower case
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def attempt(self):
        return int(self.headers["cronally-attempt"])

    @property
    def run(self):
        return self.headers["cronally-run"]


class Recorder:
    """Answers 200 "ok" unless `answer`, a function of the request, gives (status, headers, body)."""

    def __init__(self, answer=None):
        self.answer = answer or (lambda request: (200, {}, b"ok"))
        self.requests = []
        self.lock = threading.Lock()
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                at = time.time()
                length = int(self.headers.get("content-length", 0))
                names = {name.lower(): value for name, value in self.headers.items()}
                request = Request(at, self.command, self.path, names, self.rfile.read(length))
                with recorder.lock:
                    recorder.requests.append(request)
                status, headers, body = recorder.answer(request)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any

            def log_message(self, *arguments):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request, client_address):
                pass  # a sender that was killed

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def seen(self, path=None):
        with self.lock:
            return [request for request in self.requests
                    if path is None or request.path.split("?")[0] == path]

    def wait_for(self, count, path=None, timeout=10.0):
        def enough():
            found = self.seen(path)
            return found if len(found) >= count else None
        return wait_until(enough, timeout, what=f"{count} requests to {path or 'any path'}")

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def signature_of(secret, request_id, timestamp, body):
    """`v1,…` as Standard Webhooks says: HMAC-SHA256 over id.timestamp.body, key from whsec_."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{request_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signature_holds(secret, request):
    wanted = signature_of(secret, request.headers["webhook-id"],
                          request.headers["webhook-timestamp"], request.body)
    return wanted in request.headers["webhook-signature"].split(" ")
