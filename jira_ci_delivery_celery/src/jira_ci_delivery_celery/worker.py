"""The work of a worker: it takes reports from the queue, verifies them, and delivers them in bulk.

A message is acknowledged only when Jira has accepted its report or it is in another queue: a wait queue, or that of the
dead letters. It is held for seconds, never longer than the broker allows.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from jira_ci_core import JiraCiError, Outcome, Problem, Receipt, Result, Secrets, Sender, escape_untrusted
from jira_ci_delivery_celery.batcher import Batcher, PendingReport
from jira_ci_delivery_celery.broker import Broker, is_waiting, message_attempts, message_body, message_reason
from jira_ci_delivery_celery.limiter import Limiter
from jira_ci_delivery_celery.message import RefusedMessageError, check_age, verify
from jira_ci_delivery_celery.metrics import ACCEPTANCE, CALLS, RATE_LIMIT_WAITS, REPORTS, UNKNOWN_KEYS
from jira_ci_delivery_celery.options import Options

log = logging.getLogger(__name__)

BUSY_WINDOW = 10.0
"""Seconds that a report waits for a full batch while the queue is not empty."""
MAX_HELD_BATCHES = 5
"""The most messages that a drain holds, counted in full batches."""
POLL_SECONDS = 0.05
MAX_RUN_SECONDS = 30.0


class WorkerContext:
    """The state that a worker process keeps between drains: a sender for each site, and the limits."""

    def __init__(self, options: Options, environ: Mapping[str, str], secrets: Secrets) -> None:
        """`secrets` gets those of all senders. Raises SettingsError and PluginError."""
        self.options = options
        self.secrets = secrets
        self.keys = options.keys
        self.limiter = Limiter(options)
        files = options.queue_sites
        settings: list[dict[str, str]] = [{"config": file} for file in files] or [{}]
        self.senders = [Sender(environ, each, secrets) for each in settings]

    @property
    def are_all_paused(self) -> bool:
        """Whether every site is paused."""
        return all(self.limiter.remaining_pause(sender.site.name) for sender in self.senders)


class QueueDrain:
    """One run over the queue, until it is empty, all sites are paused, or its time is over."""

    def __init__(self, context: WorkerContext, broker: Broker) -> None:
        self._context, self._broker, self._options = context, broker, context.options
        self._names = broker.names
        options = context.options
        self._batcher: Batcher[Any] = Batcher(
            options.queue_batch, options.queue_batch_bytes, options.queue_window, BUSY_WINDOW
        )
        self._is_queue_empty = False
        self.counts: Counter[str] = Counter()
        """The number of reports by result, for the log."""

    def run(self, seconds: float = MAX_RUN_SECONDS) -> None:
        """Deliver for at most `seconds`. Messages still held at the end are requeued."""
        end = time.monotonic() + seconds
        while not self._context.are_all_paused:
            is_over = time.monotonic() >= end
            if not is_over:
                self._fetch()
            key = self._batcher.next_batch(time.monotonic(), is_queue_empty=self._is_queue_empty or is_over)
            if key is not None:
                self._deliver(key)
            elif not len(self._batcher):
                if self._is_queue_empty or is_over:
                    return
            else:
                time.sleep(POLL_SECONDS)
        for pending in self._batcher.take_all():
            pending.message.requeue()

    def _fetch(self) -> None:
        most = MAX_HELD_BATCHES * self._options.queue_batch
        # Not until the queue is empty: others can fill it faster than this reads, while good reports are held.
        for _ in range(most):
            if self._batcher.is_full or len(self._batcher) >= most:
                return
            message = self._broker.get(self._names.reports)
            self._is_queue_empty = message is None
            if message is None:
                return
            self._receive(message)

    def _receive(self, message: Any) -> None:
        body = message_body(message)
        try:
            content = verify(body, self._context.keys)
            check_age(content.published, time.time(), self._options.queue_give_up)
        except RefusedMessageError as error:
            self._dead_letter(message, str(error))
            return
        report = content.report
        if self._sender_for(report) is None:
            self._dead_letter(message, f"no worker here is configured for {report.site.name}")
            return
        now = time.monotonic()
        self._batcher.add(PendingReport(message, report, len(body), now, content.published, message_attempts(message)))

    def _deliver(self, key: Hashable) -> None:
        site = self._site_name(key)
        waited = self._context.limiter.acquire(site)
        if waited is None:
            for pending in self._batcher.take(key):
                why = message_reason(pending.message) or "its site is paused"
                self._postpone(pending, why, self._context.limiter.remaining_pause(site), attempts=pending.attempts)
            return
        RATE_LIMIT_WAITS.inc(waited)
        if waited:
            self._fetch()  # reports that arrived in the meantime may share the call
        batch = self._batcher.take(key)
        sender = self._sender_for(batch[0].report)
        assert sender is not None
        receipt = _receipt(sender, batch)
        CALLS.inc()
        UNKNOWN_KEYS.inc(len(receipt.unknown_issue_keys))
        lost = [outcome for outcome in receipt.outcomes if outcome.result is Result.NOT_DELIVERED]
        for outcome in lost:
            if outcome.fails_alone:
                log.warning("a report waits, and the others do not: %s", _reason(outcome))
        lost = [outcome for outcome in lost if not outcome.fails_alone]
        if lost:
            pause = self._context.limiter.record_failure(site, receipt.retry_after)
            problem = lost[0].problems[0] if lost[0].problems else Problem("not delivered", "no reason was given", "")
            log.warning("%s is paused for %.0f s: %s", site, pause, problem)
        else:
            self._context.limiter.record_success(site)
        for pending, outcome in zip(batch, receipt.outcomes, strict=True):
            self._settle(pending, outcome, receipt.retry_after or 0.0)
        log.info("called %s with %d reports", site, len(batch), extra={"site": site, "reports": len(batch)})

    def _settle(self, pending: PendingReport[Any], outcome: Outcome, retry_after: float) -> None:
        if outcome.result is Result.ACCEPTED:
            ACCEPTANCE.observe(max(0.0, time.time() - pending.published))
            self._count("accepted")
            pending.message.ack()
            for older in pending.older:
                self._count("superseded")
                older.message.ack()
        elif outcome.result is Result.REJECTED:
            self._count("rejected")
            self._dead_letter(pending.message, _reason(outcome))
            for older in pending.older:
                self._batcher.add(older)
        else:
            for each in (pending, *pending.older):
                self._postpone(each, _reason(outcome), retry_after, attempts=each.attempts + 1)

    def _postpone(self, pending: PendingReport[Any], reason: str, retry_after: float, *, attempts: int) -> None:
        """Move a report to a wait queue; to the dead letters once QUEUE_GIVE_UP seconds have passed."""
        if time.time() - pending.published > self._options.queue_give_up:
            self._dead_letter(pending.message, f"given up after {attempts} tries: {reason}")
            return
        waits = self._options.queue_backoff
        ordinary = waits[min(max(attempts, 1), len(waits)) - 1]
        wait = min((wait for wait in waits if wait >= max(retry_after, ordinary)), default=max(waits))
        self._count("waiting")
        self._broker.postpone(pending.message, wait, self._context.keys[0], attempts, self._shown(reason))

    def _dead_letter(self, message: Any, reason: str) -> None:
        self._count("dead")
        reason = self._shown(reason)
        log.warning("a message is a dead letter: %s", reason)
        self._broker.dead_letter(message, reason)

    def _shown(self, reason: str) -> str:
        """A reason as one line, which may hold what Jira said, without secrets and commands to a terminal or a CI."""
        return escape_untrusted(self._context.secrets.redact(reason))

    def _sender_for(self, report: Any) -> Sender | None:
        return next((sender for sender in self._context.senders if sender.takes(report)), None)

    def _site_name(self, key: Hashable) -> str:
        sender = self._sender_for(self._batcher.first(key).report)
        assert sender is not None
        return sender.site.name

    def _count(self, what: str) -> None:
        self.counts[what] += 1
        REPORTS.labels(what).inc()


def requeue_due(broker: Broker, options: Options, now: float | None = None) -> int:
    """Move waiting reports that are due back to the queue, for a limited time, and return how many.

    Messages that dead workers held are restored as well. Each wait queue holds one length of wait, so its first message
    is due first.
    """
    broker.restore_unacked()
    moment = time.time() if now is None else now
    end = time.monotonic() + MAX_RUN_SECONDS
    released = 0
    for name in broker.names.waits.values():
        while time.monotonic() < end and (message := broker.get(name)) is not None:
            if is_waiting(message, moment, options.keys):
                message.requeue()
                break
            headers: dict[str, object] = {"attempts": message_attempts(message), "reason": message_reason(message)}
            broker.move(message, broker.names.reports, headers)
            released += 1
    return released


def _receipt(sender: Sender, batch: Sequence[PendingReport[Any]]) -> Receipt:
    reports = [pending.report for pending in batch]
    try:
        return sender.deliver(reports)
    except JiraCiError as error:
        return Receipt.for_all(reports, Result.NOT_DELIVERED, *error.problems)


def _reason(outcome: Outcome) -> str:
    return "; ".join(map(str, outcome.problems)) or "no reason was given"
