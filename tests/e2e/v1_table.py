"""The table of API v1: every endpoint with good and bad requests, and the exact answer of each.

`cases(account)` makes what the cases need and yields them; `fault_of(case, account)` sends one and says
how its answer differs.
"""

import dataclasses
import json
import re
import time

from v1 import date_of

HTTP = {"delivery_type": "http", "delivery_http_url": "http://127.0.0.1:9/x"}
SNS = {"sns_topic": "arn:aws:sns:us-east-1:123456789012:cron", "sns_message": "hello from cronally",
       "sns_region": "us-east-1", "sns_access_key_id": "AKIAIOSFODNN7EXAMPLE",
       "sns_secret_access_key": "Kd+ja8/x"}
NEEDED = "is missing; delivery_type sns, the default, needs it"
UNKNOWN_ID = "37e545bd-fc2d-43e4-9b4a-e5eb4bc1f54e"
NOW = "<now>"  # in an expected text: what the server's clock says
ANY_ID = "<id>"

WRONG = ("the api key or the signature is wrong; it must be over PATH, METHOD and DATE with the "
         "base64-decoded api secret")
MALFORMED_DATE = "X-Cron-Date must be UTC as YYYYMMDDHHMM, twelve digits, not "
EACH_ONCE = ("this needs the headers X-Cron-Key, X-Cron-Date and X-Cron-Signature, each once; correct "
             "X-Cron-")
CLOSED = ("signing up is closed on this server; ask its operator for an account (`cronally account "
          "create`)")
NO_EMAIL = "email must be an address such as username@example.com"


@dataclasses.dataclass
class Case:
    group: str
    method: str
    path: str
    status: int
    text: str  # the answer's body
    fields: dict = None
    signed: bool = True
    changes: dict = dataclasses.field(default_factory=dict)
    headers: dict = dataclasses.field(default_factory=dict)  # those that the answer must have

    def __str__(self):
        return f"{self.group}: {self.method} {self.path} {self.fields or ''} {self.changes or ''}"


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def success(response):
    return compact({"status": "success", "response": response})


def error(reason, code, **more):
    return compact({"status": "error", "reason": reason, "code": code, **more})


def unauthorized(reason):
    return error(reason + "; it is " + NOW, "unauthorized")


def faulty(**fields):
    reason = "; ".join(f"{field} {detail}" for field, detail in fields.items())
    return error(reason, "invalid_cronjob", fields=fields)


def cronjob(account, name, cron, id=ANY_ID, deleted=False):
    return {"account_id": account.id, "cronjob_id": id, "deleted": deleted, "name": name, "cron": cron}


def both(path):
    """Both slash forms."""
    return [path.rstrip("/") + "/", path.rstrip("/")]


def cases(account):
    """All cases, in an order in which they can be sent; the account has no cronjobs yet."""
    yield from signup(account)
    yield from of_account(account)
    yield from creation(account)
    yield from listing(account)
    yield from change(account)
    yield from deletion(account)
    yield from methods(account)
    yield from unknown_paths()


def signup(account):
    for path in both("/account/"):
        def case(status, text, fields=None):
            return Case("sign up", "POST", path, status, text, fields, signed=False)
        yield case(400, error(NO_EMAIL, "invalid_email"))
        yield case(400, error(NO_EMAIL, "invalid_email"), {"email": "cronally.com"})
        yield case(403, error(CLOSED, "signup_closed"), {"email": "new@example.com"})
        yield case(403, error(CLOSED, "signup_closed"), {"email": account.email})


def refused_signatures(group, account, method, path, fields=None):
    """What no endpoint but sign up lets in."""
    def case(text, **changes):
        return Case(group, method, path, 401, text, fields, changes=changes,
                    headers={"www-authenticate": "Cronally-V1"})
    other = "GET" if method != "GET" else "POST"
    good = account.headers(method, path)["X-Cron-Signature"]
    yield case(unauthorized(WRONG), signature=account.headers(other, path)["X-Cron-Signature"])
    yield case(unauthorized(WRONG), signature=good[1:] + good[0])
    yield case(unauthorized(WRONG), signature="")
    yield case(unauthorized(WRONG), signed_path="/other/")
    yield case(unauthorized(WRONG), key=UNKNOWN_ID)
    yield case(unauthorized(WRONG), key="nobody")
    for name in ("Key", "Date", "Signature"):
        yield case(unauthorized(EACH_ONCE + name), without="X-Cron-" + name)
    for minutes in (-7, 7):
        date = date_of(minutes=minutes)
        yield case(unauthorized(f"X-Cron-Date {date} is more than 5m off this server's clock"),
                   date=date)
    yield case(unauthorized(MALFORMED_DATE + "'20061332'"), date="20061332")
    yield case(unauthorized(MALFORMED_DATE + "'2006-01-02T15:04Z'"), date="2006-01-02T15:04Z")


def good_dates(group, method, path, text, fields=None):
    """A clock that is a little off, and the signature over the other slash form."""
    for minutes in (-4, 4):
        yield Case(group, method, path, 200, text, fields, changes={"date": date_of(minutes=minutes)})
    toggled = path.rstrip("/") if path.endswith("/") else path + "/"
    yield Case(group, method, path, 200, text, fields, changes={"signed_path": toggled})


def of_account(account):
    text = success({"account_id": account.id, "email": account.email, "api_key": account.key,
                    "api_secret": account.secret, "cronjob_count": 0})
    for path in both("/account/"):
        yield Case("account", "GET", path, 200, text, headers={"cache-control": "no-store"})
        yield from good_dates("account", "GET", path, text)
        yield from refused_signatures("account", account, "GET", path)


def creation(account):
    for path in both("/cronjob/"):
        def case(status, text, **fields):
            return Case("create", "POST", path, status, text, fields)
        sns = {"name": "to a topic", "cron": "0 * * * *", **SNS}
        http = {"name": "to an address", "cron": "0 8 * * *", **HTTP}
        yield case(200, success(cronjob(account, "to a topic", "0 * * * *")), **sns)
        yield case(200, success(cronjob(account, "to an address", "0 8 * * *")), **http)
        yield from good_dates("create", "POST", path,
                              success(cronjob(account, "to an address", "0 8 * * *")), http)
        yield from refused_signatures("create", account, "POST", path, http)
        advice = {"name": "is missing; each cronjob has a name",
                  "cron": "is missing; say when, as in 0 8 * * *"}
        for field in sns:
            fields = {name: value for name, value in sns.items() if name != field}
            yield case(400, faulty(**{field: advice.get(field, NEEDED)}), **fields)
            if field != "sns_message":
                yield case(400, faulty(**{field: advice.get(field, NEEDED)}), **{**sns, field: ""})
        yield case(200, success(cronjob(account, "to a topic", "0 * * * *")),
                   **{**sns, "sns_message": ""})
        yield case(400, faulty(delivery_http_url="is missing; delivery_type http needs the address"),
                   **{**http, "delivery_http_url": ""})
        yield case(400, faulty(delivery_type="must be sns or http, not 'sqs'"),
                   **{**http, "delivery_type": "sqs"})
        yield case(400, faulty(delivery_http_method="must be get or post, not 'put'"),
                   **{**http, "delivery_http_method": "put"})
        yield case(400, faulty(**advice, **{field: NEEDED for field in SNS}))


def listing(account):
    jobs = account.cronjobs()  # whatever was made so far
    assert jobs and not any(job["deleted"] for job in jobs), jobs
    for path in both("/cronjobs/"):
        yield Case("list", "GET", path, 200, success(jobs))
        yield from good_dates("list", "GET", path, success(jobs))
        yield from refused_signatures("list", account, "GET", path)


def change(account):
    job = account.add(name="to be changed", cron="0 1 * * *", **HTTP)
    for place, path in enumerate(both("/cronjob/" + job["cronjob_id"])):
        def case(status, text, **fields):
            return Case("change", "PATCH", path, status, text, fields)

        def changed(name, cron):
            return success(cronjob(account, name, cron, job["cronjob_id"]))
        yield case(200, changed("to be changed", "5 2 * * *"), cron="5 2 * * *")
        yield case(200, changed("renamed", "5 2 * * *"), name="renamed")
        yield case(200, changed("to be changed", "0 1 * * *"), name="to be changed", cron="0 1 * * *")
        yield case(200, changed("to be changed", "0 1 * * *"))
        yield from good_dates("change", "PATCH", path, changed("to be changed", "0 1 * * *"))
        yield case(400, faulty(name="must not be empty", cron="must not be empty"), name="", cron="")
        yield from refused_signatures("change", account, "PATCH", path, {"name": "x"})
        for unknown in (UNKNOWN_ID, "renamed"):
            yield Case("change", "PATCH", both("/cronjob/" + unknown)[place], 404,
                       error(f"no cronjob '{unknown}'; GET /cronjobs/ lists them", "not_found"))


def deletion(account):
    for place in range(2):
        job = account.add(name="to be deleted", cron="0 1 * * *", **HTTP)
        path = both("/cronjob/" + job["cronjob_id"])[place]
        yield from refused_signatures("delete", account, "DELETE", path)
        gone = cronjob(account, "to be deleted", "0 1 * * *", job["cronjob_id"], deleted=True)
        yield Case("delete", "DELETE", path, 200, success(gone))
        for unknown in (job["cronjob_id"], UNKNOWN_ID, "renamed"):
            yield Case("delete", "DELETE", both("/cronjob/" + unknown)[place], 404,
                       error(f"no cronjob '{unknown}'; GET /cronjobs/ lists them", "not_found"))


def methods(account):
    allowed = {"/account/": ["GET", "POST"], "/cronjob/": ["POST"], "/cronjobs/": ["GET"],
               "/cronjob/" + UNKNOWN_ID: ["PATCH", "DELETE"]}
    for pattern, allow in allowed.items():
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            if method in allow:
                continue
            for path in both(pattern):
                allow_text = ", ".join(allow)
                text = error(f"'{method}' is not allowed at '{path}'; use {allow_text}",
                             "method_not_allowed")
                yield Case("other methods", method, path, 405, "" if method == "HEAD" else text,
                           headers={"allow": allow_text})


def unknown_paths():
    for path in ("/account/x", "/account//", "/cronjob/x/y", "/cronjobs/x/"):
        for method in ("GET", "POST"):
            yield Case("unknown paths", method, path, 404,
                       error(f"there is nothing at '{path}'", "not_found"))


def fault_of(case, account):
    """How the answer differs from the expected one; None where it does not."""
    answer = account.send(case.method, case.path, case.fields, signed=case.signed, **case.changes)
    if answer.status != case.status:
        return f"{case}: {answer.status} instead of {case.status}: {answer.text}"
    if answer.headers.get("content-type") != "application/json":
        return f"{case}: {answer.headers}"
    for name, value in case.headers.items():
        if answer.headers.get(name) != value:
            return f"{case}: {name} is {answer.headers.get(name)!r}, not {value!r}"
    pattern = re.escape(case.text)
    pattern = pattern.replace(re.escape(NOW), r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) here, which is (\d{12})")
    pattern = pattern.replace(re.escape(ANY_ID), "[0-9a-f-]{36}")
    match = re.fullmatch(pattern, answer.text)
    if not match:
        return f"{case}:\n{answer.text}\ninstead of\n{case.text}"
    if match.groups():
        second, minute = match.groups()
        at = time.mktime(time.strptime(second, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        if abs(at - time.time()) > 5 or minute != re.sub(r"[-T:]", "", second)[:12]:
            return f"{case}: the server's time is {second}, {minute}"
    return None
