"""Changes since the last deployment, which a ref or a tag names."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, strategies as st

from jira_ci_core import Deployment, Outcome, Receipt, Report, Result, environment_id
from jira_ci_keys_git.deployed import ref_name

PROD = {"environment_name": ["prod"]}


@pytest.fixture
def history(repository):
    repository.commit("MYT-1", "MYT-2", "MYT-3", "MYT-4")
    return repository


@pytest.fixture
def deploy(plugin, pipeline_of, settings_of, monkeypatch):
    """Tells a plugin, by default a new one, how a deployment ended."""

    def call(repository, *environments, state="successful", result=Result.ACCEPTED, instance=None, **facts):
        reports = [
            Report.model_validate(
                {
                    "site": {"url": "https://acme.atlassian.net"},
                    "entity": {
                        "kind": "deployment",
                        **{"number": 1, "sequence": 1, "name": "x", "url": "https://ci.example/1", "state": state},
                        "last_updated": "2026-01-01T00:00:00Z",
                        "issue_keys": ["MYT-1"],
                        "pipeline": {"id": "p", "name": "p", "url": "https://ci.example/1"},
                        "environment": {"id": environment_id(environment), "name": environment},
                    },
                }
            )
            for environment in environments
        ]
        assert all(isinstance(report.entity, Deployment) for report in reports)
        receipt = Receipt(outcomes=tuple(Outcome(result=result) for _ in reports))
        with monkeypatch.context() as patch:
            patch.setattr("os.environ", repository.environ)
            (instance or plugin(remember="ref")).jira_ci_reported(
                pipeline_of(repository, **facts), reports, receipt, settings_of(environment_name=list(environments))
            )

    return call


def refs(repository):
    return repository.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/jira-ci").splitlines()


class TestRemembering:
    def test_the_next_deployment_begins_where_the_last_one_ended(self, history, deploy, numbers, caplog):
        deploy(history, "prod")
        history.commit("MYT-5", "MYT-6")
        assert numbers(history, settings=PROD, remember="ref") == [6, 5]
        assert caplog.text == ""

    def test_it_wins_over_the_commit_before_and_over_a_tag(self, history, deploy, numbers):
        history.git("tag", "prod", "HEAD~2")
        deploy(history, "prod")
        history.commit("MYT-5", "MYT-6")
        run = {"commit_before": history.git("rev-parse", "HEAD~1")}
        assert numbers(history, run, PROD, remember="ref", deployed_tag="prod") == [6, 5]

    def test_each_environment_has_a_ref_of_its_own(self, history, deploy):
        deploy(history, "Prod", "eu/west 1")
        assert refs(history) == [
            f"refs/jira-ci/deployed/eu%2fwest%201 {history.head}",
            f"refs/jira-ci/deployed/prod {history.head}",
        ]

    @pytest.mark.parametrize("state", ["failed", "pending", "in_progress", "cancelled", "rolled_back", "unknown"])
    def test_a_deployment_that_did_not_succeed_is_not_remembered(self, history, deploy, state):
        deploy(history, "prod", state=state)
        assert refs(history) == []

    @pytest.mark.parametrize("result", [Result.REJECTED, Result.NOT_DELIVERED, Result.QUEUED])
    def test_one_that_jira_did_not_accept_is_not_remembered(self, history, deploy, result):
        deploy(history, "prod", result=result)
        assert refs(history) == []

    def test_nothing_is_remembered_unless_it_is_asked_for(self, history, deploy, plugin):
        deploy(history, "prod", instance=plugin())
        assert refs(history) == []

    def test_git_is_run_in_the_environment_that_keys_were_found_in(
        self, history, deploy, plugin, pipeline_of, settings_of, monkeypatch
    ):
        monkeypatch.setenv("PATH", "/nowhere")
        instance = plugin(remember="ref")
        instance.jira_ci_extract_issue_keys(pipeline_of(history), history.environ, settings_of())
        deploy(history, "prod", instance=instance)
        assert refs(history) == [f"refs/jira-ci/deployed/prod {history.head}"]

    def test_it_is_the_commit_that_ci_names(self, history, deploy):
        before = history.git("rev-parse", "HEAD~1")
        deploy(history, "prod", sha=before[:10])
        assert refs(history) == [f"refs/jira-ci/deployed/prod {before}"]

    def test_where_it_cannot_be_written_that_is_a_warning(self, history, deploy, caplog):
        (history.folder / ".git/refs/jira-ci").write_text("in the way")
        deploy(history, "prod")
        assert "what is deployed now could not be remembered: git failed: " in caplog.text

    def test_the_first_deployment_says_that_none_is_known(self, history, numbers, caplog):
        run = {"commit_before": history.git("rev-parse", "HEAD~2")}
        assert numbers(history, run, PROD, remember="ref") == [4, 3]
        assert "which commit was deployed to prod last is not known here: this is the first" in caplog.text
        assert "refs/jira-ci/deployed/*" in caplog.text

    def test_a_second_deployment_of_the_same_commit_has_its_own_keys(self, history, deploy, numbers):
        deploy(history, "prod")
        assert numbers(history, settings=PROD, remember="ref") == [4]

    def test_what_one_of_several_environments_lacks_counts(self, history, deploy, numbers):
        deploy(history, "eu", sha="HEAD~2")
        deploy(history, "us", sha="HEAD~1")
        both = {"environment_name": ["eu", "us"]}
        assert numbers(history, settings=both, remember="ref") == [4, 3]

    def test_without_history_in_common_that_is_told(self, history, deploy, numbers, caplog):
        deploy(history, "eu")
        history.git("checkout", "-q", "--orphan", "other")
        history.commit("MYT-7", "MYT-8")
        deploy(history, "us", sha="HEAD~1")
        assert numbers(history, settings={"environment_name": ["eu", "us"]}, remember="ref") == [8]
        assert "have no history in common here" in caplog.text

    def test_a_build_does_not_ask(self, history, deploy, numbers, caplog):
        deploy(history, "prod", sha="HEAD~3")
        assert numbers(history, remember="ref") == [4]

    def test_the_refs_travel_as_the_readme_says(self, history, deploy, new_repository, numbers):
        origin = new_repository()
        origin.git("config", "receive.denyCurrentBranch", "ignore")
        history.git("remote", "add", "origin", f"file://{origin.folder}")
        history.git("push", "-q", "origin", "main")
        deploy(history, "prod")
        history.git("push", "-q", "origin", "+refs/jira-ci/*:refs/jira-ci/*")
        clone = new_repository(origin)
        clone.git("fetch", "-q", "origin", "+refs/jira-ci/*:refs/jira-ci/*")
        clone.commit("MYT-5")
        assert numbers(clone, settings=PROD, remember="ref") == [5]


class TestTags:
    def test_the_newest_tag_is_where_it_begins(self, history, numbers):
        history.git("tag", "v10", "HEAD~1")
        history.git("tag", "v9", "HEAD~2")
        history.git("tag", "other", "HEAD")
        assert numbers(history, settings=PROD, deployed_tag="v*") == [4]

    def test_annotated_and_plain_tags_are_the_same(self, history, numbers):
        history.git("tag", "-a", "v1", "-m", "one", "HEAD~2")
        assert numbers(history, settings=PROD, deployed_tag="v*") == [4, 3]

    def test_the_tag_of_this_very_commit_is_passed_over(self, history, numbers):
        history.git("tag", "v1", "HEAD~2")
        history.git("tag", "-a", "v2", "-m", "two")
        assert numbers(history, settings=PROD, deployed_tag="v*") == [4, 3]

    def test_tags_of_another_line_of_history_are_passed_over(self, history, numbers):
        history.git("tag", "v1", "HEAD~2")
        history.branch("next")
        history.commit("MYT-9")
        history.git("tag", "v2")
        history.switch("main")
        assert numbers(history, settings=PROD, deployed_tag="v*") == [4, 3]

    def test_the_environment_can_be_part_of_the_pattern(self, history, numbers):
        history.git("tag", "deployed/prod/1", "HEAD~2")
        history.git("tag", "deployed/stage/2", "HEAD~1")
        assert numbers(history, settings=PROD, deployed_tag="deployed/{environment}/*") == [4, 3]

    def test_an_environment_is_no_pattern(self, history, numbers, caplog):
        history.git("tag", "deployed/prod/1", "HEAD~2")
        assert numbers(history, settings={"environment_name": ["*"]}, deployed_tag="deployed/{environment}/*") == [4]
        assert "was made without tags" in caplog.text

    def test_it_serves_until_a_ref_is_there(self, history, numbers, caplog):
        history.git("tag", "v1", "HEAD~2")
        assert numbers(history, settings=PROD, deployed_tag="v*", remember="ref") == [4, 3]
        assert caplog.text == ""


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_only_environments_that_are_the_same_in_jira_share_a_ref(one, other):
    assert (ref_name(one) == ref_name(other)) is (environment_id(one) == environment_id(other))


@given(st.one_of(st.text().filter(str.strip), st.sampled_from(["..", "-x", "a.lock", "@", "a/../b", "Ä", "x" * 5000])))
def test_every_name_of_an_environment_makes_a_ref_that_git_takes(name):
    ref = ref_name(name)
    assert len(ref.rpartition("/")[2]) <= 200
    assert ref == ref.lower()
    assert subprocess.run(["git", "check-ref-format", ref], check=False).returncode == 0
