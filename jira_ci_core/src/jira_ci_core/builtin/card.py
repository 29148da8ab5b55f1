"""Writes the adaptive card that Drone and Harness show for a step: a template, and its data.

https://docs.drone.io/plugins/adaptive_cards/ · https://learn.microsoft.com/adaptive-cards/templating/
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jira_ci_core import (
    STANDARD_OUTPUT,
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
MOST_LINKS = 5
MOST_REPORTS = 10
MOST_PROBLEMS = 5
LONGEST_TEXT = 300
LONGEST_LIST = 3000
"""Both in characters. With these limits the card is smaller than 64 KiB."""


class Plugin:
    """Writes the card to `DRONE_CARD_PATH`. Drone sets that to standard output, and cuts the card out of the log."""

    CONTRACT = 1

    class Settings(PluginSettings):
        drone_card_path: str | None = setting(
            None,
            help="where to write the adaptive card: a file, or /dev/stdout; set by Drone",
            reads=("DRONE_CARD_PATH",),
        )
        card_schema: HttpsUrl | None = setting(
            None, help="the address of your own template for the card; by default the card contains its template"
        )

    def __init__(self, settings: Settings) -> None:
        self._path = settings.drone_card_path
        self._schema = settings.card_schema

    @hookimpl(trylast=True)
    def jira_ci_reported(self, reports: Sequence[Report], receipt: Receipt) -> None:
        if not self._path:
            return
        card = json.dumps(
            {"schema": self._schema or template_data_url(), "data": card_data(reports, receipt)}, ensure_ascii=False
        )
        if self._path == STANDARD_OUTPUT:
            # The runner looks for this sequence in a step's output.
            card = f"\x1b]1338;{b64encode(card.encode(errors='replace')).decode()}\x1b]0m"
        write_output(f"{card}\n", self._path, "DRONE_CARD_PATH")


def template_data_url() -> str:
    """Return the template as a `data:` URL, so that it does not have to be served from anywhere."""
    template = json.dumps(json.loads(TEMPLATE.read_bytes()), separators=(",", ":"))
    return f"data:application/json;base64,{b64encode(template.encode()).decode()}"


def card_data(reports: Sequence[Report], receipt: Receipt) -> dict[str, Any]:
    """Return the data for the template, which shows untrusted texts only where Markdown has no meaning."""
    summary = Summary.of(reports, receipt)
    return {
        "reports": [
            {
                "title": escape_untrusted(report.title, LONGEST_TEXT),
                "state": report.entity.state.replace("_", " "),
                "result": outcome.result.replace("_", " "),
                "site": escape_untrusted(report.site.name, LONGEST_TEXT),
            }
            for report, outcome in [*zip(reports, receipt.outcomes, strict=False)][:MOST_REPORTS]
        ],
        "issues": escape_untrusted(", ".join(summary.issue_keys), LONGEST_LIST),
        "services": escape_untrusted(", ".join(summary.services), LONGEST_LIST),
        "skipped": escape_untrusted(receipt.skipped or "", LONGEST_TEXT),
        "problems": [
            {part: escape_untrusted(text, LONGEST_TEXT) for part, text in asdict(problem).items()}
            for problem in summary.problems[:MOST_PROBLEMS]
        ],
        "links": [{"key": key, "url": url} for key, url in summary.links.items()][:MOST_LINKS],
    }
