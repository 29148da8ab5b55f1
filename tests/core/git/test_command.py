"""Running git in a hostile repository, within a time limit."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess

import pytest

from jira_ci_core import Git, GitError, GitFailure, Problem
from jira_ci_core.git.command import MAX_OUTPUT, _Patience, renew_patience

MISSING = "5" * 40


@pytest.fixture
def command(environ):
    """Makes a Git for a folder."""
    return lambda folder, seconds=60: Git(folder, environ, seconds)


@pytest.fixture
def fake_git(tmp_path, environ):
    """Puts a shell script in git's place."""

    def make(script):
        tools = tmp_path / "tools"
        tools.mkdir()
        (tools / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tools / "git").chmod(0o755)
        environ["PATH"] = f"{tools}{os.pathsep}{environ['PATH']}"

    return make


class TestAHostileRepository:
    """Each test first checks that git alone does run the trap."""

    @pytest.mark.parametrize(
        "arguments",
        [("status",), ("log", "-1"), ("update-ref", "refs/heads/x", "HEAD")],
        ids=["file system monitor", "signature", "hook"],
    )
    def test_no_program_that_it_names_is_run(self, armed, command, git, sprung, arguments):
        git(*arguments, check=False)
        assert sprung()
        command(armed).output(*arguments)
        with command(armed).stream(*arguments) as output:
            output.read()
        assert not sprung()

    def test_its_colours_are_not_used(self, armed, command, git):
        assert "\x1b" in git("log", "-1", check=False)
        assert "\x1b" not in command(armed).output("log", "-1")

    def test_what_a_partial_clone_lacks_is_not_fetched(self, partial, command, git, sprung):
        git("log", "-1", MISSING, check=False)
        assert sprung()
        with pytest.raises(GitError):
            command(partial).output("log", "-1", MISSING)
        with pytest.raises(GitError), command(partial).stream("log", "-1", MISSING) as output:
            output.read()
        assert not sprung()

    def test_a_remote_is_asked_without_its_upload_pack(self, armed, command, git, sprung):
        git("config", "remote.origin.url", f"file://{armed}")
        git("fetch", "origin", check=False)
        assert sprung()
        head = git("rev-parse", "HEAD")
        assert command(armed).remote_refs("origin", "refs/heads/feature/pay") == {"refs/heads/feature/pay": head}
        command(armed).fetch("origin", "refs/heads/feature/pay")
        assert not sprung()

    def test_a_fetch_lists_the_refs_of_an_alternate_without_its_command(
        self, armed, checkout, command, git, sprung, tmp_path
    ):
        other = checkout("Other", folder=tmp_path / "other")
        remote = f"file://{checkout('Remote', folder=tmp_path / 'remote')}"
        (armed / ".git/objects/info/alternates").write_text(f"{other}/.git/objects\n")
        git("fetch", remote, check=False)
        assert sprung()
        command(armed).fetch(remote, "refs/heads/main")
        assert not sprung()

    def test_a_remote_helper_is_not_started(self, armed, command, git, trap, sprung):
        git("config", "protocol.allow", "always")
        git("config", "remote.origin.url", f"ext::{trap} x")
        git("ls-remote", "origin", check=False)
        assert sprung()
        with pytest.raises(GitError, match="transport 'ext' not allowed"):
            command(armed).remote_refs("origin", "HEAD")
        assert not sprung()

    def test_a_bare_repository_among_its_files_is_not_used(self, repository, command, git):
        git("clone", "-q", "--bare", ".", "bare")
        assert git("-C", "bare", "rev-parse", "HEAD")
        with pytest.raises(GitError):
            command(repository / "bare").output("rev-parse", "HEAD")


def test_git_is_not_given_the_settings_of_this_step(folder, fake_git, environ):
    fake_git("env")
    environ |= {"PLUGIN_X": "1", "JIRA_CI_Y": "2", "GIT_TRACE": "1", "HOME": "/here"}
    seen = Git(folder, environ, 10).output("log")
    assert "HOME=/here" in seen
    assert not [name for name in ("PLUGIN_X", "JIRA_CI_Y", "GIT_TRACE") if f"{name}=" in seen]


class TestRemotes:
    """What git is told, and how; the rest is tried on real ones, in `tests/keys_git`."""

    @pytest.fixture
    def told(self, fake_git, tmp_path):
        """The arguments of the last command that was no `git config`, and its environment."""
        fake_git(
            f"""case " $* " in *" config "*) exit 1;; esac
            printf '%s\\n' "$@" > {tmp_path}/arguments; env > {tmp_path}/environ"""
        )

        def read():
            environ = dict(line.split("=", 1) for line in (tmp_path / "environ").read_text().splitlines())
            return (tmp_path / "arguments").read_text().splitlines(), environ

        return read

    def test_refs_are_asked_for_by_their_names_alone(self, folder, told, command):
        assert command(folder).remote_refs("-x", "refs/heads/a", "HEAD") == {}
        arguments, _ = told()
        assert arguments[arguments.index("ls-remote") :] == [
            *("ls-remote", "--quiet", "--upload-pack=git-upload-pack", "--", "-x", "refs/heads/a", "HEAD")
        ]

    def test_only_objects_are_fetched(self, folder, told, command):
        command(folder).fetch("-x", "-y", "z", options=("--depth=1",))
        arguments, _ = told()
        assert arguments[arguments.index("fetch") :] == [
            *("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance"),
            *("--no-write-fetch-head", "--upload-pack=git-upload-pack", "--depth=1", "--", "-x", "-y", "z"),
        ]

    def test_only_here_protocols_are_allowed_and_nothing_asks_a_person(self, folder, told, command):
        command(folder).fetch("x", "y")
        _, environ = told()
        assert environ["GIT_ALLOW_PROTOCOL"] == "https:http:ssh:file"
        assert (environ["GIT_ASKPASS"], environ["GIT_SSH_COMMAND"]) == ("true", "ssh -oBatchMode=yes")
        assert environ["GIT_TERMINAL_PROMPT"] == "0"
        command(folder).output("log")
        _, environ = told()
        assert environ["GIT_ALLOW_PROTOCOL"] == ""
        assert not {"GIT_ASKPASS", "GIT_SSH_COMMAND"} & environ.keys()

    def test_what_the_environment_says_of_signing_in_is_kept(self, folder, told, command, environ):
        environ |= {"GIT_ASKPASS": "/my/own", "GIT_SSH_COMMAND": ""}
        command(folder).fetch("x", "y")
        _, seen = told()
        assert (seen["GIT_ASKPASS"], seen["GIT_SSH_COMMAND"]) == ("/my/own", "ssh -oBatchMode=yes")

    def test_a_ref_with_a_tab_is_none(self, folder, fake_git, command):
        fake_git(r"printf 'id\trefs/heads/main\tHEAD\n'")
        assert command(folder).remote_refs("x", "HEAD", "refs/heads/main") == {}


class TestTime:
    def test_a_command_that_does_not_end(self, folder, fake_git, command):
        fake_git("exec sleep 60")
        with pytest.raises(GitError, match=r"git did not come back in time \(log\)") as error:
            command(folder, 0.2).output("log")
        assert error.value.failure is GitFailure.TIMED_OUT
        assert error.value.problem.remedy == "allow it more time"

    def test_a_stream_that_does_not_end(self, folder, fake_git, command):
        fake_git("exec sleep 60")
        with (
            pytest.raises(GitError, match=r"git did not come back in time \(log\)"),
            command(folder, 0.2).stream("log") as stream,
        ):
            assert stream.read() == b""

    def test_it_is_shared_by_all_commands(self, folder, fake_git, command):
        fake_git("exec sleep 0.3")
        git = command(folder, 0.5)
        git.output("log")
        with pytest.raises(GitError):
            git.output("log")


class TestTimeOfAProcess:
    """All local commands share it, since a repository can make each of them wait."""

    @pytest.fixture(autouse=True)
    def half_a_second(self):
        renew_patience(0.5)

    def test_no_command_is_run_once_it_is_used_up_and_one_warning_tells(
        self, folder, fake_git, command, caplog, tmp_path
    ):
        fake_git(f"echo >> {tmp_path}/asked; exec sleep 60")
        with pytest.raises(GitError, match=r"did not come back in time \(log\)"):
            command(folder).output("log")
        for ask in (
            lambda git: git.output("log"),
            lambda git: git.stream("log").__enter__(),
            lambda git: git.remote_refs("origin", "HEAD"),
            lambda git: git.fetch("origin", "HEAD"),
        ):
            with pytest.raises(GitError) as error:
                ask(command(folder))
            assert error.value.failure is GitFailure.GIVEN_UP
            assert error.value.problem == Problem(
                "git could not be asked",
                "it took 15 seconds in all, and is asked nothing more",
                "see why git is slow in this checkout",
            )
        assert (tmp_path / "asked").read_text() == "\n"
        assert [record.getMessage() for record in caplog.records] == [
            "git took 15 seconds in all, and is asked nothing more; see why it is slow"
        ]

    def test_it_is_counted_over_all_folders_and_of_failures_too(self, folder, fake_git, command, tmp_path):
        renew_patience(60)
        fake_git("sleep 0.1; exit 1")
        for place in (folder, tmp_path):
            with pytest.raises(GitError, match="it says nothing"):
                command(place).output("log")
        assert 0 < _Patience.left < 59.8

    def test_a_fetch_is_not_counted(self, folder, fake_git, command):
        fake_git('case "$*" in *config*) exit 1;; esac; sleep 0.6; printf "id\\tHEAD"')
        assert command(folder).remote_refs("origin", "HEAD") == {"HEAD": "id"}
        assert _Patience.left > 0


class TestStream:
    def test_leaving_it_early_is_no_failure(self, folder, fake_git, command):
        fake_git("echo one; echo two; exec sleep 60")
        with command(folder).stream("log") as stream:
            assert stream.readline() == b"one\n"

    def test_a_command_that_fails_after_its_output_is_one(self, folder, fake_git, command):
        fake_git("echo one; echo 'fatal: bad object' >&2; exit 128")
        with pytest.raises(GitError, match="git failed: fatal: bad object"), command(folder).stream("log") as stream:
            assert stream.read() == b"one\n"


class TestLimits:
    def test_of_what_is_printed_the_beginning_is_read(self, folder, fake_git, command):
        fake_git("head -c 3000000 /dev/zero | tr '\\0' x; exec sleep 60")
        assert command(folder).output("log") == "x" * MAX_OUTPUT

    @pytest.mark.parametrize("code", [0, 1])
    def test_as_much_as_that_is_read_to_its_end(self, folder, fake_git, command, code):
        fake_git(f"head -c {MAX_OUTPUT} /dev/zero; exit {code}")
        with pytest.raises(GitError) if code else contextlib.nullcontext():
            assert len(command(folder).output("log")) == MAX_OUTPUT

    def test_errors_without_end_neither_block_nor_are_kept(self, folder, fake_git, command):
        fake_git("echo 'fatal: first' >&2; head -c 3000000 /dev/zero | tr '\\0' 'x' >&2; echo one; exit 1")
        with pytest.raises(GitError) as error:
            command(folder).output("log")
        assert len(error.value.problem.why) < 1000

    def test_a_ref_that_is_cut_is_none_that_a_remote_has(self, folder, fake_git, command):
        fake_git("printf 'id\\trefs/heads/main\\nid-without-a-name'")
        assert command(folder).remote_refs("origin", "refs/heads/main") == {"refs/heads/main": "id"}

    def test_the_programs_that_git_has_started_end_with_it(self, folder, fake_git, command, tmp_path):
        held = tmp_path / "held"
        os.mkfifo(held)
        reader = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
        fake_git(f"exec 3> {held}; sleep 60 & echo one; echo two; wait")
        with command(folder).stream("log") as stream:
            assert stream.readline() == b"one\n"
            assert select.select([reader], [], [], 0) == ([], [], [])
        assert select.select([reader], [], [], 10) == ([reader], [], [])
        os.close(reader)


class TestHooksThatTheConfigurationNames:
    """Git 2.54 runs them, and has no switch for all of them."""

    @pytest.mark.parametrize("name", ["evil", "reference-transaction", "a.b = c", "Z"])
    def test_each_is_switched_off_by_its_name(self, repository, command, git, environ, name):
        git("config", f"hook.{name}.command", "false")
        environ |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "A"}
        variables = command(repository)._without_hooks()
        assert variables["GIT_CONFIG_COUNT"] == "2"
        seen = subprocess.run(
            ["git", "config", "--get-regexp", "hook|user.name"],
            cwd=repository,
            env={**environ, **variables},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert f"hook.{name}.enabled false" in seen
        assert "user.name A" in seen

    @pytest.mark.parametrize("given", [{}, {"GIT_CONFIG_COUNT": ""}, {"GIT_CONFIG_COUNT": "0"}], ids=str)
    def test_without_other_values_they_are_the_first(self, repository, command, git, environ, given):
        environ |= given
        for key in ("hook.one.command", "hook.one.event", "Hook.Two.event"):
            git("config", key, "x")
        assert command(repository)._without_hooks() == {
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "hook.one.enabled",
            "GIT_CONFIG_VALUE_0": "false",
            "GIT_CONFIG_KEY_1": "hook.Two.enabled",
            "GIT_CONFIG_VALUE_1": "false",
        }

    def test_too_many_are_refused(self, repository, command):
        with open(repository / ".git/config", "a") as config:
            config.writelines(f'[hook "{number:0>100}"]\n\tcommand = x\n' for number in range(1000))
        with pytest.raises(GitError) as error:
            command(repository).output("update-ref", "refs/heads/x", "HEAD")
        assert error.value.failure is GitFailure.FAILED
        assert error.value.problem == Problem(
            "git could not be asked",
            "its configuration names too many hooks to switch them off",
            "remove them from the repository's configuration",
        )
        assert command(repository).output("rev-parse", "HEAD")


class TestFailures:
    REPOSITORY = "run the step with a complete checkout of the repository"

    @pytest.mark.parametrize(
        ("script", "failure", "why", "remedy"),
        [
            (
                "echo 'fatal: detected dubious ownership' >&2; exit 128",
                GitFailure.NOT_TRUSTED,
                "git does not trust the checkout in {folder} (dubious ownership): it belongs to another user",
                "run: git config --global --add safe.directory {folder}",
            ),
            (
                """echo "fatal: detected dubious ownership in repository at '/a b/shop'" >&2; exit 128""",
                GitFailure.NOT_TRUSTED,
                "git does not trust the checkout in /a b/shop (dubious ownership): it belongs to another user",
                "run: git config --global --add safe.directory '/a b/shop'",
            ),
            (
                "echo 'fatal: not a git repository' >&2; exit 128",
                GitFailure.NO_REPOSITORY,
                "there is no git repository in {folder}",
                "run this step in the checkout",
            ),
            ("echo 'one'; exit 1", GitFailure.FAILED, "git failed: it says nothing", REPOSITORY),
            ("printf 'one\\n\\377two\\n' >&2; exit 1", GitFailure.FAILED, "git failed: \ufffdtwo", REPOSITORY),
            (
                "echo 'at https://me:hunter2222@x/y and a://b://u@c://d@e' >&2; exit 1",
                GitFailure.FAILED,
                "git failed: at https://x/y and a://e",
                REPOSITORY,
            ),
            (
                # The last line is cut in the middle of an address.
                "printf 'one\\ntwo\\n%04080d\\nx://me:hunter2222@y' 0 >&2; exit 1",
                GitFailure.FAILED,
                f"git failed: {'0' * 4080}",
                REPOSITORY,
            ),
        ],
        ids=["not trusted", "not trusted at its top", "no repository", "nothing", "bytes", "address", "cut"],
    )
    def test_each_has_its_kind_its_reason_and_its_remedy(self, folder, fake_git, command, script, failure, why, remedy):
        fake_git(script)
        with pytest.raises(GitError) as error:
            command(folder).output("log")
        assert error.value.failure is failure
        assert error.value.problem == Problem(
            "git could not be asked", why.format(folder=folder), remedy.format(folder=folder)
        )

    def test_no_git(self, folder, environ, command, tmp_path):
        environ["PATH"] = str(tmp_path)
        with pytest.raises(GitError, match="there is no git on the PATH") as error:
            command(folder).output("log")
        assert error.value.failure is GitFailure.NOT_INSTALLED

    def test_a_git_that_cannot_be_run(self, folder, environ, command, tmp_path):
        (tmp_path / "git").write_text("")
        environ["PATH"] = str(tmp_path)
        with pytest.raises(GitError, match="git cannot be run: ") as error:
            command(folder).output("log")
        assert error.value.failure is GitFailure.NOT_STARTED
