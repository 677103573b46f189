"""The calls of Cronally's API v1: one class each.

>>> status, answer = AddCronjob(key, secret).set_payload({
...     "name": "report", "cron": "0 6 * * *",
...     "delivery_type": "http", "delivery_http_url": "https://shop.example/report"}).request()
>>> answer["response"]["cronjob_id"]
'37e545bd-fc2d-43e4-9b4a-e5eb4bc1f54e'

`request()` returns the HTTP status and the parsed JSON of every answer, refusals too:
(401, {"status": "error", "reason": "…"}). It raises only if no answer comes: see pycronally.errors.

Objects are not shared between requests; any thread may make its own.
"""

from __future__ import annotations

import datetime
import os
import urllib.parse
from typing import Any, Dict, Mapping, NamedTuple, Optional, TypeVar

from . import transport
from .errors import UsageError
from .util import sign

__all__ = ["CRONALLY_HOST", "CRONALLY_TIMEOUT", "AddCronjob", "Answer", "DeleteCronjob", "Info",
           "ListCronjobs", "Signup", "UpdateCronjob"]

#: Where the server is: `https://cron.example`, also below a path, `https://example/cron`. Without a
#: scheme https is meant. Read by each request, so that a program may set it at any time.
CRONALLY_HOST: str = os.environ.get("CRONALLY_URL") or "http://127.0.0.1:8787"

#: Seconds that connecting, and each wait for more of the answer, may take; None waits for ever.
#: Read by each request; `request(timeout=…)` stands over it.
CRONALLY_TIMEOUT: Optional[float] = 30.0


_MODULE_TIMEOUT: Any = object()
_Same = TypeVar("_Same", bound="_Call")


class Answer(NamedTuple):
    """What a call returns: a pair, whose parts have names too."""

    status: int
    body: Any


class _Call:
    """One call. Subclasses say which; `payload` is what set_payload was given last."""

    _method = "GET"
    _path = "/"
    _sends_payload = False

    def __init__(self) -> None:
        self.payload: Dict[str, Any] = {}

    def set_payload(self: _Same, payload: Mapping[str, Any]) -> _Same:
        """Sets the fields to send, in place of those set before, and returns the call itself.

        Fields that are None are left out.
        """
        self.payload = dict(payload)
        return self

    def request(self, timeout: Optional[float] = _MODULE_TIMEOUT) -> Answer:
        """Makes the call and returns (HTTP status, parsed JSON).

        `timeout` in seconds, else CRONALLY_TIMEOUT. Raises NetworkError, RequestTimeout, BadAnswer
        or UsageError. A call is made once: nothing is repeated by itself.
        """
        path = self._request_path()
        body = self._body()
        headers = {"Accept": "application/json", **self._signature(path)}
        status, answer = transport.send(
            self._method, transport.url_of(CRONALLY_HOST, path), headers, body,
            CRONALLY_TIMEOUT if timeout is _MODULE_TIMEOUT else timeout)
        return Answer(status, answer)

    def _request_path(self) -> str:
        return self._path

    def _fields(self) -> Dict[str, Any]:
        return self.payload

    def _body(self) -> Optional[bytes]:
        if self._method == "GET":
            return None
        if not self._sends_payload:
            return b""
        fields = {name: value for name, value in self._fields().items() if value is not None}
        return urllib.parse.urlencode(fields).encode("ascii")

    def _signature(self, path: str) -> Dict[str, str]:
        return {}


class _SignedCall(_Call):
    """A call in the name of an account."""

    def __init__(self, api_key: Optional[str] = None, api_secret: Optional[str] = None) -> None:
        """Without arguments, CRONALLY_API_KEY and CRONALLY_API_SECRET of the environment."""
        super().__init__()
        self._api_key = api_key or os.environ.get("CRONALLY_API_KEY") or ""
        self._api_secret = api_secret or os.environ.get("CRONALLY_API_SECRET") or ""

    def _signature(self, path: str) -> Dict[str, str]:
        if not self._api_key or not self._api_secret:
            raise UsageError("an API key and secret are needed; give both, or set "
                             "CRONALLY_API_KEY and CRONALLY_API_SECRET")
        date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d%H%M")
        return {"X-Cron-Key": self._api_key, "X-Cron-Date": date,
                "X-Cron-Signature": sign(path + self._method + date, self._api_secret)}


class _CronjobCall(_SignedCall):
    """A call about one cronjob, which the field `cronjob_id` names."""

    _path = "/cronjob/{}"

    def _request_path(self) -> str:
        cronjob_id = self.payload.get("cronjob_id")
        if not cronjob_id:
            raise UsageError(f"{type(self).__name__} needs the field cronjob_id; "
                             "ListCronjobs shows the ids")
        return self._path.format(urllib.parse.quote(str(cronjob_id), safe=""))

    def _fields(self) -> Dict[str, Any]:
        return {name: value for name, value in self.payload.items() if name != "cronjob_id"}


class Signup(_Call):
    """Makes an account. Field: email. Answers with api_key and api_secret; keep both.

    Servers allow it only if their operator does, or with the field token: an admin's.
    """

    _method = "POST"
    _path = "/account/"
    _sends_payload = True


class Info(_SignedCall):
    """The account of the key: its email and how many cronjobs it has."""

    _path = "/account/"


class AddCronjob(_SignedCall):
    """Makes a cronjob. Fields: name, cron, and where its runs go:

    delivery_type "http": delivery_http_url, delivery_http_method ("get" or "post").
    delivery_type "sns", which is meant without one: sns_topic, sns_message, sns_region,
    sns_access_key_id, sns_secret_access_key.
    """

    _method = "POST"
    _path = "/cronjob/"
    _sends_payload = True


class ListCronjobs(_SignedCall):
    """The account's cronjobs. Has no fields."""

    _path = "/cronjobs/"


class UpdateCronjob(_CronjobCall):
    """Changes a cronjob. Fields: cronjob_id, and what is to change: name, cron, the delivery's."""

    _method = "PATCH"
    _sends_payload = True


class DeleteCronjob(_CronjobCall):
    """Deletes a cronjob. Field: cronjob_id."""

    _method = "DELETE"
    _path = "/cronjob/{}/"
