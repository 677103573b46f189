"""What is given wrong is answered with one exact text, whichever way it comes in.

Each line of bad_input.tsv is one case: the hazard it shows, what is given, where to, and the exact
answer. `CRONALLY_GOLDEN=write` writes the answers anew, to be read before they are committed.

    to                     give                           answer
    schedule               an expression, for a preview   status, code, pointer, detail
    job FIELD              JSON of one field of a job     the same
    METHOD /path           a body                         the same
    headers METHOD /path   header lines                   the same
    socket                 the bytes of a whole request   the same
    shell                  a command line                 exit code, -, -, stderr
    FILE of COMMAND        bytes of a file of the data    the same
                           directory, then a command

In a cell \\r \\n \\t \\\\ and \\xNN are escapes, <N*TEXT> is TEXT N times, <N#TEXT> too, with the
number of each for #; {token}, {data} and {url} are the server's. In an expected text … stands for
what differs from run to run. A few rows show what looks wrong and is not: status 200.
"""

import csv
import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess

import pytest
from client import Document
from processes import ROOT, Server, clean_environment, cronally_program

TABLE = pathlib.Path(__file__).with_name("bad_input.tsv")
COLUMNS = ("hazard", "give", "to", "status", "code", "pointer", "says")
ROWS_MIN = 60
ANSWER_MAX_S = 5


@dataclasses.dataclass
class Row:
    hazard: str
    give: str
    to: str
    status: str
    code: str
    pointer: str
    says: str

    @property
    def answer(self):
        return (self.status, self.code, self.pointer, self.says)


def rows():
    with open(TABLE, newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert tuple(lines[0]) == COLUMNS
    return [Row(*(line + [""] * (len(COLUMNS) - len(line)))) for line in lines[1:]]


def plain(cell, **places):
    """The bytes that a cell means."""
    for name, value in places.items():
        cell = cell.replace("{" + name + "}", value)
    cell = re.sub(r"<(\d+)\*([^>]*)>", lambda match: match[2] * int(match[1]), cell)
    cell = re.sub(r"<(\d+)#([^>]*)>", lambda match: "".join(
        match[2].replace("#", str(number)) for number in range(int(match[1]))), cell)
    escapes = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}
    out, at = b"", 0
    for match in re.finditer(r"\\(x[0-9a-f]{2}|[rnt\\])", cell):
        out += cell[at:match.start()].encode()
        word = match[1]
        out += bytes([int(word[1:], 16)]) if word[0] == "x" else escapes[word]
        at = match.end()
    return out + cell[at:].encode()


def cell_of(text):
    """A text as a cell of the table shows it."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def same(expected, actual):
    """Equal, where … in the expected text stands for anything within a line."""
    pattern = ".+".join(re.escape(part) for part in expected.split("…"))
    return re.fullmatch(pattern, actual) is not None


class World:
    """A server with one job, what a row may do to it, and a stopped one whose files may be spoilt."""

    def __init__(self, home):
        self.server = Server(home / "live").start()
        self.home = home
        self.document = Document(self._exchange("GET", "/openapi.json")[2])
        body = {"name": "known", "schedule": "@never",
                "target": {"type": "http", "url": "http://127.0.0.1:9/"}}
        made = self._exchange("POST", "/v2/jobs", json.dumps(body).encode())
        assert made[0] == 201, made
        self.stopped = Server(home / "stopped").start()
        assert self.stopped.stop() == 0

    def close(self):
        assert self.server.stop() == 0, self.server.log()[-2000:]
        assert "fault of the server" not in self.server.log()

    # ---- HTTP ------------------------------------------------------------------------------------

    def _socket(self, data):
        """Sends bytes as they are; the status, headers and body of the first final answer."""
        host, port = self.server.address.split(":")
        with socket.create_connection((host, int(port)), timeout=ANSWER_MAX_S) as connection:
            try:
                connection.sendall(data)
            except OSError:
                pass  # refused before it was read to the end
            return read_answer(connection)

    def _exchange(self, method, path, body=b"", headers=""):
        usual = f"Host: {self.server.address}\r\nConnection: close\r\n"
        if "authorization:" not in headers.lower():
            usual += f"Authorization: Bearer {self.server.token}\r\n"
        if body:
            usual += f"Content-Length: {len(body)}\r\n"
            if "content-type:" not in headers.lower():
                usual += "Content-Type: application/json\r\n"
        head = f"{method} {path} HTTP/1.1\r\n{usual}{headers}\r\n"
        status, media, answer = self._socket(head.encode("latin-1") + body)
        return status, media, json.loads(answer) if answer and media.endswith("json") else answer

    def _problem(self, method, path, answer):
        """The cells of a problem, after the document had its say."""
        status, media, body = answer
        if status == 200:
            return ("200", "-", "-", body["description"])
        assert media == "application/problem+json", answer
        if isinstance(body, bytes):
            body = json.loads(body)
        assert body["status"] == status and body["title"], body
        if path and self.document.template_of(path.split("?")[0]) and status not in (405, 408):
            self.document.check(method, path, AnswerView(status, media, body))
        errors = body.get("errors") or [{"pointer": "", "detail": body["detail"]}]
        return (str(status), body["code"], errors[0]["pointer"], cell_of(errors[0]["detail"]))

    def ask(self, row):
        to = row.to.split(" ")
        given = plain(row.give, token=self.server.token, url=self.server.url)
        if row.to == "schedule":
            body = b'{"schedule": ' + json.dumps(given.decode()).encode() + b"}"
            path = "/v2/schedules/preview"
            return self._problem("POST", path, self._exchange("POST", path, body))
        if to[0] == "job":
            fields = {"name": b'"a"', "schedule": b'"@hourly"',
                      "target": b'{"type": "http", "url": "http://r.test/"}', to[1]: given}
            body = b", ".join(b'"%s": %s' % (name.encode(), value)
                              for name, value in fields.items())
            answer = self._exchange("POST", "/v2/jobs", b"{" + body + b"}")
            return self._problem("POST", "/v2/jobs", answer)
        if row.to == "socket":
            return self._problem(None, None, self._socket(given))
        if to[0] == "headers":
            answer = self._exchange(to[1], to[2], headers=given.decode("latin-1"))
            return self._problem(to[1], to[2], answer)
        path = plain(to[1]).decode("latin-1")
        return self._problem(to[0], path, self._exchange(to[0], path, given))

    # ---- the command line ------------------------------------------------------------------------

    def _shell(self, words, data):
        variables = {}
        while "=" in words[0]:
            name, value = words.pop(0).split("=", 1)
            variables[name] = value
        assert words.pop(0) == "cronally"
        environment = clean_environment(**{"CRONALLY_DATA_DIR": str(data), **variables})
        done = subprocess.run([cronally_program(), *words], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=20, cwd=self.home, env=environment)
        says = done.stderr.strip().replace(str(data), "{data}").replace(self.server.url, "{url}")
        assert done.stdout == "", f"{words} printed {done.stdout!r}"
        return (str(done.returncode), "-", "-", cell_of(says))

    def run(self, row):
        given = plain(row.give, url=self.server.url, data=str(self.server.data),
                      token=self.server.token)
        if row.to == "shell":
            return self._shell(shlex.split(given.decode()), self.server.data)
        name, command = row.to.split(" of ", 1)
        data = self.home / "spoilt"
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(self.stopped.data, data)
        data.chmod(0o700)
        (data / name).write_bytes(given)
        (data / name).chmod(0o600)
        return self._shell(shlex.split(command.replace("{url}", self.server.url)), data)

    def answer_of(self, row):
        is_command = row.to == "shell" or " of " in row.to
        return self.run(row) if is_command else self.ask(row)


@dataclasses.dataclass
class AnswerView:
    """What client.Document reads of an answer."""
    status: int
    media: str
    json: object

    @property
    def headers(self):
        return {"content-type": self.media}

    @property
    def body(self):
        return json.dumps(self.json).encode()


def read_answer(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        assert piece, f"closed without an answer, after {data!r}"
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, value in
               (line.split(":", 1) for line in lines[1:])}
    while len(body) < int(headers.get("content-length", "0")):
        piece = connection.recv(65536)
        assert piece, "the answer is cut short"
        body += piece
    return int(lines[0].split(" ")[1]), headers.get("content-type", "").split(";")[0], body


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("bad"))
    yield world
    world.close()


def test_the_table_is_large_and_names_each_case_once():
    table = rows()
    assert len(table) >= ROWS_MIN
    assert len({(row.give, row.to) for row in table}) == len(table)
    assert all(row.status != "500" and row.status != "-11" for row in table)


if os.environ.get("CRONALLY_GOLDEN") == "write":
    def test_write(world):
        with open(TABLE, newline="", encoding="utf-8") as file:
            head = file.readline()
        table = rows()
        lines = []
        for row in table:
            answer = world.answer_of(row)
            says = row.says if row.says and same(row.says, answer[3]) else answer[3]
            lines.append("\t".join((row.hazard, row.give, row.to, *answer[:3], says)))
        TABLE.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
else:
    @pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.hazard}: {row.to}"[:60])
    def test_bad_input_is_answered_exactly(world, row):
        actual = world.answer_of(row)
        assert actual[:3] == row.answer[:3], f"{row.give[:200]}\n{actual}"
        assert same(row.says, actual[3]), f"{row.give[:200]}\nwanted {row.says}\ngot    {actual[3]}"


def test_each_limit_of_the_document_is_shown_by_a_case_or_a_test():
    document = (ROOT / "docs/limits.md").read_text()
    shown = re.findall(r"\| `([^`|]+)` \|$", document, re.M)
    assert len(shown) >= 40
    hazards = {row.hazard for row in rows()}
    tests = "".join(path.read_text() for folder in ("src", "tests")
                    for path in (ROOT / folder).rglob("*")
                    if path.name.endswith(("_test.cc", ".py")) or "conformance" in path.parts
                    and path.suffix == ".h")
    missing = [name for name in shown
               if name not in hazards and not re.search(rf"\b{re.escape(name)}\b", tests)]
    assert not missing
