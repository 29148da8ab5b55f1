"""The fixtures of the queue, with a server of commands that has imported Celery."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ..conftest import inherited
from ..fork_server import ForkServer
from ..queue_fixtures import (
    free_port,
    make_queue,
    queue,
    queue_key,
    server,
    servers,
    wait_until,
)

__all__ = [
    "free_port",
    "make_queue",
    "queue",
    "queue_key",
    "server",
    "servers",
    "wait_until",
]


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """Has imported Celery as well."""
    if not hasattr(os, "pidfd_open"):
        pytest.skip("the fork server needs Linux")
    server = ForkServer(inherited(), "celery", "jira_ci_delivery_celery.broker", "jira_ci_delivery_celery.commands")
    yield server
    server.stop()
