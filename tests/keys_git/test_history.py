"""Which commits belong to a change."""

from __future__ import annotations

import pytest

ZEROS = "0" * 40


@pytest.fixture
def pull_request(repository):
    """MYT-1 and 2 on main, then a branch with 3 and 4, while main goes on with 5."""
    repository.commit("MYT-1", "MYT-2")
    repository.branch("feature")
    repository.commit("MYT-3", "MYT-4")
    repository.switch("main")
    repository.commit("MYT-5")
    repository.switch("feature")
    return repository


def test_a_commit_that_the_run_is_not_about_is_not_read_and_any_other_is(pull_request, numbers):
    comment = {"unrelated_commit": pull_request.head}
    assert numbers(pull_request, comment) == []
    pull_request.commit("MYT-6")
    assert numbers(pull_request, comment) == [6]


class TestPullRequest:
    RUN = {"pull_request": "7", "target_branch": "main"}

    def test_it_is_what_came_since_the_merge_base(self, pull_request, numbers):
        assert numbers(pull_request, self.RUN) == [4, 3]

    def test_main_that_was_merged_into_it_does_not_count(self, pull_request, numbers):
        pull_request.merge("main")
        pull_request.commit("MYT-6")
        assert numbers(pull_request, self.RUN) == [6, 4, 3]

    def test_a_branch_that_was_merged_into_it_counts(self, pull_request, numbers):
        pull_request.branch("other", "HEAD~1")
        pull_request.commit("MYT-8")
        pull_request.switch("feature")
        pull_request.merge("other")
        assert sorted(numbers(pull_request, self.RUN)) == [3, 4, 8]

    def test_the_branch_of_the_remote_is_meant_where_there_is_one(self, pull_request, new_repository, numbers):
        clone = new_repository(pull_request, branch="feature")
        clone.git("branch", "main", "HEAD~1")
        assert numbers(clone, self.RUN) == [4, 3]

    def test_the_commit_that_ci_names_is_the_latest_of_it(self, pull_request, numbers):
        assert numbers(pull_request, self.RUN | {"sha": pull_request.git("rev-parse", "HEAD~1")}) == [3]

    def test_github_checks_out_a_merge_and_means_its_second_parent(self, pull_request, numbers):
        source = pull_request.head
        pull_request.git("checkout", "-q", "--detach", "main")
        pull_request.merge("feature", "Merge 1 into 2")
        assert numbers(pull_request, self.RUN | {"sha": source}) == [4, 3]

    def test_without_the_target_branch_it_is_what_came_since_the_commit_before(self, pull_request, numbers, caplog):
        before = pull_request.git("rev-parse", "HEAD~1")
        assert numbers(pull_request, {"target_branch": "gone", "commit_before": before}) == [4]
        assert "the target branch gone is not known here: the checkout holds no branch of that name" in caplog.text
        assert "fetch-depth: 0" in caplog.text

    def test_one_that_is_merged_already_has_nothing_new(self, pull_request, numbers, caplog):
        pull_request.switch("main")
        pull_request.merge("feature")
        pull_request.switch("feature")
        assert (numbers(pull_request, self.RUN), caplog.text) == ([], "")


class TestPush:
    def test_it_is_what_came_since_the_commit_before(self, repository, numbers, caplog):
        before = repository.commit("MYT-1", "MYT-2")
        repository.commit("MYT-3", "MYT-4")
        assert numbers(repository, {"commit_before": before}) == [4, 3]
        assert numbers(repository, {"commit_before": before[:9]}) == [4, 3]
        assert caplog.text == ""

    def test_a_merge_counts_with_what_it_brings_in(self, pull_request, numbers):
        pull_request.switch("main")
        before = pull_request.head
        pull_request.merge("feature")
        assert numbers(pull_request, {"commit_before": before}) == [4, 3]

    @pytest.mark.parametrize("before", [None, ZEROS, "null", "HEAD"])
    def test_where_none_is_known_it_is_the_one_commit(self, repository, numbers, before, caplog):
        repository.commit("MYT-1", "MYT-2", "MYT-3")
        assert numbers(repository, {"commit_before": repository.head if before == "HEAD" else before}) == [3]
        assert caplog.text == ""

    def test_where_none_is_known_a_merge_still_counts_with_what_it_brings_in(self, pull_request, numbers):
        pull_request.switch("main")
        pull_request.merge("feature")
        assert numbers(pull_request) == [4, 3]

    def test_the_first_commit_of_all_is_a_change_as_well(self, repository, numbers):
        repository.commit("MYT-1")
        assert numbers(repository) == [1]

    def test_a_force_push_that_lost_the_commit_before_is_told(self, repository, numbers, caplog):
        repository.commit("MYT-1", "MYT-2")
        assert numbers(repository, {"commit_before": "5" * 40}) == [2]
        assert (
            "the commit before this change, 555555555555, is not known here: "
            "the clone is shallow, or a force-push has replaced that commit" in caplog.text
        )

    def test_a_force_push_whose_old_commit_is_still_here_counts_what_is_new(self, pull_request, numbers):
        before = pull_request.head
        pull_request.git("reset", "-q", "--hard", "main")
        pull_request.commit("MYT-8")
        assert numbers(pull_request, {"commit_before": before}) == [8, 5]


class TestSince:
    def test_it_wins_over_what_ci_says(self, pull_request, numbers):
        run = {"target_branch": "main", "commit_before": pull_request.git("rev-parse", "HEAD~1")}
        assert numbers(pull_request, run, since="HEAD~3") == [4, 3, 2]

    def test_a_tag_will_do(self, repository, numbers):
        repository.commit("MYT-1")
        repository.git("tag", "-a", "v1", "-m", "one")
        repository.commit("MYT-2", "MYT-3")
        assert numbers(repository, since="v1") == [3, 2]

    def test_one_that_is_not_there_is_told_and_the_rest_applies(self, pull_request, numbers, caplog):
        assert numbers(pull_request, {"target_branch": "main"}, since="v9") == [4, 3]
        assert "KEYS_GIT_SINCE=v9 is not known here: no commit in the checkout has that name" in caplog.text

    @pytest.mark.parametrize("since", ["--output=stolen", "-1", "HEAD..main", "a\0b"])
    def test_what_can_be_no_commit_is_refused(self, repository, plugin, since):
        with pytest.raises(ValueError, match="it is not a commit"):
            plugin(since=since)

    def test_zeros_are_not_known(self, pull_request, numbers, caplog):
        assert numbers(pull_request, {"target_branch": "main"}, since=ZEROS) == [4, 3]
        assert caplog.text == ""


def test_a_commit_that_is_not_in_the_checkout_is_told_and_nothing_is_guessed(repository, numbers, caplog):
    repository.commit("MYT-1")
    assert numbers(repository, {"sha": "5" * 40}) == []
    why = f"{'5' * 40} is not in the checkout in {repository.folder}"
    assert f"the commits of this change cannot be read: {why}; check out with" in caplog.text


def test_a_repository_without_a_commit_is_told(repository, numbers, caplog):
    assert numbers(repository) == []
    assert "HEAD is not in the checkout" in caplog.text


def test_where_a_warning_is_not_enough_it_is_an_error_of_three_parts(repository, numbers):
    from jira_ci_core import PluginError

    repository.commit("MYT-1")
    with pytest.raises(PluginError) as error:
        numbers(repository, {"commit_before": "5" * 40}, strict="yes")
    [problem] = error.value.problems
    assert "is not known here" in problem.what
    assert "force-push" in problem.why
    assert "KEYS_GIT_SINCE" in problem.remedy
