"""Connections that are opened while the rest is still loading."""

from __future__ import annotations

import socket
import threading

import pytest

from jira_ci_core import SettingsError
from jira_ci_core.net.preconnect import Preconnections


@pytest.fixture
def server():
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def place(server):
    return server.getsockname()[:2]


def origin(server):
    return "http://{}:{}".format(*place(server))


def test_a_connection_is_given_away_once(server):
    preconnections = Preconnections(None)
    preconnections.open([origin(server), origin(server)])
    connected = preconnections.take(*place(server))
    assert connected is not None
    with connected:
        assert connected.getpeername() == server.getsockname()
    assert preconnections.take(*place(server)) is None


def test_nothing_is_opened_that_was_not_asked_for(server):
    assert Preconnections(None).take(*place(server)) is None


def test_what_it_failed_with_is_raised_to_whoever_takes_it(free_port):
    preconnections = Preconnections(None)
    preconnections.open([f"http://127.0.0.1:{free_port}"])
    with pytest.raises(ConnectionRefusedError):
        preconnections.take("127.0.0.1", free_port)


def test_those_that_nobody_takes_are_closed(server):
    preconnections = Preconnections(None)
    preconnections.open([origin(server)])
    caller, _ = server.accept()
    preconnections.close()
    with caller:
        assert caller.recv(1) == b""


def test_one_may_be_taken_while_the_others_are_closed(server, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        preconnections = Preconnections(None)
        preconnections.open([origin(server), origin(other)])
        taken = []

        def abandon(opening):
            """Close one, while another thread takes the other."""
            opening.join()
            opening.connection.close()
            thread = threading.Thread(target=lambda: taken.append(preconnections.take(*place(other))))
            thread.start()
            thread.join()

        monkeypatch.setattr("jira_ci_core.net.preconnect._Opening.abandon", abandon)
        preconnections.close()
        [connected] = taken
        connected.close()


def test_an_authority_that_cannot_be_used_is_told_before_anything_is_opened(tmp_path):
    with pytest.raises(SettingsError, match="CA_BUNDLE cannot be"):
        Preconnections(str(tmp_path / "missing.pem"))
