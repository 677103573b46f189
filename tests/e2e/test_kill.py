"""The short kill run of ./test; `tools/prove service` does the full one."""

import kill_run


def test_five_kills_lose_and_double_nothing(tmp_path):
    result = kill_run.run(tmp_path, kills=5, seed=20260301)
    assert result.ok(), str(result.findings)
    assert result.due > 400
