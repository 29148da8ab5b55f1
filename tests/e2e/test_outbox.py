"""Reports that are kept until Jira has answered: what is in the folder when, how a step ends, and what delivers the rest."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from jira_ci_core.delivery.outbox import Entry, Outbox

FAR_AWAY = {"Retry-After": "86400"}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "outbox"


def kept(folder):
    """The reports in an outbox; any other file in it fails the test."""
    found = list(Outbox(folder).read()) if folder.exists() else []
    assert all(isinstance(one, Entry) for one in found), found
    return found


def tree(*folders):
    return {
        path: (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for folder in folders
        for path in folder.rglob("*")
        if not path.is_socket()
    }


# How delivery may end: what goes wrong, and the exit code with ON_FAILURE of fail, keep and ignore. `lost` tells
# those in which Jira has neither accepted nor refused the report, so that it is kept where there is an outbox.
REFUSED = {"fail": 1, "keep": 1, "ignore": 1}
LOST = {"fail": 1, "keep": 0, "ignore": 0}
ALWAYS_WELL = {"fail": 0, "keep": 0, "ignore": 0}
PLUGIN = {"fail": 3, "keep": 3, "ignore": 3}
ENDINGS = {
    "accepted": (None, False, ALWAYS_WELL),
    "queued": ("plugin: Receipt.for_all(reports, Result.QUEUED)", False, ALWAYS_WELL),
    "no key of it is known": ({"issuekeys": "NOPE-1,NOPE-2"}, False, REFUSED),
    "rejected": ("plugin: Receipt.for_all(reports, Result.REJECTED, Problem('a', 'b', 'c'))", False, REFUSED),
    "400": ({"status": 400, "body": {"message": "malformed"}}, False, REFUSED),
    "413, one entity": ({"status": 413}, False, REFUSED),
    "401": ({"status": 401}, True, LOST),
    "403": ({"status": 403}, True, LOST),
    "404": ({"status": 404}, True, LOST),
    "405": ({"status": 405}, True, LOST),
    "418": ({"status": 418}, True, LOST),
    "moved": ("redirect", True, LOST),
    "408": ({"status": 408, "headers": FAR_AWAY}, True, LOST),
    "429": ({"status": 429, "headers": FAR_AWAY}, True, LOST),
    "500": ({"status": 500, "headers": FAR_AWAY}, True, LOST),
    "503": ({"status": 503, "headers": FAR_AWAY}, True, LOST),
    "200 and HTML": ("html", True, LOST),
    "202 that is no JSON": ("malformed", True, LOST),
    "202 that is empty": ("empty", True, LOST),
    "202 that says too little": ("missing", True, LOST),
    "broken off": ("half", True, LOST),
    "reset": ("reset", True, LOST),
    "no connection": ("no connection", True, LOST),
    "no token": ("no token", True, LOST),
    "plugin error": ("plugin: 1 / 0", True, PLUGIN),
}

DELIVERS = """
from jira_ci_core import Outcome, Problem, Receipt, Result, hookimpl

@hookimpl
def jira_ci_deliver(reports):
    return {answer}
"""


@pytest.fixture
def delivers(install, step, monkeypatch):
    """Installs a plugin that delivers in its own way, for steps in this process: `delivers(expression)`."""
    monkeypatch.syspath_prepend(step.environ["PYTHONPATH"])
    return lambda answer: install("delivers", DELIVERS.format(answer=answer))


@pytest.fixture
def goes_wrong(jira, delivers, free_port):
    """Arranges an ending, and answers the settings that the step needs for it."""

    def arrange(how):
        if how is None:
            return {}
        if isinstance(how, dict) and "status" in how:
            jira.fault("answer", count=100, **how)
        elif isinstance(how, dict):
            return how
        elif how.startswith("plugin: "):
            delivers(how.removeprefix("plugin: "))
        elif how == "no connection":
            return {"api_url": f"http://127.0.0.1:{free_port}"}
        elif how == "no token":
            return {"client_secret": "another-secret"}
        elif how == "redirect":
            jira.fault("redirect", count=100, location="https://new.example/")
        elif how == "missing":
            jira.fault("missing", count=100, fields=["acceptedBuilds"])
        else:
            jira.fault(how, count=100)
        return {}

    return arrange


@pytest.mark.usefixtures("in_process")
class TestEndings:
    """How a step ends is decided by what became of the report, ON_FAILURE, and whether it could be kept."""

    @pytest.mark.parametrize(
        ("on_failure", "has_outbox"),
        [("fail", True), ("keep", True), ("ignore", True), ("fail", False), ("ignore", False)],
    )
    @pytest.mark.parametrize(("how", "lost", "codes"), ENDINGS.values(), ids=ENDINGS.keys())
    def test_every_ending(
        self, harness_oauth, jira, folder, failed, clean, goes_wrong, how, lost, codes, on_failure, has_outbox
    ):
        more = goes_wrong(how)
        outbox = folder if has_outbox else None
        done = clean(harness_oauth(outbox=outbox, on_failure=on_failure, deadline="0.3", **more))
        assert done.code == codes[on_failure], done.text
        if done.code:
            failed(done, done.code)
        assert len(kept(folder)) == (lost and has_outbox)
        for entry in kept(folder):
            assert f"is kept in {entry.path}" in done.err
        if codes is LOST and done.code == 0:
            assert "warning: " in done.err
            assert "  do:  " in done.err
            assert "error: " not in done.err

    def test_keep_without_an_outbox_is_refused_before_anything_is_sent(self, harness_oauth, jira, failed):
        failure = failed(harness_oauth(on_failure="keep"), 2)
        assert "ON_FAILURE is keep, and OUTBOX" in failure.why
        assert "set OUTBOX to a folder" in failure.do
        assert jira.requests() == []

    @pytest.mark.parametrize("on_failure", ["fail", "keep", "ignore"])
    @pytest.mark.parametrize("outbox", [True, False])
    def test_an_outbox_that_cannot_be_used_is_a_warning_and_no_reason_not_to_deliver(
        self, harness_oauth, jira, folder, clean, on_failure, outbox
    ):
        folder.write_text("in the way")
        done = clean(harness_oauth(outbox=folder, on_failure=on_failure))
        assert done.code == 0, done.text
        assert f"warning: the outbox {folder} cannot be used: Not a directory; make OUTBOX a folder" in done.err
        assert len(jira.builds()) == 1

    @pytest.mark.parametrize(("on_failure", "code"), [("fail", 1), ("keep", 1), ("ignore", 0)])
    def test_what_was_neither_delivered_nor_kept_is_forgiven_only_by_ignore(
        self, harness_oauth, jira, folder, on_failure, code
    ):
        folder.write_text("in the way")
        jira.fault("answer", status=403, count=9)
        done = harness_oauth(outbox=folder, on_failure=on_failure)
        assert done.code == code, done.text

    def test_each_of_several_reports_ends_in_its_own_way(self, harness_oauth, jira, folder):
        jira.fault("answer", status=413)
        jira.fault("answer", status=403)
        done = harness_oauth(
            "--format=json", outbox=folder, on_failure="keep", environment_name="qa,prod", deadline="1"
        )
        [entry] = kept(folder)
        assert done.code == 0, done.text
        outcomes = {one["report"]: (one["result"], one["kept"]) for one in done.json["outcomes"]}
        assert outcomes == {
            "deployment 42 of checkout to qa": ("not_delivered", str(entry.path)),
            "deployment 42 of checkout to prod": ("accepted", None),
        }
        assert done.json["ending"] == "kept"

    def test_one_that_is_refused_fails_the_step_whatever_became_of_the_others(self, harness_oauth, jira, folder):
        jira.fault("answer", status=413)
        jira.fault("answer", status=403)
        jira.fault("answer", status=400)
        done = harness_oauth("--format=json", outbox=folder, on_failure="ignore", environment_name="qa,prod")
        assert done.code == 1, done.text
        assert [one["result"] for one in done.json["outcomes"]] == ["not_delivered", "rejected"]
        assert done.json["ending"] == "not_delivered"
        assert len(kept(folder)) == 1


@pytest.mark.usefixtures("in_process")
class TestWhatIsWritten:
    """A report is there before it is sent, and gone once it is answered for; it holds no secret."""

    @pytest.fixture
    def looking(self, jira, listen, folder):
        """A Jira that looks into the outbox whenever it is asked for anything."""
        import requests

        seen = []

        def answer(received):
            seen.append((received.method, received.target.rpartition("/")[2], [one.report for one in kept(folder)]))
            response = requests.request(
                received.method,
                jira.url + received.target,
                headers={name: value for name, value in received.headers.items() if name.lower() != "host"},
                data=received.body,
                timeout=30,
            )
            return response.status_code, {"Content-Type": "application/json"}, response.content

        listener = listen(answer)
        listener.seen = seen
        return listener

    def test_it_is_there_before_anything_is_sent_and_gone_once_it_is_answered(
        self, harness_oauth, jira, folder, looking
    ):
        done = harness_oauth(outbox=folder, instance=looking.url, api_url=looking.url)
        assert done.code == 0, done.text
        *signing_in, bulk = ((method, target) for method, target, _ in looking.seen)
        assert sorted(signing_in) == [("GET", "tenant_info"), ("POST", "token")]
        assert bulk == ("POST", "bulk")
        for _, _, reports in looking.seen:
            assert [report.title for report in reports] == ["build 42 of checkout"]
        [build] = jira.builds()
        assert looking.seen[-1][2][0].entity.sequence == build["updateSequenceNumber"]
        assert list(folder.iterdir()) == []

    def test_it_is_whole_and_for_this_site(self, harness_oauth, jira, folder):
        jira.fault("answer", status=403, count=9)
        harness_oauth(outbox=folder, environment_name="prod", properties="team=a")
        [entry] = kept(folder)
        assert entry.report.site.url == jira.url
        assert entry.report.properties == {"team": "a"}
        assert entry.report.entity.environment.id == "prod"

    def test_no_secret_is_stored_also_where_a_title_holds_one(self, harness_oauth, jira, folder, secrets, clean):
        for secret in (jira.client_secret, jira.client_id):
            jira.fault("answer", status=403)
            message = f"[MYT-1] Use {secret} to sign in"
            clean(harness_oauth(outbox=folder, environ={"DRONE_COMMIT_MESSAGE": message}))
        found = kept(folder)
        assert [one.report.entity.description for one in found] == ["[MYT-1] Use [secret] to sign in"] * 2
        for path in folder.iterdir():
            for secret in (*secrets, jira.client_id):
                assert secret not in path.read_text()

    def test_what_cannot_be_stored_without_its_secret_is_not(self, harness, jira, folder, connect, clean):
        jira.fault("answer", status=403, count=9)
        pipeline = f"shop/{jira.connect_key}"
        done = clean(harness(environ=connect, outbox=folder, on_failure="keep", pipeline=pipeline))
        assert done.code == 1, done.text
        assert "is not kept in the outbox: the site, the pipeline" in done.err
        assert kept(folder) == []

    def test_a_dry_run_and_a_step_without_a_key_keep_nothing(self, harness_oauth, folder):
        assert harness_oauth("--dry-run", outbox=folder).code == 0
        assert harness_oauth(outbox=folder, environ={"DRONE_COMMIT_MESSAGE": "no key"}).code == 0
        assert not folder.exists()

    def test_report_neither_delivers_nor_touches_what_others_left(self, harness_oauth, jira, folder):
        jira.fault("answer", status=403)
        harness_oauth(outbox=folder, run_number=1)
        (folder / "strange.json").write_text("{")
        before = tree(folder)
        done = harness_oauth(outbox=folder, run_number=2)
        assert done.code == 0, done.text
        assert [build["buildNumber"] for build in jira.builds()] == [2]
        assert {path: facts for path, facts in tree(folder).items() if path.is_file()} == before


WATCHED = """
import os, sys

def watch(event, arguments):
    changes = event in ("os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink", "os.truncate", "shutil.copyfile")
    if event == "open" and arguments[0] != os.devnull:
        changes = bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))
    if changes:
        print("WRITES", event, arguments[0], flush=True)

sys.addaudithook(watch)
from jira_ci_core.__main__ import main
main()
"""


@pytest.mark.parametrize("fault", [None, {"status": 403}, {"status": 503, "headers": FAR_AWAY}])
def test_without_an_outbox_nothing_is_written_anywhere(harness_oauth, jira, tmp_path, fault):
    if fault:
        jira.fault("answer", count=9, **fault)
    (tmp_path / "tmp").mkdir()
    variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path / "tmp")}
    variables |= {"PYTHONDONTWRITEBYTECODE": "1", **harness_oauth.environ}
    before = tree(tmp_path)
    run = [sys.executable, "-c", WATCHED, "report"]
    done = subprocess.run(run, env=variables, cwd=harness_oauth.folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == bool(fault), done.stderr
    assert "WRITES" not in done.stdout
    assert tree(tmp_path) == before
    # And such a step is seen to write where it does.
    variables["PLUGIN_OUTBOX"] = str(tmp_path / "outbox")
    done = subprocess.run(run, env=variables, cwd=harness_oauth.folder, capture_output=True, text=True, timeout=60)
    assert f"WRITES os.rename {tmp_path / 'outbox'}" in done.stdout


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_step_that_is_ended_while_jira_thinks_leaves_its_report(harness_oauth, jira, folder, how):
    jira.fault("slow", seconds=3600)
    variables = {"PATH": os.environ["PATH"], **harness_oauth.environ, "PLUGIN_OUTBOX": str(folder)}
    command = [sys.executable, "-P", "-m", "jira_ci_core", "report"]
    with subprocess.Popen(command, env=variables, cwd=harness_oauth.folder, stderr=subprocess.PIPE, text=True) as step:
        while not jira.requests("/bulk"):
            assert step.poll() is None
        [entry] = kept(folder)
        assert Outbox(folder).lock(entry) is None, "it is being delivered"
        step.send_signal(how)
        _, printed = step.communicate(timeout=60)
    assert step.returncode == (130 if how is signal.SIGINT else -how)
    assert (f"is kept in {entry.path}" in printed) == (how is signal.SIGINT)
    assert kept(folder) == [entry]
    done = harness_oauth.run("outbox", "flush", outbox=folder)
    assert (done.code, kept(folder)) == (0, []), done.text
    assert [build["updateSequenceNumber"] for build in jira.builds()] == [entry.report.entity.sequence]


@pytest.fixture
def keep(harness_oauth, jira, folder):
    """Leaves reports in the outbox, as steps do whose delivery failed: `keep(run_number=1)`."""

    def leave(**settings):
        jira.fault("answer", status=403)
        done = harness_oauth(outbox=folder, on_failure="keep", **settings)
        assert done.code == 0, done.text
        jira.clear_faults()
        return kept(folder)[-1]

    return leave


@pytest.mark.usefixtures("in_process")
class TestFlush:
    """`outbox flush` delivers what others left, for the site that it is configured for, with its own credentials."""

    def test_delivers_everything_with_progress_and_leaves_nothing(self, harness_oauth, jira, folder, keep):
        for number in (3, 1, 2):
            keep(run_number=number)
        keep(environment_name="prod")
        jira.expire_tokens()
        done = harness_oauth.run("outbox", "flush", outbox=folder)
        assert done.code == 0, done.text
        assert done.err.splitlines()[-2:] == ["4 of 4 reports answered for", "delivered 4, refused 0, left 0"]
        assert sorted(build["buildNumber"] for build in jira.builds()) == [1, 2, 3]
        assert len(jira.deployments()) == 1
        assert list(folder.iterdir()) == []

    def test_goes_batch_by_batch_and_tells_after_each(self, harness_oauth, jira, folder, keep, monkeypatch):
        monkeypatch.setattr("jira_ci_core.delivery.flush.BATCH", 2)
        for number in range(5):
            keep(run_number=number)
        done = harness_oauth.run("outbox", "flush", outbox=folder)
        assert [line for line in done.err.splitlines() if "answered for" in line] == [
            "2 of 5 reports answered for",
            "4 of 5 reports answered for",
            "5 of 5 reports answered for",
        ]
        assert len(jira.requests("/bulk")) - 5 == 3

    def test_stops_where_jira_does_not_answer_and_leaves_the_rest(
        self, harness_oauth, jira, folder, keep, monkeypatch, failed
    ):
        monkeypatch.setattr("jira_ci_core.delivery.flush.BATCH", 1)
        for number in range(4):
            keep(run_number=number)
        before = len(jira.requests("/bulk"))
        jira.fault("answer", "deployments", status=404)
        jira.fault("answer", f"/jira/builds/0.1/cloud/{jira.cloud_id}/bulk", status=403)
        done = harness_oauth.run("outbox", "flush", outbox=folder)
        assert failed(done, 1).what.startswith("the credential may not report this")
        assert "0 of 4 reports answered for" in done.err
        assert "delivered 0, refused 0, left 4" in done.err
        assert len(jira.requests("/bulk")) == before + 1
        assert len(kept(folder)) == 4

    def test_what_is_refused_is_removed_and_fails(self, harness_oauth, jira, folder, keep, failed):
        keep(run_number=1)
        keep(run_number=2)
        jira.fault("answer", status=413)
        jira.fault("answer", status=413)
        done = harness_oauth.run("outbox", "flush", outbox=folder)
        assert "too large" in failed(done, 1).what
        assert "delivered 1, refused 1, left 0" in done.err
        assert kept(folder) == []

    def test_sends_only_the_latest_of_several_updates(self, harness_oauth, jira, folder, keep):
        for state in ("pending", "in_progress", "failed"):
            keep(state=state)
        keep(run_number=2, state="in_progress")
        done = harness_oauth.run("outbox", "flush", outbox=folder)
        assert "delivered 4, refused 0, left 0" in done.err
        assert [one["outcome"] for one in jira.updates()] == ["applied", "applied"]
        assert {build["buildNumber"]: build["state"] for build in jira.builds()} == {42: "failed", 2: "in_progress"}
        assert kept(folder) == []

    def test_goes_by_the_order_in_the_reports_whatever_the_files_are_called(self, harness_oauth, jira, folder, keep):
        keep(state="in_progress").path.rename(folder / "z.json")
        keep(state="successful").path.rename(folder / "a.json")
        assert harness_oauth.run("outbox", "flush", outbox=folder).code == 0
        assert [build["state"] for build in jira.builds()] == ["successful"]
        assert len(jira.updates()) == 1

    def test_where_the_latest_is_refused_the_one_before_it_is_sent(self, harness_oauth, jira, folder, keep):
        for state in ("pending", "in_progress", "failed"):
            keep(state=state)
        jira.fault("answer", status=400)
        jira.fault("answer", status=400)
        done = harness_oauth.run("outbox", "flush", outbox=folder)
        assert "delivered 1, refused 2, left 0" in done.err
        assert [build["state"] for build in jira.builds()] == ["pending"]
        assert kept(folder) == []

    def test_an_older_state_never_replaces_a_newer_one(self, harness_oauth, jira, folder, keep):
        keep(state="in_progress")
        assert harness_oauth(state="successful", outbox=folder).code == 0
        assert harness_oauth.run("outbox", "flush", outbox=folder).code == 0
        assert [build["state"] for build in jira.builds()] == ["successful"]

    @pytest.mark.parametrize("site", ["https://other.example", None])
    def test_leaves_what_is_for_another_site(self, harness_oauth, jira, folder, keep, site):
        entry = keep()
        content = json.loads(entry.path.read_text())
        content["report"]["site"] = {"url": site, "cloud_id": None}
        entry.path.write_text(json.dumps(content))
        before = tree(folder), len(jira.requests())
        done = harness_oauth.run("outbox", "flush", outbox=folder)
        assert done.code == 0, done.text
        assert "delivered 0, refused 0, left 0; 1 are for other sites, or others deliver them" in done.err
        assert (tree(folder), len(jira.requests())) == before

    def test_leaves_what_another_process_delivers(self, harness_oauth, jira, folder, keep):
        entry = keep()
        locked = Outbox(folder).lock(entry)
        done = harness_oauth.run("outbox", "flush", outbox=folder)
        assert "1 are for other sites, or others deliver them" in done.err
        assert jira.builds() == []
        locked.release()
        assert "delivered 1" in harness_oauth.run("outbox", "flush", outbox=folder).err

    def test_signs_in_for_itself(self, harness, harness_oauth, jira, folder, keep, connect):
        keep()
        theirs = {name: value for name, value in harness.environ.items() if "CLIENT" not in name}
        harness.environ.clear()
        harness.environ.update(theirs)
        assert harness.run("outbox", "flush", outbox=folder).code == 2
        assert len(kept(folder)) == 1
        done = harness.run("outbox", "flush", environ=connect, outbox=folder)
        assert done.code == 0, done.text
        assert [one["credential"] for one in jira.requests("/rest/builds")] == [
            one["name"] for one in jira.credentials() if one["kind"] == "connect"
        ]

    def test_names_and_leaves_alone_what_is_none_of_its(self, harness_oauth, jira, folder, keep, monkeypatch):
        keep()
        (folder / "damaged.json").write_text("{")
        (folder / "newer.json").write_text('{"format": 2}')
        (folder / "notes.txt").write_text("mine")
        (folder / ".half.tmp").write_text('{"form')
        (folder / "link.json").symlink_to(next(folder.glob("0*.json")))
        (folder / "huge.json").write_bytes(b" " * 2**21)
        os.mkfifo(folder / "pipe.json")
        monkeypatch.chdir(folder)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket.json")
        strange = [path for path in folder.iterdir() if not path.name.startswith("0")]
        facts = {path: (path.lstat().st_mtime_ns, path.lstat().st_mode) for path in strange}
        done = harness_oauth.run("outbox", "flush", outbox=folder)
        assert done.code == 1, done.text
        for path in strange:
            assert f"warning: {path} is left alone: " in done.err
        assert {path: (path.lstat().st_mtime_ns, path.lstat().st_mode) for path in folder.iterdir()} == facts
        assert len(jira.builds()) == 1

    def test_an_empty_outbox_is_no_failure_and_neither_is_one_that_is_not_there(self, harness_oauth, jira, folder):
        done = harness_oauth.run("outbox", "flush", outbox=folder)
        assert done.code == 0, done.text
        assert f"warning: there is no folder {folder}" in done.err
        folder.mkdir()
        assert "delivered 0, refused 0, left 0" in harness_oauth.run("outbox", "flush", outbox=folder).err
        assert jira.requests() == []

    @pytest.mark.parametrize("error", ["1 / 0", "__import__('signal').raise_signal(2)"])
    def test_an_error_on_the_way_leaves_everything_for_the_next(
        self, harness_oauth, jira, folder, keep, delivers, error
    ):
        keep()
        delivers(error)
        assert harness_oauth.run("outbox", "flush", outbox=folder).code in (3, 130)
        done = harness_oauth.run("outbox", "flush", outbox=folder, disable_plugins="delivers")
        assert "delivered 1" in done.err


@pytest.mark.usefixtures("in_process")
class TestList:
    def test_tells_of_each_in_text(self, harness_oauth, jira, folder, keep):
        first = keep(state="in_progress")
        second = keep(environment_name="prod")
        (folder / "notes.txt").write_text("mine")
        done = harness_oauth.run("outbox", "list", outbox=folder)
        assert done.code == 0
        host = jira.url.partition("://")[2]
        lines = done.err.splitlines()
        assert lines[0].startswith(f"{first.path.name}: build 42 of checkout (in_progress) for {host}, kept at 20")
        assert lines[0].endswith("+00:00")
        assert lines[1].startswith(f"{second.path.name}: deployment 42 of checkout to prod (successful) for {host}, ")
        assert lines[2] == "notes.txt: it is not a report: its name does not end in .json"

    def test_tells_programs(self, harness_oauth, folder, keep):
        entry = keep()
        (folder / "notes.txt").write_text("mine")
        report, foreign_file = harness_oauth.run("outbox", "list", "--format", "json", outbox=folder).json
        assert report == {
            "name": entry.path.name,
            "kept_at": entry.kept_at,
            "report": entry.report.model_dump(mode="json"),
        }
        assert foreign_file == {"name": "notes.txt", "left_alone": "it is not a report: its name does not end in .json"}

    def test_needs_neither_credentials_nor_a_site(self, step, folder):
        folder.mkdir()
        done = step.run("outbox", "list", "--outbox", str(folder))
        assert (done.code, done.err) == (0, "the outbox is empty\n")
        assert step.run("outbox", "list", "--format=json", "--outbox", str(folder)).json == []

    @pytest.mark.parametrize("command", ["list", "drop"])
    def test_without_an_outbox_says_what_to_set(self, step, failed, command):
        failure = failed(step.run("outbox", command), 2)
        assert failure.what == "OUTBOX is not set"
        assert "--outbox FOLDER" in failure.do

    def test_flush_without_an_outbox_says_so_too(self, harness_oauth, failed, jira):
        assert failed(harness_oauth.run("outbox", "flush"), 2).what == "OUTBOX is not set"
        assert jira.requests() == []

    @pytest.mark.parametrize("command", ["list", "drop", "flush"])
    def test_a_folder_that_cannot_be_read_is_an_error(self, harness_oauth, folder, failed, command):
        folder.write_text("in the way")
        arguments = ["--all"] if command == "drop" else []
        failure = failed(harness_oauth.run("outbox", command, *arguments, outbox=folder), 1)
        assert failure.what == f"the outbox {folder} cannot be used"


@pytest.mark.usefixtures("in_process")
class TestDrop:
    def test_removes_what_is_named(self, harness_oauth, jira, folder, keep):
        first, second, third = keep(run_number=1), keep(run_number=2), keep(run_number=3)
        done = harness_oauth.run("outbox", "drop", first.path.name, str(third.path), first.path.name, outbox=folder)
        assert done.code == 0, done.text
        dropped = [line.partition(" (")[0] for line in done.err.splitlines()]
        assert dropped == [
            f"dropped {first.path.name}: build 1 of checkout",
            f"dropped {third.path.name}: build 3 of checkout",
        ]
        assert [one.path for one in kept(folder)] == [second.path]
        assert jira.builds() == []

    def test_all_removes_every_report_and_nothing_else(self, harness_oauth, folder, keep):
        keep(run_number=1)
        keep(run_number=2)
        (folder / "notes.txt").write_text("mine")
        (folder / ".half.tmp").write_text("{")
        done = harness_oauth.run("outbox", "drop", "--all", outbox=folder)
        assert done.code == 0, done.text
        assert done.err.count("dropped ") == 2
        assert sorted(path.name for path in folder.iterdir()) == [".half.tmp", "notes.txt"]

    def test_what_is_no_report_is_removed_only_by_its_name(self, harness_oauth, folder):
        folder.mkdir()
        (folder / ".half.tmp").write_text("{")
        done = harness_oauth.run("outbox", "drop", ".half.tmp", outbox=folder)
        assert done.code == 0, done.text
        assert list(folder.iterdir()) == []

    @pytest.mark.parametrize("arguments", [[], ["--all", "KEPT"], ["KEPT", "nobody.json"], ["../KEPT/nobody.json"]])
    def test_otherwise_nothing_is_removed(self, harness_oauth, folder, keep, failed, arguments):
        entry = keep()
        arguments = [argument.replace("KEPT", entry.path.name) for argument in arguments]
        failure = failed(harness_oauth.run("outbox", "drop", *arguments, outbox=folder), 2)
        assert failure.what == "nothing was dropped"
        assert ("nobody.json" in failure.why) == (arguments[-1:] != [] and "nobody" in arguments[-1])
        assert "jira-ci outbox list" in failure.do
        assert len(kept(folder)) == 1

    def test_what_cannot_be_removed_is_an_error(self, harness_oauth, folder, failed):
        (folder / "a.json").mkdir(parents=True)
        failure = failed(harness_oauth.run("outbox", "drop", "a.json", outbox=folder), 1)
        assert failure.what == f"{folder / 'a.json'} cannot be dropped"
        assert Path(folder / "a.json").is_dir()
