"""What every end-to-end test stands on: a server on a fresh folder, a client, two receivers."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from client import Client  # noqa: E402
from postgres import Postgres, need_postgresql  # noqa: E402
from processes import Receiver, Server  # noqa: E402
from recorder import Recorder  # noqa: E402


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for the tests of a file; they use job names of their own."""
    server = Server(tmp_path_factory.mktemp("server")).start()
    yield server
    assert server.stop() == 0, server.log()[-3000:]


@pytest.fixture(scope="module")
def api(server):
    client = Client(server)
    yield client
    client.close()


@pytest.fixture
def fresh_server(tmp_path):
    """A server of this test alone, which may kill and restart it."""
    server = Server(tmp_path).start()
    yield server
    if server.process.poll() is None:
        server.kill()


@pytest.fixture
def receiver(tmp_path):
    receiver = Receiver(tmp_path)
    yield receiver
    receiver.stop()


@pytest.fixture
def recorder():
    recorder = Recorder()
    yield recorder
    recorder.stop()


@pytest.fixture(scope="module")
def postgres():
    need_postgresql()
    database = Postgres()
    try:
        yield database.start()
    finally:
        database.remove()


@pytest.fixture
def database(postgres):
    """The address of an empty database."""
    return postgres.address(postgres.create_database())


@pytest.fixture
def name(request):
    """A job name that no other test uses."""
    return request.node.name[:150].replace("/", "_")
