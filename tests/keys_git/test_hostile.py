"""Hostile repositories, and what can go wrong with git."""

from __future__ import annotations

import os

import pytest

from jira_ci_keys_git.history import History
from jira_ci_keys_git.options import Options
from jira_ci_keys_git.revisions import commit_id

TRAP = "#!/bin/sh\ntouch {sprung}\ncat\n"


@pytest.fixture
def trap(tmp_path):
    """A program that leaves a trace when it is run."""
    path = tmp_path / "trap"
    path.write_text(TRAP.format(sprung=tmp_path / "sprung"))
    path.chmod(0o755)
    return path


@pytest.fixture
def sprung(tmp_path):
    return (tmp_path / "sprung").exists


@pytest.fixture
def armed(repository, trap, new_repository):
    """A repository that names a program wherever its configuration can, and has hooks."""
    repository.commit("MYT-1")
    signed = repository.git("cat-file", "commit", repository.commit("MYT-2")).replace(
        "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n -----END PGP SIGNATURE-----\n\n", 1
    )
    repository.git(
        "reset", "-q", "--soft", repository.git("hash-object", "-t", "commit", "-w", "--stdin", input=signed.encode())
    )
    other = new_repository()
    other.commit("MYT-3")
    alternates = repository.folder / ".git/objects/info/alternates"
    alternates.write_text(f"{other.folder}/.git/objects\n")
    configured = [
        *("core.fsmonitor", "core.pager", "pager.log", "gpg.program", "core.editor", "core.sshCommand"),
        *("core.askPass", "core.gitProxy", "core.alternateRefsCommand", "remote.origin.uploadpack", "diff.external"),
        *("trailer.refs.command", "trailer.refs.cmd", "uploadpack.packObjectsHook"),
    ]
    for name in configured:
        repository.git("config", name, str(trap))
    for name in ("credential.helper", "credential.http://127.0.0.1.helper"):
        repository.git("config", name, f"!{trap}")
    repository.git("config", "log.showSignature", "true")
    repository.git("config", "protocol.allow", "always")
    hooks = repository.folder / ".git" / "hooks"
    for name in ("reference-transaction", "post-checkout", "pre-auto-gc", "post-rewrite"):
        (hooks / name).write_text(trap.read_text())
        (hooks / name).chmod(0o755)
    return repository


class TestNoProgramOfARepositoryIsRun:
    def test_where_it_is_read(self, armed, numbers, sprung):
        assert numbers(armed, since="HEAD~1", sources="subjects,tags", deployed_tag="v*") == [2]
        assert not sprung()

    def test_where_a_deployment_is_remembered(self, armed, sprung):
        head = commit_id(armed.reader, "HEAD")
        armed.reader.output("update-ref", "refs/jira-ci/deployed/prod", head)
        assert commit_id(armed.reader, "refs/jira-ci/deployed/prod") == head
        assert not sprung()

    @pytest.mark.parametrize("url", ["ext::{trap} x", "git://127.0.0.1:1/x", "ssh://127.0.0.1:1/x"])
    def test_where_more_is_fetched(self, armed, trap, numbers, sprung, caplog, url):
        armed.git("config", "remote.origin.url", url.format(trap=trap))
        assert numbers(armed, {"target_branch": "gone"}, deepen="yes") == [2]
        assert not sprung()
        assert "more history could not be fetched (KEYS_GIT_DEEPEN): git failed: " in caplog.text

    def test_where_a_local_remote_names_its_own_upload_pack(self, armed, numbers, sprung):
        armed.git("config", "remote.origin.url", str(armed.folder))
        assert numbers(armed, {"target_branch": "gone"}, deepen="yes") == [2]
        assert not sprung()

    def test_the_trap_does_work(self, armed, sprung):
        armed.git("-c", "core.pager=cat", "update-ref", "refs/heads/x", "HEAD")
        assert sprung()


class TestNames:
    def test_none_becomes_an_option(self, repository, numbers, tmp_path):
        repository.commit("MYT-1", "MYT-2")
        hostile = f"--output={tmp_path / 'stolen'}"
        for run in ({"sha": hostile}, {"commit_before": hostile}, {"target_branch": hostile}, {"sha": "-1"}):
            numbers(repository, run)
            numbers(repository, run, deepen="yes")
        assert not (tmp_path / "stolen").exists()

    @pytest.mark.parametrize(
        "name", ["a\0b", "x" * 300_000, "^HEAD", "--all", "HEAD..HEAD", ":/", "@{-1}", "HEAD^{/x}", ""]
    )
    def test_what_names_no_one_commit_is_not_known(self, repository, find, name):
        repository.commit("MYT-1", "MYT-2")
        assert list(find(repository, {"commit_before": name})) == ["MYT-2"]

    def test_odd_refs_are_read_as_any_other(self, repository, find, numbers):
        base = repository.commit("MYT-1")
        repository.commit("MYT-2")
        for ref in ("refs/heads/-x", "refs/heads/grafted", "refs/tags/--output=x", "refs/heads/HEAD", "refs/tags/HEAD"):
            repository.git("update-ref", ref, base)
        assert numbers(repository, {"target_branch": "-x"}) == [2]
        tag = f"object {repository.head}\ntype commit\ntag t\ntagger A <a@x> 1 +0000\n\nMYT-9\x01\n"
        id = repository.git("hash-object", "-t", "tag", "-w", "--stdin", input=tag.encode())
        repository.git("update-ref", "refs/tags/-t MYT-9'\"$(x)".replace(" ", ""), id)
        found = find(repository, {"commit_before": base}, sources="tags")
        assert found == {"MYT-9": "tag -tMYT-9'\"$(x)"}

    def test_a_bare_repository_among_the_files_is_not_taken_for_the_checkout(self, repository, new_repository, find):
        repository.commit("MYT-1")
        folder = repository.folder / "bare"
        repository.git("clone", "-q", "--bare", ".", str(folder))
        repository.commit("MYT-2")
        assert list(find(repository, {"workspace": str(folder)})) == ["MYT-2"]


@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_a_file_of_shallow_commits_without_end_is_not_read(repository, tmp_path, kind):
    repository.commit("MYT-1")
    history = History(repository.reader, Options(), print)
    shallow = repository.folder / ".git/shallow"
    if kind == "pipe":
        os.mkfifo(shallow)
    else:
        shallow.symlink_to("/dev/zero")
    assert history.shallow_commits() == frozenset()


class TestFailures:
    def test_a_folder_that_is_no_repository(self, repository, find, tmp_path, caplog):
        folder = tmp_path / "plain"
        folder.mkdir()
        assert find(repository, {"workspace": str(folder)}) == {}
        assert f"there is no git repository in {tmp_path}; run this step in the checkout" in caplog.text

    def test_no_git(self, repository, find, tmp_path, caplog):
        repository.environ["PATH"] = str(tmp_path)
        assert find(repository) == {}
        assert "there is no git on the PATH; install git in this step's image" in caplog.text

    def test_a_git_that_cannot_be_run(self, repository, find, tmp_path, caplog):
        (tmp_path / "git").write_text("")
        repository.environ["PATH"] = str(tmp_path)
        assert find(repository) == {}
        assert "git cannot be run: " in caplog.text

    def test_a_checkout_of_another_user(self, repository, find, caplog):
        repository.commit("MYT-1")
        repository.environ["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "1"
        repository.environ["LANGUAGE"] = "de"
        assert find(repository) == {}
        assert "dubious ownership" in caplog.text
        assert f"run: git config --global --add safe.directory {repository.folder}" in caplog.text

    def test_a_repository_that_is_broken(self, repository, find, caplog):
        repository.commit("MYT-1", "MYT-2", "MYT-3")
        id = repository.git("rev-parse", "HEAD~1")
        (repository.folder / ".git/objects" / id[:2] / id[2:]).unlink()
        find(repository, {"commit_before": "HEAD~2"})
        assert "the commits of this change cannot be read: git failed: " in caplog.text

    def test_a_git_that_does_not_come_back_ends_before_core_loses_patience(self, repository, find, tmp_path, caplog):
        repository.commit("MYT-1")
        tools = tmp_path / "tools"
        tools.mkdir()
        (tools / "git").write_text("#!/bin/sh\nexec sleep 60\n")
        (tools / "git").chmod(0o755)
        repository.environ["PATH"] = f"{tools}{os.pathsep}{repository.environ['PATH']}"
        assert find(repository, settings={"plugin_timeout": "0.5"}) == {}
        assert "the commits of this change cannot all be read: git did not come back in time" in caplog.text


def test_no_password_in_an_address_is_told(repository, numbers, caplog):
    repository.commit("MYT-1")
    repository.git("config", "remote.origin.url", "http://me:hunter2222@127.0.0.1:1/x")
    numbers(repository, {"target_branch": "gone"}, deepen="yes")
    assert "could not be fetched" in caplog.text
    assert "hunter2222" not in caplog.text
