"""Reports in an outbox that no step has kept there, or that a flush cannot deliver."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture
def kept(harness_oauth, jira, tmp_path):
    """A report that a step has kept, and what it would tell Jira."""
    jira.fault("answer", status=403)
    assert harness_oauth(outbox=tmp_path / "outbox", on_failure="keep").code == 0
    [file] = (tmp_path / "outbox").iterdir()
    return file


@pytest.fixture
def forged(kept):
    """A report under another pipeline's name."""
    content = json.loads(kept.read_text())
    content["report"]["entity"]["pipeline"]["id"] = "acme/prod-deploy"
    return json.dumps(content)


def git(folder, *arguments):
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, env=environ, capture_output=True)


@pytest.fixture
def change(checkout, forged):
    """Makes a checkout of a change that brings a file: its folder."""

    def make(path):
        folder = checkout("[MYT-1] Report")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(forged)
        git(folder, "add", "-f", path)
        git(folder, "commit", "-q", "-m", "[MYT-1] Bring an outbox")
        return folder

    return make


def delivered(jira):
    return [build["pipelineId"] for build in jira.builds()]


def flush(step, folder):
    return step.run("outbox", "flush", outbox=folder)


@pytest.mark.parametrize("place", [".jira-outbox", "deep/below/it", "with space/[a]*", "."])
def test_what_git_tracks_is_not_delivered(harness_oauth, jira, change, kept, failed, place):
    folder = change(f"{place}/0-build.json")
    (folder / ".gitignore").write_text("*\n")
    shutil.copy(kept, folder / place)
    done = flush(harness_oauth, place)
    failed(done, 1)
    assert "git tracks it, so it came with the change" in done.err
    assert f"warning: the outbox {place} lies in the checkout {folder}" in done.err
    assert delivered(jira) == ["harness/acme/default/shop/checkout"], "that of the step is delivered"
    assert (folder / place / "0-build.json").exists()
    assert not (folder / place / kept.name).exists()


def test_an_absolute_path_and_a_link_from_elsewhere_lead_to_the_same(harness_oauth, jira, change, tmp_path, failed):
    folder = change(".jira-outbox/0-build.json")
    (tmp_path / "link").symlink_to(folder / ".jira-outbox")
    for outbox in (folder / ".jira-outbox", tmp_path / "link"):
        failed(flush(harness_oauth, outbox), 1)
    assert delivered(jira) == []


def test_a_folder_that_pretends_to_be_a_repository_of_its_own(harness_oauth, jira, change, failed):
    folder = change(".jira-outbox/0-build.json")
    bare = folder / ".jira-outbox"
    (bare / "HEAD").write_text("ref: refs/heads/main\n")
    (bare / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tworktree = .\n")
    for name in ("objects/x", "refs/x"):
        (bare / name).parent.mkdir()
        (bare / name).write_text("")
    git(folder, "add", "-f", ".jira-outbox")
    git(folder, "commit", "-q", "-m", "[MYT-1] Pretend")
    failed(flush(harness_oauth, ".jira-outbox"), 1)
    assert delivered(jira) == []


@pytest.mark.parametrize("place", [".", "outbox"])
def test_a_submodule(harness_oauth, jira, checkout, forged, tmp_path, failed, place):
    folder = checkout("[MYT-1] Report")
    other = checkout("Other", folder=tmp_path / "other")
    (other / place).mkdir(exist_ok=True)
    (other / place / "0-build.json").write_text(forged)
    git(other, "add", place)
    git(other, "commit", "-q", "-m", "Bring")
    git(folder, "submodule", "add", str(other), "deep/submodule")
    git(folder, "commit", "-q", "-m", "[MYT-1] Bring it")
    failed(flush(harness_oauth, f"deep/submodule/{place}"), 1)
    (folder / "deep/submodule/.git").unlink()
    failed(flush(harness_oauth, f"deep/submodule/{place}"), 1)
    assert delivered(jira) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / ".git" / "config").write_text("not a configuration"),
        lambda folder: (folder / ".git" / "index").write_text("not an index"),
        lambda folder: (folder / ".git").rename(folder / "gone") and (folder / ".git").write_text("gitdir: /nowhere"),
    ],
    ids=["configuration", "index", "elsewhere"],
)
def test_where_git_cannot_say_nothing_is_delivered(harness_oauth, jira, change, failed, spoil):
    spoil(change(".jira-outbox/0-build.json"))
    done = flush(harness_oauth, ".jira-outbox")
    failed(done, 1)
    assert "it lies in a checkout, and may be part of the change" in done.err
    assert delivered(jira) == []


@pytest.mark.parametrize(
    "variables",
    [
        {"GIT_DIR": "{other}/.git"},
        {"GIT_DIR": "{other}/.git", "GIT_WORK_TREE": "{other}"},
        {"GIT_INDEX_FILE": "{other}/none"},
        {"GIT_WORK_TREE": "{other}"},
        {"GIT_OBJECT_DIRECTORY": "{other}/.git/objects"},
        {"GIT_CEILING_DIRECTORIES": "{folder}:{folder}/.jira-outbox"},
        {"GIT_COMMON_DIR": "{other}/.git"},
        {"GIT_NAMESPACE": "x"},
    ],
    ids=lambda variables: "+".join(variables),
)
def test_no_variable_makes_it_one_of_a_step(harness_oauth, jira, checkout, change, tmp_path, failed, variables):
    """Code of the change can set variables for the steps after it, where the CI has a file for that."""
    other = checkout("Other", folder=tmp_path / "other")
    folder = change(".jira-outbox/0-build.json")
    harness_oauth.environ |= {name: value.format(other=other, folder=folder) for name, value in variables.items()}
    done = flush(harness_oauth, ".jira-outbox")
    failed(done, 1)
    assert "git tracks it" in done.err
    assert delivered(jira) == []


def nested(folder):
    git(folder / ".jira-outbox", "init", "-q")
    git(folder / ".jira-outbox", "commit", "-q", "--allow-empty", "-m", "Nothing")


@pytest.mark.parametrize(
    "pretend",
    [
        lambda folder: git(folder, "config", "core.worktree", "/tmp"),
        lambda folder: git(folder, "config", "core.worktree", "../.."),
        lambda folder: git(folder, "config", "core.worktree", str(folder / ".jira-outbox")),
        lambda folder: git(folder, "config", "core.bare", "true"),
        lambda folder: git(folder, "rm", "-q", "--cached", "-r", ".jira-outbox"),
        lambda folder: (folder / ".git/index").unlink(),
        lambda folder: git(folder, "read-tree", "--empty"),
        lambda folder: git(folder, "replace", "HEAD", "HEAD^"),
        nested,
    ],
    ids=["elsewhere", "above", "below", "bare", "rm", "index", "empty", "replaced", "nested"],
)
def test_what_head_holds_is_not_delivered_whatever_git_is_made_to_say(harness_oauth, jira, change, failed, pretend):
    pretend(change(".jira-outbox/0-build.json"))
    done = flush(harness_oauth, ".jira-outbox")
    failed(done, 1)
    assert "git tracks it" in done.err
    assert delivered(jira) == []


def test_what_only_the_index_holds_is_not_delivered(harness_oauth, jira, checkout, forged, failed):
    """As where a CI merges the change and makes no commit of it."""
    folder = checkout("[MYT-1] Report")
    (folder / ".jira-outbox").mkdir()
    (folder / ".jira-outbox/0-build.json").write_text(forged)
    git(folder, "add", ".jira-outbox")
    failed(flush(harness_oauth, ".jira-outbox"), 1)
    assert delivered(jira) == []


def test_a_work_tree_whose_repository_lies_elsewhere(harness_oauth, jira, change, kept, tmp_path, failed):
    folder = change(".jira-outbox/0-build.json")
    (folder / ".git").rename(tmp_path / "repository")
    shutil.copy(kept, folder / ".jira-outbox")
    harness_oauth.environ |= {"GIT_DIR": "../repository"}
    failed(flush(harness_oauth, ".jira-outbox"), 1)
    assert delivered(jira) == ["harness/acme/default/shop/checkout"]
    harness_oauth.environ |= {"GIT_DIR": str(tmp_path / "repository"), "GIT_WORK_TREE": str(folder)}
    harness_oauth.folder = tmp_path
    failed(flush(harness_oauth, "step/.jira-outbox"), 1)
    assert len(delivered(jira)) == 1


def test_a_work_tree_of_its_own_beside_the_repository(harness_oauth, jira, change, kept, failed):
    folder = change(".jira-outbox/0-build.json")
    git(folder, "worktree", "add", "-q", "--detach", "other")
    shutil.copy(kept, folder / "other/.jira-outbox")
    failed(flush(harness_oauth, "other/.jira-outbox"), 1)
    assert delivered(jira) == ["harness/acme/default/shop/checkout"]


def test_list_names_it_and_drop_of_all_leaves_it(harness_oauth, change):
    folder = change(".jira-outbox/0-build.json")
    assert "0-build.json: git tracks it" in harness_oauth.run("outbox", "list", outbox=".jira-outbox").err
    assert harness_oauth.run("outbox", "drop", "--all", outbox=".jira-outbox").code == 0
    assert (folder / ".jira-outbox" / "0-build.json").exists()


@pytest.mark.parametrize("command", [("report",), ("run", "--", "true")])
def test_a_step_warns_once_of_an_outbox_in_the_checkout(harness_oauth, checkout, tmp_path, command):
    checkout("[MYT-1] Report")
    warning = "warning: the outbox .jira-outbox lies in the checkout"
    assert harness_oauth.run(*command, outbox=".jira-outbox").err.count(warning) == 1
    assert "lies in the checkout" not in harness_oauth.run(*command, outbox=tmp_path / "outbox").err


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.json", lambda path: path.write_text('{"format": 1, "report": ')),
        ("a.json", lambda path: path.write_text("")),
        ("a.json", lambda path: path.write_text('{"format": 2}')),
        ("a.json", lambda path: path.write_bytes(b" " * 2**21)),
        ("a.json", lambda path: path.symlink_to("/dev/zero")),
        ("a.json", os.mkfifo),
        ("a.json", Path.mkdir),
        (".a.tmp", lambda path: path.write_text('{"format"')),
    ],
    ids=["torn", "empty", "newer", "huge", "link", "pipe", "folder", "unfinished"],
)
def test_a_damaged_report_fails_the_flush_that_delivers_the_others(harness_oauth, jira, kept, failed, name, make):
    make(kept.parent / name)
    done = flush(harness_oauth, kept.parent)
    assert failed(done, 1).what.endswith("that may be reports and cannot be delivered: 1")
    assert f"{kept.parent / name} is left alone: " in done.err
    assert "delivered 1, refused 0, left 0; cannot be delivered: 1" in done.err
    assert os.path.lexists(kept.parent / name)


def test_a_file_with_another_name_does_not(harness_oauth, kept):
    (kept.parent / "README.md").write_text("what this is")
    assert flush(harness_oauth, kept.parent).code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that root cannot remove")
def test_a_report_that_cannot_be_removed_fails_the_flush(harness_oauth, jira, kept, failed):
    if subprocess.run(["mount", "--bind", kept, kept], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        for _ in range(2):
            done = flush(harness_oauth, kept.parent)
            assert "reports that could not be removed from the outbox" in failed(done, 1).what
            assert "delivered 1, refused 0, left 0; could not be removed: 1" in done.err
    finally:
        subprocess.run(["umount", kept], check=True)
    assert flush(harness_oauth, kept.parent).code == 0
