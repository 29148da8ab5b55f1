"""Strategies for hypothesis: pipeline runs, reports and receipts, ordinary and odd ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import strategies as st

from jira_ci_core.models import (
    Build,
    Commit,
    CountedTests,
    Deployment,
    Environment,
    EnvironmentType,
    Outcome,
    Pipeline,
    PipelineIdentity,
    Receipt,
    Report,
    Result,
    Site,
    State,
)
from jira_ci_core.problem import Problem
from jira_ci_core.testing.recorded import RECORDED

_texts = st.text(st.characters(codec="utf-8"), max_size=40)
_words = _texts.map(str.strip).filter(bool)
_keys = st.from_regex(r"(MYT|DEMO|OTHER)-[1-9][0-9]{0,4}", fullmatch=True)
_ids = st.integers(1, 2**31).map(str)
_hashes = st.from_regex(r"[0-9a-f]{40}", fullmatch=True)
_urls = st.sampled_from(["https://ci.example/acme/shop/42", "https://git.example/acme/shop"])


def _messages() -> st.SearchStrategy[str]:
    """Commit messages and titles, with and without issue keys."""
    parts = st.one_of(_texts, _keys, st.sampled_from(["\n", "\n\nRefs: ", "[", "]", "myt-12", "XMYT-1", "UTF-8"]))
    return st.lists(parts, max_size=6).map(" ".join)


def pipelines() -> st.SearchStrategy[Pipeline]:
    """Runs of all CIs and of none, with any of the facts missing."""
    facts = {
        "number": st.one_of(st.integers(0, 10**6).map(str), _words),
        "url": _urls,
        "status": st.one_of(st.sampled_from(["success", "FAILURE", "canceled", "running"]), _words),
        "id": _words,
        "name": _words,
        "branch": st.one_of(st.sampled_from(["main", "feature/myt-7-pay"]), _words),
        "target_branch": st.just("main"),
        "tag": st.one_of(st.just("v1.2.3"), _words),
        "pull_request": st.integers(1, 9999).map(str),
        "pull_request_title": _messages(),
        "sha": _hashes,
        "commit_before": _hashes,
        "message": _messages(),
        "repository": st.just("acme/shop"),
        "repository_url": _urls,
        "environment": st.one_of(st.sampled_from(["prod", "qa"]), _words),
        "version": st.one_of(st.just("1.2.3"), _words),
        "started": st.one_of(st.just("1714566600"), _words),
    }
    run = {"ci": st.sampled_from([*RECORDED, "none"]), "publishes_status": st.booleans()}
    return st.fixed_dictionaries(run, optional=facts).map(Pipeline.model_validate)


def reports(site: Site) -> st.SearchStrategy[Report]:
    """Builds and deployments in all states, for this site."""
    common = {
        "number": st.integers(0, 2**53),
        "sequence": st.integers(1, 2**53),
        "name": _words,
        "description": _texts,
        "label": st.none() | _words,
        "url": _urls,
        "last_updated": st.just(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        "pipeline": st.builds(PipelineIdentity, id=_words, name=_words, url=_urls),
    }
    states = st.sampled_from(State)
    environments = st.builds(Environment, id=_words, name=_words, type=st.sampled_from(EnvironmentType))
    counts = st.integers(0, 10**6)
    tests = st.none() | st.builds(CountedTests, passed=counts, failed=counts, skipped=counts)
    build_states = states.filter(lambda state: state is not State.ROLLED_BACK)
    keys = st.lists(_keys | _ids, min_size=1, max_size=5, unique=True).map(tuple)
    names = st.lists(_words, min_size=1, max_size=2, unique=True).map(tuple)
    builds = st.builds(Build, state=build_states, tests=tests, issue_keys=keys, **common)
    optional = {
        "duration": st.none() | counts,
        "commits": st.lists(st.builds(Commit, hash=_hashes, repository_id=_words), max_size=2).map(tuple),
        "repository_ids": st.just(()) | names,
    }
    of_issues = st.builds(Deployment, state=states, environment=environments, issue_keys=keys, **optional, **common)
    of_services = st.builds(Deployment, state=states, environment=environments, service_ids=names, **optional, **common)
    deployments = of_issues | of_services
    return st.builds(Report, site=st.just(site), entity=builds | deployments)


def receipts(delivered: Sequence[Report]) -> st.SearchStrategy[Receipt]:
    """Any results of delivering these reports; for none, that the update was skipped."""
    if not delivered:
        return st.builds(Receipt, skipped=_words)
    problems = st.builds(Problem, what=_words, why=_words, remedy=_words)
    outcomes = st.builds(Outcome, result=st.sampled_from(Result), problems=st.lists(problems, max_size=2).map(tuple))
    return st.builds(
        Receipt,
        outcomes=st.lists(outcomes, min_size=len(delivered), max_size=len(delivered)).map(tuple),
        unknown_issue_keys=st.lists(_keys, max_size=2).map(tuple),
        warnings=st.lists(_words, max_size=2).map(tuple),
    )
