"""The outbox by itself: what is written, what is read, what is locked, and what a process that dies leaves behind."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import json
import logging
import mmap
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jira_ci_core import Outcome, PluginError, Problem, Receipt, Report, Result
from jira_ci_core.delivery.outbox import (
    LARGEST_FILE,
    Entry,
    ForeignFile,
    Outbox,
    OutboxError,
    deliver_kept,
    settle,
    warn_of_checkout,
)
from jira_ci_core.output.redaction import Secrets

SITE = {"url": "https://acme.atlassian.net"}
PIPELINE = {"id": "acme/shop", "name": "acme/shop", "url": "https://ci.example/shop"}


def make_report(number=1, sequence=1_700_000_000_000, environment="", site=SITE, properties=None, **changes):
    entity = {
        "kind": "deployment" if environment else "build",
        "number": number,
        "sequence": sequence,
        "name": f"acme/shop #{number}",
        "url": f"https://ci.example/run/{number}",
        "state": "successful",
        "last_updated": "2024-05-01T12:30:00+00:00",
        "issue_keys": ("MYT-1",),
        "pipeline": PIPELINE,
        **({"environment": {"id": environment, "name": environment}} if environment else {}),
        **changes,
    }
    return Report.model_validate({"site": site, "entity": entity, "properties": properties or {}})


@pytest.fixture
def outbox(tmp_path):
    return Outbox(tmp_path / "outbox")


def entries(outbox):
    found = list(outbox.read())
    assert all(isinstance(one, Entry) for one in found), found
    return found


def tree(folder):
    """Everything below a folder: names, kinds, sizes, times and what is in it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() and status.st_size < 2**16 else None
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_size, status.st_mtime_ns, content)
    return found


class TestKeeping:
    def test_what_is_kept_is_read_again(self, outbox):
        report = make_report(environment="prod", properties={"team": "a"})
        locked = outbox.keep(report)
        [entry] = entries(outbox)
        assert entry == locked.entry
        assert entry.report == report
        assert list(outbox.folder.iterdir()) == [entry.path]

    @given(
        name=st.text(min_size=1, max_size=40),
        description=st.text(max_size=40),
        label=st.text(min_size=1, max_size=40) | st.none(),
        number=st.integers(0, 2**63 - 1),
        sequence=st.integers(0, 2**63 - 1),
        state=st.sampled_from(["pending", "in_progress", "successful", "failed", "cancelled", "unknown"]),
        properties=st.dictionaries(st.from_regex(r"\A[^_:][^:]{0,9}\Z"), st.text(max_size=20), max_size=5),
        environment=st.text(max_size=20),
    )
    def test_whatever_is_in_a_report_comes_back(self, environment, properties, **changes):
        report = make_report(environment=environment, properties=properties, **changes)
        with tempfile.TemporaryDirectory() as folder:
            outbox = Outbox(Path(folder))
            outbox.keep(report).release()
            assert [entry.report for entry in entries(outbox)] == [report]

    def test_it_is_synced_before_it_has_its_name_and_the_name_is_synced_before_it_counts_as_kept(
        self, tmp_path, monkeypatch
    ):
        outbox = Outbox(tmp_path / "new" / "outbox")
        synced = []
        sync = os.fsync

        def record(descriptor):
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            names = sorted(one.suffix for one in outbox.folder.iterdir())
            synced.append((path.name if path.is_dir() else path.suffix, names))
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", record)
        outbox.keep(make_report()).release()
        assert synced == [("new", []), (".tmp", [".tmp"]), ("outbox", [".json"])]
        synced.clear()
        outbox.keep(make_report()).release()
        assert [name for name, _ in synced] == [".tmp", "outbox"]

    def test_the_oldest_update_is_read_first_and_equal_ones_do_not_replace_each_other(self, outbox):
        for sequence in (30, 7, 100_000_000_000_000, 7):
            outbox.keep(make_report(sequence=sequence)).release()
        assert [one.report.entity.sequence for one in entries(outbox)] == [7, 7, 30, 100_000_000_000_000]

    def test_a_file_of_the_first_format_is_understood_for_ever(self, outbox):
        outbox.folder.mkdir()
        (outbox.folder / "any-name.json").write_text(
            """{"format": 1, "kept_at": 1700000000.5, "report": {
                "site": {"url": "https://acme.atlassian.net", "cloud_id": null},
                "entity": {"number": 1, "sequence": 1700000000000, "name": "acme/shop #1", "description": "",
                    "label": null, "url": "https://ci.example/run/1", "state": "successful",
                    "last_updated": "2024-05-01T12:30:00Z", "issue_keys": ["MYT-1"], "kind": "build",
                    "pipeline": {"id": "acme/shop", "name": "acme/shop", "url": "https://ci.example/shop"},
                    "references": []},
                "properties": {}}}"""
        )
        [entry] = entries(outbox)
        assert (entry.report, entry.kept_at) == (make_report(), 1_700_000_000.5)

    def test_and_such_a_file_is_what_is_written(self, outbox):
        locked = outbox.keep(make_report())
        content = json.loads(locked.entry.path.read_bytes())
        assert content.keys() == {"format", "kept_at", "report"}
        assert content["format"] == 1
        assert content["kept_at"] == locked.entry.kept_at
        assert content["report"] == make_report().model_dump(mode="json")
        assert locked.entry.path.name.startswith("01700000000000-build-")

    def test_what_no_reader_would_take_is_not_written(self, outbox):
        with pytest.raises(OutboxError) as caught:
            outbox.keep(make_report(description="x" * LARGEST_FILE))
        what = "build 1 of acme/shop is not kept in the outbox"
        assert caught.value.problems == (Problem(what, "it is larger than 1 MiB", "shorten the texts in it"),)
        assert not outbox.folder.exists()

    def test_the_largest_file_that_is_written_is_read(self, outbox, monkeypatch):
        monkeypatch.setattr(time, "time", lambda: 1_700_000_000.5)
        path = outbox.keep(make_report()).entry.path
        room = LARGEST_FILE - path.stat().st_size
        path.unlink()
        outbox.keep(make_report(description="x" * room)).release()
        [entry] = entries(outbox)
        assert entry.path.stat().st_size == LARGEST_FILE
        with pytest.raises(OutboxError, match="is larger than 1 MiB"):
            outbox.keep(make_report(description="x" * (room + 1)))

    def test_every_language_is_stored_as_it_is_written(self, outbox):
        locked = outbox.keep(make_report(name="Größe 尺寸"))
        assert "Größe 尺寸" in locked.entry.path.read_text("utf-8")

    def test_a_file_that_was_kept_at_the_beginning_of_all_time_is_read(self, outbox):
        outbox.folder.mkdir()
        (outbox.folder / "a.json").write_text(_content(kept_at=0))
        assert [entry.kept_at for entry in entries(outbox)] == [0]


class TestSecrets:
    """No secret is stored, and masking one neither damages a report nor turns it into another one's."""

    SECRET = "tok/+=&-1234"

    @pytest.fixture
    def secrets(self):
        secrets = Secrets()
        secrets.add(self.SECRET)
        return secrets

    def test_a_text_that_holds_one_is_stored_without(self, tmp_path, secrets):
        outbox = Outbox(tmp_path / "outbox", secrets.redact)
        text = f"before {self.SECRET} after"
        url = f"https://ci.example/run?key={self.SECRET}"
        pipeline = {"id": "acme/shop", "name": text, "url": url}
        reference = {"commit": text, "repository_url": url, "branch": text, "branch_url": url}
        locked = outbox.keep(
            make_report(
                name=text,
                description=text,
                label=text,
                url=url,
                pipeline=pipeline,
                references=[reference],
                properties={text: text},
            )
        )
        stored = locked.entry.path.read_text()
        assert secrets.redact(stored) == stored
        assert "1234" not in stored
        [entry] = entries(outbox)
        assert entry.report.entity.name == "before [secret] after"
        assert entry.report.properties == {"before [secret] after": "before [secret] after"}
        assert entry.report.identity == make_report().identity

    @pytest.mark.parametrize("secret", ["build", "null", "successful", "1700", "sequence", "kept_at", "format", "2024"])
    def test_one_that_looks_like_a_part_of_the_format_does_no_harm(self, tmp_path, secret):
        secrets = Secrets()
        secrets.add(secret)
        outbox = Outbox(tmp_path / "outbox", secrets.redact)
        outbox.keep(make_report(name=f"a {secret}")).release()
        [entry] = entries(outbox)
        assert entry.report == make_report(name="a [secret]")

    @pytest.mark.parametrize(
        "secret",
        ["acme.atlassian.net", "acme/shop", "MYT-1", "prod", "b:shop-web", "0123456789abcdef", "repo-77", "repo-78"],
    )
    def test_one_in_what_says_which_report_it_is_means_that_it_is_not_kept(self, tmp_path, secret):
        secrets = Secrets()
        secrets.add(secret)
        outbox = Outbox(tmp_path / "outbox", secrets.redact)
        commit = {"hash": "0123456789abcdef", "repository_id": "repo-77"}
        associated = {"service_ids": ["b:shop-web"], "commits": [commit], "repository_ids": ["repo-78"]}
        with pytest.raises(OutboxError, match="is not kept in the outbox") as caught:
            outbox.keep(make_report(environment="prod", **associated))
        [problem] = caught.value.problems
        named = "the site, the pipeline, the environment, a key or a service"
        assert problem.why == f"{named} has a credential in its name, and none is ever stored"
        assert problem.remedy == "name it without, or change the credential"
        assert not outbox.folder.exists()


@contextlib.contextmanager
def mounted(folder, options):
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True).returncode:
        pytest.skip("only root may mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # whatever a failed test holds open


class TestUnusable:
    """A folder that cannot be written to is named with the reason; nothing half-made stays."""

    def refused(self, outbox):
        with pytest.raises(OutboxError) as caught:
            outbox.keep(make_report())
        [problem] = caught.value.problems
        assert problem.what == f"the outbox {outbox.folder} cannot be used"
        assert "make OUTBOX a folder" in problem.remedy
        return problem.why

    def test_a_file_in_its_place(self, outbox):
        outbox.folder.write_text("mine")
        assert self.refused(outbox) == "Not a directory"
        with pytest.raises(OutboxError, match=f"the outbox {outbox.folder} cannot be used: Not a directory"):
            list(outbox.read())
        assert outbox.folder.read_text() == "mine"

    def test_a_folder_below_a_file(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        assert self.refused(Outbox(tmp_path / "file" / "outbox")) == "Not a directory"

    def test_a_link_to_nowhere(self, outbox):
        outbox.folder.symlink_to("nowhere")
        assert self.refused(outbox) == "File exists"

    def test_a_name_that_no_folder_has(self):
        outbox = Outbox(Path("out\0box"))
        assert " null " in self.refused(outbox)
        with pytest.raises(OutboxError, match=" null "):
            list(outbox.read())

    def test_a_limit_on_the_size_of_files(self, outbox):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        try:
            assert self.refused(outbox) == "File too large"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert list(outbox.folder.iterdir()) == []

    def test_a_full_disk(self, outbox):
        with mounted(outbox.folder, "size=4k"):
            first = outbox.keep(make_report())
            assert self.refused(outbox) == "No space left on device"
            assert [one.path for one in entries(outbox)] == [first.entry.path]
            first.remove()

    def test_a_read_only_disk(self, outbox):
        with mounted(outbox.folder, "size=64k"):
            outbox.keep(make_report()).release()
            subprocess.run(["mount", "-o", "remount,ro", outbox.folder], check=True)
            assert self.refused(outbox) == "Read-only file system"
            [entry] = entries(outbox)
            locked = outbox.lock(entry)
            with pytest.raises(OSError, match="Read-only"):
                locked.remove()
            again = outbox.lock(entry)
            assert again, "who cannot remove a file lets go of it all the same"
            again.release()

    @pytest.mark.parametrize("broken", ["the file", "the folder"])
    def test_what_cannot_be_synced_is_not_kept(self, outbox, monkeypatch, broken):
        outbox.folder.mkdir()
        sync = os.fsync

        def fail(descriptor):
            if Path(os.readlink(f"/proc/self/fd/{descriptor}")).is_dir() == (broken == "the folder"):
                raise OSError(errno.EIO, "Input/output error")
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", fail)
        assert self.refused(outbox) == "Input/output error"
        assert list(outbox.folder.iterdir()) == []

    def test_where_there_is_no_folder_nothing_was_kept_and_that_is_said(self, outbox, caplog):
        assert list(outbox.read()) == []
        assert caplog.messages == [f"there is no folder {outbox.folder}: nothing was kept there yet"]
        assert not outbox.folder.exists()


def _content(**changes):
    content = {"format": 1, "kept_at": 1.0, "report": make_report().model_dump(mode="json"), **changes}
    return json.dumps({name: value for name, value in content.items() if value is not None})


DAMAGED = {
    "empty": "",
    "cut": _content()[:-20],
    "not UTF-8": b'{"format": 1, "\xff',
    "a list": "[]",
    "a number": "1",
    "nothing": "null",
    "no format": _content(format=None),
    "format in words": _content(format="1"),
    "format zero": _content(format=0),
    "no report": _content(report=None),
    "not a report": _content(report={}),
    "no time": _content(kept_at=None),
    "time in words": _content(kept_at="1"),
    "time before all": _content(kept_at=-1),
    "time that is none": _content(kept_at=float("nan")),
    "time after all": _content(kept_at=1e300),
    "time one second too late": _content(kept_at=253402300800),
    "time too large for a float": _content().replace("1.0", "1" * 400),
    "numbers too long": _content().replace("1.0", "1" * 5000),
    "too deep": "[" * 100_000,
    "half a character": _content().replace("MYT-1", "\\ud800"),
    "one field too many": _content(report=make_report().model_dump(mode="json") | {"more": 1}),
}


class TestClock:
    """Jira drops an update that is not later than the one it has: a clock that went back is said."""

    @staticmethod
    def now():
        return time.time_ns() // 10**6

    WARNING = (
        "the clock of this machine went back: Jira {} ignore {} (successful): it drops an update that seems older than "
        "the one it has, and {} is {} seconds later; set the clock right, and report again; "
        "`jira-ci show` shows what Jira has"
    )

    @pytest.mark.parametrize(("later", "seconds"), [(0, "0.0"), (1, "0.0"), (1000, "1.0"), (3_600_000, "3600.0")])
    def test_an_update_of_the_same_run_that_is_kept_is_later(self, outbox, caplog, later, seconds):
        now = self.now()
        outbox.keep(make_report(sequence=now + later)).release()
        outbox.keep(make_report(sequence=now)).release()
        last = "the last report of the same run"
        assert caplog.messages == [self.WARNING.format("will", "build 1 of acme/shop", last, seconds)]

    @pytest.mark.parametrize(("later", "seconds"), [(2000, "2.0"), (60_000, "60.0")])
    def test_a_report_of_the_same_pipeline_that_is_kept_is_later(self, outbox, caplog, later, seconds):
        now = self.now()
        outbox.keep(make_report(number=1, sequence=now + later)).release()
        outbox.keep(make_report(number=2, sequence=now)).release()
        last = "the last report in the outbox"
        assert caplog.messages == [self.WARNING.format("may", "build 2 of acme/shop", last, seconds)]

    def test_what_is_no_report_of_this_pipeline_is_passed_over(self, outbox, caplog):
        now = self.now()
        outbox.keep(make_report(sequence=now, pipeline={**PIPELINE, "id": "another"})).release()
        (outbox.folder / "0.json").write_text("damaged")
        outbox.keep(make_report(number=1, sequence=now + 60_000)).release()
        outbox.keep(make_report(number=2, sequence=now)).release()
        assert "is 60.0 seconds later" in caplog.text

    def test_the_last_report_is_delivered_and_was_later(self, outbox, caplog):
        outbox.keep(make_report()).remove()
        later = time.time() + 60
        os.utime(outbox.folder, (later, later))
        outbox.keep(make_report()).release()
        assert "the last report in the outbox is" in caplog.text

    def test_else_nothing_is_said(self, outbox, caplog):
        outbox.keep(make_report(number=1, sequence=self.now())).release()
        outbox.keep(make_report(number=1, sequence=self.now() + 1)).release()
        outbox.keep(make_report(number=2, sequence=self.now() - 1000)).release()
        outbox.keep(make_report(sequence=1, environment="prod", pipeline={**PIPELINE, "id": "another"})).release()
        assert caplog.text == ""


class TestForeignFiles:
    """What is in the folder and is no report of this version is named with the reason, and left alone."""

    AT_WORK = "a step is at work, or was killed as it began; it was not sent"

    def read(self, outbox, may_be_report=True):
        before = tree(outbox.folder)
        descriptors = len(os.listdir("/proc/self/fd"))
        [found] = outbox.read()
        [path] = outbox.folder.iterdir()
        assert found == ForeignFile(path, found.reason, may_be_report)
        assert tree(outbox.folder) == before
        assert len(os.listdir("/proc/self/fd")) == descriptors
        return found.reason

    @pytest.fixture(autouse=True)
    def folder_is_there(self, outbox):
        outbox.folder.mkdir()

    @pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
    def test_damaged(self, outbox, content):
        (outbox.folder / "a.json").write_bytes(content if isinstance(content, bytes) else content.encode())
        assert self.read(outbox) == "it is not a report, or a damaged one"

    @settings(max_examples=300)
    @given(place=st.integers(0, 2000), byte=st.integers(0, 255))
    def test_one_byte_that_is_wrong_is_never_an_error(self, place, byte):
        data = bytearray(_content().encode())
        data[place % len(data)] = byte
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a.json").write_bytes(data)
            assert len(list(Outbox(Path(folder)).read())) == 1

    @given(cut=st.integers(0, len(_content()) - 1))
    def test_a_beginning_is_never_read_as_a_whole(self, cut):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a.json").write_text(_content()[:cut])
            assert [type(one) for one in Outbox(Path(folder)).read()] == [ForeignFile]

    @pytest.mark.parametrize("format", [2, 3.5, 10**30])
    def test_newer(self, outbox, format):
        (outbox.folder / "a.json").write_text(_content(format=format, report={"what": "ever"}))
        assert self.read(outbox) == "a newer version of jira-ci wrote it"

    @pytest.mark.parametrize("name", ["README", "a.json.bak", "a.JSON", "lost+found"])
    def test_foreign(self, outbox, name):
        (outbox.folder / name).write_text(_content())
        assert self.read(outbox, may_be_report=False) == "it is not a report: its name does not end in .json"

    @pytest.mark.parametrize("content", ["{", _content()])
    def test_unfinished(self, outbox, content):
        (outbox.folder / ".a.tmp").write_text(content)
        assert self.read(outbox) == "a step was killed before it was written whole; it was not sent"

    def test_unfinished_and_at_work(self, outbox):
        path = outbox.folder / ".a.tmp"
        for content in ("", _content()):
            path.write_text(content)
            with path.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                assert self.read(outbox, may_be_report=False) == self.AT_WORK

    def test_begun(self, outbox):
        (outbox.folder / ".a.tmp").touch()
        assert self.read(outbox, may_be_report=False) == self.AT_WORK

    def test_a_link_that_looks_unfinished(self, outbox):
        (outbox.folder / ".a.tmp").symlink_to("nowhere")
        assert self.read(outbox) == "it is not a file"

    def test_a_folder(self, outbox):
        (outbox.folder / "a.json").mkdir()
        assert self.read(outbox) == "it cannot be read: Is a directory"

    def test_a_link_to_a_report(self, outbox, tmp_path):
        (tmp_path / "b.json").write_text(_content())
        (outbox.folder / "a.json").symlink_to(tmp_path / "b.json")
        assert self.read(outbox) == "it is a link"

    def test_a_pipe_without_a_writer(self, outbox):
        os.mkfifo(outbox.folder / "a.json")
        assert self.read(outbox) == "it is not a file"

    def test_a_socket(self, outbox, monkeypatch):
        monkeypatch.chdir(outbox.folder)  # the name of a socket must be short
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("a.json")
            assert self.read(outbox).startswith("it cannot be read: ")

    @pytest.mark.parametrize("size", [LARGEST_FILE + 1, 2**40])
    def test_a_huge_file(self, outbox, size):
        with (outbox.folder / "a.json").open("w") as file:
            file.truncate(size)
        assert self.read(outbox) == "it is larger than any report"

    def test_a_file_that_is_gone_meanwhile_is_none(self, outbox):
        for number in (1, 2):
            outbox.keep(make_report(number)).release()
        reading = outbox.read()
        next(reading)
        for path in outbox.folder.iterdir():
            path.unlink()
        assert list(reading) == []


class TestCheckout:
    """What may have come with the change under test is no report that a step has kept, and is not sent."""

    TRACKED = "git tracks it, so it came with the change, and no step has kept it"

    @pytest.fixture
    def top(self, checkout):
        return checkout("[MYT-1] Message")

    @pytest.fixture
    def outbox(self, top):
        folder = top / "outbox"
        folder.mkdir()
        (folder / "a.json").write_text(_content())
        return Outbox(folder)

    def track(self, top):
        subprocess.run(["git", "add", "outbox"], cwd=top, check=True)

    def test_what_git_tracks_is_not_read_and_all_else_is(self, top, outbox):
        self.track(top)
        kept = outbox.keep(make_report())
        first, second = sorted(outbox.read(), key=lambda found: found.path.name, reverse=True)
        assert first == ForeignFile(outbox.folder / "a.json", self.TRACKED)
        assert second == kept.entry

    def test_the_environment_says_where_a_repository_is(self, top, outbox):
        self.track(top)
        (top / ".git").rename(top.parent / "git")
        environ = {"GIT_DIR": str(top.parent / "git"), "GIT_WORK_TREE": str(top)}
        assert [type(found) for found in Outbox(outbox.folder).read()] == [Entry]
        assert [found.reason for found in Outbox(outbox.folder, environ=environ).read()] == [self.TRACKED]

    def test_where_git_cannot_tell_each_report_may_be_of_the_change(self, top, outbox):
        shutil.rmtree(top / ".git")
        (top / ".git").mkdir()
        (outbox.folder / "README").touch()
        readme, report = outbox.read()
        assert "its name does not end in .json" in readme.reason
        assert report.path == outbox.folder / "a.json"
        assert report.reason == (
            "it lies in a checkout, and may be part of the change: git could not be asked: there is no git repository in "
            f"{top}; run this step in the checkout"
        )

    def test_git_is_not_asked_where_there_is_no_report(self, top, outbox, monkeypatch):
        (outbox.folder / "a.json").rename(outbox.folder / "README")
        monkeypatch.setattr("jira_ci_core.delivery.outbox.part_of_change", lambda *arguments: pytest.fail("it is"))
        assert len(list(outbox.read())) == 1

    def test_an_outbox_in_a_checkout_is_a_warning_that_names_the_nearest_one(self, checkout, top, caplog):
        inner = checkout("inner", folder=top / "inner")
        warn_of_checkout(inner / "outbox", {})
        assert caplog.messages == [
            f"the outbox {inner / 'outbox'} lies in the checkout {inner}: the change under test, and each program that is "
            "run on it, can put reports there; make OUTBOX a folder outside of it that is still there after this step, "
            "such as a cache volume"
        ]

    def test_one_outside_is_not(self, top, caplog):
        warn_of_checkout(top.parent / "outbox", {})
        assert caplog.messages == []

    def test_a_name_that_no_folder_has_is_left_to_what_uses_it(self, tmp_path, caplog, monkeypatch):
        warn_of_checkout(Path("out\0box"), {})
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        warn_of_checkout(Path("outbox"), {})
        assert caplog.messages == []

    def test_a_link_to_itself_is_in_no_checkout_and_is_none(self, tmp_path, caplog):
        loop = tmp_path / "loop"
        loop.symlink_to("loop")
        warn_of_checkout(loop, {})
        warn_of_checkout(tmp_path, {"GIT_DIR": "/nowhere", "GIT_WORK_TREE": str(loop)})
        assert caplog.messages == []


class TestLocking:
    """One process at a time delivers a report; one that dies releases it."""

    def test_what_is_being_delivered_is_locked_for_others(self, outbox):
        locked = outbox.keep(make_report())
        [entry] = entries(outbox)
        assert outbox.lock(entry) is None
        locked.release()
        again = outbox.lock(entry)
        assert again.entry == entry
        assert outbox.lock(entry) is None
        again.remove()
        assert entries(outbox) == []

    def test_what_is_gone_cannot_be_locked(self, outbox):
        locked = outbox.keep(make_report())
        [entry] = entries(outbox)
        locked.remove()
        assert outbox.lock(entry) is None

    def test_what_was_removed_between_looking_and_locking_cannot_be_locked(self, outbox, monkeypatch):
        outbox.keep(make_report()).release()
        [entry] = entries(outbox)
        fstat = os.fstat

        def remove_first(descriptor):
            entry.path.unlink(missing_ok=True)
            return fstat(descriptor)

        monkeypatch.setattr(os, "fstat", remove_first)
        descriptors = len(os.listdir("/proc/self/fd"))
        assert outbox.lock(entry) is None
        assert len(os.listdir("/proc/self/fd")) == descriptors

    def test_removing_what_is_removed_already_is_no_error(self, outbox):
        locked = outbox.keep(make_report())
        locked.entry.path.unlink()
        locked.remove()

    def test_a_pipe_put_in_its_place_does_not_block(self, outbox):
        outbox.keep(make_report()).release()
        [entry] = entries(outbox)
        entry.path.unlink()
        os.mkfifo(entry.path)
        locking = threading.Thread(target=outbox.lock, args=(entry,), daemon=True)
        locking.start()
        locking.join(5)
        is_blocked = locking.is_alive()
        os.close(os.open(entry.path, os.O_RDWR | os.O_NONBLOCK))  # ends a wait for a writer
        assert not is_blocked

    def test_a_file_system_without_locks_does_not_prevent_delivery(self, outbox, monkeypatch):
        def none(*arguments):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr("fcntl.flock", none)
        outbox.keep(make_report()).release()
        assert outbox.lock(entries(outbox)[0]) is not None


class TestDelivering:
    """A report is in the outbox while it is delivered, and only what is still to be delivered stays there."""

    REPORTS = make_report(1, sequence=1), make_report(2, sequence=2)

    def deliver(self, outbox, *results):
        def answer(reports):
            assert list(reports) == list(self.REPORTS)
            assert [one.report for one in entries(outbox)] == list(self.REPORTS)
            return Receipt(outcomes=tuple(Outcome(result=result) for result in results), unknown_issue_keys=("MYT-9",))

        return deliver_kept(outbox, self.REPORTS, answer)

    @pytest.mark.parametrize("result", [Result.ACCEPTED, Result.REJECTED, Result.QUEUED])
    def test_what_was_answered_for_is_removed(self, outbox, result):
        receipt = self.deliver(outbox, result, result)
        assert [(outcome.result, outcome.kept) for outcome in receipt.outcomes] == [(result, None)] * 2
        assert receipt.unknown_issue_keys == ("MYT-9",)
        assert entries(outbox) == []

    def test_what_was_not_stays_and_its_outcome_says_where(self, outbox):
        receipt = self.deliver(outbox, Result.ACCEPTED, Result.NOT_DELIVERED)
        [entry] = entries(outbox)
        assert entry.report == self.REPORTS[1]
        assert [outcome.kept for outcome in receipt.outcomes] == [None, str(entry.path)]
        assert outbox.lock(entry) is not None

    @pytest.mark.parametrize("error", [PluginError(Problem("a", "b", "c")), KeyboardInterrupt(), RuntimeError()])
    def test_an_error_on_the_way_leaves_all_of_them_and_says_where(self, outbox, caplog, error):
        def fail(reports):
            raise error

        with pytest.raises(type(error)):
            deliver_kept(outbox, self.REPORTS, fail)
        found = entries(outbox)
        assert [one.report for one in found] == list(self.REPORTS)
        for entry in found:
            assert f"{entry.report.title} is kept in {entry.path}" in caplog.messages
            assert outbox.lock(entry) is not None

    def test_what_cannot_be_kept_is_a_warning_and_is_delivered_all_the_same(self, outbox, caplog):
        outbox.folder.write_text("in the way")
        answer = Receipt.for_all(self.REPORTS, Result.NOT_DELIVERED)
        assert deliver_kept(outbox, self.REPORTS, lambda reports: answer) == answer
        [first, second] = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert first.getMessage() == second.getMessage()
        assert first.getMessage() == (
            f"the outbox {outbox.folder} cannot be used: Not a directory; "
            "make OUTBOX a folder that this step may write to, with room in it"
        )

    def test_what_cannot_be_removed_is_named(self, outbox, caplog, monkeypatch):
        def refuse(path, missing_ok=False):
            raise OSError(errno.EROFS, "Read-only file system")

        locked = outbox.keep(make_report())
        assert locked.is_stuck is False
        monkeypatch.setattr(Path, "unlink", refuse)
        assert settle(locked, Outcome(result=Result.ACCEPTED)) == Outcome(result=Result.ACCEPTED)
        assert caplog.messages == [
            f"Jira has answered for the report in {locked.entry.path}, but the file cannot be removed: Read-only file system"
        ]
        assert locked.is_stuck is True
        assert outbox.lock(locked.entry) is not None


# A folder in memory where there is one: what a dead process has written is there all the same, and hundreds of deaths
# are not hundreds of waits for a disk.
IN_MEMORY = next((folder for folder in ("/dev/shm",) if os.access(folder, os.W_OK)), None)


def fork():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads that the test runner has
        child = os.fork()
    if child == 0:
        gc.disable()  # it would touch, and so copy, all memory of the test runner
    return child


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Instrumented:
    """Has a forked process tell where in its work it is: `mark` is called with each of these steps."""

    STEPS = "opened", "half written", "written", "synced", "renamed", "name synced"

    def __init__(self, mark):
        open_, write, sync, rename = os.open, os.write, os.fsync, Path.rename

        def opened(path, flags, *more):
            descriptor = open_(path, flags, *more)
            if flags & os.O_CREAT:
                mark("opened")
            return descriptor

        def half_written(descriptor, data):
            if len(data) < 10:
                count = write(descriptor, data)
                mark("written")
                return count
            count = write(descriptor, data[: len(data) - 9])
            mark("half written")
            return count

        def synced(descriptor):
            is_folder = os.path.isdir(f"/proc/self/fd/{descriptor}")
            sync(descriptor)
            mark("name synced" if is_folder else "synced")

        def renamed(path, target):
            rename(path, target)
            mark("renamed")

        os.open, os.write, os.fsync, Path.rename = opened, half_written, synced, renamed


class Steps(RuleBasedStateMachine):
    """Steps and flushes that share a folder, and die: at most a repeat, never a loss, never a half-written file."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY))
        self.outbox = Outbox(self.folder)
        self.number = 0
        self.locked = {}
        self.waiting = {}
        """What was kept and is not accepted or refused yet."""
        self.perhaps = {}
        """What a process was about to keep when it died: it is not sent yet, and may be there or not."""

    def teardown(self):
        for locked in self.locked.values():
            locked.release()
        shutil.rmtree(self.folder)

    def new(self):
        self.number += 1
        return make_report(self.number, sequence=1000 - self.number, description="x" * (self.number % 7))

    @rule()
    def keep(self):
        report = self.new()
        self.locked[report.entity.number] = self.outbox.keep(report)
        self.waiting[report.entity.number] = report

    @rule(where=st.sampled_from(Instrumented.STEPS))
    def die_while_keeping(self, where):
        report = self.new()
        child = fork()
        if child == 0:
            Instrumented(lambda step: die() if step == where else None)
            self.outbox.keep(report)
            die()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        (self.waiting if where == "name synced" else self.perhaps)[report.entity.number] = report

    @rule(data=st.data())
    def lock(self, data):
        found = [one for one in self.outbox.read() if isinstance(one, Entry)]
        if found:
            entry = data.draw(st.sampled_from(found))
            number = entry.report.entity.number
            locked = self.outbox.lock(entry)
            assert (locked is None) == (number in self.locked)
            if locked:
                self.locked[number] = locked

    @precondition(lambda self: self.locked)
    @rule(data=st.data(), result=st.sampled_from(list(Result)))
    def settle(self, data, result):
        number = data.draw(st.sampled_from(sorted(self.locked)))
        outcome = settle(self.locked.pop(number), Outcome(result=result))
        if result is Result.NOT_DELIVERED:
            assert Path(outcome.kept).exists()
        else:
            self.waiting.pop(number, None)
            self.perhaps.pop(number, None)

    @precondition(lambda self: self.locked)
    @rule(data=st.data())
    def die_after_sending(self, data):
        number = data.draw(st.sampled_from(sorted(self.locked)))
        self.locked.pop(number).release()  # the system does it
        if number in self.perhaps:
            self.waiting[number] = self.perhaps.pop(number)

    @invariant()
    def nothing_is_lost_and_nothing_is_invented(self):
        found = list(self.outbox.read())
        there = {one.report.entity.number: one.report for one in found if isinstance(one, Entry)}
        assert len(there) == len([one for one in found if isinstance(one, Entry)])
        assert there.items() >= self.waiting.items()
        assert there.items() <= {**self.perhaps, **self.waiting}.items()
        assert all(one.path.suffix == ".tmp" for one in found if isinstance(one, ForeignFile))


TestSteps = Steps.TestCase
TestSteps.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


@pytest.mark.long
@pytest.mark.timeout(600)
class TestKilled:
    """`kill -9` at hundreds of random points of a process that keeps, sends and settles, one report after the other."""

    TIMES = 300
    PHASES = (*Instrumented.STEPS, "kept", "sent", "removed")
    REPORTS = 250

    def test_at_most_a_repeat_never_a_loss_never_a_half_written_file_read_as_whole(self):
        chance = random.Random()
        with mmap.mmap(-1, 4096) as shared, tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
            outbox = Outbox(Path(folder) / "outbox")
            died_in = dict.fromkeys(self.PHASES, 0)
            repeats = 0
            for _ in range(self.TIMES):
                shared[:] = bytes(4096)
                self.run_and_kill(outbox, shared, chance)
                died_in[self.PHASES[shared[self.PHASE]]] += 1
                repeats += self.check(outbox, shared)
        assert min(died_in.values()) > 0, died_in
        assert 0 < repeats < self.TIMES, "a death between the answer and the removal is the only cause of a repeat"

    # Bytes of the shared memory: where the process is, and of each report whether it was kept, how often it was sent, and
    # whether it was accepted.
    PHASE, KEPT, SENT, ANSWERED = 0, 1000, 2000, 3000

    def run_and_kill(self, outbox, shared, chance):
        reading, writing = os.pipe()
        child = fork()
        if child == 0:
            try:
                os.close(reading)
                self.work(outbox, shared, writing)
            finally:
                die()
        os.close(writing)
        # A number of steps, not a time: whatever the load, and however long a disk takes to sync.
        steps, spins = 1 + chance.randrange(3 * len(self.PHASES)), chance.randrange(200)
        while steps:
            made = os.read(reading, steps)
            assert made, "the process ended by itself"
            steps -= len(made)
        for _ in range(spins):
            pass
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        os.close(reading)

    def work(self, outbox, shared, made):
        write = os.write  # before it is replaced

        def mark(phase):
            shared[self.PHASE] = self.PHASES.index(phase)
            write(made, b".")

        Instrumented(mark)
        for number in range(self.REPORTS):
            locked = outbox.keep(make_report(number, description="long " * 100))
            shared[self.KEPT + number] = 1
            mark("kept")
            shared[self.SENT + number] += 1
            mark("sent")
            shared[self.ANSWERED + number] = 1
            settle(locked, Outcome(result=Result.ACCEPTED))
            mark("removed")

    def check(self, outbox, shared):
        """Deliver what a process left behind, and answer how many reports were sent twice."""
        found = list(outbox.read()) if outbox.folder.exists() else []
        left = [one for one in found if isinstance(one, Entry)]
        foreign_files = [one.path for one in found if isinstance(one, ForeignFile)]
        assert len(left) + len(foreign_files) <= 1, "a process works on one report at a time"
        assert all(path.suffix == ".tmp" for path in foreign_files)
        for entry in left:
            number = entry.report.entity.number
            assert entry.report == make_report(number, description="long " * 100)
            locked = outbox.lock(entry)
            assert locked is not None, "a dead process locks nothing"
            shared[self.SENT + number] += 1
            locked.remove()
        for path in foreign_files:
            path.unlink()
        sent = shared[self.SENT : self.SENT + self.REPORTS]
        kept = shared[self.KEPT : self.KEPT + self.REPORTS]
        assert all(times >= was_kept for times, was_kept in zip(sent, kept, strict=True)), "never a loss"
        assert max(sent) <= 2, "at most a repeat"
        return sum(times == 2 for times in sent)
