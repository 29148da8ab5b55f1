"""The fixtures of the queue."""

from ..queue_fixtures import make_queue, queue, queue_fork_server, server, servers, wait_until

__all__ = ["make_queue", "queue", "queue_fork_server", "server", "servers", "wait_until"]
