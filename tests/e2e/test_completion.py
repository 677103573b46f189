"""Tab in real shells, and manual pages before real readers of them."""

import os
import pty
import re
import select
import shutil
import socket
import subprocess
import time

import pytest

from processes import ROOT, clean_environment, cronally_program

NAMES = ["report", "reports/daily", "deploy:eu", "with blank", "\u00fcber", "it's"]


@pytest.fixture(scope="module")
def jobs(server, api):
    for name in NAMES:
        api.expect(201, "POST", "/v2/jobs", {"name": name, "schedule": "@never",
                                             "target": {"type": "http", "url": "http://127.0.0.1:9"}})
    return server


def environment_of(server, **more):
    """A PATH with the program as `cronally`, whatever its file is called."""
    folder = server.home / "bin"
    folder.mkdir(exist_ok=True)
    if not (folder / "cronally").exists():
        (folder / "cronally").symlink_to(cronally_program())
    return clean_environment(CRONALLY_DATA_DIR=str(server.data), TERM="dumb",
                             PATH=f"{folder}:/usr/bin:/bin", HOME=str(server.home), **more)


def asked(server, *words, **variables):
    """The lines of `cronally __complete`, and how long they took."""
    started = time.monotonic()
    done = subprocess.run(["cronally", "__complete", *words], capture_output=True, text=True,
                          timeout=20, env={**environment_of(server), **variables})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines(), time.monotonic() - started


# ---- the question of all scripts -------------------------------------------------------------------

def test_names_of_jobs_come_from_the_server(jobs):
    lines, _ = asked(jobs, "job", "show", "re")
    assert lines[0] == "words"
    assert sorted(lines[1:]) == ["report\t@never", "reports/daily\t@never"]
    assert asked(jobs, "run", "list", "--job=dep")[0] == ["words", "--job=deploy:eu\t@never"]
    assert len(asked(jobs, "job", "pause", "report", "")[0]) == 1 + len(NAMES)


def test_without_a_server_there_are_no_names_and_no_words_about_it(jobs, tmp_path):
    lines, took = asked(jobs, "--data-dir", str(tmp_path), "job", "show", "")
    assert lines == ["words"] and took < 3
    lines, took = asked(jobs, "--url", "http://127.0.0.1:9", "--token-file", "/dev/null",
                        "job", "show", "")
    assert lines == ["words"] and took < 3


def test_a_server_that_does_not_answer_costs_a_second(jobs):
    with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts, and says nothing
        port = listener.getsockname()[1]
        lines, took = asked(jobs, "job", "show", "", CRONALLY_URL=f"http://127.0.0.1:{port}",
                            CRONALLY_TOKEN="cronally_x")
    assert lines == ["words"]
    assert 0.9 < took < 3  # and no 30 s, as other verbs


@pytest.mark.parametrize("before,flag", [
    (["job", "add", "set", "--never", "--url", "http://127.0.0.1:9"], "--dst"),
    (["job", "add", "set", "--never", "--url", "http://127.0.0.1:9"], "--catch-up"),
    (["job", "add", "set", "--never", "--url", "http://127.0.0.1:9"], "--delivery"),
    (["run", "list"], "--verdict"), (["run", "list"], "--state"),
    (["next", "@daily"], "--dst")])
def test_what_is_offered_is_taken(jobs, api, before, flag):
    values = [line.split("\t")[0] for line in asked(jobs, *before, flag, "")[0][1:]]
    assert len(values) >= 2
    for value in values:
        done = jobs.run_command(*before, flag, value)
        assert done.returncode == 0, done.stderr
        if before[0] == "job":
            api.expect(204, "DELETE", "/v2/jobs/set")


# ---- real shells -----------------------------------------------------------------------------------

class Terminal:
    """An interactive shell behind a pseudo-terminal."""

    READY = "%ready%"

    def __init__(self, command, environment, folder):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, environment)
        self.said = ""

    def read_until(self, text, timeout=20.0):
        end = time.monotonic() + timeout
        while text not in self.said:
            left = end - time.monotonic()
            assert left > 0, f"no {text!r} in:\n{self.said}"
            if select.select([self.fd], [], [], left)[0]:
                self.said += os.read(self.fd, 65536).decode(errors="replace")
        before, _, self.said = self.said.partition(text)
        return before

    def write(self, text):
        os.write(self.fd, text.encode())

    def run(self, line):
        """What a command says."""
        self.write(f"{line}; echo {self.READY[:3]}''{self.READY[3:]}\r")
        return self.read_until(self.READY)

    def completed(self, line):
        """The words of a line after Tab: Ctrl-A puts a command that shows them before it."""
        self.write(line + "\t\x01printf '<%s>' \x05\r")
        said = self.run(":").replace("\r", "")
        shown = re.findall(r"<cronally>((?:<[^<>]*>)*)", said)
        assert shown, said
        return re.findall("<([^<>]*)>", shown[-1])

    def close(self):
        self.write("\x03exit\r")
        os.close(self.fd)
        os.waitpid(self.pid, 0)


SHELLS = {
    "bash": (["bash", "--noprofile", "--norc", "-i"], ". <(cronally completion bash)"),
    "zsh": (["zsh", "-f", "-i"],
            "unsetopt zle_bracketed_paste; bindkey -e; autoload -U compinit; compinit -u -D; "
            "source <(cronally completion zsh)"),
}
CASES = [
    ("cronally ver", ["version"]),
    ("cronally job sh", ["job", "show"]),
    ("cronally job add x --secret-h", ["job", "add", "x", "--secret-header"]),
    ("cronally job add x --dst sk", ["job", "add", "x", "--dst", "skip"]),
    ("cronally job add x --dst=sk", ["job", "add", "x", "--dst=skip"]),
    ("cronally job show reports", ["job", "show", "reports/daily"]),
    ("cronally job show dep", ["job", "show", "deploy:eu"]),
    ("cronally job show deploy:e", ["job", "show", "deploy:eu"]),
    ("cronally job show wi", ["job", "show", "with blank"]),
    (r"cronally job show with\ bl", ["job", "show", "with blank"]),
    ("cronally job show 'with bl", ["job", "show", "with blank"]),
    ("cronally job show it", ["job", "show", "it's"]),
    ("cronally run list --job=dep", ["run", "list", "--job=deploy:eu"]),
    ("cronally apply -f jo", ["apply", "-f", "jobs.yaml"]),
    ("cronally job show nothing", ["job", "show", "nothing"]),
    ("cronally man job pa", ["man", "job", "pause"]),
]


@pytest.fixture(scope="module", params=sorted(SHELLS))
def terminal(request, jobs, tmp_path_factory):
    command, setup = SHELLS[request.param]
    if not shutil.which(command[0]):
        pytest.fail(f"{command[0]} is not installed; tools/install lists it")
    folder = tmp_path_factory.mktemp("folder")
    (folder / "jobs.yaml").touch()
    terminal = Terminal(command, environment_of(jobs), folder)
    terminal.run(":")
    terminal.run(setup)
    yield terminal
    terminal.close()


@pytest.mark.parametrize("line,words", CASES)
def test_tab(terminal, line, words):
    assert terminal.completed(line) == words


@pytest.mark.parametrize("line,wanted", [
    ("cronally ver", {"version"}),
    ("cronally job sh", {"show"}),
    ("cronally job add x --secret-h", {"--secret-header"}),
    ("cronally job add x --dst ", {"run", "skip"}),
    ("cronally job add x --dst=sk", {"--dst=skip"}),
    ("cronally job show re", {"report", "reports/daily"}),
    ("cronally job show deploy:e", {"deploy:eu"}),
    (r"cronally job show with\ bl", {"with blank"}),
    ("cronally job show it", {"it's"}),
    ("cronally apply -f jo", {"jobs.yaml"}),
    ("cronally job show nothing", set()),
])
def test_fish(jobs, tmp_path, line, wanted):
    (tmp_path / "jobs.yaml").touch()
    script = "cronally completion fish | source\ncomplete -C $argv[1]"
    done = subprocess.run(["fish", "--no-config", "-c", script, line], capture_output=True,
                          text=True, timeout=60, cwd=tmp_path, env=environment_of(jobs))
    assert done.returncode == 0, done.stderr
    assert {entry.split("\t")[0] for entry in done.stdout.splitlines()} == wanted


# ---- manual pages ----------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    done = subprocess.run([ROOT / "packaging" / "install", "--program", cronally_program(),
                           "--root", root, "--prefix", "/opt/cronally"],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def pages(installed):
    found = sorted((installed / "opt/cronally/share/man/man1").iterdir())
    assert {"cronally.1.gz", "cronally-job.1.gz", "cronally-job-add.1.gz"} <= {
        page.name for page in found}
    return found


def test_manual_pages_have_no_fault(pages, tmp_path):
    for page in pages:
        plain = tmp_path / page.stem
        plain.write_bytes(subprocess.run(["gzip", "-dc", page], check=True,
                                         stdout=subprocess.PIPE).stdout)
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", plain],
                              capture_output=True, text=True)
        assert (lint.returncode, lint.stdout, lint.stderr) == (0, "", ""), page.name
        shown = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", plain],
                               capture_output=True, text=True,
                               env=clean_environment(MANWIDTH="100", MANPAGER="cat", TERM="dumb",
                                                     PATH="/usr/bin:/bin"))
        assert (shown.returncode, shown.stderr) == (0, ""), page.name
        assert "SYNOPSIS" in shown.stdout


def test_a_manual_page_says_what_the_help_says(pages):
    page, = [page for page in pages if page.name == "cronally-job-add.1.gz"]
    shown = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=900"], capture_output=True,
                           text=True, input=subprocess.run(["gzip", "-dc", page], check=True,
                                                           capture_output=True, text=True).stdout)
    text = re.sub(r".\x08", "", shown.stdout)
    help_text = subprocess.run([cronally_program(), "job", "add", "--help"], capture_output=True,
                               text=True, env=clean_environment()).stdout
    for flag in re.findall(r"^  (--\S+)", help_text, re.M):
        assert flag in text, flag
    for example in re.findall(r"^  (cronally .*)$", help_text, re.M):
        assert example in text, example


def test_what_is_installed(installed):
    prefix = installed / "opt/cronally"
    assert os.access(prefix / "bin/cronally", os.X_OK)
    for shell, path in [("bash", "share/bash-completion/completions/cronally"),
                        ("zsh", "share/zsh/vendor-completions/_cronally"),
                        ("fish", "share/fish/vendor_completions.d/cronally.fish")]:
        script = subprocess.run([prefix / "bin/cronally", "completion", shell], check=True,
                                capture_output=True, env=clean_environment()).stdout
        assert (prefix / path).read_bytes() == script
    unit = (installed / "lib/systemd/system/cronally.service").read_text()
    assert "ExecStart=/opt/cronally/bin/cronally serve" in unit


def test_an_installed_zsh_script_is_found_by_compinit(jobs, installed):
    folder = installed / "opt/cronally/share/zsh/vendor-completions"
    done = subprocess.run(["zsh", "-f", "-c", f"fpath=({folder} $fpath); autoload -U compinit; "
                           "compinit -u -D; print $_comps[cronally]"],
                          capture_output=True, text=True, env=environment_of(jobs))
    assert done.stdout.strip() == "_cronally", done.stderr


def test_a_page_that_is_none(server):
    done = server.run_command("man", "job", "ad")
    assert done.returncode == 2
    assert "did you mean 'add'" in done.stderr
    done = server.run_command("completion", "csh")
    assert done.returncode == 2
    assert "bash, zsh or fish" in done.stderr
