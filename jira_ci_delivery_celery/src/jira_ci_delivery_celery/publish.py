"""Publishes a message for each report, and retries until DEADLINE. This does not import Celery."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError
from redis.exceptions import AuthenticationError, RedisError

from jira_ci_core import Outcome, Problem, Receipt, Report, Result
from jira_ci_delivery_celery.broker import CONFIRM_SECONDS, QueueNames, open_broker
from jira_ci_delivery_celery.message import RefusedMessageError, sign
from jira_ci_delivery_celery.options import Options

if TYPE_CHECKING:
    from jira_ci_core import Http

BROKER_ERRORS = (OSError, AMQPError, KombuError, RedisError)


def publish(reports: Sequence[Report], options: Options, http: Http) -> Receipt:
    """Publish reports to the broker. Raises SettingsError if a required setting is missing."""
    key, name = options.keys[0], QueueNames(options).reports
    outcomes: dict[int, Outcome] = {}
    messages: dict[int, str] = {}
    for index, report in enumerate(reports):
        try:
            messages[index] = sign(report, key, time.time())
        except RefusedMessageError as error:
            problem = Problem(f"{report.title} cannot be queued", str(error), "shorten its texts")
            outcomes[index] = Outcome(result=Result.REJECTED, problems=(problem,))
    waits = http.waits()
    while messages:
        try:
            with open_broker(options, max(0.1, min(CONFIRM_SECONDS, http.remaining()))) as broker:
                for index, message in list(messages.items()):
                    broker.publish(name, message)
                    del messages[index]
                    outcomes[index] = Outcome(result=Result.QUEUED)
        except BROKER_ERRORS as error:
            wait = None if _is_final(error) else next(waits, None)
            if wait is None:
                lost = Outcome(result=Result.NOT_DELIVERED, problems=(broker_problem(options, error),))
                outcomes |= dict.fromkeys(messages, lost)
                break
            time.sleep(wait)
    return Receipt(outcomes=tuple(outcomes[index] for index in range(len(reports))))


def _is_final(error: BaseException) -> bool:
    """Whether a retry would fail as well, because the broker refuses the user, the password or the vhost."""
    cause = error.__cause__ or error
    return isinstance(cause, AuthenticationError) or getattr(cause, "code", None) in (403, 530)


def broker_problem(options: Options, error: BaseException, what: str = "did not take the report") -> Problem:
    """Return the problem of a broker that cannot be reached, without its password."""
    parts = urlsplit(options.broker.split(";")[0])
    host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    why = str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
    if _is_final(error):
        return Problem(
            f"the broker at {host} does not let this in", why, "check user, password and vhost in BROKER_URL"
        )
    remedy = "check BROKER_URL, and that the broker runs; with OUTBOX and ON_FAILURE=keep reports wait for it"
    return Problem(f"the broker at {host} {what}", why, remedy)
