"""tools/check finds what it should, where it is, and nothing in good code."""

import subprocess

import pytest

from processes import ROOT

GOOD_HEADER = "// Doc.\n#pragma once\n"


def findings(root):
    done = subprocess.run([str(ROOT / "tools/check"), "--root", str(root), "--no-format"],
                          capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert done.returncode == (0 if lines[-1:] and lines[-1].endswith("no findings") else 1)
    return [line for line in lines if not line.endswith("no findings")]


def write(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize("path,text,where", [
    ("src/core/a.h", GOOD_HEADER + '#include "store/database.h"\n', "src/core/a.h:3: layer"),
    ("src/api/a.cc", '#include "scheduler/driver.h"\n', "src/api/a.cc:1: layer"),
    ("src/store/a.cc", "#include <sqlite3.h>\n", "src/store/a.cc:1: library"),
    ("src/cli/a.cc", "#include <curl/curl.h>\n", "src/cli/a.cc:1: library"),
    ("src/api/a.cc", "#include <boost/asio.hpp>\n", "src/api/a.cc:1: library"),
    ("src/cli/a.cc", "#include <boost/asio.hpp>\n", "src/cli/a.cc:1: library"),
    ("src/core/a.cc", "#include <thread>\n", "src/core/a.cc:1: purity"),
    ("src/core/a.cc", "auto t = std::chrono::steady_clock::now();\n", "src/core/a.cc:1: clock"),
    ("src/api/a.cc", "auto t = std::chrono::system_clock::now();\n", "src/api/a.cc:1: clock"),
    ("src/api/a.cc", "\nauto t = time(nullptr);\n", "src/api/a.cc:2: clock"),
    ("src/api/a.cc", 'int x = std::system("ls");\n', "src/api/a.cc:1: banned"),
    ("src/api/a.cc", "void f() { std::cout << 1; }\n", "src/api/a.cc:1: banned"),
    ("src/cli/a.cc", "using namespace std;\n", "src/cli/a.cc:1: banned"),
    ("src/cli/a.cc", "void f(char* p) { sprintf(p, 0); }\n", "src/cli/a.cc:1: banned"),
    ("src/store/a.cc", 'auto s = "SELECT a FROM b WHERE c = " + c;\n', "src/store/a.cc:1: sql"),
    ("src/store/a.cc", 'auto s = fmt::format("DELETE FROM {}", t);\n', "src/store/a.cc:1: sql"),
    ("src/cli/a.h", "int x;\n", "src/cli/a.h:1: header"),
    ("src/cli/a.cc", "int x;", "src/cli/a.cc:1: text"),
    ("src/cli/a.cc", "int x;  // TO" + "DO later\n", "src/cli/a.cc:1: text"),
    ("src/cli/a.cc", "int x;\n" * 1001, "src/cli/a.cc:1: size"),
    ("src/cli/a.cc", "int f() {\n" + "  g();\n" * 70 + "}\n", "src/cli/a.cc:1: size"),
    ("src/cli/a.cc", "int f(int a)\n    const {\n" + "  g();\n" * 70 + "}\n", "a.cc:1: size"),
    ("docs/a.md", "see [b](b.md)\n", "docs/a.md:1: markdown"),
    ("docs/a.md", "text\n```sh\nls\n", "docs/a.md:2: markdown"),
    ("a.json", "{\n", "a.json:"),
    ("tools/a", "#!/usr/bin/env bash\nif true\n", "tools/a:1: script"),
])
def test_each_rule_names_file_and_line(tmp_path, path, text, where):
    write(tmp_path, path, text)
    assert any(where in line for line in findings(tmp_path)), findings(tmp_path)


@pytest.mark.parametrize("text", [
    "// std::cout, system(), a clock_gettime() in a comment\n",
    'const char* text = "using namespace std; system(1)";\n',
    "namespace a {\n" + "int x();\n" * 100 + "}\n",
    "class A {\n public:\n" + "  int x();\n" * 100 + "};\n",
    "const Row rows[] = {\n" + "    {1, 2},\n" * 100 + "};\n",
    "void f() {\n  const Row rows[] = {\n" + "      {1, 2},\n" * 100 + "  };\n}\n",
    "A::A(int a)\n    : a_{a}, b_(a) {}\n" + "int y;\n" * 80,
    "enum class E {\n" + "  a,\n" * 90 + "};\n",
    'auto s = R"(SELECT {} FROM )";\nauto t = at.time(0);\nauto u = snprintf(a, 1, b);\n',
])
def test_good_code_has_no_findings(tmp_path, text):
    write(tmp_path, "src/store/a.cc", text)
    assert findings(tmp_path) == []


def test_the_whole_tree_takes_less_than_twenty_seconds():
    done = subprocess.run([str(ROOT / "tools/check")], capture_output=True, text=True, timeout=20)
    assert done.returncode in (0, 1) and done.stdout
