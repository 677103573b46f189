"""The systemd unit stays as closed as it says."""

import re
import shutil
import subprocess

import pytest

from processes import ROOT

UNIT = ROOT / "packaging" / "cronally.service"
EXPOSURE_MAX = 1.5  # of systemd-analyze; 0 is closed, 10 is open


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_the_exposure_is_low():
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", str(UNIT)],
                          capture_output=True, text=True)
    level = re.search(r"exposure level for \S+: (\d+\.\d+)", done.stdout)
    assert level, done.stdout + done.stderr
    assert float(level.group(1)) <= EXPOSURE_MAX


def test_the_stop_leaves_time_for_the_drain():
    text = UNIT.read_text()
    assert "Type=notify" in text and "LimitCORE=0" in text
    assert int(re.search(r"TimeoutStopSec=(\d+)s", text).group(1)) >= 25 + 5
