"""A stand-in for the server: strict about what it is asked, and able to fail in every way."""

import base64
import dataclasses
import datetime
import hashlib
import hmac
import http.server
import json
import threading
import time

KEY = "37e545bd-fc2d-43e4-9b4a-e5eb4bc1f54e"
SECRET = "h/Be+K0LvQxanvcabBL5Pjg3HL8g7CekNkG090he6rk="


@dataclasses.dataclass
class Asked:
    method: str
    path: str
    headers: dict  # names in lower case
    body: bytes


class StandIn:
    """Answers each request with `answer`: (status, body) or (status, body, headers), after `delay` s.

    Requests that are not about /account/ with POST must be signed; else the answer is 401.
    """

    def __init__(self):
        self.asked = []
        self.answer = (200, {"status": "success", "response": {}})
        self.delay = 0.0
        self.cut = False  # close in the middle of the answer
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def handle_any(self):
                outer.serve(self)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def serve(self, request):
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = request.rfile.read(int(headers.get("content-length", 0)))
        self.asked.append(Asked(request.command, request.path, headers, body))
        time.sleep(self.delay)
        status, answer, *more = self.answer
        if not (request.command == "POST" and request.path == "/account/"):
            if not self.is_signed(request.command, request.path, headers):
                status, answer = 401, {"status": "error", "response": {"reason": "signature"}}
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        request.send_response(status)
        for name, value in (more[0] if more else {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(raw) + (10 if self.cut else 0)))
        request.end_headers()
        request.wfile.write(raw)

    @staticmethod
    def is_signed(method, path, headers):
        """By the words of the rule alone: nothing of the package under test."""
        date = headers.get("x-cron-date", "")
        minute = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        try:
            off = abs(datetime.datetime.strptime(date, "%Y%m%d%H%M") - minute)
        except ValueError:
            return False
        key = base64.b64decode(SECRET)
        wanted = hmac.new(key, (path + method + date).encode(), hashlib.sha256).digest()
        return (len(date) == 12 and off < datetime.timedelta(minutes=2)
                and headers.get("x-cron-key") == KEY
                and headers.get("x-cron-signature") == base64.b64encode(wanted).decode())
