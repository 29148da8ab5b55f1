"""Repositories whose configuration, attributes and hooks name programs, and that print without end.

A change can bring a folder that is a bare repository, and what ran before the step can write to `.git/config`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from ..conftest import inherited
from .conftest import measure

COMMANDS = ["report"], ["report", "--dry-run"], ["explain"], ["doctor"]
MISSING = "5" * 40
MESSAGE = "[MYT-7] Let people pay"

# Each names the trap. `{folder}` is the repository, and `{trap}` the program.
PARTIAL = {"core.repositoryFormatVersion": "1", "extensions.partialClone": "origin", "remote.origin.promisor": "true"}
LAZY = {
    "upload pack": {"remote.origin.url": "file://{folder}", "remote.origin.uploadpack": "{trap}"},
    "upload pack of a path": {"remote.origin.url": "{folder}", "remote.origin.uploadpack": "{trap}"},
    "ssh": {"remote.origin.url": "ssh://127.0.0.1/x", "core.sshCommand": "{trap}"},
    "ext": {"remote.origin.url": "ext::{trap} x", "protocol.ext.allow": "always"},
    "renamed ext": {
        "remote.origin.url": "https://git.example/x",
        "url.ext::{trap} .insteadOf": "https://git.example/",
        "protocol.ext.allow": "always",
    },
    "proxy": {"remote.origin.url": "git://127.0.0.1/x", "core.gitProxy": "{trap}"},
}
READING = {
    "core.fsmonitor": "{trap}",
    "core.pager": "{trap}",
    "pager.log": "{trap}",
    "pager.config": "{trap}",
    "core.alternateRefsCommand": "{trap}",
    "core.askPass": "{trap}",
    "core.editor": "{trap}",
    "gpg.program": "{trap}",
    "log.showSignature": "true",
    "diff.external": "{trap}",
    "diff.evil.textconv": "{trap}",
    "diff.evil.command": "{trap}",
    "filter.evil.clean": "{trap}",
    "filter.evil.smudge": "{trap}",
    "filter.evil.process": "{trap}",
    "credential.helper": "!{trap}",
    "trailer.jira.command": "{trap}",
    "alias.log": "!{trap}",
    "alias.config": "!{trap}",
    "hook.evil.command": "{trap}",
    "hook.evil.event": "reference-transaction",
    "uploadpack.packObjectsHook": "{trap}",
}


@pytest.fixture
def git(step):
    """Git alone, with everything that the repository configures."""

    def run(*arguments, folder=step.folder, **options):
        command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", *arguments]
        environ = {"PATH": os.environ["PATH"], "HOME": str(step.folder.parent)}
        return subprocess.run(command, cwd=folder, env=environ, check=False, capture_output=True, **options)

    return run


@pytest.fixture
def configure(git, trap, step):
    def write(values, folder=step.folder):
        for name, value in values.items():
            git("config", *(text.format(trap=trap, folder=folder) for text in (name, value)), folder=folder)

    return write


@pytest.fixture
def ask(harness, connect, jira):
    """Runs each command in a run that says nothing of the commit but its id: `ask(sha)` answers the dry run."""
    harness.environ |= connect | {"JIRA_CI_DISABLE_PLUGINS": "card"}
    harness.environ["DRONE_COMMIT_MESSAGE"] = ""

    def run(sha, folder=None):
        workspace = {"DRONE_WORKSPACE": str(folder or harness.folder)}
        done = [harness.run(*command, environ={"DRONE_COMMIT_SHA": sha, **workspace}) for command in COMMANDS]
        assert {one.code for one in done} <= {0}, [one.text for one in done]
        return done[1]

    return run


@pytest.mark.parametrize("way", LAZY)
def test_a_commit_that_a_partial_clone_lacks_is_fetched_by_no_command(checkout, configure, git, ask, sprung, way):
    checkout(MESSAGE)
    configure(PARTIAL | LAZY[way])
    git("log", "-1", MISSING)
    assert sprung(), "git alone runs it"
    ask(MISSING)
    assert not sprung()


def test_a_bare_repository_that_the_change_brings_is_none(checkout, configure, git, ask, step, sprung):
    folder = checkout(MESSAGE) / "fixtures"
    git("init", "-q", "--bare", str(folder))
    configure(PARTIAL | LAZY["upload pack"] | READING, folder)
    git("log", "-1", MISSING, folder=folder)
    assert sprung(), "git alone runs it"
    step.folder = folder
    ask(MISSING, folder)
    assert not sprung()


def test_the_head_of_a_hostile_repository_is_read_and_nothing_run(checkout, configure, git, ask, trap, sprung):
    folder = checkout(MESSAGE)
    (folder / ".gitattributes").write_text("* diff=evil filter=evil\n")
    (folder / "file").write_text("x")
    git("add", "-A")
    git("commit", "-q", "--amend", "--no-edit")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n -----END PGP SIGNATURE-----\n\n"
    commit = git("cat-file", "commit", "HEAD").stdout.decode().replace("\n\n", f"\n{signature}", 1)
    signed = git("hash-object", "-t", "commit", "-w", "--stdin", input=commit.encode()).stdout.decode().strip()
    git("reset", "-q", "--soft", signed)
    for hook in ("reference-transaction", "post-index-change", "fsmonitor-watchman"):
        (folder / ".git/hooks").mkdir(exist_ok=True)
        (folder / ".git/hooks" / hook).symlink_to(trap)
    # The configuration itself is in a file of the change.
    included = folder / "more"
    configure({"include.path": str(included)})
    for name, value in READING.items():
        git("config", "--file", str(included), name, value.format(trap=trap))
    git("log", "-1")
    assert sprung(), "git alone runs it"
    done = ask(git("-c", "log.showSignature=false", "rev-parse", "HEAD").stdout.decode().strip())
    assert "MYT-7" in done.text
    assert not sprung()


@pytest.mark.parametrize("path", ["{rest}:", ":{rest}", ".:{rest}", "tools:{rest}", "./tools:{rest}"])
def test_a_git_that_the_change_brings_is_not_run(checkout, harness, ask, trap, sprung, path):
    folder = checkout(MESSAGE)
    (folder / "tools").mkdir()
    for place in (folder, folder / "tools"):
        (place / "git").symlink_to(trap)
    rest = os.environ["PATH"] if path != "{rest}:" else "/nowhere"
    harness.environ["PATH"] = path.format(rest=rest)
    ask("HEAD")
    assert not sprung()


def test_the_configuration_of_a_home_in_the_checkout_names_no_file_to_write(checkout, git, harness, ask, tmp_path):
    folder = checkout(MESSAGE)
    targets = [f"trace2.{kind}Target" for kind in ("normal", "perf", "event")]
    for target in targets:
        git("config", "--file", ".gitconfig", target, str(tmp_path / target))
    harness.environ["HOME"] = str(folder)
    assert "MYT-7" in ask(git("rev-parse", "HEAD").stdout.decode().strip()).text
    assert [target for target in targets if (tmp_path / target).exists()] == []


def test_a_file_of_names_that_does_not_end_is_not_read(checkout, git, ask):
    folder = checkout(MESSAGE)
    git("config", "mailmap.file", "/dev/zero")
    (folder / ".mailmap").symlink_to("/dev/zero")
    head = git("rev-parse", "HEAD").stdout.decode().strip()
    assert "MYT-7" in ask(head).text


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other units")
@pytest.mark.parametrize("where", ["", " >&2; exit 1"], ids=["output", "errors"])
def test_what_git_prints_is_read_up_to_a_limit(harness, connect, tmp_path, where):
    script = f"printf '{MISSING}\\0HEAD\\0[MYT-7] '; head -c 400000000 /dev/zero | tr '\\0' x{where}"
    git = tmp_path / "tools/git"
    git.parent.mkdir()
    git.write_text(f"#!/bin/sh\n{script}\n")
    git.chmod(0o755)
    (harness.folder / ".git").mkdir()
    path = f"{git.parent}{os.pathsep}{os.environ['PATH']}"
    variables = harness.variables({**connect, "DRONE_COMMIT_MESSAGE": "", "PATH": path}, {})
    done = measure(harness, variables, "report", "--dry-run")
    assert done.code == 0, done.text
    assert ("MYT-7" in done.text) == (not where)
    assert done.mebibytes < 200


# As the installed command, with less time for git.
IMPATIENT = """
from jira_ci_core.__main__ import main
from jira_ci_core.git.command import renew_patience
renew_patience(1)
main()
"""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_configuration_that_is_never_read_to_its_end_holds_no_command_for_long(
    checkout, configure, harness, connect, tmp_path, jira, command
):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    checkout(MESSAGE)
    configure({"include.path": str(pipe)})
    variables = {**connect, "DRONE_COMMIT_MESSAGE": "", "JIRA_CI_DISABLE_PLUGINS": "card"}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-P", "-c", IMPATIENT, *command],
        cwd=harness.folder,
        env={**inherited(), **harness.variables(variables, {})},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert time.monotonic() - began < 10
    assert done.stderr.count("seconds in all, and is asked nothing more; see why it is slow") == 1
