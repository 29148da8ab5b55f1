"""Branches of Jenkins' git plugin, which have the name of a remote in them, or not."""

from __future__ import annotations

import os

import pytest

from jira_ci_core.ci.jenkins import jira_ci_read_pipeline

RUN = {"JENKINS_HOME": "/var/jenkins_home", "BUILD_TAG": "jenkins-shop-1", "JOB_NAME": "shop"}


@pytest.mark.parametrize(
    ("ref", "branch"),
    [
        ("upstream/MYT-1", "MYT-1"),
        ("upstream/feature/MYT-1", "feature/MYT-1"),
        ("origin/MYT-1", "MYT-1"),
        ("feature/MYT-1", "feature/MYT-1"),
        ("refs/remotes/other/MYT-1", "MYT-1"),
        ("remotes/other/MYT-1", "MYT-1"),
        ("refs/heads/origin/MYT-1", "origin/MYT-1"),
        ("MYT-1", "MYT-1"),
        ("origin/", None),
        ("null", None),
    ],
)
def test_a_remote_of_the_checkout_is_taken_off(checkout, folder, ref, branch):
    checkout("x", folder=folder)
    config = folder / ".git/config"
    config.write_text(f'{config.read_text()}\n[remote "upstream"]\n\turl = https://git.example/acme/shop\n')
    run = jira_ci_read_pipeline({**RUN, "GIT_BRANCH": ref, "PATH": os.environ["PATH"]})
    assert run.branch == branch


def test_without_git_only_origin_is_one(tmp_path):
    for ref, branch in (("origin/x", "x"), ("upstream/x", "upstream/x")):
        assert jira_ci_read_pipeline({**RUN, "GIT_BRANCH": ref, "PATH": str(tmp_path)}).branch == branch


def test_a_remote_is_that_of_the_repository_that_holds_the_commit(checkout, tmp_path, monkeypatch):
    app, tools = (checkout(name, folder=tmp_path / name) / ".git/refs/heads/main" for name in ("app", "tools"))
    config = tmp_path / "app/.git/config"
    config.write_text(f'{config.read_text()}\n[remote "upstream"]\n\turl = https://git.example/acme/app\n')
    environ = {**RUN, "WORKSPACE": str(tmp_path), "GIT_BRANCH": "upstream/feature/MYT-9", "PATH": os.environ["PATH"]}
    for folder in (tmp_path, tmp_path / "tools", tmp_path / "app"):
        monkeypatch.chdir(folder)
        assert jira_ci_read_pipeline({**environ, "GIT_COMMIT": app.read_text().strip()}).branch == "feature/MYT-9"
        assert (
            jira_ci_read_pipeline({**environ, "GIT_COMMIT": tools.read_text().strip()}).branch
            == "upstream/feature/MYT-9"
        )
