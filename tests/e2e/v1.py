"""Requests to API v1 as a client of 2015 makes them: signed by code of its own, never redirected."""

import base64
import dataclasses
import hashlib
import hmac
import http.client
import json
import random
import time
import urllib.parse

FORM = "application/x-www-form-urlencoded"


def date_of(now=None, minutes=0):
    """YYYYMMDDHHMM of a time, so many minutes later."""
    return time.strftime("%Y%m%d%H%M", time.gmtime((now or time.time()) + 60 * minutes))


def signature(secret, path, method, date):
    """The signature of a request; `secret` as the API shows it."""
    key = base64.b64decode(secret)
    mac = hmac.new(key, (path + method + date).encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict  # names in lower case
    text: str

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def response(self):
        """Of a success, which must be one."""
        assert self.status == 200 and self.json["status"] == "success", self
        return self.json["response"]


class Account:
    """One account on one connection."""

    def __init__(self, server, credentials):
        self.server = server
        self.id = credentials.get("id") or credentials["account_id"]
        self.email = credentials["email"]
        self.key = credentials["api_key"]
        self.secret = credentials["api_secret"]
        self.connection = None

    @classmethod
    def made_by(cls, api, server, email):
        """Made by an admin's client of v2."""
        return cls(server, api.expect(201, "POST", "/v2/accounts", {"email": email}).json)

    def headers(self, method, path, date=None, signed_path=None, without=None, **changes):
        """Those of a signed request; `key` and `signature` may be other ones, and one left out."""
        date = date or date_of()
        headers = {"X-Cron-Key": self.key, "X-Cron-Date": date,
                   "X-Cron-Signature": signature(self.secret, signed_path or path.split("?")[0],
                                                 method, date)}
        for name, value in changes.items():
            headers["X-Cron-" + name.capitalize()] = value
        headers.pop(without, None)
        return headers

    def send(self, method, path, fields=None, body=None, content_type=FORM, signed=True, **changes):
        """One exchange. `fields` go encoded, `body` as it is; `changes` as those of headers()."""
        headers = self.headers(method, path, **changes) if signed else {}
        if fields is not None:
            body = urllib.parse.urlencode(fields)
        if body is not None:
            headers["Content-Type"] = content_type
        return exchange(self, method, path, body, headers)

    def add(self, **fields):
        return self.send("POST", "/cronjob/", fields).response

    def cronjobs(self):
        return self.send("GET", "/cronjobs/").response


def exchange(holder, method, path, body, headers):
    """One exchange on the connection that `holder` keeps."""
    if holder.connection is None or holder.connection[0] != holder.server.address:
        address = holder.server.address
        holder.connection = (address, http.client.HTTPConnection(address, timeout=30))
    connection = holder.connection[1]
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, http.client.HTTPException):
        connection.close()
        holder.connection = None
        raise
    names = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(answer.status, names, text)


def mutated(account, count, seed):
    """How many requests with a changed signature, key or date are accepted."""
    draw = random.Random(seed)
    accepted = 0
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_%. "
    for _ in range(count):
        headers = account.headers("GET", "/account/")
        name = draw.choice(list(headers) + ["X-Cron-Signature"])
        text = headers[name]
        at = draw.randrange(len(text))
        changed = draw.choice([
            text[:at] + draw.choice(alphabet) + text[at + 1:],
            text[:at] + draw.choice(alphabet) + text[at:],
            text[:at] + text[at + 1:], text[:at] + text[at].swapcase() + text[at + 1:]])
        same = changed.strip().rstrip("=") == text.rstrip("=")
        if same or (name == "X-Cron-Key" and changed.lower().strip() == text):
            continue
        answer = exchange(account, "GET", "/account/", None, {**headers, name: changed})
        assert answer.status in (200, 401), answer
        accepted += answer.status == 200
    return accepted
