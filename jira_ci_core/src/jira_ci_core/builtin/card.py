"""Makes the adaptive card that Drone and Harness show beside a step: a template, and the data for it.

https://docs.drone.io/plugins/adaptive_cards/ · https://learn.microsoft.com/adaptive-cards/templating/
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jira_ci_core import (
    HttpsUrl,
    PluginSettings,
    Receipt,
    Report,
    Summary,
    escape_untrusted,
    hookimpl,
    setting,
    write_output,
)

TEMPLATE = Path(__file__).with_name("card.json")
STANDARD_OUTPUT = "/dev/stdout"
MOST_LINKS = 5


class Plugin:
    """Writes the card where `DRONE_CARD_PATH` says. Drone always says so: standard output, for it to cut out again."""

    CONTRACT = 1

    class Settings(PluginSettings):
        """What this plugin reads."""

        drone_card_path: str | None = setting(
            None,
            help="where the adaptive card goes: a file, or /dev/stdout; Drone names it by itself",
            reads=("DRONE_CARD_PATH",),
        )
        card_schema: HttpsUrl | None = setting(
            None, help="the address of the card's template, for those who make their own; by default the card brings it"
        )

    def __init__(self, settings: Settings) -> None:
        self._place = settings.drone_card_path
        self._schema = settings.card_schema

    @hookimpl(trylast=True)
    def jira_ci_reported(self, reports: Sequence[Report], receipt: Receipt) -> None:
        """Called at every end."""
        if not self._place:
            return
        card = json.dumps({"schema": self._schema or template_address(), "data": data_of(reports, receipt)})
        if self._place == STANDARD_OUTPUT:
            # As the runner looks for it in what a step prints.
            card = f"\x1b]1338;{b64encode(card.encode()).decode()}\x1b]0m"
        write_output(f"{card}\n", self._place, "DRONE_CARD_PATH")


def template_address() -> str:
    """The template as an address that holds it, so that nobody has to have it on a server."""
    template = json.dumps(json.loads(TEMPLATE.read_bytes()), separators=(",", ":"))
    return f"data:application/json;base64,{b64encode(template.encode()).decode()}"


def data_of(reports: Sequence[Report], receipt: Receipt) -> dict[str, Any]:
    """What the template shows. It puts texts from outside where Markdown means nothing."""
    summary = Summary.of(reports, receipt)
    return {
        "reports": [
            {
                "title": escape_untrusted(report.title),
                "state": report.entity.state.replace("_", " "),
                "result": outcome.result.replace("_", " "),
                "site": escape_untrusted(report.site.name),
            }
            for report, outcome in zip(reports, receipt.outcomes, strict=False)
        ],
        "issues": ", ".join(summary.issue_keys),
        "skipped": escape_untrusted(receipt.skipped or ""),
        "problems": [
            {
                "what": escape_untrusted(problem.what),
                "why": escape_untrusted(problem.why),
                "remedy": escape_untrusted(problem.remedy),
            }
            for problem in summary.problems
        ],
        "links": [{"key": key, "url": url} for key, url in summary.links.items()][:MOST_LINKS],
    }
