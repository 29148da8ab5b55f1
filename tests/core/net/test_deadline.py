"""The budget of time for the network."""

from __future__ import annotations

from jira_ci_core.net.deadline import Deadline


def test_a_deadline_begins_when_it_is_first_asked_and_can_restart_and_expire():
    now = [100.0]
    deadline = Deadline(10, lambda: now[0])
    now[0] = 200
    assert deadline.remaining() == 10
    now[0] = 204
    assert deadline.remaining() == 6
    deadline.expire()
    assert deadline.remaining() == 0
    deadline.restart()
    now[0] = 300
    assert deadline.remaining() == 10
    now[0] = 400
    assert deadline.remaining() == 0
    deadline.restart(3)
    assert deadline.remaining() == 3
