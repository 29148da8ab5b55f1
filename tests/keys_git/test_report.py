"""The installed command against the local Jira: a pull request, a push, a deployment."""

from __future__ import annotations

import json
import sys

import pytest

UNSET = dict.fromkeys(("DRONE_COMMIT_MESSAGE", "DRONE_COMMIT_BEFORE", "DRONE_COMMIT_SHA"))


@pytest.fixture
def step(started_step):
    """A new process of the installed command for each run, instead of a fork."""
    return started_step


@pytest.fixture
def shop(repository, harness_oauth):
    """A step in a checkout: MYT-1 and 2 on main, and 3 and 4 on the branch that is checked out."""
    repository.commit("[MYT-1] one", "[MYT-2] two")
    repository.branch("pay")
    repository.commit("[MYT-3] three", "four\n\nRefs: MYT-4")
    harness_oauth.folder = repository.folder
    harness_oauth.environ |= UNSET | {"JIRA_CI_DISABLE_PLUGINS": None}
    return harness_oauth


def keys(entities):
    return [sorted(entity["issueKeys"]) for entity in entities]


def test_a_pull_request_updates_the_issues_of_all_its_commits(shop, jira, repository):
    run = {"DRONE_PULL_REQUEST": "7", "DRONE_SOURCE_BRANCH": "pay", "DRONE_TARGET_BRANCH": "main"}
    done = shop(environ=run)
    assert done.code == 0, done.text
    assert keys(jira.builds()) == [["MYT-3", "MYT-4"]]
    assert f"MYT-3  commit {repository.git('rev-parse', 'HEAD~1')[:7]} subject (git)" in done.err
    assert "MYT-4  commit message" in done.err
    assert "warning" not in done.err


def test_a_push_updates_the_issues_of_all_commits_since_the_one_before(shop, jira, repository):
    done = shop(environ={"DRONE_COMMIT_BEFORE": repository.git("rev-parse", "HEAD~3")})
    assert done.code == 0, done.text
    assert keys(jira.builds()) == [["MYT-2", "MYT-3", "MYT-4"]]


def test_a_push_to_github_is_read_from_the_event(shop, jira, repository, tmp_path):
    (tmp_path / "event.json").write_text(json.dumps({"before": repository.git("rev-parse", "HEAD~3")}))
    github = {
        **dict.fromkeys(name for name in shop.environ if name.startswith(("DRONE", "HARNESS"))),
        **{"GITHUB_ACTIONS": "true", "GITHUB_RUN_NUMBER": "5", "GITHUB_RUN_ID": "9", "GITHUB_REPOSITORY": "acme/shop"},
        **{"GITHUB_SERVER_URL": "https://github.com", "GITHUB_WORKFLOW": "ci", "GITHUB_REF_NAME": "pay"},
        **{"GITHUB_SHA": repository.head, "GITHUB_EVENT_PATH": str(tmp_path / "event.json")},
    }
    done = shop(environ=github, state="successful")
    assert done.code == 0, done.text
    assert keys(jira.builds()) == [["MYT-2", "MYT-3", "MYT-4"]]


def test_each_deployment_updates_what_is_new_since_the_last_one(shop, jira, repository):
    run = {"environment_name": "prod", "keys_git_remember": "ref"}
    first = shop(**run)
    assert first.code == 0, first.text
    assert "warning: which commit was deployed to prod last is not known here" in first.err
    assert f"{repository.head[:12]} is remembered as deployed to prod, in refs/jira-ci/deployed/prod" in first.err
    repository.commit("MYT-5", "MYT-6")
    failed = shop(**run, environ={"HARNESS_BUILD_ID": "43", "DRONE_BUILD_STATUS": "FAILURE"})
    assert "remembered" not in failed.err
    repository.commit("MYT-7")
    last = shop(**run, environ={"HARNESS_BUILD_ID": "44"})
    assert last.code == 0, last.text
    assert "warning" not in last.err
    sent = {
        deployment["deploymentSequenceNumber"]: sorted(deployment["issueKeys"]) for deployment in jira.deployments()
    }
    assert sent == {42: ["MYT-4"], 43: ["MYT-5", "MYT-6"], 44: ["MYT-5", "MYT-6", "MYT-7"]}


def test_a_deployment_whose_keys_are_named_is_remembered_as_well(shop, repository):
    done = shop(environment_name="prod", keys_git_remember="ref", issuekeys="MYT-1")
    assert done.code == 0, done.text
    assert repository.git("for-each-ref", "--format=%(objectname)", "refs/jira-ci") == repository.head


def test_a_deployment_begins_at_the_last_tag(shop, jira, repository):
    repository.git("tag", "deployed-1", "HEAD~2")
    done = shop(environment_name="prod", deployed_tag="deployed-*")
    assert done.code == 0, done.text
    assert keys(jira.deployments()) == [["MYT-3", "MYT-4"]]


def test_a_dry_run_remembers_nothing(shop, repository):
    assert shop("--dry-run", environment_name="prod", keys_git_remember="ref").code == 0
    assert repository.git("for-each-ref", "refs/jira-ci") == ""


def test_what_is_in_the_way_is_a_warning_and_core_goes_on(shop, jira):
    done = shop(environ={"DRONE_COMMIT_BEFORE": "5" * 40})
    assert done.code == 0, done.text
    assert keys(jira.builds()) == [["MYT-4"]]
    assert "warning: the commit before this change, 555555555555, is not known here: " in done.err


def test_or_it_ends_the_step_where_that_was_asked_for(shop, jira):
    done = shop(environ={"DRONE_COMMIT_BEFORE": "5" * 40}, keys_git_strict="yes")
    assert done.code == 3
    assert "error: the commit before this change, 555555555555, is not known here\n  why: the clone" in done.err
    assert jira.requests() == []


def test_git_is_not_asked_where_the_keys_are_named(shop, jira, tmp_path):
    done = shop(issuekeys="MYT-8", environ={"DRONE_COMMIT_BEFORE": "5" * 40})
    assert done.code == 0, done.text
    assert "warning" not in done.err


def test_the_projects_own_file_chooses_the_places_and_nothing_else(shop, jira, repository):
    (repository.folder / "jira-ci.toml").write_text('keys-git-sources = ["trailers"]\nkeys-git-trailers = "refs"\n')
    run = {"DRONE_PULL_REQUEST": "7", "DRONE_TARGET_BRANCH": "main", "DRONE_COMMIT_MESSAGE": "none"}
    assert shop(environ=run).code == 0
    assert keys(jira.builds()) == [["MYT-4"]]
    (repository.folder / "jira-ci.toml").write_text('keys-git-deepen = "yes"\n')
    done = shop(environ=run)
    assert (done.code, "keys-git-deepen may not be set in jira-ci.toml" in done.err) == (2, True)


def test_importing_it_brings_in_nothing_but_what_core_needs_and_what_runs_git(repository):
    import subprocess

    code = (
        "import sys, subprocess, jira_ci_core.cli.main, jira_ci_core.ci.git_checkout; before = set(sys.modules); "
        "import jira_ci_keys_git.plugin; print(*sorted(set(sys.modules) - before))"
    )
    new = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in new if not name.startswith("jira_ci_keys_git")] == []


def test_a_revert_as_the_last_commit_leaves_out_the_key_that_it_names(shop, jira, repository):
    reverted = repository.commit("[MYT-5] five")
    repository.commit(f'Revert "[MYT-5] five"\n\nThis reverts commit {reverted}.')
    run = {"DRONE_PULL_REQUEST": "7", "DRONE_SOURCE_BRANCH": "revert-MYT-5", "DRONE_TARGET_BRANCH": "main"}
    done = shop(environ=run, keys_git_skip_reverted="yes")
    assert done.code == 0, done.text
    assert keys(jira.builds()) == [["MYT-3", "MYT-4"]]
    assert f"not counted: MYT-5 (commit {repository.head[:7]} reverts {reverted[:7]})" in done.err


def test_with_paths_core_counts_its_message_only_if_the_commit_touches_them(shop, jira, repository):
    repository.change("shop/a", "MYT-5")
    repository.change("blog/a", "MYT-6")
    before = {"DRONE_COMMIT_BEFORE": repository.git("rev-parse", "HEAD~2")}
    done = shop(environ=before, keys_git_paths="shop")
    assert done.code == 0, done.text
    assert keys(jira.builds()) == [["MYT-5"]]
    none = shop(environ=before, keys_git_paths="docs")
    assert f"not counted: MYT-6 (commit {repository.head[:7]} touches none of KEYS_GIT_PATHS)" in none.err
    assert "no issue key was found" in none.err
