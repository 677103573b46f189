"""What the programs behind `tools/prove` share: the table they print, and the run of their points.

A point is a function `prove_x(table, folder, given)`: it adds rows to the table, may use the empty
`folder`, and finds the command line's arguments in `given`.
"""

import argparse
import pathlib
import sys
import tempfile

VERDICTS = {True: "holds", False: "DOES NOT HOLD", None: "-"}


class Table:
    """Rows as they come; prints itself at the end."""

    HEADS = ("point", "bound", "figure", "", "others")

    def __init__(self):
        self.rows = []

    def add(self, point, bound, figure, holds=None, others=""):
        """`holds`: None where nothing is judged. `others`: what comparable programs take."""
        self.rows.append((point, bound, figure, VERDICTS[holds], others))
        print(f"  {point}: {figure} ({VERDICTS[holds]})", file=sys.stderr, flush=True)

    def skip(self, point, bound, why):
        """A row that this machine cannot show."""
        self.rows.append((point, bound, why, "skipped", ""))
        print(f"  {point}: skipped, {why}", file=sys.stderr, flush=True)

    def text(self):
        columns = range(5 if any(row[4] for row in self.rows) else 4)
        rows = [self.HEADS, *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in columns]
        lines = [" | ".join(row[column].ljust(widths[column]) for column in columns).rstrip(" |")
                 for row in rows]
        lines.insert(1, "-|-".join("-" * width for width in widths))
        return "\n".join(lines)

    def holds(self):
        return not any(row[3] == VERDICTS[False] for row in self.rows)


def ms(us):
    return f"{us / 1000:.2f} ms"


def parser(points, description):
    """The arguments of a program of points: --only, and what the caller adds."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("--only", nargs="*", choices=sorted(points), default=list(points))
    return arguments


def prove(points, given):
    """Runs the chosen points one after another, each in a folder of its own. The exit status."""
    table = Table()
    for name in given.only:
        print(f"{name}:", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            try:
                points[name](table, pathlib.Path(folder), given)
            except Exception as error:  # a point that cannot be shown does not hold
                table.add(name, "shown", f"{type(error).__name__}: {str(error)[:160]}", False)
    print(table.text())
    return 0 if table.holds() else 1
