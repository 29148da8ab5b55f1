import pytest

from changelog_keys import ChangelogKeys
from jira_ci_core.testing import ExtractorContract, JiraCi


class TestContract(ExtractorContract):
    plugin = ChangelogKeys

    @pytest.fixture(autouse=True)
    def _fragments(self, tmp_path):
        (tmp_path / "changes.d").mkdir()
        (tmp_path / "changes.d" / "MYT-2.md").write_text("Faster.\n")
        (tmp_path / "changes.d" / "picture.png").write_bytes(b"\x89PNG\xff MYT-3")


def report(jira_ci: JiraCi, **settings: str):
    done = jira_ci.report(**settings)
    assert done.code == 0, done.text
    [build] = done.builds
    return build["issueKeys"]


def test_keys_are_found_in_names_and_texts(jira_ci):
    folder = jira_ci.folder / "changes.d"
    folder.mkdir()
    (folder / "MYT-2.md").write_text("Faster, see myt-3 and OTHER-4.\n")
    assert report(jira_ci) == ["MYT-1", "MYT-2", "MYT-3"]


def test_the_folder_may_be_another_one(jira_ci):
    (jira_ci.folder / "news").mkdir()
    (jira_ci.folder / "news" / "MYT-5.md").write_text("Nicer.\n")
    assert report(jira_ci, CHANGELOG_FOLDER="news") == ["MYT-1", "MYT-5"]


def test_without_fragments_nothing_is_found(jira_ci):
    assert report(jira_ci) == ["MYT-1"]


@pytest.mark.parametrize("folder", ["/etc", "../elsewhere"])
def test_a_folder_outside_the_repository_is_refused(jira_ci, folder):
    done = jira_ci.report(CHANGELOG_FOLDER=folder)
    assert done.code == 2
    assert "it is outside the repository" in done.err
