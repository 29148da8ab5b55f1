"""The projects and services that exist, and the validation of settings."""

from __future__ import annotations

from typing import Any

import pytest

from jira_ci_sandbox.settings import Settings, project_patterns


@pytest.mark.parametrize(
    ("patterns", "key", "is_known"),
    [
        ("DEMO", "DEMO-1", True),
        ("DEMO", "DEMOS-1", False),
        ("DEMO", "OTHER-1", False),
        ("DEMO", "demo-1", False),
        ("DEMO", "DEMO-0", False),
        ("DEMO", "DEMO-01", False),
        ("DEMO", "DEMO-", False),
        ("DEMO", "DEMO-1 ", False),
        ("DEMO", "UTF-8", False),
        ("DEMO", "10001", False),
        ("A,DEMO", "A-7", True),
        ("MY*", "MYAPP-12", True),
        ("MY*", "AMY-12", False),
        ("MY?", "MYX-12", True),
        ("*", "A_1-12", True),
        ("*", "not a key", False),
    ],
)
def test_issue_is_known_when_its_project_is(patterns: str, key: str, is_known: bool) -> None:
    assert Settings(projects=project_patterns(patterns)).knows_issue(key) is is_known


def test_service_is_known_when_it_is_listed() -> None:
    settings = Settings(services=("b:one",))
    assert settings.knows_service("b:one")
    assert not settings.knows_service("b:two")


@pytest.mark.parametrize("text", ["", " , ", "demo", "DEMO,a-b", "1A", "A B"])
def test_invalid_list_of_projects_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="capital letters"):
        project_patterns(text)


def test_list_of_projects_may_have_spaces() -> None:
    assert project_patterns(" DEMO , MY*,") == ("DEMO", "MY*")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("projects", "DEMO"),
        ("projects", ["demo"]),
        ("projects", [1]),
        ("services", [""]),
        ("storage_delay", -1),
        ("storage_delay", "1"),
        ("storage_delay", float("nan")),
        ("storage_delay", True),
        ("max_entities", 1.5),
        ("max_bytes", -1),
        ("rate_limit", None),
        ("rate_period", 2**31),
        ("gate", "open"),
        ("gate", ["allowed"]),
        ("gate_issues", "DEMO-1"),
        ("speed", 1),
    ],
)
def test_wrong_setting_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name} "):
        Settings().with_changes({name: value})


def test_settings_survive_json() -> None:
    settings = Settings(projects=("A", "B*"), services=("s",), storage_delay=1.5, rate_limit=3)
    as_json = {name: list(value) if isinstance(value, tuple) else value for name, value in settings.as_json().items()}
    assert Settings().with_changes(as_json) == settings
