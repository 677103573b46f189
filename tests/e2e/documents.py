"""The examples of the documents, as commands with their expected output. CONTRIBUTING says how a
block is marked.
"""

import dataclasses
import os
import re
import signal
import subprocess
import threading

MARK = re.compile(r"<!--\s*(run|no-run):\s*(.*?)\s*-->")
FENCE = re.compile(r"^(\s*)```(\w*)\s*$")


@dataclasses.dataclass
class Block:
    path: str
    line: int        # of the fence
    language: str    # console, sh, …
    lines: list
    group: str = ""  # of the mark run:; empty: not to be run
    status: int = 0  # with which the last command ends
    marked: bool = False


@dataclasses.dataclass
class Command:
    line: int
    text: str
    expected: list
    status: int = 0


def blocks_of(path, text):
    """All fenced blocks of a document with the mark before each."""
    found, block, mark = [], None, None
    for number, line in enumerate(text.split("\n"), 1):
        fence = FENCE.match(line)
        if block is None and fence:
            block = Block(path, number, fence.group(2), [])
            if mark:
                block.marked = True
                if mark.group(1) == "run":
                    words = mark.group(2).split()
                    block.group = words[0]
                    options = dict(word.split("=", 1) for word in words[1:])
                    block.status = int(options.get("status", 0))
        elif block is not None and line.strip().startswith("```"):
            found.append(block)
            block = None
        elif block is not None:
            block.lines.append(line)
        if line.strip():
            mark = MARK.search(line) if block is None else None
    return found


def commands_of(block):
    """The commands of a block: `$ ` lines of console, every line of sh."""
    commands = []
    goes_on = False
    for offset, line in enumerate(block.lines, 1):
        if block.language == "console" and not goes_on and not line.startswith("$ "):
            if commands and line.strip():
                commands[-1].expected.append(line.rstrip())
            continue
        if goes_on:
            commands[-1].text += "\n" + line
        elif line.strip():
            text = line[2:] if block.language == "console" else line
            commands.append(Command(block.line + offset, text, []))
        goes_on = line.rstrip().endswith("\\")
    if commands:
        commands[-1].status = block.status
    return commands


def missing_line(expected, output):
    """The first expected line that does not appear, in order; None when all do."""
    lines = [line.rstrip() for line in output.split("\n")]
    place = 0
    for wanted in expected:
        if wanted.strip() == "…":
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in wanted.split("…")) + r"\Z")
        while place < len(lines) and not pattern.match(lines[place]):
            place += 1
        if place == len(lines):
            return wanted
        place += 1
    return None


class Shell:
    """One bash that runs commands in turn and keeps variables, folder and background jobs."""

    END = "--- end of command"

    def __init__(self, folder, environment):
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=folder, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True)

    def run(self, text, timeout=60):
        """(status, output) of a command."""
        group = os.getpgid(self.process.pid)
        timer = threading.Timer(timeout, os.killpg, (group, signal.SIGKILL))
        timer.start()
        try:
            self.process.stdin.write(f"{text}\nprintf '\\n{self.END} %s\\n' $?\n")
            self.process.stdin.flush()
            output = ""
            for line in self.process.stdout:
                if line.startswith(self.END):
                    return int(line.split()[-1]), output
                output += line
            raise AssertionError(f"`{text}` ended the shell or took over {timeout} s:\n{output}")
        finally:
            timer.cancel()

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()
