"""Where keys are searched for, and which are left out."""

from __future__ import annotations

import pytest

MESSAGE = """MYT-1 subject

MYT-2 body

Refs: MYT-3
fixes: MYT-4
Co-authored-by: MYT-5 <a@x>
"""
SINCE = {"since": "base"}


@pytest.fixture
def based(repository):
    repository.commit("MYT-100 base")
    repository.git("tag", "base")
    return repository


class TestSources:
    def test_each_key_says_in_a_few_words_where_it_is_from(self, based, find):
        sha = based.commit(MESSAGE)[:7]
        assert find(based, **SINCE) == {
            "MYT-1": f"commit {sha} subject",
            "MYT-2": f"commit {sha} body",
            "MYT-3": f"commit {sha} trailer Refs",
            "MYT-4": f"commit {sha} trailer fixes",
            "MYT-5": f"commit {sha} trailer Co-authored-by",
        }

    @pytest.mark.parametrize(
        ("sources", "expected"),
        [
            ("subjects", [1]),
            ("bodies", [2]),
            ("trailers", [3, 4, 5]),
            ("Subjects, BODIES", [1, 2]),
            ("branches", []),
            ("tags", []),
        ],
    )
    def test_they_can_be_chosen(self, based, numbers, sources, expected):
        based.commit(MESSAGE)
        assert sorted(numbers(based, sources=sources, **SINCE)) == expected

    def test_trailers_can_be_chosen_in_any_case(self, based, numbers):
        based.commit(MESSAGE)
        assert sorted(numbers(based, trailers="REFS,Fixes", **SINCE)) == [1, 2, 3, 4]

    def test_the_branch_that_a_merge_brings_in_counts(self, based, find):
        based.branch("feature/MYT-7-pay")
        based.commit("no key")
        based.switch("main")
        sha = based.merge("feature/MYT-7-pay")[:7]
        assert find(based, **SINCE) == {"MYT-7": f"commit {sha} merged branch feature/MYT-7-pay"}
        assert find(based, sources="bodies", **SINCE) == {}

    def test_the_messages_of_annotated_tags_on_these_commits_count_where_that_is_wanted(self, based, find, numbers):
        based.git("tag", "-a", "old", "-m", "MYT-50", "base")
        based.commit("no key", "none either")
        based.git("tag", "-a", "v2", "-m", "Second\n\nMYT-8\nMYT-9")
        based.git("tag", "MYT-51")
        based.branch("elsewhere")
        based.commit("x")
        based.git("tag", "-a", "v3", "-m", "MYT-52")
        based.switch("main")
        assert find(based, sources="tags,subjects", **SINCE) == {"MYT-8": "tag v2", "MYT-9": "tag v2"}
        assert numbers(based, **SINCE) == []

    def test_a_place_that_is_none_is_refused_with_those_that_are(self, based, plugin):
        with pytest.raises(ValueError, match="is not a place in a commit"):
            plugin(sources="subject")

    def test_the_newest_commit_with_a_key_is_named(self, based, find):
        based.commit("MYT-1")
        sha = based.commit("MYT-1 again")[:7]
        assert find(based, **SINCE) == {"MYT-1": f"commit {sha} subject"}

    def test_only_projects_that_are_looked_for_count_and_old_names_of_theirs(self, based, find):
        based.commit("MYT-1 OTHER-2 old-3")
        settings = {"key_aliases": "OLD=MYT"}
        assert list(find(based, settings=settings, **SINCE)) == ["MYT-1", "OLD-3"]

    def test_a_name_without_end_is_cut_where_core_shows_none_of_it(self, based, find):
        based.commit("Merge branch 'MYT-1-" + "x" * 30_000 + "'")
        assert 10_000 < len(find(based, **SINCE)["MYT-1"]) < 10_100


def revert(repository, sha, subject):
    return repository.commit(f'Revert "{subject}"\n\nThis reverts commit {sha}.')


class TestReverts:
    def test_they_count_like_any_other_commit(self, based, numbers):
        revert(based, based.commit("MYT-1"), "MYT-1")
        assert numbers(based, **SINCE) == [1]

    def test_what_is_taken_back_within_the_change_can_be_left_out(self, based, numbers):
        sha = based.commit("MYT-1")
        based.commit("MYT-2")
        revert(based, sha, "MYT-1")
        based.commit("MYT-3")
        assert numbers(based, skip_reverted="yes", **SINCE) == [3, 2]

    def test_a_key_that_another_commit_has_as_well_stays(self, based, numbers):
        sha = based.commit("MYT-2", "MYT-1 MYT-2")
        revert(based, sha, "MYT-1 MYT-2")
        assert numbers(based, skip_reverted="yes", **SINCE) == [2]

    def test_what_takes_back_an_earlier_change_counts_unless_it_is_the_last_commit(self, based, numbers):
        sha = revert(based, based.head, "MYT-100 base")
        assert numbers(based, skip_reverted="yes", **SINCE) == []
        assert numbers(based, {"commit_before": based.git("rev-parse", "base")}, skip_reverted="yes") == []
        based.commit("no key")
        assert numbers(based, skip_reverted="yes", **SINCE) == [100]
        based.commit(f'Reapply "MYT-101 old"\n\nThis reverts commit {sha}.')
        assert numbers(based, skip_reverted="yes", since="HEAD~1") == [101]

    @pytest.mark.parametrize(
        ("messages", "expected"),
        [
            (['Revert "MYT-2 pay" (#12)\n\nReverts acme/shop#11'], []),
            (["MYT-2 pay (#11)", "MYT-3", 'Revert "MYT-2 pay (#11)" (#12)\n\nReverts acme/shop#11', "x"], [3]),
            (["MYT-2 pay (#11)", "MYT-3 (#9)", 'Revert "MYT-2 pay" (#12)\n\nReverts #11'], [3]),
            (["MYT-2 pay (#110)", 'Revert "MYT-3 pay" (#12)\n\nReverts acme/shop#11'], [2]),
            (['Revert "Revert "MYT-2 pay"" (#13)\n\nReverts acme/shop#12'], [2]),
            (['Revert "Reapply "MYT-2 pay"" (#14)\n\nReverts acme/shop#13'], []),
            (["MYT-2 is the one\n\nReverts acme/shop#11"], [2]),
        ],
    )
    def test_a_revert_by_githubs_button_names_the_pull_request(self, based, numbers, messages, expected):
        based.commit(*messages)
        assert numbers(based, skip_reverted="yes", **SINCE) == expected

    def test_a_revert_of_a_revert_brings_it_back(self, based, numbers):
        first = based.commit("MYT-1")
        second = revert(based, first, "MYT-1")
        revert(based, second, 'Revert "MYT-1"')
        assert numbers(based, skip_reverted="yes", **SINCE) == [1]

    def test_a_shortened_id_will_do(self, based, numbers):
        revert(based, based.commit("MYT-1")[:9], "MYT-1")
        assert numbers(based, skip_reverted="yes", **SINCE) == []


def test_no_more_than_a_thousand_keys_are_kept_and_that_is_told(repository, numbers, caplog):
    repository.plant([b"root", *(b"MYT-%d" % number for number in range(1, 1500))])
    root = repository.git("rev-list", "--max-parents=0", "main")
    assert numbers(repository, since=root) == list(range(1499, 499, -1))
    assert "there are 1000 issue keys and more in this change; the older ones are left out" in caplog.text


def test_of_a_message_without_end_the_beginning_is_read(repository, numbers):
    repository.plant([b"MYT-1\n\n" + b"x" * 3_000_000 + b" MYT-2", b"MYT-3"])
    repository.git("tag", "first", "main~1")
    assert numbers(repository, since="main") == [3]
    assert numbers(repository, {"sha": "main~1"}) == [1]
