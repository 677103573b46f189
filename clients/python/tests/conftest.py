import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE)]

import pycronally.api  # noqa: E402
from stand_in import StandIn  # noqa: E402


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Nothing of the caller's environment leads elsewhere."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("CRONALLY_API_KEY", "CRONALLY_API_SECRET"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(monkeypatch):
    """A stand-in for the server; CRONALLY_HOST leads to it."""
    server = StandIn()
    monkeypatch.setattr(pycronally.api, "CRONALLY_HOST", server.url)
    yield server
    server.stop()
