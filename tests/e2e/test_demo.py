"""`jira-ci demo`: the whole story, told to a user who has installed it and set nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest
import requests


def test_the_demo_needs_no_settings_and_tells_the_whole_story(step, clean, secrets):
    done = clean(step.run("demo"))
    assert done.code == 0, done.text
    assert '[DEMO-1] Let people pay by card"' in done.out
    assert re.search(r"accepted build 42 of checkout \(successful\) for DEMO-1", done.out)
    assert re.search(r"accepted deployment 42 of checkout to production \(successful\) for DEMO-1", done.out)
    holds = done.out.partition("What Jira holds now")[2]
    assert re.search(
        r"DEMO-1\n +build +checkout #42: successful, 128 tests, http.*\n +deployment +checkout #42 to staging", holds
    )
    assert "browser" in holds
    assert "error" not in done.text


def test_its_steps_are_of_both_kinds_and_set_as_a_ci_sets_them(step):
    steps = re.split(r"\nok (?=\w)", step.run("demo", "--verbose").out)
    [build] = [one for one in steps if one.startswith("build ")]
    [deployment] = [one for one in steps if one.startswith("release ")]
    for name in ("PLUGIN_CLIENT_ID=", "PLUGIN_CLIENT_SECRET=", "PLUGIN_API_URL="):
        assert name in build
        assert name not in deployment
    for name in ("PLUGIN_CONNECT_KEY=", "PLUGIN_CONNECT_HOSTNAME=", "PLUGIN_ENVIRONMENT_NAME=production"):
        assert name in deployment
        assert name not in build
    assert build.count("$ jira-ci report") == deployment.count("$ jira-ci report") == 1
    # The secrets are those of a Jira that is gone; still the demo does not teach a user to print one.
    assert re.search(r"PLUGIN_CLIENT_SECRET=.{6}…\n", build)
    assert re.search(r"PLUGIN_CONNECT_KEY=.{6}…\n", deployment)


def test_what_the_machine_says_of_another_run_and_of_a_proxy_makes_no_difference(step, free_port, checkout):
    elsewhere = checkout("another repository")
    dead_proxy = f"http://127.0.0.1:{free_port}"
    environ = {
        **{"HARNESS_PIPELINE_ID": "other", "DRONE_COMMIT_MESSAGE": "nothing", "DRONE_BUILD_STATUS": "FAILURE"},
        **{"CI_BUILD_LINK": "https://ci.example/1", "JIRA_CI_PROJECT": "OTHER", "PLUGIN_ISSUEKEYS": "OTHER-1"},
        **{"HTTP_PROXY": dead_proxy, "http_proxy": dead_proxy, "GIT_DIR": str(elsewhere / ".git")},
    }
    done = step.run("demo", environ=environ)
    assert done.code == 0, done.text
    assert "accepted build 42 of checkout (successful) for DEMO-1" in done.out
    log = subprocess.run(["git", "log", "--format=%s"], cwd=elsewhere, capture_output=True, text=True, check=True)
    assert log.stdout == "another repository\n"


def test_a_step_that_fails_ends_the_demo_with_its_exit_code(step, install):
    install("broken", "raise OSError('no such luck')")
    done = step.run("demo")
    assert done.code == 3
    assert "plugin broken failed" in done.out
    assert "What Jira holds" not in done.out


def test_no_git_is_an_error_with_a_remedy(step, failed, tmp_path):
    failure = failed(step.run("demo", environ={"PATH": str(tmp_path)}), 2)
    assert "no git" in failure.why
    assert "git" in failure.do


@pytest.mark.skipif(sys.platform == "win32", reason="interrupted as POSIX does it")
def test_with_serve_it_shows_the_page_until_it_is_interrupted(step):
    command = [sys.executable, "-P", "-m", "jira_ci_core", "demo", "--serve"]
    environ = {**os.environ, "HOME": str(step.folder)}
    with subprocess.Popen(
        command, cwd=step.folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as demo:
        try:
            lines = iter(demo.stdout.readline, "")
            url = next(found[0] for line in lines if (found := re.search(r"http\S+/browse/DEMO-1(?= \(Ctrl)", line)))
            page = requests.get(url, timeout=10, proxies={"http": ""}).text
            assert "checkout #42" in page
            assert "production" in page
            demo.send_signal(signal.SIGINT)
            assert demo.wait(timeout=30) == 0
            assert "Traceback" not in demo.stdout.read()
        finally:
            demo.kill()
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10, proxies={"http": ""})
