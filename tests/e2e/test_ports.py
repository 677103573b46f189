"""Ports that tests reserve for their servers."""

import socket

from ports import COUNT, FIRST, ReservedPort


def test_a_reserved_port_is_nobody_elses_and_of_no_outgoing_connection():
    ports = [ReservedPort() for _ in range(50)]
    try:
        numbers = {port.number for port in ports}
        assert len(numbers) == 50 and min(numbers) >= FIRST
        assert max(numbers) < FIRST + COUNT < 32_768
    finally:
        for port in ports:
            port.release()


def test_a_port_on_which_somebody_listens_is_passed_over(monkeypatch):
    free = ReservedPort()
    free.release()
    with socket.create_server(("127.0.0.1", free.number)):
        monkeypatch.setattr("ports._asked", free.number - FIRST - 1)
        other = ReservedPort()
        assert other.number != free.number
        other.release()
