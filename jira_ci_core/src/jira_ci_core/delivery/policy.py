"""Which plugins may be asked to deliver, and what that needs."""

from __future__ import annotations

from dataclasses import dataclass

from jira_ci_core.errors import SettingsError
from jira_ci_core.plugins.catalog import DELIVERIES, install_command
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.problem import Problem


@dataclass(frozen=True)
class DeliveryPolicy:
    """What holds for every delivery of one run."""

    left_out: tuple[str, ...]
    """The plugins that deliver and are not asked."""
    needs_sign_in: bool
    """Whether every plugin that may be asked wants to be signed in."""
    may_use_threads: bool
    """Whether every plugin that may be asked can be called in several threads at once."""


def delivery_policy(plugins: Plugins, delivery: str | None) -> DeliveryPolicy:
    """Have the plugin that DELIVERY names deliver alone; without it, all but those that want to be named.

    Raises SettingsError where no plugin of that name that is on delivers.
    """
    deliverers = plugins.implementers("deliver")
    if delivery is not None and delivery not in deliverers:
        install = f"{install_command(delivery)}; " if delivery in DELIVERIES else ""
        raise SettingsError(
            Problem(
                f"DELIVERY names {delivery}, and no plugin of that name delivers reports",
                "it is not installed, is off, or does something else",
                f"{install}`jira-ci plugins` shows what is installed; those that deliver here: {', '.join(deliverers)}",
            )
        )
    asked = [
        name
        for name in deliverers
        if (name == delivery if delivery else not plugins.delivery_constant(name, "ONLY_WHEN_NAMED"))
    ]
    return DeliveryPolicy(
        left_out=tuple(name for name in deliverers if name not in asked),
        needs_sign_in=all(plugins.delivery_constant(name, "NEEDS_SIGN_IN") for name in asked),
        may_use_threads=all(plugins.delivery_constant(name, "THREAD_SAFE") for name in asked),
    )
