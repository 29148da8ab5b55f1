"""`jira-ci run -- command`: the reports before and after, and the command, which is not affected by them."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time

import pytest

from jira_ci_core.command_run import run as command_run
from jira_ci_core.testing import RECORDED
from jira_ci_core.testing.step import INHERITED

PYTHON = sys.executable, "-I", "-S"

# Prints when it can be stopped, and which signals it received. It waits for them: with handlers, a signal that arrives
# just before a pause would be noticed only with the next one.
LISTENS = """
import os, signal
signals = {{signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
os.write(1, b"ready\\n")
while True:
    number = signal.sigwait(signals)
    os.write(1, signal.Signals(number).name.encode() + b"\\n")
    if number in {ending}:
        os._exit(7)
"""
ALL = "(15, 2, 1, 3)"


def states(jira):
    return [update["entity"]["state"] for update in jira.updates()]


def wait_for(happened, patience=60):
    """Wait until a condition holds that another process brings about."""
    end = time.monotonic() + patience
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def start(harness_oauth):
    """Starts `jira-ci run` as a process, which is killed after the test."""
    started = []

    def make(*arguments, environ=None, streams=subprocess.PIPE, **settings):
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "jira_ci_core", "run", *arguments],
            cwd=harness_oauth.folder,
            env={**inherited, **harness_oauth.variables(environ, settings)},
            stdin=streams,
            stdout=streams,
            stderr=streams,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield make
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def listening(start, ending=ALL, **settings):
    process = start("--", *PYTHON, "-c", LISTENS.format(ending=ending), **settings)
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.usefixtures("in_process")
class TestOutcome:
    """What Jira shows, and the exit code."""

    @pytest.mark.parametrize(
        ("script", "code", "state"),
        [
            ("exit 0", 0, "successful"),
            ("exit 1", 1, "failed"),
            ("exit 4", 4, "failed"),
            ("exit 255", 255, "failed"),
            ("exit 143", 143, "failed"),
            ("kill -KILL $$", 137, "failed"),
            ("kill -HUP $$", 129, "failed"),
            ("kill -TERM $$", 143, "cancelled"),
            ("kill -INT $$", 130, "cancelled"),
        ],
    )
    def test_the_status_of_the_command_is_the_step_s(self, harness_oauth, jira, clean, script, code, state):
        done = clean(harness_oauth.run("run", "--", "sh", "-c", script))
        assert done.code == code, done.text
        assert states(jira) == ["in_progress", state]

    @pytest.mark.parametrize("environment", [None, "prod", "prod,qa"])
    def test_both_reports_are_of_one_thing_and_the_second_is_newer(self, harness_oauth, jira, environment):
        harness_oauth.run("run", "--", "true", environment_name=environment)
        count = len((environment or "").split(","))
        updates = jira.updates()
        for first, last in zip(updates[:count], updates[count:], strict=True):
            assert first["key"] == last["key"]
            assert first["sequence"] < last["sequence"]
            assert first["entity"]["lastUpdated"] <= last["entity"]["lastUpdated"]
            changed = {name for name in first["entity"] if first["entity"][name] != last["entity"][name]}
            assert changed <= {"state", "updateSequenceNumber", "lastUpdated"}
            assert last["entity"].keys() - first["entity"].keys() <= {"duration"}
            assert (first["outcome"], last["outcome"]) == ("applied", "applied")

    @pytest.mark.parametrize(("environment", "state"), [(None, "failed"), ("prod", "successful")])
    def test_a_build_whose_stage_failed_before_has_failed_and_a_deployment_has_not(
        self, harness_oauth, jira, environment, state
    ):
        harness_oauth.run("run", "--", "true", environment_name=environment, environ={"DRONE_FAILED_STAGES": "build"})
        assert states(jira) == ["in_progress", state]

    def test_the_command_of_a_job_that_deploys_nothing_is_run_and_jira_not_told(self, harness_oauth, jira):
        stops = {"CI_ENVIRONMENT_NAME": "prod", "CI_ENVIRONMENT_ACTION": "stop", "HARNESS_PIPELINE_ID": None}
        environ = {**RECORDED["GitLab"], **stops, "DRONE": None, "DRONE_BUILD_NUMBER": None}
        done = harness_oauth.run("run", "--", "touch", "ran", environment_name="prod", environ=environ)
        assert (done.code, (harness_oauth.folder / "ran").exists()) == (0, True)
        assert "GitLab says that this job does not deploy to prod" in done.err
        assert jira.requests() == []

    def test_tests_that_the_command_runs_are_counted(self, harness_oauth, jira):
        (harness_oauth.folder / "old.xml").write_text('<testsuite><testcase name="a"><failure/></testcase></testsuite>')
        writes = """echo '<testsuite><testcase name="a"/><testcase name="b"/></testsuite>' > new.xml; rm old.xml"""
        done = harness_oauth.run("run", "--", "sh", "-c", writes, test_results="*.xml")
        assert done.code == 0, done.text
        first, last = (update["entity"] for update in jira.updates())
        assert "testInfo" not in first
        assert (last["testInfo"]["totalNumber"], last["testInfo"]["numberPassed"]) == (2, 2)

    def test_how_long_a_deployment_took_is_how_long_the_command_ran(self, harness_oauth, jira):
        long_ago = {"DRONE_STAGE_STARTED": "1000000000", "CI_PIPELINE_STARTED": "1000000000"}
        harness_oauth.run("run", "--", "true", environment_name="prod", environ=long_ago)
        [deployment] = jira.deployments()
        assert deployment["duration"] < 100

    def test_the_command_runs_after_jira_shows_it_in_progress(self, harness_oauth, jira, tmp_path):
        asks = f"import urllib.request as u; print(u.urlopen('{jira.url}/_sandbox/entities').read().decode())"
        seen = tmp_path / "seen"
        harness_oauth.run("run", "--", "sh", "-c", f'"$0" -c "$1" > {seen}', sys.executable, asks)
        assert [build["state"] for build in json.loads(seen.read_text())["builds"]] == ["in_progress"]

    def test_keys_are_looked_for_once_and_reported_is_called_once(self, harness_oauth, install, monkeypatch):
        hook = "import sys\nfrom jira_ci_core import hookimpl\n\n@hookimpl\ndef jira_ci_{}():\n    sys.stderr.write('{}\\n')\n"
        install("looks", hook.format("extract_issue_keys", "I look") + "    return []\n")
        install("hears", hook.format("reported", "I hear"))
        monkeypatch.syspath_prepend(harness_oauth.environ["PYTHONPATH"])
        done = harness_oauth.run("run", "--", "true")
        assert (done.code, done.err.count("I look"), done.err.count("I hear")) == (0, 1, 1)
        assert done.err.index("I look") < done.err.index("(in_progress)") < done.err.index("I hear")

    def test_the_keys_are_told_once(self, harness_oauth):
        done = harness_oauth.run("run", "--", "true")
        assert done.err.count("MYT-1  commit message") == 1
        assert done.err.count("(in_progress)") == done.err.count("(successful)") == 1

    def test_a_command_that_is_not_there(self, harness_oauth, jira, failed):
        failure = failed(harness_oauth.run("run", "--", "./nowhere", "x"), 127)
        assert failure.what == "./nowhere could not be started"
        assert states(jira) == ["in_progress", "failed"]

    @pytest.mark.parametrize("name", ["./plain", "."])
    def test_a_command_that_cannot_be_run(self, harness_oauth, jira, failed, name):
        (harness_oauth.folder / "plain").write_text("exit 0")
        failed(harness_oauth.run("run", "--", name), 126)
        assert states(jira) == ["in_progress", "failed"]

    def test_a_script_without_an_interpreter_is_run_by_a_shell(self, harness_oauth, jira):
        script = harness_oauth.folder / "deploy.sh"
        script.write_text('exit "$1"\n')
        script.chmod(0o755)
        assert harness_oauth.run("run", "--", "./deploy.sh", "9").code == 9

    def test_ci_s_own_status_has_no_effect(self, harness_oauth, jira):
        assert harness_oauth.run("run", "--", "true", environ={"DRONE_BUILD_STATUS": "failure"}).code == 0
        assert states(jira) == ["in_progress", "successful"]

    def test_a_rollback_that_succeeds_is_shown_as_one(self, harness_oauth, jira):
        assert harness_oauth.run("run", "--", "true", state="rolled_back", environment_name="prod").code == 0
        assert harness_oauth.run("run", "--", "false", state="rolled_back", environment_name="prod").code == 1
        assert states(jira) == ["in_progress", "rolled_back", "in_progress", "failed"]

    def test_without_a_key_the_command_runs_all_the_same(self, harness_oauth, jira):
        done = harness_oauth.run("run", "--", "sh", "-c", "exit 5", environ={"DRONE_COMMIT_MESSAGE": "nothing"})
        assert done.code == 5
        assert "warning: no issue key was found" in done.err
        assert jira.requests() == []


@pytest.mark.usefixtures("in_process")
class TestBeforeTheCommand:
    """An error in the step itself is found before the command is run."""

    @pytest.mark.parametrize(
        "settings",
        [
            {"project": "M"},
            {"client_id": None},
            {"state": "in_progress"},
            {"state": "rolled_back"},
            {"state": "excellent"},
            {"on_failure": "keep"},
        ],
    )
    def test_settings(self, harness_oauth, jira, failed, settings):
        failed(harness_oauth.run("run", "--", "touch", "ran", **settings), 2)
        assert not (harness_oauth.folder / "ran").exists()
        assert jira.requests() == []

    def test_several_sites(self, harness_oauth, jira, failed):
        (harness_oauth.folder / "sites.toml").write_text("[sites.a]\n[sites.b]\n")
        failure = failed(harness_oauth.run("run", "--", "touch", "ran", sites="a,b", config="sites.toml"), 2)
        assert failure.what == "SITES names 2 sites, and this takes one"
        assert not (harness_oauth.folder / "ran").exists()

    @pytest.mark.parametrize(("number", "settings"), [("1.4.42", {}), (None, {"environment_name": "prod"})])
    def test_a_run_without_a_number(self, harness_oauth, failed, number, settings):
        environ = {"DRONE_BUILD_NUMBER": None, "HARNESS_BUILD_ID": number}
        done = harness_oauth.run("run", "--", "touch", "ran", environ=environ, **settings)
        assert failed(done, 2).what == "RUN_NUMBER is not set"
        assert not (harness_oauth.folder / "ran").exists()

    def test_both_reports_of_a_ci_without_numbers_have_the_same(self, harness_oauth, jira):
        done = harness_oauth.run("run", "--", "true", environ={"DRONE_BUILD_NUMBER": None, "HARNESS_BUILD_ID": None})
        assert done.code == 0, done.text
        sent = [request["body"]["builds"][0] for request in jira.requests("bulk")]
        assert [build["state"] for build in sent] == ["in_progress", "successful"]
        assert len({build["buildNumber"] for build in sent}) == 1

    @pytest.mark.parametrize("arguments", [[], ["--"], ["touch", "ran"], ["--nonsense", "--", "touch", "ran"]])
    def test_usage(self, harness_oauth, jira, failed, arguments):
        failed(harness_oauth.run("run", *arguments), 2)
        assert not (harness_oauth.folder / "ran").exists()
        assert jira.requests() == []

    @pytest.mark.parametrize(
        "source", ["1 / 0", "from jira_ci_core import hookimpl\n\n@hookimpl\ndef jira_ci_extract_issue_keys(): 1 / 0"]
    )
    def test_a_plugin(self, harness_oauth, jira, failed, install, monkeypatch, source):
        install("broken", source)
        monkeypatch.syspath_prepend(harness_oauth.environ["PYTHONPATH"])
        failed(harness_oauth.run("run", "--", "touch", "ran"), 3)
        assert not (harness_oauth.folder / "ran").exists()
        assert harness_oauth.run("run", "--", "touch", "ran", on_plugin_error="warn").code == 0
        assert (harness_oauth.folder / "ran").exists()

    def test_words_of_the_command_are_not_words_of_the_step(self, harness_oauth, jira):
        words = ["--plugins", "nobody", "--config", "missing.toml", "--format", "json", "--dry-run", "--", "-x"]
        done = harness_oauth.run("run", "--", "sh", "-c", 'printf "%s\\n" "$@" > words', "sh", *words)
        assert done.code == 0, done.text
        assert (harness_oauth.folder / "words").read_text().split() == words
        assert harness_oauth.run("run", "--", "true", "--format", "json", project="M").out == ""


BROKEN = {
    "refused": lambda jira: jira.fault("answer", status=403, count=9, body={"message": "no"}),
    "rejected": lambda jira: jira.configure(projects=["OTHER"]),
    "no token": lambda jira: jira.fault("answer", match="token", status=401, count=9),
    "moved": lambda jira: jira.fault("redirect", location="https://new.example/", count=9),
    "no answer": lambda jira: jira.fault("html", count=9),
}


@pytest.mark.usefixtures("in_process")
class TestTroubleWithJira:
    """Nothing that happens with Jira changes the exit status of the command."""

    @pytest.mark.parametrize("how", BROKEN)
    @pytest.mark.parametrize(("script", "code", "strict"), [("exit 0", 0, 1), ("exit 6", 6, 6)])
    def test_it_is_shown_and_the_status_is_the_command_s(self, harness_oauth, jira, clean, how, script, code, strict):
        BROKEN[how](jira)
        done = clean(harness_oauth.run("run", "--", "sh", "-c", script))
        assert done.code == code, done.text
        assert "\nwarning: " in done.err
        assert "error: " not in done.err
        done = clean(harness_oauth.run("run", "--strict", "--", "sh", "-c", script))
        assert done.code == strict
        assert "\nerror: " in done.err

    @pytest.mark.parametrize(("count", "left"), [(1, ["successful"]), (2, [])])
    def test_one_report_that_was_lost_is_trouble(self, harness_oauth, jira, count, left):
        jira.fault("answer", status=403, count=count)
        assert harness_oauth.run("run", "--strict", "--", "true").code == 1
        assert states(jira) == left

    def test_strict_where_both_reports_succeed(self, harness_oauth):
        assert harness_oauth.run("run", "--strict", "--", "true").code == 0

    def test_strict_without_a_key(self, harness_oauth):
        environ = {"DRONE_COMMIT_MESSAGE": "nothing"}
        assert harness_oauth.run("run", "--strict", "--", "true", environ=environ).code == 0
        assert harness_oauth.run("run", "--strict", "--", "true", environ=environ, on_no_issue="fail").code == 1

    def test_what_could_not_be_delivered_is_kept(self, harness_oauth, jira, tmp_path):
        jira.fault("answer", status=403, count=2)
        outbox = {"outbox": str(tmp_path / "outbox")}
        done = harness_oauth.run("run", "--strict", "--", "true", on_failure="keep", **outbox)
        assert done.code == 0, done.text
        assert harness_oauth.run("outbox", "flush", **outbox).code == 0
        assert [build["state"] for build in jira.builds()] == ["successful"]

    def test_both_are_shown_before_a_step_that_verifies_ends(self, harness_oauth, jira):
        done = harness_oauth.run("run", "--strict", "--", "true", verify="true")
        assert done.code == 0
        assert "shows build 42 of checkout (successful)" in done.err
        assert "shows build 42 of checkout (in_progress)" not in done.err

    @pytest.mark.parametrize("error", ["1 / 0", "exit(9)", "raise KeyboardInterrupt"])
    def test_a_plugin_that_fails_to_deliver(self, harness_oauth, clean, install, monkeypatch, error):
        install("broken", f"from jira_ci_core import hookimpl\n\n@hookimpl\ndef jira_ci_deliver():\n    {error}\n")
        monkeypatch.syspath_prepend(harness_oauth.environ["PYTHONPATH"])
        assert clean(harness_oauth.run("run", "--", "sh", "-c", "exit 6")).code == 6
        assert clean(harness_oauth.run("run", "--strict", "--", "true")).code == 1

    def test_a_token_that_expired_meanwhile(self, harness_oauth, jira):
        expire = f"import urllib.request as u; u.urlopen(u.Request('{jira.url}/_sandbox/expire-tokens', b'', {{'X-Sandbox': '1'}}))"
        assert harness_oauth.run("run", "--strict", "--", sys.executable, "-c", expire).code == 0
        assert states(jira) == ["in_progress", "successful"]


class TestStreams:
    """The command has the streams of the step."""

    EVERY_BYTE = bytes(range(256)) * 999

    def test_what_goes_in_and_out_is_not_touched(self, start):
        copies = "import shutil, sys; sys.stderr.buffer.write(b'\\0\\xff'); shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"
        process = start("--", *PYTHON, "-c", copies)
        out, err = process.communicate(self.EVERY_BYTE, timeout=60)
        assert (process.returncode, out) == (0, self.EVERY_BYTE)
        assert b"\0\xff" in err

    def test_they_are_the_very_same_files(self, start, tmp_path):
        with open(tmp_path / "all", "w+b") as file:
            process = start(
                "--", *PYTHON, "-c", "import os; print([os.fstat(n).st_ino for n in (0, 1, 2)])", streams=file
            )
            assert process.wait(timeout=60) == 0
            assert str([os.fstat(file.fileno()).st_ino] * 3).encode() in (tmp_path / "all").read_bytes()

    def test_what_a_plugin_prints_is_no_part_of_it(self, start, harness_oauth, install):
        install(
            "prints", "from jira_ci_core import hookimpl\n\n@hookimpl\ndef jira_ci_reported():\n    print('printed')\n"
        )
        process = start("--", "echo", "mine")
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, b"mine\n")
        assert b"printed" in err

    @pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
    def test_one_that_is_closed(self, start, closed):
        command = f'exec "$0" -P -m jira_ci_core run -- sh -c "exit 3" {closed}'
        process = start("--pass-credentials", "--", "sh", "-c", command, sys.executable)
        process.communicate(timeout=60)
        assert process.returncode == 3

    def test_other_files_that_were_inherited(self, start, tmp_path):
        script = f'exec 7>{tmp_path}/seven; exec "$0" -P -m jira_ci_core run -- sh -c "echo here >&7"'
        process = start("--pass-credentials", "--", "sh", "-c", script, sys.executable)
        process.communicate(timeout=60)
        assert process.returncode == 0
        assert (tmp_path / "seven").read_text() == "here\n"


class TestSignals:
    """The signals that the step receives are forwarded to the command."""

    @pytest.mark.parametrize(
        ("name", "state"),
        [("SIGTERM", "cancelled"), ("SIGINT", "cancelled"), ("SIGHUP", "failed"), ("SIGQUIT", "failed")],
    )
    def test_one_that_ends_it(self, start, jira, name, state):
        process = listening(start)
        process.send_signal(signal.Signals[name])
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out.decode().split()) == (7, [name])
        assert states(jira) == ["in_progress", state]
        assert f"({state})" in err.decode()

    def test_those_that_the_command_handles(self, start, jira):
        process = listening(start)
        for name in ("SIGUSR1", "SIGUSR2", "SIGUSR1", "SIGTERM"):
            process.send_signal(signal.Signals[name])
            assert process.stdout.readline().decode().strip() == name
        assert process.wait(timeout=60) == 7
        assert states(jira) == ["in_progress", "cancelled"]

    def test_jira_knows_before_the_command_has_cleaned_up(self, start, jira):
        process = listening(start, ending="(10,)")
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == b"SIGTERM\n"
        wait_for(lambda: states(jira) == ["in_progress", "cancelled"])
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"SIGINT\n"
        process.send_signal(signal.SIGUSR1)
        process.communicate(timeout=60)
        assert process.returncode == 7
        assert states(jira) == ["in_progress", "cancelled"]

    def test_one_that_was_told_to_stop_is_never_shown_as_successful(self, start, jira):
        ends_well = LISTENS.replace("_exit(7)", "_exit(0)").format(ending=ALL)
        process = start("--", *PYTHON, "-c", ends_well)
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0
        assert states(jira) == ["in_progress", "cancelled"]

    def test_one_that_is_ignored_stays_ignored(self, start, jira):
        process = start(
            "--pass-credentials",
            "--",
            "sh",
            "-c",
            'trap "" HUP; exec "$0" -P -m jira_ci_core run -- sh -c "echo ready; cat"',
            sys.executable,
        )
        assert process.stdout.readline() == b"ready\n"
        os.killpg(process.pid, signal.SIGHUP)
        process.stdin.write(b"alive\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"alive\n"

    def test_a_stop_before_the_command_runs_is_the_end(self, start, harness_oauth, jira):
        jira.fault("slow", seconds=300)
        process = start("--", "touch", "ran", environ={"PLUGIN_CLOUD_ID": None})
        wait_for(lambda: jira.requests("bulk"))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGTERM
        assert states(jira)[-1] == "cancelled"
        assert not (harness_oauth.folder / "ran").exists()

    def test_killed_itself_it_leaves_the_command_alone(self, start, jira):
        process = start("--", "sh", "-c", "echo ready; cat; echo done")
        assert process.stdout.readline() == b"ready\n"
        process.kill()
        process.wait()
        process.stdin.close()
        assert process.stdout.read() == b"done\n"
        process.stdin = None
        assert states(jira) == ["in_progress"]


SLOW = json.dumps({"action": "slow", "seconds": 300})


@pytest.fixture
def impatient(monkeypatch):
    """Shortens the time limits."""
    assert command_run.LAST_SECONDS <= 8
    monkeypatch.setattr(command_run, "FIRST_SECONDS", 1.0)
    monkeypatch.setattr(command_run, "LAST_SECONDS", 1.0)


class TestHangingJira:
    """A step that was told to stop waits for Jira no longer than CI waits for the step."""

    def test_the_command_has_ended_and_jira_hangs(self, start, jira):
        process = listening(start)
        jira.fault("slow", match="any", seconds=300, count=99)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == b"SIGTERM\n"
        # Jira's answers would come after five minutes, and DEADLINE is one: had it waited for them, this would fail.
        process.communicate(timeout=30)
        assert process.returncode == 7
        assert jira.faults()

    @pytest.mark.usefixtures("in_process", "impatient")
    def test_a_plugin_that_hangs_does_not_hold_it_either(self, harness_oauth, jira, install, monkeypatch):
        hangs = "import threading\nfrom jira_ci_core import hookimpl\n\n@hookimpl\ndef jira_ci_{}():\n    threading.Event().wait()\n"
        install("hangs", hangs.format("reported"))
        monkeypatch.syspath_prepend(harness_oauth.environ["PYTHONPATH"])
        done = harness_oauth.run("run", "--", "sh", "-c", "trap 'exit 5' TERM; kill -TERM $PPID; exit 5")
        assert done.code == 5, done.text
        assert states(jira) == ["in_progress", "cancelled"]
        assert "warning: the report to Jira was not finished in time" in done.err

    @pytest.mark.usefixtures("in_process", "impatient")
    def test_nor_does_one_that_hangs_at_the_beginning(self, harness_oauth, install, monkeypatch):
        hangs = "import threading\nfrom jira_ci_core import hookimpl\n\n@hookimpl\ndef jira_ci_{}():\n    threading.Event().wait()\n"
        install("hangs", hangs.format("deliver"))
        monkeypatch.syspath_prepend(harness_oauth.environ["PYTHONPATH"])
        done = harness_oauth.run("run", "--", "sh", "-c", "exit 5", plugin_timeout="0.1", deadline="0.5")
        assert done.code == 5, done.text
        assert done.err.count("warning: the report to Jira was not finished in time") == 2

    @pytest.mark.usefixtures("in_process", "impatient")
    def test_a_stop_while_it_is_told_how_the_command_ended(self, harness_oauth, jira):
        late = f"import urllib.request as u; u.urlopen(u.Request('{jira.url}/_sandbox/faults', b'{SLOW}', {{'X-Sandbox': '1'}}))"

        def stop():
            wait_for(lambda: len(jira.requests("bulk")) == 2)
            os.kill(os.getpid(), signal.SIGTERM)

        stopper = threading.Thread(target=stop)
        stopper.start()
        # The deadline ends a report that still waits for Jira, so that it does not go on during another test.
        done = harness_oauth.run("run", "--", *PYTHON, "-c", late, deadline="10")
        stopper.join()
        assert done.code == 0, done.text
        assert states(jira) == ["in_progress", "successful"]
        assert "warning: the report to Jira was not finished in time" in done.err

    def test_the_command_begins_although_jira_does_not_answer(self, start, jira):
        jira.fault("slow", match="any", seconds=300, count=99)
        process = start("--", "echo", "here", deadline=1)
        assert process.stdout.readline() == b"here\n"
        process.communicate(timeout=60)
        assert process.returncode == 0


class TestTerminal:
    """The command has the terminal of the step, and Ctrl+C reaches it once."""

    @pytest.fixture
    def on_terminal(self, harness_oauth):
        """Starts a step on a terminal of its own; returns the process and the other end of the terminal."""
        ended = []

        def make(*arguments):
            mine, its = pty.openpty()
            environ = {"PATH": os.environ["PATH"], **harness_oauth.variables(None, {})}
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    "import os, fcntl, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])",
                    sys.executable,
                    "-P",
                    "-m",
                    "jira_ci_core",
                    "run",
                    "--",
                    *arguments,
                ],
                cwd=harness_oauth.folder,
                env=environ,
                stdin=its,
                stdout=its,
                stderr=its,
            )
            os.close(its)
            ended.append((process, mine))
            return process, mine

        yield make
        for process, mine in ended:
            process.kill()
            process.wait()
            os.close(mine)

    def read_until(self, terminal, word):
        text = b""
        while word not in text:
            try:
                text += os.read(terminal, 1000)
            except OSError:
                break
        return text.decode()

    def test_it_has_a_terminal(self, on_terminal):
        process, terminal = on_terminal(*PYTHON, "-c", "import os; print([os.isatty(n) for n in (0, 1, 2)])")
        assert "[True, True, True]" in self.read_until(terminal, b"]\r\n")
        self.read_until(terminal, b"never")
        assert process.wait(timeout=60) == 0

    def test_what_the_terminal_sends_to_both_is_known(self, on_terminal, start):
        asks = (
            "from jira_ci_core.command_run.process import _is_in_foreground as asked; print(f'foreground: {asked()}')"
        )
        _, terminal = on_terminal(sys.executable, "-c", asks)
        assert "foreground: True" in self.read_until(terminal, b"foreground: True")
        assert b"foreground: False" in start("--", sys.executable, "-c", asks).communicate(timeout=60)[0]

    def test_ctrl_c_reaches_it_once(self, on_terminal, jira):
        process, terminal = on_terminal(*PYTHON, "-c", LISTENS.format(ending="(10,)"))
        self.read_until(terminal, b"ready\r\n")
        os.write(terminal, b"\x03")
        text = self.read_until(terminal, b"SIGINT\r\n")
        wait_for(lambda: states(jira) == ["in_progress", "cancelled"])
        process.send_signal(signal.SIGUSR1)
        text += self.read_until(terminal, b"never")
        assert process.wait(timeout=60) == 7
        assert text.count("SIGINT") == 1
