"""A small message that a header says is compressed: nothing is ever decompressed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import time
import zlib

import pytest
from kombu import compression

from jira_ci_delivery_celery import transports as module
from jira_ci_delivery_celery.broker import message_body
from jira_ci_delivery_celery.message import sign

from .conftest import highest_memory

MANY = b"\0" * 2**20
BOMBS = {
    "gzip": gzip.compress(MANY),
    "zlib": zlib.compress(MANY),
    "bzip2": bz2.compress(MANY),
    "xz": lzma.compress(MANY),
}


@pytest.mark.parametrize("encoding", sorted(BOMBS))
def test_a_body_is_read_as_it_was_sent(queue, encoding):
    with queue.broker() as broker:
        broker.count(broker.names.reports)
        for header in (encoding, compression._aliases.get(encoding, encoding)):
            queue.push(BOMBS[encoding], {"compression": header})
            message = broker.get(broker.names.reports)
            assert message_body(message) == BOMBS[encoding]
            message.ack()


def test_no_encoding_that_kombu_knows_is_decoded():
    assert len(compression.encoders()) >= 3
    for encoding in compression.encoders():
        packed, _ = compression.compress(b"text", encoding)
        with pytest.raises(module._CompressedError):
            compression.decompress(packed, encoding)


def test_a_worker_inflates_neither_a_report_nor_a_task_and_goes_on(queue, queue_key, wait_until):
    """Of each bomb of 400 kilobytes, 400 megabytes would come out."""
    packer = zlib.compressobj(1)
    bomb = b"".join(packer.compress(MANY) for _ in range(400)) + packer.flush()
    with queue.broker() as broker:
        broker.count(broker.names.reports)
        broker.count(broker.names.tasks)
    for header in ("gzip", "application/x-gzip", ["gzip"], "no such"):
        queue.push(bomb, {"compression": header})
        queue.push(bomb, {"compression": header, "task": "jira_ci.drain", "id": "1"}, "tasks")
    # The header changes nothing about what was signed.
    queue.push(sign(queue.report(1), queue_key, time.time()), {"compression": "gzip"})
    worker = queue.start_worker()
    assert queue.wait_for_builds(1) == {1: "successful"}
    wait_until(lambda: len(queue.dead_letters()) == 1, "one dead letter, four times the same")
    wait_until(lambda: queue.remaining() == 0, "an empty queue")
    assert all(reason.startswith("oversized") for reason in queue.dead_letters().values())
    assert worker.poll() is None
    assert highest_memory(worker.pid) < 300, "megabytes"
