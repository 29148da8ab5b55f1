"""Facts from the checkout, for what a CI leaves out."""

from __future__ import annotations

import logging
import os
import shutil

import pytest

from jira_ci_core.ci.git_checkout import jira_ci_read_pipeline
from jira_ci_core.git.checkout import filled_from_checkout, read_checkout, work_tree

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
        facts = dict.fromkeys(("sha", "message", "branch", "repository", "repository_url"), "x" * 40)
        run = pipeline_of(**facts)
        assert filled_from_checkout(run, {"PATH": str(tmp_path / "nowhere")}) is run

    def test_it_is_read_where_ci_says_that_it_is(self, checkout, tmp_path, environ, pipeline_of):
        elsewhere = checkout("[MYT-7] Elsewhere", folder=tmp_path / "elsewhere")
        assert filled_from_checkout(pipeline_of(workspace=str(elsewhere)), environ).message == "[MYT-7] Elsewhere"

    @pytest.mark.parametrize(
        "workspace", ["/nowhere/at/all", "a\0b", "x" * 5000, "", "loop"], ids=lambda path: ascii(path)[:20]
    )
    def test_it_is_read_right_here_where_there_is_no_such_folder(self, repository, environ, pipeline_of, workspace):
        (repository / "loop").symlink_to("loop")
        assert filled_from_checkout(pipeline_of(workspace=workspace), environ).message == MESSAGE

    def test_a_fact_that_may_be_partial_is_read_where_the_commit_is(self, repository, environ, pipeline_of, git):
        cut = {"message": "[MYT-1] Let", "partial": ("message",)}
        filled = filled_from_checkout(pipeline_of(sha=git("rev-parse", "HEAD"), **cut), environ)
        assert (filled.message, filled.origins["message"], filled.partial) == (MESSAGE, "checkout", ())
        elsewhere = filled_from_checkout(pipeline_of(sha="0" * 40, **cut), environ)
        assert (elsewhere.message, elsewhere.partial) == ("[MYT-1] Let", ("message",))

    def test_a_shortened_commit_is_read_in_full(self, repository, environ, pipeline_of, git):
        sha = git("rev-parse", "HEAD")
        facts = dict.fromkeys(("message", "branch", "repository", "repository_url"), "x")
        assert filled_from_checkout(pipeline_of(sha=sha[:9], **facts), environ).sha == sha

    OF_RUN = {"message": "no", "branch": "main", "tag": "v1", "version": "v1", "commit_before": "0bd1e6b"}

    def test_a_partial_commit_is_that_of_the_run_unless_another_is_checked_out(
        self, repository, environ, pipeline_of, git
    ):
        git("checkout", "-q", "--detach")
        sha = git("rev-parse", "HEAD")
        same = filled_from_checkout(pipeline_of(sha=sha, partial=("sha",), branch="main"), environ)
        assert (same.sha, same.branch, same.message) == (sha, "main", MESSAGE)
        other = filled_from_checkout(pipeline_of(sha="5" * 40, partial=("sha",), **self.OF_RUN), environ)
        assert (other.sha, other.message) == (sha, MESSAGE)
        assert {getattr(other, name) for name in ("branch", "tag", "version", "commit_before")} == {None}

    def test_the_branch_of_another_commit_is_the_one_that_is_checked_out(self, repository, environ, pipeline_of):
        other = filled_from_checkout(pipeline_of(sha="5" * 40, partial=("sha",), **self.OF_RUN), environ)
        assert other.branch == "feature/pay"

    def test_a_commit_that_the_run_is_not_about_is_not_read_and_any_other_is(
        self, repository, environ, pipeline_of, git
    ):
        facts = {"pull_request": "7", "pull_request_title": "MYT-4", "unrelated_commit": git("rev-parse", "HEAD")}
        filled = filled_from_checkout(pipeline_of(**facts), environ)
        assert (filled.sha, filled.message, filled.branch) == (None, None, None)
        assert filled.repository == "acme/shop"
        git("commit", "-q", "--allow-empty", "-m", "[MYT-5] Of the pull request")
        assert filled_from_checkout(pipeline_of(**facts), environ).message == "[MYT-5] Of the pull request"

    @pytest.mark.parametrize("fact", [{"tag": "v1"}, {"pull_request": "7"}])
    def test_on_a_tag_and_a_pull_request_the_branch_is_not_guessed(self, repository, environ, pipeline_of, fact):
        filled = filled_from_checkout(pipeline_of(**fact), environ)
        assert filled.branch is None
        assert filled.message == MESSAGE


class TestWhereTheCheckoutIs:
    def shas(self, *folders):
        return [read_checkout(folder, {"PATH": os.environ["PATH"]})["sha"] for folder in folders]

    def test_the_repository_in_the_working_directory_comes_before_the_workspace(
        self, repository, checkout, tmp_path, environ, pipeline_of
    ):
        run = pipeline_of(workspace=str(checkout("[MYT-7] Of the workspace", folder=tmp_path / "workspace")))
        assert filled_from_checkout(run, environ).message == MESSAGE
        assert work_tree(run, environ) == repository

    def test_one_that_does_not_hold_the_commit_is_passed_over(
        self, repository, checkout, tmp_path, environ, pipeline_of
    ):
        workspace = checkout("[MYT-7] Of the workspace", folder=tmp_path / "workspace")
        run = pipeline_of(workspace=str(workspace), sha=self.shas(workspace)[0])
        assert filled_from_checkout(run, environ).message == "[MYT-7] Of the workspace"
        assert work_tree(run, environ) == workspace

    def test_one_around_it_is_asked_too(self, folder, repository, checkout, environ, pipeline_of):
        inner = checkout("[MYT-7] A submodule", folder=folder / "module")
        outer, sub = self.shas(repository, inner)
        os.chdir(inner)
        assert work_tree(pipeline_of(sha=outer), environ) == repository
        assert work_tree(pipeline_of(sha=sub), environ) == work_tree(pipeline_of(), environ) == inner

    def test_it_may_be_in_a_folder_of_a_workspace_that_is_none(self, folder, checkout, environ, pipeline_of):
        _, tools = (checkout(f"[MYT-7] {name}", folder=folder / name) for name in ("shop", "tools"))
        run = pipeline_of(workspace=str(folder), sha=self.shas(tools)[0])
        assert filled_from_checkout(run, environ).message == "[MYT-7] tools"
        assert work_tree(run, environ) == tools
        assert filled_from_checkout(pipeline_of(workspace=str(folder)), environ).message is None
        of_run = pipeline_of(workspace=str(folder), sha=run.sha, partial=("sha",))
        assert filled_from_checkout(of_run, environ).message == "[MYT-7] tools"
        shutil.rmtree(tools)
        assert filled_from_checkout(pipeline_of(workspace=str(folder)), environ).message == "[MYT-7] shop"

    @pytest.mark.parametrize("place", ["src/app", "src/github.com/acme"])
    def test_it_may_be_up_to_three_folders_down_if_it_holds_the_commit(
        self, folder, checkout, environ, pipeline_of, place
    ):
        for where in (place, "node_modules/app", "one/two/three/four"):
            (folder / where).mkdir(parents=True)
            checkout(f"[MYT-7] {where}", folder=folder / where)
        [sha] = self.shas(folder / place)
        assert work_tree(pipeline_of(workspace=str(folder), sha=sha), environ) == folder / place
        assert filled_from_checkout(pipeline_of(workspace=str(folder)), environ).message is None
        for where in ("node_modules/app", "one/two/three/four"):
            [sha] = self.shas(folder / where)
            assert filled_from_checkout(pipeline_of(workspace=str(folder), sha=sha), environ).message is None

    def test_where_none_holds_the_commit_the_nearest_is_meant(self, repository, environ, pipeline_of):
        assert work_tree(pipeline_of(sha="5" * 40, workspace="/"), environ) == repository


def test_the_address_is_that_of_the_first_remote_if_none_is_called_origin(checkout, folder, environ, git):
    checkout("x", folder=folder)
    for name, url in [
        ("cache", "/srv/cache"),
        ("up.stream", "git@git.example:acme/shop.git"),
        ("z", "https://z.z/a/b"),
    ]:
        git("remote", "add", name, url)
    assert read_checkout(folder, environ)["repository"] == "acme/shop"
    git("remote", "add", "origin", "https://git.example/acme/mine")
    assert read_checkout(folder, environ)["repository"] == "acme/mine"


def test_where_there_is_no_ci_the_checkout_is_the_run(repository, environ):
    run = jira_ci_read_pipeline(environ)
    assert (run.ci, run.id, run.name, run.branch) == ("git checkout", None, "acme/shop", "feature/pay")
    assert run.origins["message"] == "checkout"
    assert not run.publishes_status


def test_where_there_is_neither_there_is_none(folder, environ):
    assert jira_ci_read_pipeline(environ) is None
