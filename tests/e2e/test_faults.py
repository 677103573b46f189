"""A minute of the faults that `tools/prove holds` shows whole."""

import pytest

import prove_faults


class Rows:
    """A table whose rows are assertions."""

    def __init__(self):
        self.wrong = []
        self.shown = 0
        self.skipped = []

    def add(self, point, bound, figure, holds=None, others=""):
        self.shown += 1
        if holds is False:
            self.wrong.append(f"{point}: {figure}, not {bound}")

    def skip(self, point, bound, why):
        self.skipped.append(f"{point}: {why}")


SHORT = {"fsync error": (prove_faults.prove_fsync, {}),
         "disk full": (prove_faults.prove_disk_full, {"full_s": 1}),
         "file removed": (prove_faults.prove_removed, {}),
         "damaged page": (prove_faults.prove_damaged, {}),
         "read-only disk": (prove_faults.prove_read_only, {}),
         "clock back": (prove_faults.prove_clock_back, {}),
         "stopped": (prove_faults.prove_stopped, {"seconds": 3})}


@pytest.mark.parametrize("fault", SHORT)
def test_a_fault_loses_and_doubles_nothing(fault, tmp_path):
    prove, arguments = SHORT[fault]
    rows = Rows()
    prove(rows, tmp_path, None, **arguments)
    assert not rows.wrong, "\n".join(rows.wrong)
    if not rows.shown:
        pytest.skip("; ".join(rows.skipped))
