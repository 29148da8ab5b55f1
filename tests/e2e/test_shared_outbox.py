"""An outbox that others may write to: what they put there is no order."""

from __future__ import annotations

import json
import os
import sys

import pytest

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture
def kept(harness_oauth, jira, tmp_path):
    """An outbox with one report, kept by a step that could not reach Jira."""
    folder = tmp_path / "outbox"
    jira.fault("answer", status=403)
    done = harness_oauth(outbox=folder, on_failure="keep")
    assert done.code == 0, done.text
    [file] = folder.iterdir()
    return file


def test_no_credential_is_in_it(kept, jira):
    for secret in (jira.client_secret, jira.client_id, jira.connect_key):
        assert secret not in kept.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes")
def test_what_is_no_report_is_named_and_left_alone(harness_oauth, jira, kept, tmp_path, clean):
    (tmp_path / "elsewhere.json").write_text(kept.read_text())
    planted = {
        "1-damaged.json": lambda path: path.write_text('{"format": 1, "report": '),
        "1-nonsense.json": lambda path: path.write_text('{"format": 1, "kept_at": 0, "report": {"site": 7}}'),
        "1-link.json": lambda path: path.symlink_to(tmp_path / "elsewhere.json"),
        "1-pipe.json": os.mkfifo,
    }
    for name, make in planted.items():
        make(kept.parent / name)
    done = clean(harness_oauth.run("outbox", "flush", outbox=kept.parent))
    assert done.code == 1, done.text
    for name in planted:
        assert name in done.err
        assert os.path.lexists(kept.parent / name)
    assert (tmp_path / "elsewhere.json").exists()
    assert len(jira.builds()) == 1


def test_a_report_for_another_site_is_not_delivered(harness_oauth, jira, listen, kept, clean):
    elsewhere = listen()
    content = json.loads(kept.read_text())
    content["report"]["site"] = {"url": elsewhere.url, "cloud_id": None}
    kept.write_text(json.dumps(content))
    clean(harness_oauth.run("outbox", "flush", outbox=kept.parent))
    assert elsewhere.received == []
    assert jira.builds() == []
    assert kept.exists()
