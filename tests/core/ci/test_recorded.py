"""Every CI, by the variables in its documentation: the recorded runs of the testing kit."""

from __future__ import annotations

import json
import re
from importlib import import_module

import pytest
from hypothesis import given, settings, strategies as st

from jira_ci_core import Kind, Pipeline
from jira_ci_core.config.settings import PluginChoice
from jira_ci_core.config.sources import Sources
from jira_ci_core.plugins.catalog import CIS as READERS
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.reporting.identity import identified, link, pipeline_identity, run_number
from jira_ci_core.reporting.state import decide_state
from jira_ci_core.testing.recorded import ENVIRONMENTS


def module(reader):
    """The built-in plugin of that name."""
    return import_module(f"jira_ci_core.ci.{reader}")


NO_FACTS = {"origins", "partial", "publishes_status"}
KINDS = {"push", "pull_request", "tag", "deployment", "rerun", "failure"}


@pytest.fixture(scope="module")
def plugins():
    """All plugins, started, with the readers of all CIs."""
    chosen = Plugins(PluginChoice())
    assert not chosen.start(Sources({}))
    return chosen


@pytest.fixture
def read(plugins, recorded, tmp_path):
    """The recorded run, as the first reader that recognises it reads it."""
    return plugins.read_pipeline(environ=recorded.variables(tmp_path))


def test_each_reader_has_recorded_runs_of_every_kind_and_names_their_source():
    assert {file.stem for file in ENVIRONMENTS.glob("*.toml")} == set(READERS)
    for reader in READERS:
        text = (ENVIRONMENTS / f"{reader}.toml").read_text()
        assert text.startswith("# https://"), reader
        assert {kind for kind in KINDS if f"[runs.{kind}]" in text} == KINDS, reader


def test_a_run_has_the_recorded_facts(read, recorded):
    facts = read.model_dump(mode="json", exclude={"origins"}, exclude_none=True)
    assert facts == {"ci": recorded.ci, "partial": [], **recorded.facts}


def test_a_run_is_recognised_by_its_own_reader_although_all_are_called(read, recorded, plugins):
    assert plugins.answered["read_pipeline"] == recorded.reader
    assert read.origins["ci"] == recorded.recognised_by


def test_each_fact_names_the_variable_it_came_from(read, recorded):
    facts = {name for name, value in read if value is not None} - NO_FACTS
    assert set(read.origins) == facts
    for origin in read.origins.values():
        for variable in origin.split(", "):
            from_file = variable.startswith("github.event.") if recorded.event else variable in str(recorded.files)
            assert variable in recorded.environ or from_file


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_is_imported_for_what_it_recognises(reader):
    assert READERS[reader] == module(reader).jira_ci_read_pipeline.recognised_by


def test_no_fact_holds_a_password(read):
    assert "s3cr3t" not in read.model_dump_json()


def test_a_status_maps_to_the_recorded_state(read, recorded, plugins, settings_of):
    settings = settings_of()
    if recorded.shown_as is None:
        assert (read.status, read.publishes_status) == (None, False)
        return
    assert read.publishes_status
    assert decide_state(plugins, read, Kind.BUILD, settings).state == recorded.shown_as


def test_a_run_has_an_identity_for_jira(read, recorded, settings_of):
    settings = settings_of()
    assert pipeline_identity(identified(read, recorded.reader), settings).id == recorded.pipeline_id
    assert link(read, settings).startswith(read.url[:20])
    if recorded.facts.get("number", "").isdecimal():
        numbers = {run_number(read, settings, kind) for kind in Kind}
        assert numbers == {int(recorded.facts["number"])}


def test_a_rerun_is_the_same_build_unless_the_ci_counts_it_as_a_new_run(plugins, recorded_push, tmp_path):
    rerun = recorded_push.other("rerun")
    first, second = (plugins.read_pipeline(environ=run.variables(tmp_path)) for run in (recorded_push, rerun))
    assert first.id == second.id
    assert (first.number == second.number) is (not rerun.new_run or first.number is None)


@pytest.mark.parametrize("content", [None, b"", b"[", b"\xff", b"[]", b'{"pull_request": 1}', b"[" * 100_000])
def test_an_unusable_event_file_does_not_affect_other_facts(tmp_path, content):
    file = tmp_path / "event.json"
    if content is not None:
        file.write_bytes(content)
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main", "GITHUB_EVENT_PATH": str(file)}
    assert module("github").jira_ci_read_pipeline(environ).branch == "main"


def test_a_ci_that_imitates_another_is_looked_for_first(plugins):
    environ = {
        "HARNESS_PIPELINE_ID": "p",
        "CI": "woodpecker",
        "DRONE": "true",
        "JENKINS_URL": "x",
        "BUILD_ID": "a3c1f2d4-9b6e-4d0a-8f37-1c2b3a4d5e6f",
        "PROJECT_ID": "p",
    }
    for ci in ("HARNESS_PIPELINE_ID", "CI", "DRONE", "JENKINS_URL", "BUILD_ID"):
        assert plugins.read_pipeline(environ=environ).origins["ci"].startswith(ci)
        del environ[ci]


@pytest.mark.parametrize(
    ("environ", "by"),
    [
        ({"BUILD_ID": "42", "PROJECT_ID": "shop"}, None),
        ({"BUILD_ID": "a3c1f2d4-9b6e-4d0a-8f37-1c2b3a4d5e6f"}, None),
        ({"BUILDER_OUTPUT": "/builder/outputs"}, "BUILDER_OUTPUT"),
        ({"BUILDER_OUTPUT": "/builder/outputs", "BUILD_ID": "42", "PROJECT_ID": "shop"}, "BUILDER_OUTPUT"),
    ],
)
def test_cloud_build_is_not_seen_in_names_that_others_set(plugins, environ, by):
    run = plugins.read_pipeline(environ=environ)
    assert (run and run.origins["ci"]) == by


def variables_of(reader):
    """All variables that a reader uses."""
    text = f"{module(reader).jira_ci_read_pipeline.recognised_by} {list(module(reader).TABLE.values())}"
    return sorted(set(re.findall(r"\b(?:[A-Z][A-Z0-9_]{3,}|[A-Za-z]+_\w+)\b", text)))


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
WORDS = ["", " ", "null", "<+a.<+b>>", "true", "TRUE", "false", "0", "0" * 40, "HEAD", "other", "{1}", "{CI}", "..."]
REFS = ["refs/heads/", "refs/tags/", "refs/tags/v1", "refs/pull/1/merge", "pr/", "tag/", "branch/"]
AWKWARD = st.sampled_from([*WORDS, *REFS, ":", "a:b", "https://", "https://a:b@c/d", "git@x:y"])
EVENT_NAMES = ["pull_request", "head", "sha", "title", "number", "head_commit", "message", "before", "deployment"]
EVENT_NAMES += ["issue", "branches", "name", "workflow_run", "head_sha", "pull_requests", "merged", "event"]
EVENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(EVENT_NAMES), inner),
)


@settings(max_examples=3 * settings().max_examples)
@given(reader=st.sampled_from(sorted(READERS)), data=st.data())
def test_whatever_the_variables_hold_a_reader_returns_facts_with_origins(reader, data):
    names = variables_of(reader)
    recognised = {
        name: word or "set"
        for condition in module(reader).jira_ci_read_pipeline.recognised_by[:1]
        for name, _, word in (part.partition("=") for part in condition.split(" and "))
    }
    environ = data.draw(st.dictionaries(st.sampled_from(names), AWKWARD | TEXT)) | recognised
    run = module(reader).jira_ci_read_pipeline(environ)
    assert isinstance(run, Pipeline)
    assert set(run.origins) == {name for name, value in run if value is not None} - NO_FACTS
    for origin in run.origins.values():
        assert all(environ[variable].strip() for variable in origin.split(", "))
    assert "" not in {value for _, value in run if isinstance(value, str)}


@given(environ=st.dictionaries(TEXT.filter(bool), AWKWARD | TEXT))
def test_no_reader_raises_in_any_environment(environ):
    for reader in READERS:
        run = module(reader).jira_ci_read_pipeline(environ)
        assert run is None or run.origins["ci"] in environ


@given(content=st.binary() | EVENTS.map(lambda event: json.dumps(event).encode()))
def test_github_reads_a_run_whatever_the_event_file_holds(tmp_path, content):
    file = tmp_path / "event.json"
    file.write_bytes(content)
    run = module("github").jira_ci_read_pipeline({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(file)})
    assert run.ci == "GitHub Actions"
