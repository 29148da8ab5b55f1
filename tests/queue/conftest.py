"""The fixtures of the queue."""

from ..queue_fixtures import (
    free_port,
    make_queue,
    queue,
    queue_fork_server,
    queue_key,
    server,
    servers,
    wait_until,
)

__all__ = [
    "free_port",
    "make_queue",
    "queue",
    "queue_fork_server",
    "queue_key",
    "server",
    "servers",
    "wait_until",
]
