"""Connections that are opened while the rest is still loading."""

from __future__ import annotations

import socket
import threading

import pytest

from jira_ci_core import SettingsError
from jira_ci_core.net.early import EarlyConnections


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
    early = EarlyConnections(None)
    early.open([origin(server), origin(server)])
    connected = early.take(*place(server))
    assert connected is not None
    with connected:
        assert connected.getpeername() == server.getsockname()
    assert early.take(*place(server)) is None


def test_nothing_is_opened_that_was_not_asked_for(server):
    assert EarlyConnections(None).take(*place(server)) is None


def test_what_it_failed_with_is_raised_to_whoever_takes_it(free_port):
    early = EarlyConnections(None)
    early.open([f"http://127.0.0.1:{free_port}"])
    with pytest.raises(ConnectionRefusedError):
        early.take("127.0.0.1", free_port)


def test_those_that_nobody_takes_are_closed(server):
    early = EarlyConnections(None)
    early.open([origin(server)])
    caller, _ = server.accept()
    early.close()
    with caller:
        assert caller.recv(1) == b""


def test_one_may_be_taken_while_the_others_are_closed(server, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        early = EarlyConnections(None)
        early.open([origin(server), origin(other)])
        taken = []

        def abandon(opening):
            """Close one, while somebody in another thread takes the other."""
            opening.join()
            opening.connected.close()
            thread = threading.Thread(target=lambda: taken.append(early.take(*place(other))))
            thread.start()
            thread.join()

        monkeypatch.setattr("jira_ci_core.net.early._Opening.abandon", abandon)
        early.close()
        [connected] = taken
        connected.close()


def test_an_authority_that_cannot_be_used_is_told_before_anything_is_opened(tmp_path):
    with pytest.raises(SettingsError, match="CA_BUNDLE cannot be"):
        EarlyConnections(str(tmp_path / "missing.pem"))
