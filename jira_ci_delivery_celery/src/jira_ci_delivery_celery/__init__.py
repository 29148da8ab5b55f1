"""Delivery through a broker: steps publish their reports, and workers, which hold the credentials, deliver them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jira_ci_core import Receipt, Report, hookimpl
from jira_ci_delivery_celery.options import Options

if TYPE_CHECKING:
    import click

    from jira_ci_core import Http


class CeleryDelivery:
    """Publishes each report as a signed message, if `DELIVERY` is `celery`."""

    CONTRACT = 1
    NEEDS_SIGN_IN = False
    ONLY_WHEN_NAMED = True
    THREAD_SAFE = True
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    @hookimpl
    def jira_ci_deliver(self, reports: Sequence[Report], http: Http) -> Receipt:
        from jira_ci_delivery_celery.publish import publish

        return publish(reports, self._options, http)

    @hookimpl
    def jira_ci_register_commands(self, cli: click.Group) -> None:
        """Import the commands only now, since every CI step loads this module."""
        from jira_ci_delivery_celery.commands import queue, worker

        cli.add_command(worker)
        cli.add_command(queue)
