import os

import pytest

from jira_ci_core import Report
from jira_ci_core.testing import DeliveryContract
from queue_directory import QueueDirectory


class TestContract(DeliveryContract):
    plugin = QueueDirectory
    settings = {"QUEUE_DIRECTORY": "queue"}


@pytest.fixture
def queued(jira_ci):
    """Runs a report without credentials, and returns the reports in the folder."""

    def report(**settings):
        done = jira_ci.report(CLIENT_ID=None, CLIENT_SECRET=None, QUEUE_DIRECTORY="queue", **settings)
        assert done.code == 0, done.text
        assert done.builds == []
        return [Report.model_validate_json(file.read_bytes()) for file in sorted((jira_ci.folder / "queue").iterdir())]

    return report


def test_a_report_is_a_file_that_can_be_read_back(queued):
    [report] = queued()
    assert report.title == "build 42 of checkout"


def test_reports_are_found_in_their_order(queued):
    queued(ENVIRONMENT_NAME="prod", STATE="in_progress")
    reports = queued(ENVIRONMENT_NAME="prod", STATE="successful")
    assert [report.entity.state for report in reports] == ["in_progress", "successful"]


def test_a_folder_that_cannot_be_written_fails_the_step_with_a_remedy(jira_ci):
    (jira_ci.folder / "queue").write_text("a file, not a folder")
    done = jira_ci.report(QUEUE_DIRECTORY="queue")
    assert done.code == 1
    assert "check QUEUE_DIRECTORY" in done.err
    assert [path.name for path in jira_ci.folder.iterdir()] == ["queue"]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, jira_ci_plugins, monkeypatch):
    from queue_directory import write_atomically

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "report.json", b"{}")
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_reports_go_to_jira_as_usual(jira_ci):
    assert len(jira_ci.report().builds) == 1
