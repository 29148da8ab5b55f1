"""Reports to publish."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jira_ci_core import Report


@pytest.fixture
def make_report() -> Callable[..., Report]:
    def make(number: int = 1, sequence: int = 1, properties: dict[str, str] | None = None, **more: object) -> Report:
        entity = {
            "kind": "build",
            "number": number,
            "sequence": sequence,
            "name": f"shop #{number}",
            "url": "https://ci.example/1",
            "state": "successful",
            "last_updated": "2026-01-02T00:00:00Z",
            "issue_keys": ["MYT-1"],
            "pipeline": {"id": "shop", "name": "shop", "url": "https://ci.example"},
        }
        site = {"url": "https://acme.atlassian.net"}
        return Report.model_validate({"site": site, "entity": {**entity, **more}, "properties": properties or {}})

    return make
