"""A repository in the working directory, git to change it with, and a program as a trap."""

from __future__ import annotations

import os
import subprocess

import pytest

MESSAGE = "[MYT-1] Let people pay\n\nIt was time.\n\nRefs: MYT-2"


@pytest.fixture
def environ(least):
    return {name: least[name] for name in ("PATH", "GIT_CEILING_DIRECTORIES")}


@pytest.fixture
def repository(checkout, folder):
    return checkout(MESSAGE, branch="feature/pay", remote="git@git.example:acme/shop.git", folder=folder)


@pytest.fixture
def git(folder):
    """Runs git with everything that the repository configures."""

    def run(*arguments, input=None, check=True):
        return subprocess.run(
            ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", *arguments],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            input=input,
            check=check,
            capture_output=True,
            text=True,
        ).stdout.strip()

    return run


@pytest.fixture
def armed(repository, git, trap):
    """A repository that names the trap wherever it can name a program, and whose latest commit is signed."""
    names = "core.fsmonitor core.pager gpg.program core.alternateRefsCommand remote.origin.uploadpack core.sshCommand"
    for name in names.split():
        git("config", name, trap)
    git("config", "log.showSignature", "true")
    git("config", "color.ui", "always")
    commit = git("cat-file", "commit", "HEAD") + "\n"
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n -----END PGP SIGNATURE-----"
    id = git("hash-object", "-t", "commit", "-w", "--stdin", input=commit.replace("\n\n", f"\n{signature}\n\n", 1))
    git("reset", "-q", "--soft", id)
    (repository / ".git/hooks").mkdir(exist_ok=True)
    (repository / ".git/hooks/reference-transaction").symlink_to(trap)
    return repository


@pytest.fixture
def partial(repository, git, trap):
    """A partial clone, which asks its remote for every object that it lacks, by way of the trap."""
    for name, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"file://{repository}",
        "remote.origin.uploadpack": trap,
    }.items():
        git("config", name, value)
    return repository
