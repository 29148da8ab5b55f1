"""What a worker does: takes reports from the queue, verifies them, delivers them in bulk, and answers for each.

A message is acknowledged only once its report was accepted, or is in another queue: among those that wait, or the dead
letters. It is held for seconds, never longer than the broker allows.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from jira_ci_core import JiraCiError, Outcome, Problem, Receipt, Result, Sender
from jira_ci_delivery_celery.batcher import Batcher, PendingReport
from jira_ci_delivery_celery.broker import Broker, attempts_of, body_of, due_of, reason_of
from jira_ci_delivery_celery.limiter import Limiter
from jira_ci_delivery_celery.message import RefusedMessageError, verify
from jira_ci_delivery_celery.metrics import ACCEPTANCE, CALLS, REPORTS, UNKNOWN_KEYS, WAITS
from jira_ci_delivery_celery.options import Options

log = logging.getLogger(__name__)

HOLD_SECONDS = 10.0
"""How long a report may wait for a call that is not full while the queue has more for others."""
SHARES = 5
"""So many calls' worth of messages are held at most."""
PATIENCE = 0.05
LONGEST_RUN = 30.0


class WorkerContext:
    """What a process of a worker keeps from one drain to the next: its sites, signed in, and their limits."""

    def __init__(self, options: Options, environ: Mapping[str, str]) -> None:
        """Raises SettingsError and PluginError."""
        self.options = options
        self.keys = options.keys
        self.limiter = Limiter(options)
        # A worker answers later than a step may: what it is given in place of a site's settings are files.
        files = options.queue_sites
        self.couriers = [Sender(environ, {"config": file}) for file in files] if files else [Sender(environ)]

    @property
    def are_all_paused(self) -> bool:
        """Whether there is no site that may be called now."""
        return all(self.limiter.pause_left(courier.site.name) for courier in self.couriers)


class Drain:
    """One run: until the queue is empty, the sites are paused, or its time is over."""

    def __init__(self, desk: WorkerContext, broker: Broker) -> None:
        self._desk, self._broker, self._options = desk, broker, desk.options
        self._names = broker.names
        options = desk.options
        self._held: Batcher[Any] = Batcher(
            options.queue_batch, options.queue_batch_bytes, options.queue_window, HOLD_SECONDS
        )
        self._no_more = False
        self.counts: Counter[str] = Counter()
        """What became of the reports, for the log."""

    def run(self, seconds: float = LONGEST_RUN) -> None:
        """Deliver. What is held when it ends, however it ends, goes back to its queue with the connection."""
        end = time.monotonic() + seconds
        while not self._desk.are_all_paused:
            is_over = time.monotonic() >= end
            if not is_over:
                self._fill()
            call = self._held.due(time.monotonic(), no_more=self._no_more or is_over)
            if call is not None:
                self._deliver(call)
            elif not len(self._held):
                return
            else:
                time.sleep(PATIENCE)
        for one in self._held.take_all():
            one.message.requeue()

    def _fill(self) -> None:
        most = SHARES * self._options.queue_batch
        while not self._held.is_full and len(self._held) < most:
            message = self._broker.get(self._names.reports)
            self._no_more = message is None
            if message is None:
                return
            self._judge(message)

    def _judge(self, message: Any) -> None:
        body = body_of(message)
        try:
            content = verify(body, self._desk.keys)
        except RefusedMessageError as error:
            self._dead_letter(message, str(error))
            return
        report = content.report
        if self._courier_of(report) is None:
            self._dead_letter(message, f"no worker here is configured for {report.site.name}")
            return
        now = time.monotonic()
        self._held.add(PendingReport(message, report, len(body), now, content.published, attempts_of(message)))

    def _deliver(self, call: Any) -> None:
        site = self._site_of(call)
        waited = self._desk.limiter.acquire(site)
        if waited is None:
            for one in self._held.take(call):
                why = reason_of(one.message) or "its site is paused"
                self._put_off(one, why, self._desk.limiter.pause_left(site), attempts=one.attempts)
            return
        WAITS.inc(waited)
        if waited:
            self._fill()  # others may have come to share the call
        taken = self._held.take(call)
        courier = self._courier_of(taken[0].report)
        assert courier is not None
        receipt = _receipt(courier, taken)
        CALLS.inc()
        UNKNOWN_KEYS.inc(len(receipt.unknown_issue_keys))
        lost = [outcome for outcome in receipt.outcomes if outcome.result is Result.NOT_DELIVERED]
        if lost:
            pause = self._desk.limiter.failed(site, receipt.retry_after)
            problem = lost[0].problems[0] if lost[0].problems else Problem("not delivered", "no reason was given", "")
            log.warning("%s is paused for %.0f s: %s: %s", site, pause, problem.what, problem.why)
        else:
            self._desk.limiter.succeeded(site)
        for one, outcome in zip(taken, receipt.outcomes, strict=True):
            self._settle(one, outcome, receipt.retry_after or 0.0)
        log.info("called %s with %d reports", site, len(taken), extra={"site": site, "reports": len(taken)})

    def _settle(self, one: PendingReport[Any], outcome: Outcome, asked: float) -> None:
        if outcome.result is Result.ACCEPTED:
            ACCEPTANCE.observe(max(0.0, time.time() - one.published))
            self._count("accepted")
            one.message.ack()
            for older in one.older:
                self._count("superseded")
                older.message.ack()
        elif outcome.result is Result.REJECTED:
            self._count("rejected")
            self._dead_letter(one.message, _reason(outcome))
            for older in one.older:
                self._held.add(older)
        else:
            for each in (one, *one.older):
                self._put_off(each, _reason(outcome), asked, attempts=each.attempts + 1)

    def _put_off(self, one: PendingReport[Any], reason: str, asked: float, *, attempts: int) -> None:
        """Let a report wait in the store; once that was for too long, it is a dead letter."""
        if time.time() - one.published > self._options.queue_give_up:
            self._dead_letter(one.message, f"given up after {attempts} tries: {reason}")
            return
        waits = self._options.queue_backoff
        ordinary = waits[min(max(attempts, 1), len(waits)) - 1]
        wait = min((wait for wait in waits if wait >= max(asked, ordinary)), default=max(waits))
        self._count("waiting")
        about = {"attempts": attempts, "due": time.time() + wait, "reason": reason}
        self._broker.move(one.message, self._names.waits[wait], about)

    def _dead_letter(self, message: Any, reason: str) -> None:
        self._count("dead")
        log.warning("a message is a dead letter: %s", reason)
        self._broker.dead_letter(message, reason)

    def _courier_of(self, report: Any) -> Sender | None:
        return next((courier for courier in self._desk.couriers if courier.takes(report)), None)

    def _site_of(self, call: Any) -> str:
        courier = self._courier_of(self._held.first(call).report)
        assert courier is not None
        return courier.site.name

    def _count(self, what: str) -> None:
        self.counts[what] += 1
        REPORTS.labels(what).inc()


def release(broker: Broker, options: Options, now: float | None = None) -> int:
    """Put what waits and is due back to the reports, and answer how many; for the broker, also what dead workers held.

    Each queue holds one length of wait, so that its first is due first.
    """
    broker.restore()
    moment = time.time() if now is None else now
    released = 0
    for wait, name in broker.names.waits.items():
        while (message := broker.get(name)) is not None:
            # One that says that it is due later than it can be was not put there by a worker.
            if moment < due_of(message) <= moment + wait:
                message.requeue()
                break
            broker.move(message, broker.names.reports, {"attempts": attempts_of(message), "reason": reason_of(message)})
            released += 1
    return released


def _receipt(courier: Sender, taken: Sequence[PendingReport[Any]]) -> Receipt:
    reports = [one.report for one in taken]
    try:
        return courier.deliver(reports)
    except JiraCiError as error:
        return Receipt.for_all(reports, Result.NOT_DELIVERED, *error.problems)


def _reason(outcome: Outcome) -> str:
    return "; ".join(f"{problem.what}: {problem.why}" for problem in outcome.problems) or "no reason was given"
