"""Shallow clones: what is reported, and what is fetched."""

from __future__ import annotations

import http.server
import threading

import pytest

PR = {"pull_request": "7", "target_branch": "main"}


@pytest.fixture
def origin(repository):
    """MYT-1 to 5 on main, then a branch with 11 to 16, while main goes on with 6 to 9."""
    repository.commit(*(f"MYT-{number}" for number in range(1, 6)))
    repository.branch("feature")
    repository.commit(*(f"MYT-{number}" for number in range(11, 17)))
    repository.switch("main")
    repository.commit(*(f"MYT-{number}" for number in range(6, 10)))
    return repository


def is_shallow(repository):
    return repository.git("rev-parse", "--is-shallow-repository") == "true"


class TestWhatIsSaid:
    def test_how_many_commits_could_be_seen(self, origin, new_repository, numbers, caplog):
        clone = new_repository(origin, depth=2)
        assert numbers(clone, {"commit_before": origin.git("rev-parse", "main~3")}) == [9, 8]
        assert "history is cut, and 2 commits of this change could be seen; check out with more" in caplog.text
        assert "the clone is shallow, or a force-push has replaced that commit" in caplog.text

    def test_nothing_where_all_of_the_change_is_here(self, origin, new_repository, numbers, caplog):
        clone = new_repository(origin, depth=4)
        assert numbers(clone, {"commit_before": origin.git("rev-parse", "main~3")}) == [9, 8, 7]
        assert caplog.text == ""

    def test_nothing_where_the_change_is_one_commit_as_far_as_is_known(self, origin, new_repository, numbers, caplog):
        clone = new_repository(origin, depth=1)
        assert numbers(clone) == [9]
        assert caplog.text == ""

    def test_that_the_commits_of_a_pull_request_are_cut(self, origin, new_repository, numbers, caplog):
        clone = new_repository(origin, 3, "feature", "--no-single-branch")
        assert numbers(clone, PR) == [16, 15, 14]
        assert "history is cut, and 3 commits" in caplog.text

    def test_that_it_fails_where_that_was_asked_for(self, origin, new_repository, numbers):
        from jira_ci_core import PluginError

        clone = new_repository(origin, 3, "feature", "--no-single-branch")
        with pytest.raises(PluginError, match="older commits may be missing"):
            numbers(clone, PR, strict="yes")


class TestDeepening:
    @pytest.fixture(autouse=True)
    def small_steps(self, monkeypatch):
        monkeypatch.setattr("jira_ci_keys_git.history.DEEPEN_STEPS", (1, 2, 4))

    def test_a_push_is_fetched_back_to_the_commit_before(self, origin, new_repository, numbers, caplog):
        clone = new_repository(origin, depth=1)
        assert numbers(clone, {"commit_before": origin.git("rev-parse", "main~3")}, deepen="yes") == [9, 8, 7]
        assert caplog.text == ""
        # No more than needed was fetched.
        assert is_shallow(clone)

    def test_a_pull_request_is_fetched_back_to_the_merge_base(self, origin, new_repository, numbers, caplog):
        clone = new_repository(origin, 1, "feature")
        assert numbers(clone, PR, deepen="yes") == [16, 15, 14, 13, 12, 11]
        assert caplog.text == ""
        assert clone.git("for-each-ref", "--format=%(refname)", "refs/remotes/origin/main", "refs/jira-ci") == ""

    def test_the_target_branch_is_fetched_where_history_is_whole(self, origin, new_repository, numbers, caplog):
        clone = new_repository(origin, 0, "feature", "--single-branch")
        assert numbers(clone, PR, deepen="yes") == [16, 15, 14, 13, 12, 11]
        assert caplog.text == ""
        assert not is_shallow(clone)

    def test_the_commit_of_the_change_itself_is_fetched(self, origin, new_repository, numbers):
        clone = new_repository(origin, depth=1)
        sha = origin.git("rev-parse", "feature")
        assert numbers(clone, {"sha": sha, **PR}, deepen="yes") == [16, 15, 14, 13, 12, 11]

    def test_a_tag_that_since_names_is_fetched(self, origin, new_repository, numbers, caplog):
        origin.git("tag", "-a", "v1", "-m", "one", "main~2")
        clone = new_repository(origin, 1, "main", "--no-tags")
        assert numbers(clone, since="v1", deepen="yes") == [9, 8]
        assert caplog.text == ""

    def test_it_ends_somewhere_and_says_what_it_saw(self, origin, new_repository, numbers, monkeypatch, caplog):
        monkeypatch.setattr("jira_ci_keys_git.history.DEEPEN_STEPS", (1, 1))
        clone = new_repository(origin, 1, "feature")
        assert numbers(clone, PR, deepen="yes") == [16, 15, 14]
        assert "history is cut, and 3 commits" in caplog.text

    def test_a_commit_that_the_remote_has_lost_as_well_is_told(self, origin, new_repository, numbers, caplog):
        clone = new_repository(origin, depth=1)
        assert numbers(clone, {"commit_before": "5" * 40}, deepen="yes") == [9]
        assert "a force-push has replaced that commit" in caplog.text

    def test_without_a_remote_there_is_nothing_to_fetch(self, origin, new_repository, numbers, caplog):
        clone = new_repository(origin, 1, "feature")
        clone.git("remote", "remove", "origin")
        assert numbers(clone, PR, deepen="yes") == [16]
        assert "the target branch main is not known here" in caplog.text

    def test_another_remote_will_do(self, origin, new_repository, numbers):
        clone = new_repository(origin, 1, "feature")
        clone.git("remote", "rename", "origin", "upstream")
        assert numbers(clone, PR, deepen="yes") == [16, 15, 14, 13, 12, 11]

    def test_nothing_is_fetched_unless_that_was_asked_for(self, origin, new_repository, numbers):
        clone = new_repository(origin, 1, "feature")
        assert numbers(clone, PR) == [16]
        assert clone.git("rev-list", "--count", "--all") == "1"


class Locked(http.server.BaseHTTPRequestHandler):
    """A server that requires a password."""

    def do_GET(self):
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def locked():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Locked) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/x"
        server.shutdown()
        thread.join()


def test_a_remote_that_wants_a_password_causes_no_prompt_and_runs_no_helper(
    origin, new_repository, numbers, locked, caplog, tmp_path
):
    clone = new_repository(origin, 1, "feature")
    clone.git("config", "remote.origin.url", locked)
    for name in ("credential.helper", f"credential.{locked}.helper", "credential.http://127.0.0.1.helper"):
        clone.git("config", name, f"!touch {tmp_path / 'sprung'}; cat; echo password=x;")
    clone.git("config", "core.askPass", f"touch {tmp_path / 'sprung'};")
    assert numbers(clone, PR, deepen="yes") == [16]
    assert "more history could not be fetched (KEYS_GIT_DEEPEN): git failed: " in caplog.text
    assert "Authentication failed" in caplog.text
    assert not (tmp_path / "sprung").exists()
