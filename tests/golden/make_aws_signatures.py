"""Writes aws_signatures.json: requests, and how botocore signs them (Signature Version 4).

    build/python/bin/python tests/golden/make_aws_signatures.py

`build/python` is the environment of tests/requirements.txt, where botocore's version is pinned;
`. tools/install; python_environment` makes it.
"""

import datetime
import json
import pathlib
import unittest.mock

import botocore
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJIMEYCIQD+abc=="
AT = "2026-08-31T12:36:00Z"
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


def case(name, *, method="POST", path="/", query=(), headers=None, body="", service="sns",
         region="eu-west-1", at=AT, token="", key=KEY):
    host = f"{service}.{region}.amazonaws.com"
    given = {"Host": host, **(headers or {})}
    return {"name": name, "method": method, "path": path, "query": [list(pair) for pair in query],
            "headers": [list(pair) for pair in given.items()], "body": body, "service": service,
            "region": region, "at": at, "access_key_id": key[0], "secret_access_key": key[1],
            "session_token": token}


def cases():
    publish = ("Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A"
               "123456789012%3Areports&Message=hello")
    yield case("publish", headers=FORM, body=publish)
    yield case("publish with a session token", headers=FORM, body=publish, token=TOKEN)
    yield case("a body in UTF-8", headers=FORM, body="Message=gr\u00fc\u00dfe \u2603 \U0001f680")
    yield case("an empty body")
    yield case("a body of every kind of line", headers=FORM, body="a\r\nb\n\tc\0d")
    yield case("another region and service", service="sts", region="us-east-1", headers=FORM,
               body="Action=AssumeRole&Version=2011-06-15&RoleArn=a&RoleSessionName=b")
    yield case("the first second of a day", headers=FORM, body=publish, at="2027-01-01T00:00:00Z")
    yield case("the last second of a day", headers=FORM, body=publish, at="2026-12-31T23:59:59Z")
    yield case("a leap day", headers=FORM, body=publish, at="2028-02-29T00:00:00Z")
    yield case("a secret with / and +", headers=FORM, body=publish,
               key=("AKIAI44QH8DHBEXAMPLE", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvb+EXAMPLEKEY"))
    yield case("GET with a query", method="GET", query=[("Action", "ListTopics"), ("Version", "1")])
    yield case("a query out of order", method="GET", query=[("b", "2"), ("a", "2"), ("a", "1")])
    yield case("a query to be encoded", method="GET",
               query=[("a b", "c/d:e"), ("plus", "1+1"), ("tilde", "~-_."), ("percent", "100%"),
                      ("umlaut", "\u00fc"), ("equals", "a=b&c"), ("star", "*'()!")])
    yield case("a query without values", method="GET", query=[("acl", ""), ("x", "")])
    yield case("names whose order changes by encoding", method="GET",
               query=[("a", "1"), ("a.b", "2"), ("a-b", "3"), ("A", "4"), ("a/b", "5")])
    yield case("a path with an ARN", service="lambda", body="{}",
               path="/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3A"
                    "function%3Aa/invocations")
    yield case("a path with raw colons", service="lambda", body="{}",
               path="/2015-03-31/functions/arn:aws:lambda:eu-west-1:1:function:a/invocations")
    yield case("a path with dots and slashes", path="/a/./b//c/../d", body="x")
    yield case("a path that ends with a slash", path="/a/b/", body="x")
    yield case("a path in UTF-8", path="/%C3%BC/a%20b", body="x")
    yield case("headers to be folded", body="x",
               headers={"X-Amz-Target": "AmazonSQS.SendMessage", "My-Header": "  a   b  c  ",
                        "A-Empty": ""})
    yield case("JSON", service="sqs", body='{"MessageBody":"x"}',
               headers={"Content-Type": "application/x-amz-json-1.0",
                        "X-Amz-Target": "AmazonSQS.SendMessage"})


def signed(given):
    at = datetime.datetime.strptime(given["at"], "%Y-%m-%dT%H:%M:%SZ")
    url = f"https://{dict(given['headers'])['Host']}{given['path']}"
    request = AWSRequest(method=given["method"], url=url, data=given["body"].encode(),
                         params=[tuple(pair) for pair in given["query"]] or None,
                         headers=dict(given["headers"]))
    signer = SigV4Auth(Credentials(given["access_key_id"], given["secret_access_key"],
                                   given["session_token"] or None),
                       given["service"], given["region"])
    clock = next(name for name in ("get_current_datetime", "datetime")
                 if hasattr(botocore.auth, name))
    with unittest.mock.patch(f"botocore.auth.{clock}") as now:
        if clock == "datetime":
            now.datetime.utcnow.return_value = at
        else:
            now.return_value = at
        signer.add_auth(request)
    canonical = signer.canonical_request(without_authorization(request))
    return {**given, "canonical_request": canonical,
            "string_to_sign": signer.string_to_sign(request, canonical),
            "authorization": request.headers["Authorization"]}


def without_authorization(request):
    copy = AWSRequest(method=request.method, url=request.url, data=request.data,
                      params=request.params, headers=dict(request.headers))
    del copy.headers["Authorization"]
    copy.context.update(request.context)
    return copy


def main():
    rows = [signed(given) for given in cases()]
    out = pathlib.Path(__file__).resolve().parent / "aws_signatures.json"
    text = json.dumps({"botocore": botocore.__version__, "cases": rows}, indent=1)
    out.write_text(text + "\n")
    print(f"{len(rows)} cases by botocore {botocore.__version__}")


if __name__ == "__main__":
    main()
