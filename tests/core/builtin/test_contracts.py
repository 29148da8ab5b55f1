"""Core's own plugins keep the contract that authors test theirs with."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

from jira_ci_core.builtin import annotations, card, environments, keys, outputs, patterns, states, summary
from jira_ci_core.delivery import http
from jira_ci_core.plugins.catalog import CIS
from jira_ci_core.testing import (
    RECORDED,
    DeliveryContract,
    EnvironmentMapContract,
    ExtractorContract,
    ReaderContract,
    ReportedContract,
    StateMapContract,
    recorded_pipeline,
)
from jira_ci_core.testing.recorded import recorded_runs

WITH_CODE = "harness", "github", "woodpecker", "bitrise"


def reader_contract(run):
    """The contract tests of the built-in reader that belongs to a recorded run."""
    plugin = import_module(f"jira_ci_core.ci.{run.reader}")
    # These set the variables of the other as well, and are asked before it.
    mistaken_for = {"Drone": ("Harness",), "Gitea": ("Forgejo",), "GitHub Actions": ("Forgejo", "Gitea")}.get(
        run.ci, ()
    )
    own = {"plugin": plugin, "environ": RECORDED[run.ci], "mistaken_for": mistaken_for}
    own["has_number"] = "number" in run.facts
    if run.reader not in WITH_CODE:  # the tables are read by the same code, see test_recorded.py
        own["test_it_accepts_any_values_of_its_variables"] = None
    return type(f"Test{run.reader.title()}", (ReaderContract,), own)


PUSHES = [run for run in recorded_runs() if run.run == "push"]
globals().update({test.__name__: test for test in map(reader_contract, PUSHES)})


class TestKeys(ExtractorContract):
    plugin = keys


class TestPatterns(ExtractorContract):
    plugin = patterns
    settings = {"KEY_PATTERNS": r"\b(?P<key>[A-Z]+-[0-9]+)\b"}


class TestStates(StateMapContract):
    plugin = states


class TestEnvironments(EnvironmentMapContract):
    plugin = environments


class TestHttpDelivery(DeliveryContract):
    plugin = http


class TestCard(ReportedContract):
    plugin = card
    settings = {"DRONE_CARD_PATH": "card"}


class TestSummary(ReportedContract):
    plugin = summary
    settings = {"GITHUB_STEP_SUMMARY": "summary"}


class TestOutputs(ReportedContract):
    plugin = outputs
    settings = {"DRONE_OUTPUT": "drone", "GITHUB_OUTPUT": "github", "DOTENV": "dotenv"}


class TestAnnotations(ReportedContract):
    plugin = annotations
    settings = {"GITLAB_ANNOTATIONS": "annotations"}


@pytest.mark.parametrize("run", PUSHES, ids=lambda run: run.reader)
def test_every_recorded_run_is_read_by_its_own_reader(run):
    read = recorded_pipeline(run.ci).model_dump(mode="json", exclude={"origins"}, exclude_none=True)
    assert read == {"ci": run.ci, "partial": [], **run.facts, "id": run.pipeline_id}


def test_the_event_file_holds_the_recorded_event():
    [github] = [run for run in PUSHES if run.event]
    assert json.loads(Path(RECORDED[github.ci]["GITHUB_EVENT_PATH"]).read_text()) == github.event


def test_every_reader_has_a_recorded_run():
    assert sorted(run.reader for run in PUSHES) == sorted(CIS)
