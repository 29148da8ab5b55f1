"""A change puts links in place of the files and folders that its pipeline writes, so that the step writes elsewhere."""

from __future__ import annotations

import json
import os
import threading

import pytest

from jira_ci_core import write_output
from jira_ci_core.output import ci_files
from jira_ci_core.output.ci_files import open_unlinked


@pytest.fixture
def elsewhere(tmp_path):
    """A folder outside of the checkout with a file that matters; nothing in it may change."""
    folder = tmp_path / "elsewhere"
    (folder / "deep").mkdir(parents=True)
    (folder / "authorized_keys").write_text("ssh-ed25519 AAAA\n")
    yield folder
    assert (folder / "authorized_keys").read_text() == "ssh-ed25519 AAAA\n"
    assert sorted(path.name for path in folder.rglob("*")) == ["authorized_keys", "deep"]


FILES = "DOTENV", "GITLAB_ANNOTATIONS", "DRONE_OUTPUT", "DRONE_CARD_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"


@pytest.mark.usefixtures("in_process")
class TestInPlaceOfAnOutput:
    def check(self, step, jira, path, name="DOTENV", said="is a link, and none in the checkout is followed"):
        done = step(**{name.lower(): path})
        assert done.code == 0, done.text
        assert f"warning: {name} could not be written: {path}: " in done.err
        assert said in done.err
        assert len(jira.builds()) == 1

    @pytest.mark.parametrize("name", FILES)
    def test_the_file_is_not_followed(self, harness_oauth, jira, elsewhere, name):
        (harness_oauth.folder / "jira.env").symlink_to(elsewhere / "authorized_keys")
        self.check(harness_oauth, jira, "jira.env", name)

    def test_one_that_leads_nowhere_creates_no_file(self, harness_oauth, jira, elsewhere):
        (harness_oauth.folder / "jira.env").symlink_to(elsewhere / "new")
        self.check(harness_oauth, jira, "./jira.env")

    @pytest.mark.parametrize("path", ["out/new", "out/deep/new", "real/../out/new", "real/out/new"])
    def test_a_folder_on_the_way_is_not_followed(self, harness_oauth, jira, elsewhere, path):
        (harness_oauth.folder / "real").mkdir()
        (harness_oauth.folder / "out").symlink_to(elsewhere)
        (harness_oauth.folder / "real" / "out").symlink_to("../out")
        self.check(harness_oauth, jira, path)

    @pytest.mark.parametrize("slashes", ["", "/", "//"])
    def test_an_absolute_path_into_the_checkout_is_one_in_it(self, harness_oauth, jira, elsewhere, slashes):
        (harness_oauth.folder / "out").symlink_to(elsewhere)
        self.check(harness_oauth, jira, f"{slashes}{harness_oauth.folder}//out/new")

    def test_a_path_that_enters_the_checkout_by_a_link_is_one_in_it(self, harness_oauth, jira, elsewhere, tmp_path):
        (harness_oauth.folder / "out").symlink_to(elsewhere)
        (tmp_path / "workspace").symlink_to(harness_oauth.folder)
        self.check(harness_oauth, jira, str(tmp_path / "workspace" / "out" / "new"))

    @pytest.mark.usefixtures("elsewhere")
    def test_an_operators_link_to_a_link_of_the_change_is_not_followed_further(self, harness_oauth, jira, tmp_path):
        (harness_oauth.folder / "jira.env").symlink_to(tmp_path / "elsewhere" / "authorized_keys")
        (tmp_path / "latest.env").symlink_to("step/jira.env")
        self.check(harness_oauth, jira, str(tmp_path / "latest.env"))

    @pytest.mark.usefixtures("elsewhere")
    def test_the_checkout_is_the_repository_around_the_working_directory(self, harness_oauth, jira, checkout, tmp_path):
        harness_oauth.folder = checkout("MYT-1", folder=tmp_path / "repository") / "service"
        harness_oauth.folder.mkdir()
        (tmp_path / "repository" / "jira.env").symlink_to(tmp_path / "elsewhere" / "authorized_keys")
        self.check(harness_oauth, jira, "../jira.env")

    @pytest.mark.usefixtures("elsewhere")
    def test_the_checkout_is_the_repository_around_a_submodule(self, harness_oauth, jira, checkout, tmp_path):
        checkout("MYT-1", folder=tmp_path / "repository")
        harness_oauth.folder = tmp_path / "repository/submodule"
        harness_oauth.folder.mkdir()
        (harness_oauth.folder / ".git").write_text("gitdir: ../.git/modules/submodule\n")
        (tmp_path / "repository/out").symlink_to(tmp_path / "elsewhere")
        self.check(harness_oauth, jira, "../out/authorized_keys")

    def test_a_pipe_is_not_waited_for(self, harness_oauth, jira):
        os.mkfifo(harness_oauth.folder / "jira.env")
        self.check(harness_oauth, jira, "jira.env", said="it is not a file")

    def test_a_file_of_the_change_is_written(self, harness_oauth):
        (harness_oauth.folder / "out").mkdir()
        (harness_oauth.folder / "out" / "jira.env").write_text("OTHER=1")
        assert harness_oauth(dotenv="out/../out/jira.env").code == 0
        lines = (harness_oauth.folder / "out" / "jira.env").read_text().splitlines()
        assert (lines[0], lines[3]) == ("OTHER=1", "JIRA_ACCEPTED=true")

    @pytest.mark.parametrize("path", ["link/jira.env", "file.env"])
    def test_links_outside_of_the_checkout_lead_where_they_lead(self, harness_oauth, tmp_path, path):
        (tmp_path / "shared").mkdir()
        (tmp_path / "link").symlink_to("shared")
        (tmp_path / "file.env").symlink_to("shared/jira.env")
        for spelt in (str(tmp_path / path), f"../{path}"):
            done = harness_oauth(dotenv=spelt)
            assert "could not be written" not in done.err
        assert (tmp_path / "shared" / "jira.env").read_text().count("JIRA_ACCEPTED=true") == 2


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("path", ["{workspace}/out/new", "../workspace/jira.env", "../link/out/new"])
def test_the_workspace_is_a_checkout_from_elsewhere(harness_oauth, jira, tmp_path, path):
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace/out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "workspace/jira.env").symlink_to(tmp_path / "elsewhere/authorized_keys")
    (tmp_path / "link").symlink_to("workspace")
    harness_oauth.environ["GITHUB_WORKSPACE"] = str(tmp_path / "workspace")
    done = harness_oauth(dotenv=path.format(workspace=tmp_path / "workspace"))
    assert "is a link, and none in the checkout is followed" in done.err
    assert len(jira.builds()) == 1


class TestThatAppearsWhileTheStepWrites:
    def test_a_folder_that_turns_into_a_link_is_not_followed(self, tmp_path, monkeypatch, elsewhere):
        """A process of the change exchanges the folder again and again."""
        checkout = tmp_path / "checkout"
        (checkout / "out").mkdir(parents=True)
        monkeypatch.chdir(checkout)
        (checkout / "link").symlink_to(elsewhere)
        end = threading.Event()

        def exchange():
            while not end.is_set():
                for first, second in (("out", "folder"), ("link", "out"), ("out", "link"), ("folder", "out")):
                    (checkout / first).rename(checkout / second)

        thread = threading.Thread(target=exchange)
        thread.start()
        try:
            for number in range(1500):
                write_output("x\n", f"out/{number}", "DOTENV")
        finally:
            end.set()
            thread.join()
        assert list((checkout / "out").iterdir()) != []

    def test_one_that_appears_between_the_check_and_the_opening_is_not_followed(self, tmp_path, monkeypatch, elsewhere):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "out").mkdir()
        refuse = ci_files._refuse_link

        def replaced(path, descriptor):
            refuse(path, descriptor)
            if path.name == "out":
                (tmp_path / "out").rmdir()
                (tmp_path / "out").symlink_to(elsewhere)

        monkeypatch.setattr(ci_files, "_refuse_link", replaced)
        with pytest.raises(OSError, match="Not a directory|symbolic link"):
            open_unlinked("out/new", os.O_WRONLY | os.O_CREAT)


class TestInPlaceOfAnOutbox:
    @pytest.fixture(params=["outbox", "outbox/deep", "outbox/new/folder"])
    def linked(self, request, harness_oauth, elsewhere):
        (harness_oauth.folder / "outbox").symlink_to(elsewhere)
        return request.param

    def test_nothing_is_kept_elsewhere(self, harness_oauth, jira, linked):
        done = harness_oauth(outbox=linked)
        assert done.code == 0, done.text
        assert f"warning: the outbox {linked} cannot be used: outbox is a link" in done.err
        assert len(jira.builds()) == 1

    def test_on_failure_keep_fails(self, harness_oauth, linked):
        done = harness_oauth(outbox=linked, on_failure="keep", api_url="http://127.0.0.1:9", deadline=1)
        assert done.code == 1, done.text

    @pytest.mark.parametrize("command", [["list"], ["flush"], ["drop", "--all"]])
    def test_nothing_is_read_or_removed_elsewhere(self, harness_oauth, linked, command):
        done = harness_oauth.run("outbox", *command, outbox=linked)
        assert (done.code, "outbox is a link" in done.err) == (1, True), done.text


class TestInPlaceOfTheFilesOfABackfill:
    LINE = {"number": 1, "pipeline": "acme/shop", "url": "https://ci.example/1", "state": "nonsense"}

    @pytest.fixture
    def backfill(self, harness_oauth):
        (harness_oauth.folder / "lines.jsonl").write_text(f"{json.dumps(self.LINE)}\n")
        return lambda: harness_oauth.run("backfill", "lines.jsonl")

    @pytest.mark.parametrize("name", ["lines.jsonl.checkpoint", "lines.jsonl.checkpoint.tmp", "lines.jsonl.rejected"])
    def test_they_are_not_followed(self, harness_oauth, elsewhere, backfill, name):
        (harness_oauth.folder / name).symlink_to(elsewhere / "authorized_keys")
        done = backfill()
        assert (done.code, f"{name} is a link" in done.err) == (1, True), done.text

    def test_an_endless_checkpoint_is_not_read(self, harness_oauth, backfill):
        (harness_oauth.folder / "lines.jsonl.checkpoint").symlink_to("/dev/zero")
        assert "lines.jsonl.checkpoint is a link" in backfill().err


def test_a_step_that_runs_in_the_root_folder_may_write_to_linked_folders(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir("/")
    write_output("x\n", str(tmp_path / "link" / "file"), "DOTENV")
    assert (tmp_path / "real" / "file").read_text() == "x\n"
