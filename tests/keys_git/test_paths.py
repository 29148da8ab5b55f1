"""Only commits that touch some paths count, in a repository of several projects."""

from __future__ import annotations

import pytest

from jira_ci_core import KeyPlace, Retraction

SINCE = {"since": "base"}


@pytest.fixture
def monorepo(repository):
    """MYT-1 in the shop, MYT-2 in the blog, MYT-3 in both."""
    repository.change("shop/a", "MYT-100 base")
    repository.git("tag", "base")
    repository.change("shop/a", "MYT-1")
    repository.change("blog/a b.txt", "MYT-2")
    (repository.folder / "blog/c").write_text("x")
    repository.git("add", "blog/c")
    repository.change("shop/b/c", "MYT-3")
    return repository


@pytest.fixture
def retracted(plugin, pipeline_of, settings_of):
    """What is taken back from core."""

    def call(repository, run=None, **options):
        found = plugin(**options).jira_ci_extract_issue_keys(
            pipeline_of(repository, **(run or {})), repository.environ, settings_of()
        )
        return [one for one in found if isinstance(one, Retraction)]

    return call


COUNT = (
    ("shop", [3, 1]),
    ("shop/", [3, 1]),
    ("./shop/**", [3, 1]),
    ("blog/*", [3, 2]),
    ("shop/b", [3]),
    ("shop/a", [1]),
    ("blog/a b.txt,shop/a", [2, 1]),
    (["shop/b", "blog/a b.txt"], [3, 2]),
    ("sho", []),
    ("SHOP", []),
    ("gone", []),
    (".", [3, 2, 1]),
    ("", [3, 2, 1]),
)


def test_commits_that_touch_one_of_them_count(monorepo, numbers):
    assert [(paths, numbers(monorepo, paths=paths, **SINCE)) for paths, _ in COUNT] == list(COUNT)


def test_a_path_that_is_not_in_the_repository_is_told(monorepo, numbers, caplog):
    assert numbers(monorepo, paths="shop/a,blog,.", **SINCE) == [3, 2, 1]
    assert numbers(monorepo, paths="shop/a", **SINCE) == [1]
    assert "KEYS_GIT_PATHS" not in caplog.text
    assert numbers(monorepo, paths="shop/a,service/api,shpo", **SINCE) == [1]
    assert f"KEYS_GIT_PATHS: there is no service/api, shpo in {monorepo.head[:12]}; correct it" in caplog.text


@pytest.mark.parametrize(
    "path", ["/shop", "../shop", "shop/../..", "C:/shop", "shop/*.py", "shop/[ab]", "s?op", "*", ":!libs", ":(top)a"]
)
def test_what_leads_elsewhere_or_is_a_pattern_is_refused(plugin, path):
    with pytest.raises(ValueError, match="leads out of the repository|is a pattern"):
        plugin(paths=path)


def test_a_merge_counts_where_it_brings_a_change_in(monorepo, numbers):
    monorepo.branch("feature/MYT-7-shop")
    monorepo.change("shop/d", "no key")
    monorepo.switch("main")
    monorepo.branch("feature/MYT-8-blog")
    monorepo.change("blog/d", "no key")
    monorepo.switch("main")
    monorepo.merge("feature/MYT-7-shop")
    monorepo.merge("feature/MYT-8-blog")
    assert numbers(monorepo, paths="shop", **SINCE) == [7, 3, 1]
    assert numbers(monorepo, paths="blog", **SINCE) == [8, 3, 2]


class TestTheLatestMessage:
    """Core finds its keys, and they count only if its commit touches a path."""

    def test_is_taken_back_where_it_touches_none(self, monorepo, retracted):
        head = monorepo.head[:7]
        [retraction] = retracted(monorepo, paths="shop/a", **SINCE)
        assert (retraction.key, retraction.place) == (None, KeyPlace.MESSAGE)
        assert retraction.source == f"commit {head} touches none of KEYS_GIT_PATHS"

    @pytest.mark.parametrize("paths", ["shop", "blog/c", ""])
    def test_counts_where_it_touches_one(self, monorepo, retracted, paths):
        assert retracted(monorepo, paths=paths, **SINCE) == []

    def test_of_a_merge_counts_where_that_brings_a_change_in(self, monorepo, retracted):
        monorepo.branch("x")
        monorepo.change("blog/d", "MYT-8")
        monorepo.switch("main")
        monorepo.change("shop/d", "MYT-9")
        monorepo.merge("x")
        assert retracted(monorepo, paths="blog") == []
        assert len(retracted(monorepo, paths="shop")) == 1

    def test_of_the_first_commit(self, monorepo, retracted):
        first = {"sha": monorepo.git("rev-parse", "base")}
        assert retracted(monorepo, first, paths="shop") == []
        assert len(retracted(monorepo, first, paths="blog")) == 1

    def test_counts_with_a_warning_where_the_clone_is_cut_at_it(self, monorepo, new_repository, retracted, caplog):
        clone = new_repository(monorepo, depth=1)
        assert retracted(clone, paths="shop/a") == []
        assert f"whether {clone.head[:12]} touches KEYS_GIT_PATHS is not known: the clone is shallow" in caplog.text
        assert len(retracted(clone, paths="shop/a", deepen="yes")) == 1

    def test_is_left_as_it_is_where_git_cannot_tell(self, monorepo, retracted, tmp_path):
        monorepo.environ["PATH"] = str(tmp_path)
        assert retracted(monorepo, paths="blog") == []


class TestReverts:
    def revert(self, repository, sha, subject='Revert "x MYT-1"'):
        return repository.commit(f"{subject}\n\nThis reverts commit {sha}.")

    def taken_back(self, retracted, repository, **options):
        return [one.key for one in retracted(repository, skip_reverted="yes", **SINCE, **options)]

    def test_what_is_reverted_is_taken_back_from_core(self, monorepo, retracted):
        sha = monorepo.commit("x MYT-1", "MYT-9")
        sha = monorepo.git("rev-parse", "HEAD~1")
        assert self.taken_back(retracted, monorepo) == []
        head = self.revert(monorepo, sha)
        # MYT-1 is in a commit that counts, too.
        assert self.taken_back(retracted, monorepo) == []
        monorepo.git("tag", "-f", "base", "HEAD~3")
        [retraction] = retracted(monorepo, skip_reverted="yes", **SINCE)
        assert (retraction.key, retraction.place) == ("MYT-1", None)
        assert retraction.source == f"commit {head[:7]} reverts {sha[:7]}"

    def test_wherever_keys_are_searched_for(self, monorepo, retracted):
        monorepo.git("tag", "-f", "base")
        self.revert(monorepo, monorepo.commit("x MYT-1"))
        assert self.taken_back(retracted, monorepo, sources="trailers") == ["MYT-1"]

    @pytest.mark.parametrize("subject", ['Reapply "x MYT-1"', 'Revert "Revert "x MYT-1""'])
    def test_not_where_the_revert_is_reverted(self, monorepo, retracted, subject):
        monorepo.git("tag", "-f", "base")
        revert = self.revert(monorepo, monorepo.commit("x MYT-1"))
        self.revert(monorepo, revert, subject)
        assert self.taken_back(retracted, monorepo) == []
        monorepo.git("tag", "-f", "base", "HEAD~1")
        assert self.taken_back(retracted, monorepo) == []

    def test_where_nothing_says_at_which_commit_the_change_begins(self, monorepo, retracted, numbers):
        self.revert(monorepo, monorepo.commit("x MYT-1"))
        assert [one.key for one in retracted(monorepo, skip_reverted="yes")] == ["MYT-1"]
        assert numbers(monorepo, skip_reverted="yes") == []
        assert numbers(monorepo) == [1]

    def test_not_unless_that_is_asked_for(self, monorepo, retracted):
        monorepo.git("tag", "-f", "base")
        self.revert(monorepo, monorepo.commit("x MYT-1"))
        assert retracted(monorepo, **SINCE) == []
