"""The command line, called in this process: what it prints, and the exit code it answers."""

from __future__ import annotations

import gc
import json
import logging
import os

import pytest
from hypothesis import example, given, settings, strategies as st

from jira_ci_core.__main__ import main
from jira_ci_core.cli import main as call_of_main
from jira_ci_core.config.settings import NetworkSettings, Settings
from jira_ci_core.config.specs import flag, setting_specs
from jira_ci_core.output.redaction import MASK
from jira_ci_sandbox import contract

EVERY_SETTING = [*setting_specs(Settings, "core"), *setting_specs(NetworkSettings, "core")]


class TestHelp:
    @pytest.mark.parametrize("arguments", [["--help"], ["-h"]])
    def test_lists_the_commands_those_of_plugins_included(self, jira_ci, arguments):
        done = jira_ci(*arguments)
        assert done.code == 0
        for command in ("report", "plugins", "doctor", "demo", "sandbox"):
            assert f"\n  {command}" in done.out
        assert "..." not in done.out.partition("Commands:")[2]

    @pytest.mark.parametrize("command", ["report", "plugins", "doctor", "demo", "sandbox"])
    def test_fits_a_terminal_of_eighty_columns(self, jira_ci, command):
        done = jira_ci(command, "--help")
        assert done.code == 0
        assert [line for line in done.out.splitlines() if len(line) > 80] == []

    def test_of_report_lists_every_setting_with_its_three_spellings_and_its_default(self, jira_ci):
        done = jira_ci("report", "--help")
        assert done.code == 0
        words = " ".join(done.out.split())
        for setting in EVERY_SETTING:
            for name in setting.names:
                assert f"PLUGIN_{name.upper()}" in words
                assert f"JIRA_CI_{name.upper()}" in words
                assert (f"{flag(name)} VALUE" in words) != setting.secret
            for variable in setting.reads:
                assert variable in words
            nothing = setting.default in (None, (), {})
            words_of = ",".join(setting.default) if isinstance(setting.default, tuple) else str(setting.default)
            default = "none" if nothing else "false" if setting.default is False else words_of
            secret = "credential, no flag; " if setting.secret else ""
            assert f"{setting.help} [{secret}{'required' if setting.required else f'default: {default}'}]" in words

    def test_of_report_lists_what_plugins_declare_by_their_names(self, jira_ci, install):
        install(
            "tags",
            """
            from jira_ci_core import PluginSettings, Secret, setting

            class Tags:
                class Settings(PluginSettings):
                    tag_prefix: str = setting("release-", help="what the tags begin with")
                    tag_token: Secret = setting(help="a token for tags")
                    tag_kinds: tuple[str, ...] = setting(("a", "b"), help="which of them")
            """,
            target="Tags",
        )
        words = " ".join(jira_ci("report", "--help").out.split())
        assert "Settings of the plugin tags" in words
        assert "--tag-prefix VALUE, PLUGIN_TAG_PREFIX, JIRA_CI_TAG_PREFIX" in words
        assert "what the tags begin with [default: release-]" in words
        assert "PLUGIN_TAG_TOKEN, JIRA_CI_TAG_TOKEN, PLUGIN_TAG_TOKEN_FILE, JIRA_CI_TAG_TOKEN_FILE" in words
        assert "--tag-token" not in words
        assert "a token for tags [credential, no flag; required]" in words
        assert "[default: a,b]" in words

    def test_of_report_lists_only_what_the_chosen_plugins_declare(self, jira_ci):
        assert "CONNECT_HOSTNAME" in jira_ci("report", "--help").out
        assert "CONNECT_HOSTNAME" not in jira_ci("report", "--help", "--disable-plugins=connect").out
        assert "CONNECT_HOSTNAME" not in jira_ci("report", "--disable-plugins", "connect", "--help").out
        assert "CONNECT_HOSTNAME" not in jira_ci("report", "--help", environ={"PLUGIN_PLUGINS": "oauth"}).out

    def test_the_version_is_told(self, jira_ci):
        done = jira_ci("--version")
        assert (done.code, done.out[:8]) == (0, "jira-ci,")

    @pytest.mark.parametrize(("group", "command"), [([], "report"), (["outbox"], "flush"), (["queue"], "retry")])
    def test_is_what_a_call_without_a_command_gets(self, jira_ci, group, command):
        done = jira_ci(*group)
        assert done.code == 2
        assert f"\n  {command} " in done.out
        assert done.err == ""


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "what"),
        [
            (["xyzzy"], "No such command 'xyzzy'"),
            (["report", "--xyzzy"], "No such option"),
            (["report", "--client-secret", "hunter2222"], "No such option"),
            (["report", "--connect-key=hunter2222"], "No such option"),
            (["report", "extra"], "unexpected extra argument"),
            (["report", "--format", "xml"], "'xml' is not one of"),
            (["report", "--state"], "requires an argument"),
            (["plugins", "--format"], "requires an argument"),
            (["backfill", "--rejected"], "requires an argument"),
        ],
    )
    def test_a_mistake_is_an_error_with_three_parts_and_exit_code_2(self, jira_ci, arguments, what):
        done = jira_ci(*arguments)
        assert done.code == 2
        first, why, remedy = done.err.splitlines()
        assert first.startswith("error: ")
        assert what in first
        assert why.startswith("  why: ")
        command = "" if arguments == ["xyzzy"] else f"{arguments[0]} "
        assert remedy == f"  do:  see jira-ci {command}--help"
        assert "hunter2222" not in done.text

    @pytest.mark.parametrize(
        ("arguments", "what"),
        [
            (["backfill", "--instance", "acme", "--", "-x.jsonl"], "-x.jsonl cannot be read"),
            (["report", "--", "--label", "v"], "unexpected extra arguments (--label v)"),
            (["report", "--", "--tag-prefix", "v"], "unexpected extra arguments (--tag-prefix v)"),
            (["report", "--tag-prefix", "--verify", "--project"], "'--project' requires an argument"),
        ],
    )
    def test_words_after_two_dashes_and_values_of_plugins_are_no_flags(self, jira_ci, install, arguments, what):
        install(
            "tags",
            """
            from jira_ci_core import PluginSettings, setting

            class Tags:
                class Settings(PluginSettings):
                    tag_prefix: str = setting("release-", help="what the tags begin with")

                def __init__(self, settings): ...
            """,
            target="Tags",
        )
        done = jira_ci(*arguments)
        assert done.code == 2
        assert what in done.err

    @pytest.mark.parametrize(
        "arguments",
        [
            ["xyzzy", "--format=json"],
            ["--format", "json", "report"],
            ["report", "--format=json", "--project"],
            ["report", "--project", "--format=json"],
            ["outbox", "xyzzy", "--format=json"],
            ["run", "--xyzzy", "--format=json", "--", "true"],
        ],
    )
    def test_a_mistake_is_json_for_programs(self, jira_ci, arguments):
        done = jira_ci(*arguments)
        assert json.loads(done.out)["exit_code"] == done.code == 2

    def test_what_comes_after_two_dashes_asks_for_no_json(self, jira_ci):
        assert jira_ci("report", "--xyzzy", "--", "--format=json").out == ""

    @pytest.mark.parametrize(
        "arguments", [["outbox", "hunter2222"], ["--hunter2222"], ["report", "--format=hunter2222"]]
    )
    def test_a_credential_among_the_words_is_not_printed(self, jira_ci, arguments):
        done = jira_ci(*arguments, environ={"PLUGIN_CLIENT_SECRET": "hunter2222"})
        assert done.code == 2
        assert "hunter2222" not in done.text
        assert "it holds a credential" in done.err

    def test_help_wins_over_a_mistake(self, jira_ci):
        assert jira_ci("report", "--help", "--format=xml").code == 0

    @pytest.mark.parametrize("command", ["demo", "sandbox"])
    def test_a_command_whose_package_is_missing_names_the_extra(self, jira_ci, not_installed, command):
        not_installed("sandbox")
        done = jira_ci(command)
        assert done.code == 2
        assert f"there is no command {command} here" in done.err
        assert "pip install 'jira-ci-core[sandbox]'" in done.err

    def test_a_command_of_a_plugin_is_run_and_its_exit_code_is_kept(self, jira_ci, install):
        install(
            "greets",
            """
            import click
            from jira_ci_core import hookimpl

            @click.command()
            @click.argument("how")
            @click.pass_context
            def greet(ctx, how):
                ctx.obj.console.line("hello")
                if how == "crash": 1 / 0
                if how == "own": raise click.ClickException("own words")
                if how == "stop": raise click.Abort
                if how == "five": ctx.exit(5)

            @hookimpl
            def jira_ci_register_commands(cli):
                cli.add_command(greet)
            """,
        )
        assert jira_ci("greet", "well").code == 0
        assert jira_ci("greet", "five").code == 5
        own = jira_ci("greet", "own")
        assert (own.code, own.err) == (1, "hello\nerror: own words\n")
        stopped = jira_ci("greet", "stop")
        assert (stopped.code, stopped.err) == (130, "hello\ninterrupted\n")
        crashed = jira_ci("greet", "crash")
        assert crashed.code == 1
        assert "ZeroDivisionError" in crashed.err
        assert "Traceback" not in crashed.err
        assert "greet" in jira_ci("--help").out


class TestReport:
    def test_a_dry_run_shows_keys_with_their_places_and_the_payload(self, jira_ci, drone):
        done = jira_ci("report", "--dry-run", environ=drone | {"DRONE_TAG": "v1", "DRONE_COMMIT_MESSAGE": "MYT-1 żółć"})
        assert done.code == 0
        assert done.out == ""
        assert "  MYT-1  commit message" in done.err.splitlines()
        assert "this would be sent to acme.atlassian.net, and nothing is (dry run):" in done.err
        payload = json.loads(done.err.split("(dry run):\n")[1])
        assert payload["builds"][0]["description"] == "MYT-1 żółć"

    def test_a_dry_run_names_the_plugin_that_found_a_key(self, jira_ci, drone, install):
        install(
            "files",
            """
            from jira_ci_core import FoundKey, hookimpl

            @hookimpl
            def jira_ci_extract_issue_keys():
                return [FoundKey(key="MYT-5", source="changelog fragment 12.md")]
            """,
        )
        assert "  MYT-5  changelog fragment 12.md (files)" in jira_ci("report", "--dry-run", environ=drone).err

    def test_json_goes_to_standard_output(self, jira_ci, drone):
        done = jira_ci("report", "--dry-run", "--format", "json", environ=drone)
        assert done.code == 0
        assert done.err == ""
        assert done.json["ending"] == "dry_run"
        assert done.json["exit_code"] == 0
        assert done.json["skipped"] is None
        assert done.json["keys"] == [{"key": "MYT-1", "source": "commit message", "plugin": "keys"}]
        assert done.json["pipeline"]["origins"]["number"] == "DRONE_BUILD_NUMBER"
        assert contract.request_problems(done.json["request"], "builds") == []

    def test_an_error_is_json_too(self, jira_ci, drone):
        done = jira_ci("report", "--format", "json", environ=drone | {"PLUGIN_PROJECT": ""})
        assert done.code == 2
        assert done.json["ending"] == "error"
        assert done.json["exit_code"] == 2
        assert [problem["what"] for problem in done.json["problems"]] == ["PROJECT is not set"]
        assert "PROJECT is not set" in done.err

    def test_a_skipped_one_is_json_too(self, jira_ci, drone):
        done = jira_ci("report", "--format", "json", "--dry-run", environ=drone | {"DRONE_COMMIT_MESSAGE": "none"})
        assert (done.code, done.json["ending"], done.json["request"]) == (0, "skipped", None)
        assert done.json["skipped"] == "no issue key was found"

    @pytest.mark.parametrize(
        ("environ", "code", "what"),
        [
            ({"PLUGIN_STATE": "great"}, 2, "STATE cannot be 'great'"),
            ({}, 2, "there are no credentials"),
            ({"DRONE_COMMIT_MESSAGE": "x", "PLUGIN_ON_NO_ISSUE": "fail", "PLUGIN_AUTH": ""}, 1, "no issue key"),
            ({"PLUGIN_ON_NO_CREDENTIALS": "warn"}, 0, "there are no credentials, so nothing was sent"),
            ({"PLUGIN_CONNECT_KEY": "two words"}, 2, "CONNECT_KEY is not valid"),
        ],
    )
    def test_what_it_ends_with(self, jira_ci, drone, environ, code, what):
        done = jira_ci("report", environ=drone | environ)
        assert done.code == code
        assert what in done.err
        assert jira_ci("report", "--format", "text", environ=drone | environ) == done, "flags are read by another part"

    def test_no_key_may_fail(self, jira_ci, drone):
        done = jira_ci("report", "--dry-run", "--on-no-issue=fail", environ=drone | {"DRONE_COMMIT_MESSAGE": "none"})
        assert done.code == 1
        assert "error: no issue key was found" in done.err

    def test_a_failing_plugin_is_exit_code_3(self, jira_ci, drone, install):
        install("bad", "raise RuntimeError('no luck')")
        done = jira_ci("report", "--dry-run", environ=drone)
        assert done.code == 3
        assert "plugin bad failed" in done.err
        assert "acme-jira 1.2.3: RuntimeError: no luck" in done.err
        assert "Traceback" not in done.err

    def test_debug_is_louder_and_leaves_the_log_as_it_was(self, jira_ci, drone, install):
        install(
            "talks",
            """
            import logging
            from jira_ci_core import hookimpl

            @hookimpl
            def jira_ci_read_pipeline(environ):
                logging.getLogger("talks").debug("a whisper of hunter2222")
            """,
        )
        before = logging.getLogger().level, list(logging.getLogger().handlers)
        loud = jira_ci(
            "report", "--dry-run", "--log-level=debug", environ=drone | {"PLUGIN_CLIENT_SECRET": "hunter2222"}
        )
        assert "debug: a whisper of [secret]" in loud.err
        assert "whisper" not in jira_ci("report", "--dry-run", environ=drone).err
        assert (logging.getLogger().level, list(logging.getLogger().handlers)) == before

    def test_an_unexpected_error_is_told_without_a_traceback(self, jira_ci, drone, install):
        install(
            "odd",
            """
            from jira_ci_core import FoundKey, hookimpl

            class Odd(FoundKey):
                @property
                def key(self): raise RuntimeError("hunter2222")

            @hookimpl(wrapper=True)
            def jira_ci_extract_issue_keys():
                yield
                return [[7]]
            """,
        )
        done = jira_ci("report", "--dry-run", environ=drone | {"PLUGIN_CLIENT_SECRET": "hunter2222"})
        assert done.code in (1, 3)
        assert "Traceback" not in done.text


class TestPlugins:
    def test_are_shown_with_all_there_is_to_know(self, jira_ci, install):
        install("bad", "raise RuntimeError('no luck')", distribution="acme-bad")
        done = jira_ci("plugins", environ={"PLUGIN_DISABLE_PLUGINS": "drone"})
        assert done.code == 3
        lines = done.err.splitlines()
        assert lines[0] == "contract version 1"
        assert "bad  failed: RuntimeError: no luck" in lines
        assert "drone  off: DISABLE_PLUGINS names it" in lines
        assert "keys  on" in lines
        assert any(line.startswith("  from      acme-bad 1.2.3, plugin_of_a_test") for line in lines)
        assert "  hooks     extract_issue_keys" in lines
        assert any("  settings  CLIENT_ID, CLIENT_SECRET, API_URL" in line for line in lines)

    def test_are_shown_as_json(self, jira_ci):
        done = jira_ci("plugins", "--format", "json")
        assert done.code == 0
        assert done.json["contract_version"] == 1
        found = {plugin["name"]: plugin for plugin in done.json["plugins"]}
        assert found["oauth"]["state"] == "on"
        assert found["oauth"]["distribution"] == "jira-ci-auth-oauth"
        assert found["oauth"]["hooks"] == ["authenticate"]
        secret = next(setting for setting in found["oauth"]["settings"] if setting["name"] == "CLIENT_SECRET")
        assert (secret["secret"], secret["default"]) == (True, None)
        assert found["keys"]["target"] == "jira_ci_core.builtin.keys"

    def test_show_no_secret_that_a_failing_one_prints(self, jira_ci, install):
        install("bad", "raise RuntimeError('key hunter2222')")
        done = jira_ci("plugins", environ={"PLUGIN_CLIENT_SECRET": "hunter2222"})
        assert "key [secret]" in done.err
        assert "hunter2222" not in done.text

    def test_a_malformed_choice_is_an_error(self, jira_ci):
        done = jira_ci("plugins", environ={"PLUGIN_ON_PLUGIN_ERROR": "explode"})
        assert done.code == 2
        assert "ON_PLUGIN_ERROR cannot be 'explode'" in done.err


class TestDoctor:
    def test_tells_each_thing_and_the_first_failure_is_the_exit_code(self, jira_ci, least):
        done = jira_ci("doctor", environ=least)
        assert done.code == 2
        lines = done.err.splitlines()
        assert any(line.startswith("ok      settings and plugins: ") for line in lines)
        assert "ok      site: acme.atlassian.net" in lines
        assert "ok      issue keys: MYT-1 (ISSUEKEYS)" in lines
        assert "failed  credentials" in lines

    def test_stops_where_settings_are_wrong(self, jira_ci, least):
        done = jira_ci("doctor", "--project", "!", environ=least)
        assert done.code == 2
        assert done.err.splitlines()[0] == "failed  settings and plugins"


@pytest.fixture
def garbage(monkeypatch):
    """Is collected as ever afterwards: `main` ends a process, and this one goes on."""
    threshold = gc.get_threshold()
    monkeypatch.setattr(gc, "freeze", lambda: None)
    yield
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("garbage")
def test_main_exits_with_the_code(least, monkeypatch, capsys):
    for name in list(os.environ):
        if name.startswith(("PLUGIN_", "JIRA_CI_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr("sys.argv", ["jira-ci", "report"])
    with pytest.raises(SystemExit) as raised:
        main()
    assert raised.value.code == 2
    assert "PROJECT is not set" in capsys.readouterr().err
    for name, value in least.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["jira-ci", "report", "--dry-run"])
    with pytest.raises(SystemExit) as raised:
        main()
    assert raised.value.code == 0


VARIABLES = [
    "DRONE",
    "DRONE_BUILD_NUMBER",
    "DRONE_BUILD_LINK",
    "DRONE_BUILD_STATUS",
    "DRONE_REPO",
    "DRONE_REPO_LINK",
    "DRONE_STAGE_NAME",
    "DRONE_BRANCH",
    "DRONE_COMMIT_BRANCH",
    "DRONE_SOURCE_BRANCH",
    "DRONE_TARGET_BRANCH",
    "DRONE_TAG",
    "DRONE_SEMVER",
    "DRONE_PULL_REQUEST",
    "DRONE_DEPLOY_TO",
    "DRONE_PULL_REQUEST_TITLE",
    "DRONE_COMMIT_SHA",
    "DRONE_COMMIT_BEFORE",
    "DRONE_COMMIT_MESSAGE",
    "DRONE_COMMIT_LINK",
    "DRONE_WORKSPACE",
    "HARNESS_PIPELINE_ID",
    "HARNESS_ACCOUNT_ID",
    "HARNESS_ORG_ID",
    "HARNESS_BUILD_ID",
    "CI_BUILD_LINK",
    "CI_BUILD_STATUS",
    "CI_COMMIT_MESSAGE",
    "CI",
    "GITHUB_ACTIONS",
    "GITHUB_RUN_NUMBER",
    "GITHUB_REF_NAME",
    "GITHUB_REPOSITORY",
    "GITHUB_SERVER_URL",
    "GITHUB_RUN_ID",
    "GITHUB_EVENT_PATH",
    "GITLAB_CI",
    "CI_PIPELINE_IID",
    "CI_PIPELINE_URL",
    "CI_JOB_STATUS",
    "CI_COMMIT_REF_NAME",
    "CI_PROJECT_PATH",
    "CI_PROJECT_URL",
    "CI_ENVIRONMENT_NAME",
    "JENKINS_URL",
    "BUILD_NUMBER",
    "BUILD_URL",
    "BRANCH_NAME",
    "GIT_COMMIT",
    "GIT_URL",
    "JOB_NAME",
    "TAG_NAME",
]
OURS = [f"{prefix}{name.upper()}" for prefix in ("PLUGIN_", "JIRA_CI_") for one in EVERY_SETTING for name in one.names]
NASTY = [
    *("", " ", "null", "<+x>", "<+pipeline.<+x>.y>", "<+", "true", "false", "0", "-1", "1.5", "1e9", "٣", "9" * 25),
    *(
        "9" * 5000,
        "1" * 40 + "a",
        "MYT-1",
        "myt",
        "*",
        "MYT,",
        "success",
        "FAILURE",
        "rollback",
        "great",
        "prod",
        "a,b,,c",
    ),
    *(
        "https://ci.example/1",
        "HTTPS://CI.example",
        "http://ci.example",
        "https://[::1",
        "https://a℀b/c",
        "git@h.example:a/b",
    ),
    *(
        "https://user:pass@h.example/a/b.git",
        "javascript:alert(1)",
        "//x",
        "refs/heads/x",
        "refs/tags/v1",
        "--output=x",
    ),
    *(
        "a\nb",
        "\x1b[31m",
        "\x00",
        "\u202e",
        "👩\u200d👩" * 200,
        "é" * 3000,
        "x" * 20_000,
        " " * 20_000,
        "caf\udce9 MYT-3",
    ),
    *(
        "\udcff\udcfe",
        "::set-output name=x::y",
        "##vso[task]",
        "/",
        "/etc/passwd",
        ".",
        "warn",
        "fail",
        "debug",
        "a436116f",
    ),
    *("a436116f02ce45208fbb7301462a1674", "acme", "acme.atlassian.net", "http://localhost:1", "production", "unmapped"),
]
values = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(max_size=40).map(lambda data: data.decode("utf-8", "surrogateescape")),
)
# Long enough that no other text holds one by chance.
SECRETS = st.text("abcdefghjkmnpqrstuvwxyz23456789!$%&/=+\"'\\", min_size=20, max_size=40)
HIDDEN = ["PLUGIN_CLIENT_SECRET", "JIRA_CI_CLIENT_ID", "PLUGIN_CONNECT_KEY", "HTTPS_PROXY", "PLUGIN_HTTP_PROXY"]
environments = st.dictionaries(st.sampled_from([*VARIABLES, *OURS]), values, max_size=25)
# Half of them are good enough to get to the end of the story.
USUAL = {
    "PLUGIN_PROJECT": "MYT",
    "PLUGIN_INSTANCE": "acme",
    "PLUGIN_ISSUEKEYS": "MYT-1",
    "PLUGIN_STATE": "successful",
    "PLUGIN_LINK": "https://ci.example/1",
    "PLUGIN_PIPELINE": "acme/shop",
    "PLUGIN_RUN_NUMBER": "7",
}


def holds(text, secret):
    return secret in text or json.dumps(secret)[1:-1] in text


@given(
    environments,
    st.dictionaries(st.sampled_from(sorted(USUAL)), st.none(), max_size=3),
    st.dictionaries(st.sampled_from(HIDDEN), SECRETS, max_size=3),
    st.sampled_from(["text", "json"]),
    st.booleans(),
)
@example({"DRONE": "true", "DRONE_BUILD_NUMBER": "9" * 5000}, {"PLUGIN_RUN_NUMBER": None}, {}, "json", False)
@example({"DRONE": "true", "DRONE_REPO_LINK": "https://[::1"}, {"PLUGIN_LINK": None}, {}, "json", False)
@example({"DRONE": "true", "DRONE_WORKSPACE": "x" * 5000}, {}, {}, "json", False)
@example({"DRONE": "true", "DRONE_COMMIT_SHA": "HEAD..HEAD"}, {}, {}, "json", False)
@settings(max_examples=150)
def test_whatever_the_environment_is_it_ends_as_documented(
    capsys, least, environ, removed, secrets, format, with_deployment
):
    base = {name: least[name] for name in ("PATH", "GIT_CEILING_DIRECTORIES")}
    usual = {name: value for name, value in USUAL.items() if name not in removed}
    if with_deployment:
        usual["PLUGIN_ENVIRONMENT_NAME"] = "prod"
    capsys.readouterr()
    code = call_of_main.call(["report", "--dry-run", "--format", format], {**base, **usual, **environ, **secrets})
    out, err = capsys.readouterr()
    assert code in (0, 1, 2, 3)
    assert "Traceback" not in out + err
    assert "jira-ci itself failed" not in out + err
    assert not any(holds(out + err, secret) for secret in secrets.values())
    if code != 0:
        assert "error: " in err
        assert "  why: " in err
        assert "  do:  " in err
    if format == "json":
        said = json.loads(out)
        assert said["exit_code"] == code
        # A credential that is the same as what is reported is masked there, too.
        if said.get("request") and MASK not in out:
            [kind] = {"builds", "deployments"} & said["request"].keys()
            assert contract.request_problems(said["request"], kind) == []
            for entity in said["request"][kind]:
                assert contract.entity_problems(entity, kind) == []
                keys = entity.get("issueKeys") or entity["associations"][0]["values"]
                assert keys == [key.upper() for key in keys]


@pytest.mark.parametrize("name", ["on_plugin_error", "plugin_timeout", "config"])
@pytest.mark.parametrize("command", ["report", "sandbox"])
def test_a_credential_that_stands_where_it_does_not_belong_is_not_printed_either(jira_ci, name, command):
    secret = "a-secret-in-the-wrong-place"
    environ = {f"PLUGIN_{name.upper()}": secret, "PLUGIN_CONNECT_KEY": secret}
    done = jira_ci(command, environ=environ)
    assert done.code == 2
    assert "[secret]" in done.err
    assert secret not in done.text
