"""Runs the examples of README and docs as a reader would; see CONTRIBUTING for the marks."""

import pathlib
import re

import pytest

from documents import Block, Shell, blocks_of, commands_of, missing_line
from processes import ROOT, Receiver, Server, clean_environment, cronally_program

DOCUMENTS = [path for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md")),
             ROOT / "clients" / "python" / "README.md"]
             if path.exists()]
BLOCKS = [block for path in DOCUMENTS
          for block in blocks_of(str(path.relative_to(ROOT)), path.read_text())]
GROUPS = sorted({(block.path, block.group) for block in BLOCKS if block.group})


@pytest.mark.parametrize("path,group", GROUPS, ids=str)
def test_the_examples_do_what_they_show(path, group, tmp_path):
    commands = [command for block in BLOCKS if (block.path, block.group) == (path, group)
                for command in commands_of(block)]
    starts_one = any(re.search(r"\bserve\b|\./run", command.text) for command in commands)
    server = Server(tmp_path)
    if not starts_one:
        server.start()
    receiver = Receiver(tmp_path)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "build").symlink_to(ROOT / "build")
    shell = Shell(folder, clean_environment(
        CRONALLY_DATA_DIR=str(server.data), RECEIVER=receiver.url("").rstrip("/"),
        PATH=f"{pathlib.Path(cronally_program()).parent}:/usr/bin:/bin"))
    try:
        for command in commands:
            status, output = shell.run(command.text)
            where = f"{path}:{command.line}: {command.text}\n{output}"
            assert status == command.status, f"ended with {status}: {where}"
            missing = missing_line(command.expected, output)
            assert missing is None, f"the line {missing!r} is not in the output: {where}"
    finally:
        shell.close()
        receiver.stop()
        if server.process and server.process.poll() is None:
            server.kill()


def test_every_example_is_marked():
    bare = [f"{block.path}:{block.line}" for block in BLOCKS
            if block.language in ("console", "sh") and not block.marked]
    assert not bare, f"mark these with <!-- run: name --> or <!-- no-run: reason -->: {bare}"


# ---- the reading of documents itself --------------------------------------------------------------

def test_marks_and_commands_are_read():
    text = ("a\n<!-- run: walk status=3 -->\n```console\n$ one \\\n    two\nout…put\n\n$ three\n```\n"
            "<!-- no-run: slow -->\n\n```sh\nfour\n```\n```sh\nfive\n```\n")
    first, second, third = blocks_of("x.md", text)
    assert (first.group, first.status, first.line) == ("walk", 3, 3)
    one, three = commands_of(first)
    assert (one.text, one.expected, one.status) == ("one \\\n    two", ["out…put"], 0)
    assert (three.text, three.line, three.status) == ("three", 8, 3)
    assert second.marked and not second.group and not third.marked


@pytest.mark.parametrize("expected,output,missing", [
    (["a", "c"], "a\nb\nc\n", None),
    (["c", "a"], "a\nb\nc\n", "a"),
    (["id …, late …ms"], "id 17, late 0.4ms\n", None),
    (["id …"], "no id\n", "id …"),
    (["…", "b"], "a\nb\n", None),
    (["b"], "  b\n", "b"),
])
def test_expected_lines(expected, output, missing):
    assert missing_line(expected, output) == missing


def test_a_shell_keeps_variables_and_status(tmp_path):
    shell = Shell(tmp_path, clean_environment(PATH="/usr/bin:/bin"))
    try:
        assert shell.run("x=5")[0] == 0
        assert shell.run("echo $x; (exit 3)") == (3, "5\n\n")
    finally:
        shell.close()
    assert isinstance(BLOCKS, list) and all(isinstance(block, Block) for block in BLOCKS)
