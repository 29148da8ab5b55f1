"""The recipes of `docs/reliability.md`, as they stand there: what dies does not stay in progress for ever."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text()

# The run as each CI tells it, and what it tells the last step after the process died.
RUNS = {
    "harness": ({}, {"DRONE_BUILD_STATUS": "FAILURE"}, {}),
    "github": (
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_RUN_NUMBER": "42",
            "GITHUB_RUN_ID": "4711",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_WORKFLOW": "checkout",
        },
        {},
        {"${{ job.status }}": "failure"},
    ),
    "gitlab": (
        {
            "GITLAB_CI": "true",
            "CI_PIPELINE_IID": "42",
            "CI_PIPELINE_URL": "https://gitlab.example/acme/shop/-/pipelines/4711",
            "CI_PROJECT_PATH": "acme/shop",
            "CI_PROJECT_URL": "https://gitlab.example/acme/shop",
            "CI_JOB_STATUS": "running",
            "CI_COMMIT_SHA": "8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b",
        },
        {"CI_JOB_STATUS": "failed"},
        {},
    ),
}


def commands(recipe, verb="report"):
    """The commands of a recipe that tell Jira, in their order."""
    [block] = re.findall(rf"<!-- recipe: {recipe} -->\n```(?:yaml|sh)\n(.*?)```", PAGE, re.DOTALL)
    return re.findall(rf"jira-ci {verb}.*", block)


def environ_of(step, run):
    """The variables of a step of this CI's run."""
    mine = {name: value for name, value in step.environ.items() if run == "harness" or name.startswith("PLUGIN_")}
    first, last, _ = RUNS[run]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    common = {**mine, **first, "PATH": path, "HOME": str(step.folder), "PLUGIN_ISSUEKEYS": "MYT-1"}
    common["GIT_CEILING_DIRECTORIES"] = str(step.folder)
    return common, common | last


def run_in_shell(command, step, environ):
    return subprocess.run(command, shell=True, cwd=step.folder, env=environ, capture_output=True, timeout=60, text=True)


DEPLOYS = "echo deploying && cat"


def die(command, step, environ):
    """Run a command, and let the process that did be killed while it deploys."""
    deploying = subprocess.Popen(
        ["sh", "-c", command if "jira-ci run" in command else f"{command} && {DEPLOYS}"],
        cwd=step.folder,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with deploying:
        assert deploying.stdout.readline() == b"deploying\n"
        os.killpg(deploying.pid, signal.SIGKILL)
    assert deploying.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell and kill -9")
@pytest.mark.parametrize("run", RUNS)
def test_the_last_word_is_ci_s(harness_oauth, jira, run):
    begins, ends = commands(run)
    for expression, value in RUNS[run][2].items():
        assert expression in ends
        ends = ends.replace(expression, value)
    at_first, at_last = environ_of(harness_oauth, run)
    die(begins, harness_oauth, at_first)
    assert [one["state"] for one in jira.deployments()] == ["in_progress"]
    done = run_in_shell(ends, harness_oauth, at_last)
    assert done.returncode == 0, done.stderr
    [deployment] = jira.deployments()
    assert (deployment["state"], deployment["deploymentSequenceNumber"]) == ("failed", 42)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell and kill -9")
def test_or_that_of_a_process_elsewhere(harness_oauth, jira):
    [begins, _], [ends] = commands("harness"), commands("anywhere")
    environ, _ = environ_of(harness_oauth, "harness")
    die(begins, harness_oauth, environ)
    elsewhere = {name: value for name, value in environ.items() if not name.startswith(("HARNESS_", "DRONE", "CI"))}
    del elsewhere["PLUGIN_ISSUEKEYS"]
    done = run_in_shell(ends, harness_oauth, elsewhere)
    assert done.returncode == 0, done.stderr
    assert [one["state"] for one in jira.deployments()] == ["failed"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell and kill -9")
def test_or_of_the_step_after_one_that_wraps_the_deployment(harness_oauth, jira):
    [begins], [ends] = commands("run", "run"), commands("run")
    assert begins.endswith(" -- ./deploy")
    at_first, at_last = environ_of(harness_oauth, "github")
    die(begins.replace("./deploy", f"sh -c '{DEPLOYS}'"), harness_oauth, at_first)
    assert [one["state"] for one in jira.deployments()] == ["in_progress"]
    done = run_in_shell(ends.replace("${{ job.status }}", "cancelled"), harness_oauth, at_last)
    assert done.returncode == 0, done.stderr
    assert [one["state"] for one in jira.deployments()] == ["cancelled"]
