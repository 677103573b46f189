"""One HTTP request over urllib: its answer, or an exception that says what to do.

Proxies are those of the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), certificates those that
Python trusts (SSL_CERT_FILE names others). Redirects are not followed: the signature belongs to one
path, and a POST would arrive as a GET.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Mapping, Optional, Tuple

from .errors import BadAnswer, NetworkError, RequestTimeout, UsageError

ANSWER_BYTES_MAX = 64 << 20
FORM = "application/x-www-form-urlencoded"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def url_of(host: str, path: str) -> str:
    """The URL of a path at `host`, which may have a scheme and a path of its own."""
    base = (host if "://" in host else "https://" + host).rstrip("/")
    try:
        parts = urllib.parse.urlsplit(base)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, a bracket too few
        fits = False
    if not fits or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError("CRONALLY_HOST must be like https://cron.example or http://127.0.0.1:8787, "
                         "without a password or query")
    return base + path


def send(method: str, url: str, headers: Mapping[str, str], body: Optional[bytes],
         timeout: Optional[float]) -> Tuple[int, Any]:
    """The status and the parsed JSON of the answer, whatever its status."""
    from . import __version__
    for name, value in headers.items():
        if not value.isprintable() or not value.isascii():
            raise UsageError(f"the value of {name} has characters that no header may have")
    request = urllib.request.Request(url, data=body, method=method, headers=dict(headers))
    request.add_header("User-Agent", f"pycronally/{__version__}")
    if body:
        request.add_header("Content-Type", FORM)
    try:
        status, answer = _exchange(request, timeout)
    except (http.client.InvalidURL, UnicodeError) as error:
        raise UsageError(f"the address {url!r} is malformed") from error
    except urllib.error.URLError as error:
        raise _network_error(url, error.reason, timeout) from error
    except (OSError, http.client.HTTPException) as error:
        raise _network_error(url, error, timeout) from error
    return status, _parsed(url, status, answer)


def _exchange(request: urllib.request.Request, timeout: Optional[float]) -> Tuple[int, bytes]:
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        answer = opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:  # a status other than 2xx; it is an answer too
        answer = error
    with answer:
        body = answer.read(ANSWER_BYTES_MAX + 1)
        missing = getattr(answer, "length", None)  # of what Content-Length promised
        if missing and len(body) <= ANSWER_BYTES_MAX:
            raise http.client.IncompleteRead(body, missing)
        return answer.status, body


def _network_error(url: str, reason: object, timeout: Optional[float]) -> NetworkError:
    if isinstance(reason, (socket.timeout, TimeoutError)):
        return RequestTimeout(f"{url} did not answer within {timeout} s")
    if isinstance(reason, ssl.SSLError):
        return NetworkError(f"no secure connection to {url}: {reason}; for a certificate of your "
                            "own authority set SSL_CERT_FILE to its file")
    if isinstance(reason, socket.gaierror):
        return NetworkError(f"the host of {url} is not known: {reason}")
    if isinstance(reason, ConnectionRefusedError):
        return NetworkError(f"nothing listens at {url}; is the server running, and CRONALLY_HOST "
                            "right?")
    if isinstance(reason, http.client.IncompleteRead):
        return NetworkError(f"the connection to {url} failed: its answer is not complete")
    return NetworkError(f"the connection to {url} failed: {reason or type(reason).__name__}")


def _parsed(url: str, status: int, answer: bytes) -> Any:
    if len(answer) > ANSWER_BYTES_MAX:
        raise BadAnswer(f"the answer of {url} has more than {ANSWER_BYTES_MAX} bytes", status)
    try:
        return json.loads(answer.decode("utf-8"))
    except (ValueError, RecursionError):
        pass
    if 300 <= status < 400:
        raise BadAnswer(f"{url} answers {status}, a redirect, which is not followed; set "
                        "CRONALLY_HOST to where the server itself is", status)
    raise BadAnswer(f"{url} answers {status} without JSON; is it Cronally, and does a proxy stand "
                    "before it?", status)
