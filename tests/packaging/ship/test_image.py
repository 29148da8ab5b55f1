"""The container image, without a daemon: its Dockerfile is checked and replayed, and its step reports."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from pathlib import Path

import pytest

from ..conftest import ROOT, run

pytestmark = pytest.mark.packaging

DIGEST = "sha256:" + "0" * 64
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
# "Testing" in the README of plugins/jira.
RUN = {
    "DRONE_COMMIT_SHA": "8f51ad7884c5eb69c11d260a31da7a745e6b78e2",
    "DRONE_COMMIT_BRANCH": "master",
    "DRONE_COMMIT_MESSAGE": "MYT-42 updated the readme",
    "DRONE_BUILD_NUMBER": "43",
    "DRONE_BUILD_STATUS": "success",
    "DRONE_BUILD_LINK": "https://cloud.drone.io",
    "PLUGIN_PROJECT": "MYT",
    "PLUGIN_PIPELINE": "drone",
    "PLUGIN_ENVIRONMENT": "production",
}


@pytest.fixture(scope="module")
def replay():
    spec = importlib.util.spec_from_file_location("replay", ROOT / "docker" / "replay.py")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "replay", module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def built(replay):
    """The image, replayed; in a folder that the image's user may enter, as those of pytest are private."""
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    folder.chmod(0o755)
    image = replay.Replay(folder, {"DIGEST": DIGEST, "REVISION": "abc"})
    (folder / "work").mkdir()
    # A checkout that whoever opened the pull request filled.
    (folder / "work" / "click.py").write_text("raise SystemExit('imported from the checkout')")
    replay.make_read_only(folder)
    yield image
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


def test_hadolint_finds_nothing():
    run("hadolint", ROOT / "docker" / "Dockerfile")


def test_the_sum_of_what_is_copied_in_is_printed_and_small(built):
    total = float(built.output.splitlines()[-1].split(" MB")[0])
    assert "copied into the image" in built.output
    assert 5 < total < 25


def test_it_reports_read_only_as_nobody_without_home_and_shell(built, replay, jira):
    before = sorted(built.folder.rglob("*"))
    point = {"PLUGIN_INSTANCE": jira.url, "PLUGIN_API_URL": jira.url, "PLUGIN_CONNECT_HOSTNAME": jira.url}
    for credentials in (
        {"PLUGIN_CONNECT_KEY": jira.connect_key},
        {"PLUGIN_CLIENT_ID": jira.client_id, "PLUGIN_CLIENT_SECRET": jira.client_secret},
    ):
        known = len(jira.updates())
        done = replay.run(built.image, RUN | point | credentials, built.folder / "work")
        assert done.returncode == 0, done.stderr
        assert "accepted deployment 43 of drone" in done.stderr
        assert len(jira.updates()) == known + 1
    [deployment] = jira.deployments()
    assert deployment["environment"]["type"] == "production"
    assert sorted(built.folder.rglob("*")) == before


def test_its_user_can_write_nothing(built):
    assert built.image.user.partition(":")[0] not in ("0", "root", "")
    assert [path for path in built.folder.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o222] == []


def test_it_holds_the_program_and_nothing_to_build_it_with(built):
    folder = built.image.path("/opt/jira-ci")
    assert [program.name for program in (folder / "bin").iterdir()] == ["jira-ci"]
    assert (folder / "jira_ci_core" / "__pycache__").is_dir()
    assert not list(folder.rglob("*.c"))
    assert not (built.image.root / "src").exists()


def test_it_has_labels_and_its_base_is_pinned(built):
    labels = built.image.labels
    assert labels["org.opencontainers.image.base.digest"] == DIGEST
    assert labels["org.opencontainers.image.revision"] == "abc"
    assert labels["org.opencontainers.image.version"] in (ROOT / "CHANGELOG.md").read_text()
    assert [line for line in DOCKERFILE.splitlines() if line.startswith("FROM") and "@${DIGEST}" not in line] == []


def test_a_dockerfile_that_needs_a_shell_is_noticed(replay, tmp_path, monkeypatch):
    changed = tmp_path / "Dockerfile"
    changed.write_text(DOCKERFILE.replace('["jira-ci", "report"]', "jira-ci report"))
    monkeypatch.setattr(replay, "DOCKERFILE", changed)
    monkeypatch.setattr(replay.Replay, "_run", lambda self, rest: None)
    monkeypatch.setattr(replay.Replay, "_copy", lambda self, rest: None)
    monkeypatch.setattr(replay, "copy_python", lambda target: None)
    with pytest.raises(ValueError, match="Expecting value"):
        replay.Replay(tmp_path / "image", {"DIGEST": DIGEST})
