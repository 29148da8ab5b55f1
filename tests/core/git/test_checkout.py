"""Facts from the checkout, for what a CI leaves out."""

from __future__ import annotations

import logging

import pytest

from jira_ci_core.ci.git_checkout import jira_ci_read_pipeline
from jira_ci_core.git.checkout import filled_from_checkout, read_checkout

MESSAGE = "[MYT-1] Let people pay\n\nIt was time.\n\nRefs: MYT-2"


def test_the_commit_the_branch_and_the_repository_are_read(repository, environ, git):
    assert read_checkout(repository, environ) == {
        "sha": git("rev-parse", "HEAD"),
        "message": MESSAGE,
        "branch": "feature/pay",
        "repository": "acme/shop",
        "repository_url": "https://git.example/acme/shop",
    }


def test_where_there_is_no_repository_there_is_nothing(folder, environ):
    assert read_checkout(folder, environ) == {}


def test_where_there_is_no_commit_there_is_nothing(folder, environ, git):
    git("init", "-q")
    assert read_checkout(folder, environ) == {}


def test_a_repository_without_a_remote_has_no_address(checkout, folder, environ):
    checkout("x", folder=folder)
    assert set(read_checkout(folder, environ)) == {"sha", "message", "branch"}


def test_a_credential_in_the_remote_is_not_read(checkout, folder, environ):
    checkout("x", remote="https://user:hunter2222@git.example/acme/shop", folder=folder)
    assert "hunter2222" not in str(read_checkout(folder, environ))


def test_a_remote_that_is_no_address_is_passed_over(checkout, folder, environ):
    checkout("x", remote="https://[broken/acme/shop", folder=folder)
    assert "repository_url" not in read_checkout(folder, environ)


def test_a_detached_commit_has_no_branch(repository, environ, git):
    git("checkout", "-q", "--detach")
    assert "branch" not in read_checkout(repository, environ)


def test_the_commit_that_ci_names_is_read_and_not_the_one_checked_out(repository, environ, git):
    first = git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "[MYT-9] Later")
    facts = read_checkout(repository, environ, first[:8])
    assert (facts["sha"], facts["message"]) == (first, MESSAGE)
    assert "branch" not in facts


@pytest.mark.parametrize(
    "sha",
    ["0" * 40, "nonsense", "HEAD..HEAD", "^HEAD", "--output=stolen", "--all", "-1", "a\0b", "x" * 300_000],
    ids=lambda sha: ascii(sha)[:20],
)
def test_a_commit_that_is_not_there_says_nothing_and_does_nothing(repository, environ, sha):
    assert read_checkout(repository, environ, sha) == {}
    assert not (repository / "stolen").exists()


def test_a_message_in_an_old_encoding_is_readable(folder, environ, git, repository):
    (folder / "message").write_bytes(b"[MYT-3] caf\xe9")
    git("-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "--allow-empty", "-F", "message")
    assert read_checkout(folder, environ)["message"] == "[MYT-3] café"


def test_the_encoding_that_the_repository_configures_for_output_is_not_used(repository, environ, git):
    git("config", "i18n.logOutputEncoding", "UTF-16")
    assert read_checkout(repository, environ)["message"] == MESSAGE


def test_nothing_that_the_repository_configures_is_run(armed, environ, git, sprung):
    git("log", "-1", check=False)
    assert sprung()
    assert read_checkout(armed, environ)["message"] == MESSAGE
    assert not sprung()


def test_a_commit_that_a_partial_clone_lacks_is_not_fetched(partial, environ, git, sprung):
    git("log", "-1", "5" * 40, check=False)
    assert sprung()
    assert read_checkout(partial, environ, "5" * 40) == {}
    assert not sprung()


def test_a_checkout_that_belongs_to_another_user_is_a_warning_with_the_command_that_helps(
    folder, tmp_path, environ, caplog
):
    tools = tmp_path / "tools"
    tools.mkdir()
    git = tools / "git"
    git.write_text("#!/bin/sh\necho 'fatal: detected dubious ownership in repository' >&2\nexit 128\n")
    git.chmod(0o755)
    assert read_checkout(folder, {**environ, "PATH": f"{tools}:{environ['PATH']}"}) == {}
    assert f"git config --global --add safe.directory {folder}" in caplog.text


def test_without_git_there_is_nothing(repository, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    assert read_checkout(repository, {"PATH": str(tmp_path)}) == {}
    assert "there is no git here" in caplog.text


def test_a_git_that_cannot_be_run_is_a_warning(folder, tmp_path, caplog):
    (tmp_path / "git").write_text("")
    (tmp_path / "git").chmod(0o644)
    assert read_checkout(folder, {"PATH": str(tmp_path)}) == {}
    assert "git could not be asked" in caplog.text


class TestFilling:
    def test_only_what_is_empty_is_filled_and_each_fact_keeps_its_origin(self, repository, environ, pipeline_of):
        run = pipeline_of(message="from CI", origins={"message": "DRONE_COMMIT_MESSAGE"})
        filled = filled_from_checkout(run, environ)
        assert (filled.message, filled.branch, filled.repository) == ("from CI", "feature/pay", "acme/shop")
        assert filled.origins == {
            "message": "DRONE_COMMIT_MESSAGE",
            **dict.fromkeys(("sha", "branch", "repository", "repository_url"), "checkout"),
        }

    def test_a_run_of_which_all_is_known_does_not_ask(self, tmp_path, pipeline_of):
        facts = dict.fromkeys(("sha", "message", "branch", "repository", "repository_url"), "x")
        run = pipeline_of(**facts)
        assert filled_from_checkout(run, {"PATH": str(tmp_path / "nowhere")}) is run

    def test_it_is_read_where_ci_says_that_it_is(self, checkout, tmp_path, environ, pipeline_of):
        elsewhere = checkout("[MYT-7] Elsewhere", folder=tmp_path / "elsewhere")
        assert filled_from_checkout(pipeline_of(workspace=str(elsewhere)), environ).message == "[MYT-7] Elsewhere"

    @pytest.mark.parametrize(
        "workspace", ["/nowhere/at/all", "a\0b", "x" * 5000, ""], ids=lambda path: ascii(path)[:20]
    )
    def test_it_is_read_right_here_where_there_is_no_such_folder(self, repository, environ, pipeline_of, workspace):
        assert filled_from_checkout(pipeline_of(workspace=workspace), environ).message == MESSAGE

    @pytest.mark.parametrize("fact", [{"tag": "v1"}, {"pull_request": "7"}])
    def test_on_a_tag_and_a_pull_request_the_branch_is_not_guessed(self, repository, environ, pipeline_of, fact):
        filled = filled_from_checkout(pipeline_of(**fact), environ)
        assert filled.branch is None
        assert filled.message == MESSAGE


def test_where_there_is_no_ci_the_checkout_is_the_run(repository, environ):
    run = jira_ci_read_pipeline(environ)
    assert (run.ci, run.id, run.name, run.branch) == ("git checkout", "acme/shop", "acme/shop", "feature/pay")
    assert run.origins["message"] == "checkout"
    assert not run.publishes_status


def test_where_there_is_neither_there_is_none(folder, environ):
    assert jira_ci_read_pipeline(environ) is None
