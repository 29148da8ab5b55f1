"""The identity of a run: its pipeline, its number, its environments, and the address that Jira links to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from jira_ci_core import Kind, SettingsError
from jira_ci_core.reporting.identity import (
    LONGEST_ID,
    branch_url,
    commit_url,
    environment_id,
    identified,
    link,
    pipeline_identity,
    run_number,
    stable_id,
)

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class TestThePipeline:
    def test_it_is_pipeline_then_the_id_of_the_ci_then_the_repository(self, settings_of, pipeline_of):
        run = pipeline_of(id="acme/shop/build", name="shop", repository="acme/shop", url="https://ci.example/1")
        named = pipeline_identity(run, settings_of(pipeline="mine"))
        assert (named.id, named.name) == ("mine", "mine")
        of_ci = pipeline_identity(run, settings_of())
        assert (of_ci.id, of_ci.name) == ("acme/shop/build", "shop")
        unnamed = identified(run.model_copy(update={"id": None, "name": None}), "travis")
        of_repository = pipeline_identity(unnamed, settings_of())
        assert (of_repository.id, of_repository.name) == ("travis/acme/shop", "acme/shop")

    @pytest.mark.parametrize(("ci", "source"), [("Drone", "Drone"), ("none", "no CI was recognised")])
    def test_without_any_of_them_it_is_an_error_that_names_pipeline(self, settings_of, pipeline_of, ci, source):
        with pytest.raises(SettingsError, match="PIPELINE is not set") as raised:
            pipeline_identity(pipeline_of(ci=ci, url="https://ci.example/1"), settings_of())
        assert source in raised.value.problems[0].why
        assert "PIPELINE" in raised.value.problems[0].remedy

    def test_a_long_id_is_cut_and_stays_different_from_others(self, settings_of, pipeline_of):
        long = "a" * 300
        first = pipeline_identity(pipeline_of(id=long + "1", url="https://ci.example/1"), settings_of())
        second = pipeline_identity(pipeline_of(id=long + "2", url="https://ci.example/1"), settings_of())
        assert len(first.id) == len(second.id) == LONGEST_ID
        assert first.id != second.id


class TestTheNumber:
    def test_run_number_comes_first(self, settings_of, pipeline_of):
        assert run_number(pipeline_of(number="5"), settings_of(run_number="9"), Kind.BUILD) == 9
        assert run_number(pipeline_of(number="5"), settings_of(run_number="0"), Kind.DEPLOYMENT) == 0

    @pytest.mark.parametrize(("text", "number"), [("42", 42), ("0", 0), ("007", 7), (str(2**63 - 1), 2**63 - 1)])
    @pytest.mark.parametrize("kind", Kind)
    def test_it_is_the_integer_of_the_ci(self, settings_of, pipeline_of, text, number, kind):
        assert run_number(pipeline_of(number=text), settings_of(), kind, NOW) == number

    @pytest.mark.parametrize(
        "text",
        ["1.4.42", "14.4.2", "20240115.3", "#42", "build-42", "release", "8a7b6c5d", "1e3", "-1", str(2**63), "٣", "\0"]
        + ["3f2504e0-4f89-11d3-9a0c-0305e82c3301", "1" * 5000],
        ids=lambda text: ascii(text)[:20],
    )
    @pytest.mark.parametrize("kind", Kind)
    def test_no_other_text_is_made_one(self, settings_of, pipeline_of, text, kind):
        with pytest.raises(SettingsError, match="RUN_NUMBER is not set") as raised:
            run_number(pipeline_of(number=text, started="1714566600"), settings_of(), kind, NOW)
        assert "is no integer" in raised.value.problems[0].why
        assert run_number(pipeline_of(number=text), settings_of(run_number="57"), kind) == 57

    def test_a_build_of_a_ci_without_numbers_has_the_start_of_its_run(self, settings_of, pipeline_of, caplog):
        run = pipeline_of(started="2024-05-01T12:30:00Z")
        assert run_number(run, settings_of(), Kind.BUILD) == 1714566600
        assert "another step of this run shows as another build, unless RUN_NUMBER is set" in caplog.text

    def test_or_else_the_time(self, settings_of, pipeline_of):
        assert run_number(pipeline_of(), settings_of(), Kind.BUILD, NOW) == NOW.timestamp()

    def test_a_deployment_has_none_of_these(self, settings_of, pipeline_of):
        with pytest.raises(SettingsError, match="RUN_NUMBER is not set"):
            run_number(pipeline_of(started="1714566600"), settings_of(), Kind.DEPLOYMENT, NOW)

    def test_without_a_ci_there_is_none(self, settings_of, pipeline_of):
        with pytest.raises(SettingsError, match="RUN_NUMBER is not set"):
            run_number(pipeline_of(ci="git checkout"), settings_of(), Kind.BUILD, NOW)

    def test_what_a_build_is_shown_by_needs_one_that_stays(self, settings_of, pipeline_of):
        with pytest.raises(SettingsError, match="RUN_NUMBER is not set"):
            run_number(pipeline_of(), settings_of(), Kind.BUILD)


class TestTheLink:
    def test_it_is_link_then_the_run_then_the_commit(self, settings_of, pipeline_of):
        run = pipeline_of(url="https://ci.example/1", commit_url="https://git.example/c")
        assert link(run, settings_of(link="https://a.example")) == "https://a.example"
        assert link(run, settings_of()) == "https://ci.example/1"
        assert link(run.model_copy(update={"url": None}), settings_of()) == "https://git.example/c"

    def test_a_text_that_is_no_web_address_is_skipped(self, settings_of, pipeline_of):
        run = pipeline_of(url="ci/run/1", commit_url="https://git.example/c")
        assert link(run, settings_of()) == "https://git.example/c"

    def test_without_any_it_is_an_error_that_names_link(self, settings_of, pipeline_of):
        with pytest.raises(SettingsError, match="LINK is not set") as raised:
            link(pipeline_of(url="javascript:alert(1)"), settings_of())
        assert "LINK" in raised.value.problems[0].remedy


class TestCommitAndBranch:
    def test_their_addresses_are_made_from_the_repository(self, pipeline_of):
        run = pipeline_of(repository_url="https://git.example/acme/shop/", sha="abc", branch="feature/x")
        assert commit_url(run) == "https://git.example/acme/shop/commit/abc"
        assert branch_url(run) == "https://git.example/acme/shop/tree/feature/x"

    def test_bitbucket_has_its_own(self, pipeline_of):
        run = pipeline_of(repository_url="https://bitbucket.org/acme/shop", sha="abc", branch="x")
        assert commit_url(run) == "https://bitbucket.org/acme/shop/commits/abc"
        assert branch_url(run) == "https://bitbucket.org/acme/shop/branch/x"

    def test_azure_repos_has_its_own(self, pipeline_of):
        run = pipeline_of(repository_url="https://dev.azure.com/acme/Shop/_git/shop", sha="abc", branch="feature/x")
        assert commit_url(run) == "https://dev.azure.com/acme/Shop/_git/shop/commit/abc"
        assert branch_url(run) == "https://dev.azure.com/acme/Shop/_git/shop?version=GBfeature/x"

    def test_the_address_that_the_ci_gives_comes_first(self, pipeline_of):
        assert commit_url(pipeline_of(commit_url="https://x.example", repository_url="https://y.example", sha="a")) == (
            "https://x.example"
        )

    def test_without_a_repository_there_is_none(self, pipeline_of):
        assert commit_url(pipeline_of(sha="abc")) is None
        assert branch_url(pipeline_of(branch="x")) is None
        assert branch_url(pipeline_of(repository_url="https://y.example")) is None


class TestTheIdOfAnEnvironment:
    @pytest.mark.parametrize("name", ["Prod EU", "prod eu", " PROD \t EU "])
    def test_it_does_not_change_with_case_or_white_space(self, name):
        assert environment_id(name) == "prod eu"

    @given(st.text(min_size=1).filter(lambda text: text.strip()))
    def test_making_an_id_of_an_id_changes_nothing(self, name):
        once = environment_id(name)
        assert environment_id(once) == once or name.lower().lower() != name.lower()
        assert 1 <= len(once) <= LONGEST_ID

    @given(st.text(min_size=1, max_size=600))
    def test_an_id_fits_and_is_stable(self, text):
        assert stable_id(stable_id(text)) == stable_id(text)
        assert 1 <= len(stable_id(text)) <= LONGEST_ID
