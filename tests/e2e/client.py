"""A client of API v2 that believes nothing: every answer is held against the served document.

For path, method and status, /openapi.json must list the answer, its media type, and a schema that
the body satisfies. An answer outside the document fails the test that met it.
"""

import dataclasses
import http.client
import json
import re
import urllib.parse

import jsonschema


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict  # names in lower case
    body: bytes
    json: object = None

    def __repr__(self):
        return f"<{self.status} {self.body[:600]!r}>"


class Document:
    """The served OpenAPI document, and the check of an answer against it."""

    def __init__(self, document):
        self.document = document
        self.resolver = jsonschema.RefResolver.from_schema(document)
        self.templates = []
        for template in document["paths"]:
            pattern = re.sub(r"\\\{[^/]*?\\\}", "[^/]+", re.escape(template))
            variables = template.count("{")
            self.templates.append((variables, re.compile(pattern + r"\Z"), template))
        self.templates.sort(key=lambda entry: entry[0])  # /v2/jobs/bulk before /v2/jobs/{job}
        self.validators = {}

    def deref(self, node):
        while isinstance(node, dict) and "$ref" in node:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def template_of(self, path):
        for _, pattern, template in self.templates:
            if pattern.match(path):
                return template
        return None

    def schema_of(self, template, method, status, media):
        """The schema of an answer; None where the document says that there is no body."""
        operation = self.deref(self.document["paths"][template]).get(method.lower())
        assert operation, f"{method} {template} is not in the document"
        answers = operation["responses"]
        wanted = answers.get(str(status), answers.get(f"{status // 100}XX", answers.get("default")))
        assert wanted, f"{method} {template}: {status} is not in the document"
        content = self.deref(wanted).get("content")
        if not content:
            return None
        assert media in content, f"{method} {template} {status}: {media} is not in {list(content)}"
        return content[media].get("schema", {})

    def check(self, method, path, answer):
        template = self.template_of(urllib.parse.urlsplit(path).path)
        if template is None:
            assert answer.status == 404, f"{path} is not in the document but answers {answer}"
            return
        media = answer.headers.get("content-type", "").split(";")[0].strip()
        if answer.status == 405:
            return
        schema = self.schema_of(template, method, answer.status, media)
        if schema is None:
            assert not answer.body, f"{method} {path} {answer.status}: an undocumented body"
            return
        if answer.json is None:
            return
        key = (template, method, answer.status, media)
        if key not in self.validators:
            self.validators[key] = jsonschema.Draft202012Validator(schema, resolver=self.resolver)
        errors = [f"{'/'.join(map(str, error.path))}: {error.message[:300]}"
                  for error in self.validators[key].iter_errors(answer.json)]
        assert not errors, f"{method} {path} {answer.status} breaks the document: {errors[:5]}"


def segment(name):
    """A name as a segment of a path."""
    return urllib.parse.quote(name, safe="")


class Client:
    """One connection to a server. Not for several threads: use copy() for each."""

    def __init__(self, server, token=None, document=None, checks=True):
        self.server = server
        self.checks = checks  # False: for measurements, where thousands of runs are read
        self.token = server.token if token is None else token
        self.connection = None
        self.document = document
        if document is None and checks:
            self.document = Document(self.send("GET", "/openapi.json", check=False).json)

    def copy(self, token=None):
        return Client(self.server, self.token if token is None else token, self.document,
                      self.checks)

    def send(self, method, path, body=None, headers=None, check=True, timeout=30):
        """One exchange. `body`: bytes as they are, else JSON. Checks the answer."""
        sent = dict(headers or {})
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        answer = self._exchange(method, path, body, sent, timeout)
        if check and self.checks:
            self.document.check(method, path, answer)
        return answer

    def _exchange(self, method, path, body, headers, timeout):
        address = self.server.address
        if self.connection is None or self.connection[0] != address:
            self.close()
            self.connection = (address, http.client.HTTPConnection(address, timeout=timeout))
        connection = self.connection[1]
        connection.timeout = timeout
        if connection.sock:
            connection.sock.settimeout(timeout)
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        names = {name.lower(): value for name, value in answer.getheaders()}
        parsed = None
        if names.get("content-type", "").split(";")[0].endswith("json") and content:
            parsed = json.loads(content)
        return Answer(answer.status, names, content, parsed)

    def close(self):
        if self.connection:
            self.connection[1].close()
        self.connection = None

    # ---- what most tests say; each insists on the status -------------------------------------

    def expect(self, status, method, path, body=None, headers=None):
        answer = self.send(method, path, body, headers)
        allowed = (status,) if isinstance(status, int) else status
        assert answer.status in allowed, f"{method} {path}: wanted {status}, got {answer}"
        return answer

    def add(self, name, url, schedule="@never", **more):
        target = {"type": "http", "url": url, **more.pop("target", {})}
        body = {"name": name, "schedule": schedule, "target": target, **more}
        return self.expect(201, "POST", "/v2/jobs", body).json

    def job(self, name):
        return self.expect(200, "GET", f"/v2/jobs/{segment(name)}").json

    def change(self, name, patch):
        return self.expect(200, "PATCH", f"/v2/jobs/{segment(name)}", patch).json

    def remove(self, name):
        return self.expect((200, 204), "DELETE", f"/v2/jobs/{segment(name)}")

    def run_now(self, name, key=None):
        headers = {"Idempotency-Key": key} if key else {}
        path = f"/v2/jobs/{segment(name)}/run"
        return self.expect((200, 201, 202), "POST", path, headers=headers).json

    def run(self, run_id):
        return self.expect(200, "GET", f"/v2/runs/{run_id}").json

    def refused(self, status, method, path, body=None, headers=None):
        """The problem of an answer that must have this status."""
        problem = self.expect(status, method, path, body, headers).json
        assert problem and problem.get("code"), f"{method} {path}: no problem with a code"
        return problem

    def pages(self, path, limit=1000, **filters):
        """All items of a list."""
        query = {"limit": limit, **filters}
        items = []
        while True:
            page = self.expect(200, "GET", path + "?" + urllib.parse.urlencode(query)).json
            items += page["items"]
            if not page.get("next_cursor"):
                return items
            query["cursor"] = page["next_cursor"]
