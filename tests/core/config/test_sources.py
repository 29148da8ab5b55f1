"""Where settings come from, in which order, and which of them a checked-out file may set."""

from __future__ import annotations

import logging
import sys

import pytest
from hypothesis import given, strategies as st

from jira_ci_core import PluginSettings, Secret, SettingsError, setting
from jira_ci_core.config.resolve import check_names, resolve
from jira_ci_core.config.sources import LARGEST_SECRET_FILE, Sources, readable, without_secrets
from jira_ci_core.config.specs import file_key, flag, setting_specs
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.plugins.loader import CREDENTIAL_SETTINGS, load, open_sources


class Demo(PluginSettings):
    project: str = setting("none", help="a harmless one", project_file=True, aliases=("old_project",))
    environment_name: str | None = setting(None, help="one that a change under test may not set")
    connect_key: Secret | None = setting(None, help="a secret", aliases=("token",))
    output_file: str | None = setting(
        None, help="one that reads a raw variable", reads=("GITHUB_OUTPUT", "OTHER_OUTPUT")
    )
    count: int = setting(1, help="a number")


DEMO = setting_specs(Demo, "demo")


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog):
    caplog.set_level(logging.DEBUG)


def value_of(name, environ=None, **flags):
    found = open_sources(environ or {}, flags, Secrets()).find(next(one for one in DEMO if one.name == name))
    return found[0] if found else None


def place_of(name, environ=None, **flags):
    found = open_sources(environ or {}, flags, Secrets()).find(next(one for one in DEMO if one.name == name))
    return found[1] if found else None


def problems_of(environ, **flags):
    with pytest.raises(SettingsError) as raised:
        load(open_sources(environ, flags, Secrets()))
    return raised.value.problems


class TestTheOrderOfTheSources:
    def test_each_source_wins_over_those_below_it(self, folder):
        (folder / "settings.toml").write_text('project = "config"')
        (folder / "jira-ci.toml").write_text('project = "project file"')
        environ = {
            "JIRA_CI_PROJECT": "jira-ci variable",
            "PLUGIN_PROJECT": "plugin variable",
            "JIRA_CI_CONFIG": "settings.toml",
        }
        assert value_of("project", environ, project="flag") == "flag"
        assert value_of("project", environ) == "plugin variable"
        del environ["PLUGIN_PROJECT"]
        assert value_of("project", environ) == "jira-ci variable"
        del environ["JIRA_CI_PROJECT"]
        assert value_of("project", environ) == "config"
        del environ["JIRA_CI_CONFIG"]
        assert value_of("project", environ) == "project file"
        (folder / "jira-ci.toml").unlink()
        assert value_of("project", environ) is None

    @pytest.mark.parametrize(
        ("environ", "flags", "place"),
        [
            ({}, {"project": "x"}, "--project"),
            ({}, {"old_project": "x"}, "--old-project"),
            ({"PLUGIN_PROJECT": "x"}, {}, "PLUGIN_PROJECT"),
            ({"JIRA_CI_OLD_PROJECT": "x"}, {}, "JIRA_CI_OLD_PROJECT"),
        ],
    )
    def test_the_place_of_a_value_is_named_as_it_was_written(self, environ, flags, place):
        assert place_of("project", environ, **flags) == place

    def test_the_place_of_a_value_in_a_file_names_the_file(self, folder):
        (folder / "settings.toml").write_text('environment-name = "x"')
        (folder / "jira-ci.toml").write_text('project = "x"')
        assert place_of("environment_name", {"JIRA_CI_CONFIG": "settings.toml"}) == "environment-name in settings.toml"
        assert place_of("project") == "project in jira-ci.toml"

    def test_a_raw_variable_is_asked_last_and_the_first_of_several_wins(self):
        environ = {"GITHUB_OUTPUT": "raw", "OTHER_OUTPUT": "other"}
        assert value_of("output_file", environ) == "raw"
        assert value_of("output_file", environ | {"JIRA_CI_OUTPUT_FILE": "named"}) == "named"
        assert value_of("output_file", {"OTHER_OUTPUT": "other"}) == "other"

    def test_an_alias_is_the_same_setting_and_its_own_name_wins(self):
        assert value_of("project", {"PLUGIN_OLD_PROJECT": "alias"}) == "alias"
        assert value_of("project", {"PLUGIN_OLD_PROJECT": "alias", "PLUGIN_PROJECT": "name"}) == "name"
        assert value_of("project", {"PLUGIN_OLD_PROJECT": "alias", "JIRA_CI_PROJECT": "lower"}) == "alias"

    def test_a_flag_is_spelled_with_hyphens(self):
        assert flag("environment_name") == "--environment-name"
        assert file_key("environment_name") == "environment-name"

    def test_variables_without_a_prefix_are_ignored(self):
        assert value_of("project", {"PROJECT": "x", "project": "y", "plugin_project": "z"}) is None


class TestWhatCountsAsNotSet:
    @pytest.mark.parametrize(
        "empty", ["", "  ", "\n", "null", " null ", "<+pipeline.variables.x>", "$(Build.X)", "<+a.<+b>.c>"]
    )
    def test_it_falls_through_to_the_next_source(self, empty):
        assert value_of("project", {"PLUGIN_PROJECT": empty, "JIRA_CI_PROJECT": "next"}) == "next"
        assert value_of("project", {"JIRA_CI_PROJECT": "next"}, project=empty) == "next"

    def test_of_an_unresolved_expression_one_warning_tells(self, caplog):
        sources = Sources({"PLUGIN_PROJECT": "$(Jira.Project)"})
        project = DEMO[0]
        assert sources.find(project) is None
        assert sources.find(project) is None
        assert [record.getMessage() for record in caplog.records] == [
            "PROJECT: PLUGIN_PROJECT holds $(Jira.Project), which CI did not replace, so it counts as not set"
        ]

    @pytest.mark.parametrize("value", ["$(a)$(b)", "$ENV/$X", "<+a>-<+b>"])
    def test_of_several_all_are_shown(self, caplog, value):
        assert value_of("project", {"PLUGIN_PROJECT": f" {value}\n"}) is None
        assert f"PLUGIN_PROJECT holds {value}, which CI did not replace, so it counts as not set" in caplog.text

    def test_a_value_with_such_a_part_is_used_with_a_warning(self, caplog):
        assert value_of("project", {"PLUGIN_PROJECT": "MYT-${X}"}) == "MYT-${X}"
        assert "PROJECT: PLUGIN_PROJECT holds ${X}, which CI did not replace, and is used as it stands" in caplog.text

    @pytest.mark.parametrize(("value", "used"), [("$JIRA_KEY", None), ("s3cr${JIRA_KEY}", "s3cr${JIRA_KEY}")])
    def test_of_a_credential_no_part_is_shown(self, caplog, folder, value, used):
        (folder / "key").write_text(value)
        assert value_of("connect_key", {"JIRA_CI_CONNECT_KEY": value}) == used
        assert value_of("connect_key", {"JIRA_CI_CONNECT_KEY_FILE": "key"}) == used
        for record, place in zip(caplog.records, ("JIRA_CI_CONNECT_KEY", "JIRA_CI_CONNECT_KEY_FILE"), strict=True):
            assert record.getMessage().startswith(f"CONNECT_KEY: {place} holds what CI did not replace, ")
        assert "JIRA_KEY" not in caplog.text.replace("JIRA_CI", "")

    @pytest.mark.parametrize(
        ("value", "used"),
        [
            ("prod,$(Env)", ("prod",)),
            (" ${A} , prod eu,{{ b }}", ("prod eu",)),
            ("prod-$(A),qa", ("prod-$(A)", "qa")),
        ],
    )
    def test_of_a_list_the_other_parts_are_used(self, caplog, load_runtime, least, value, used):
        assert load_runtime(least | {"PLUGIN_ENVIRONMENT_NAME": value}).settings.environment_name == used
        assert "ENVIRONMENT_NAME: PLUGIN_ENVIRONMENT_NAME holds " in caplog.text

    def test_a_file_of_a_credential_that_ci_did_not_name_is_not_set(self, caplog):
        assert value_of("connect_key", {"PLUGIN_CONNECT_KEY_FILE": "$(Agent.File)"}) is None
        assert "CONNECT_KEY: PLUGIN_CONNECT_KEY_FILE holds what CI did not replace" in caplog.text

    def test_such_a_credential_is_not_given(self):
        assert not Sources({"PLUGIN_CONNECT_KEY": "$(key)"}).is_given(DEMO[2])

    def test_lists_in_a_file_and_raw_variables_are_looked_through_too(self, folder, caplog):
        (folder / "settings.toml").write_text('project = ["$(A)", "$(B)"]')
        assert value_of("project", {"JIRA_CI_CONFIG": "settings.toml"}) is None
        assert value_of("output_file", {"GITHUB_OUTPUT": "%out%", "OTHER_OUTPUT": "other"}) == "other"
        assert "OUTPUT_FILE: GITHUB_OUTPUT holds %out%, which" in caplog.text

    def test_of_an_empty_one_nothing_is_told(self, caplog):
        assert value_of("project", {"PLUGIN_PROJECT": "", "JIRA_CI_PROJECT": "null"}) is None
        assert not caplog.records

    @pytest.mark.parametrize("text", ["nullable", "NULL", "0", "false", "<-x>", "a<+b", "<not>"])
    def test_what_only_looks_like_it_is_a_value(self, text):
        assert value_of("project", {"PLUGIN_PROJECT": text}) == text


class TestSecrets:
    def test_it_has_no_flag(self):
        assert value_of("connect_key", {}, connect_key="x", token="y") is None

    def test_it_may_come_from_a_file_whose_ends_are_trimmed(self, folder):
        (folder / "key").write_text("  s3cret\n")
        assert value_of("connect_key", {"PLUGIN_CONNECT_KEY_FILE": "key"}) == "s3cret"
        assert value_of("connect_key", {"JIRA_CI_TOKEN_FILE": "key"}) == "s3cret"
        assert place_of("connect_key", {"PLUGIN_CONNECT_KEY_FILE": "key"}) == "PLUGIN_CONNECT_KEY_FILE"

    def test_its_file_may_be_named_in_the_file_of_settings(self, folder):
        (folder / "key").write_text("s3cret")
        (folder / "settings.toml").write_text('connect-key-file = "key"')
        assert value_of("connect_key", {"JIRA_CI_CONFIG": "settings.toml"}) == "s3cret"

    def test_its_value_wins_over_its_file_which_is_then_not_opened(self):
        assert value_of("connect_key", {"PLUGIN_CONNECT_KEY": "x", "PLUGIN_CONNECT_KEY_FILE": "not there"}) == "x"

    @pytest.mark.parametrize("path", ["", "null", "<+secrets.x>", "$FILE"])
    def test_an_unset_file_is_none(self, path):
        assert value_of("connect_key", {"PLUGIN_CONNECT_KEY_FILE": path}) is None

    def test_nothing_else_comes_from_a_file(self, folder):
        (folder / "name").write_text("prod")
        assert value_of("environment_name", {"PLUGIN_ENVIRONMENT_NAME_FILE": "name"}) is None

    @pytest.mark.parametrize(
        ("content", "what", "why"),
        [
            (None, "cannot be read", "No such file"),
            (b"\xff\xfe", "cannot be read", "it is not text"),
            (b" \n", "holds no credential", "is empty"),
            (b"x" * (LARGEST_SECRET_FILE + 1), "holds no credential", "too large for a credential"),
        ],
    )
    def test_a_file_without_a_credential_is_an_error_with_three_parts(self, folder, content, what, why):
        if content is not None:
            (folder / "key").write_bytes(content)
        with pytest.raises(SettingsError, match="PLUGIN_CONNECT_KEY_FILE") as raised:
            value_of("connect_key", {"PLUGIN_CONNECT_KEY_FILE": "key"})
        [problem] = raised.value.problems
        assert what in problem.what
        assert why in problem.why
        assert "PLUGIN_CONNECT_KEY_FILE" in problem.remedy

    @pytest.mark.parametrize("path", [".", "a\0b", "x" * 5000], ids=["folder", "nul", "long"])
    def test_a_path_that_no_file_can_have_is_an_error_too(self, path):
        with pytest.raises(SettingsError, match="cannot be read"):
            value_of("connect_key", {"PLUGIN_CONNECT_KEY_FILE": path})

    def test_a_credential_in_the_place_of_a_path_is_not_shown(self):
        with pytest.raises(SettingsError, match="the file named by PLUGIN_CONNECT_KEY_FILE cannot be read") as raised:
            value_of("connect_key", {"PLUGIN_CONNECT_KEY_FILE": "s3cr3t/value"})
        assert "s3cr3t" not in str(raised.value)

    def test_a_file_that_cannot_be_read_is_told_with_all_else_that_is_wrong(self):
        model, problems = resolve(Demo, DEMO, Sources({"PLUGIN_CONNECT_KEY_FILE": "nowhere", "PLUGIN_COUNT": "many"}))
        assert model is None
        assert len(problems) >= 1

    def test_its_value_is_in_no_message(self):
        model, [problem] = resolve(Demo, DEMO, Sources({"PLUGIN_CONNECT_KEY": "two words"}))
        assert model is None
        assert problem.what == "CONNECT_KEY is not valid (from PLUGIN_CONNECT_KEY)"
        assert "two words" not in repr(problem)

    def test_an_environment_without_secrets_has_no_spelling_of_any(self):
        hidden = {
            f"{prefix}{name}{suffix}": "s3cret"
            for prefix in ("", "PLUGIN_", "JIRA_CI_")
            for name in ("CONNECT_KEY", "TOKEN", "CLIENT_ID", "CLIENT_SECRET")
            for suffix in ("", "_FILE")
        }
        kept = {"PLUGIN_PROJECT": "MYT", "GITHUB_OUTPUT": "x", "PATH": "/bin"}
        assert without_secrets(hidden | kept, (*CREDENTIAL_SETTINGS, *DEMO)) == kept

    def test_a_proxy_is_a_secret_in_all_its_spellings(self, load_runtime, least):
        spellings = ("HTTPS_PROXY", "https_proxy", "http_proxy", "HARNESS_HTTPS_PROXY", "PLUGIN_HTTPS_PROXY")
        for name in spellings:
            least[name] = "http://user:hunter2222@proxy.example"
        runtime = load_runtime(least)
        assert not set(spellings) & set(runtime.environ)
        assert runtime.secrets.redact("hunter2222") == "[secret]"

    def test_a_malformed_secret_is_hidden_as_well(self, least):
        secrets = Secrets()
        least["PLUGIN_CONNECT_KEY"] = "two words of it"
        with pytest.raises(SettingsError, match="CONNECT_KEY is not valid"):
            load(open_sources(least, {}, secrets))
        assert secrets.redact("two words of it") == "[secret]"

    def test_one_behind_a_file_that_cannot_be_read_is_hidden_as_well(self, least):
        secrets = Secrets()
        least |= {"PLUGIN_CONNECT_KEY_FILE": "nowhere", "JIRA_CI_CONNECT_KEY": "l0wer-secret"}
        open_sources(least, {}, secrets)
        assert secrets.redact("l0wer-secret") == "[secret]"

    def test_the_credentials_that_are_given_are_known_by_name(self, load_runtime, least, folder):
        (folder / "id").write_text("an-id-from-a-file")
        least |= {"PLUGIN_CONNECT_KEY": "k3y-k3y", "PLUGIN_CLIENT_ID_FILE": "id", "PLUGIN_CLIENT_SECRET": "null"}
        assert load_runtime(least).credentials == {"connect_key", "client_id"}


class TestTheFileNamedByConfig:
    def test_it_may_set_everything_in_the_types_of_toml(self, folder, load_runtime, least):
        (folder / "ours.toml").write_text(
            'project = ["MYT", "demo"]\nenvironment-name = ["prod", " eu "]\nrun-number = 9\ninstance = "acme"\n'
            'pipeline = "p"\nlink = "https://a.example"\nstate = "ok"'
        )
        settings = load_runtime({"PATH": least["PATH"], "JIRA_CI_CONFIG": "ours.toml"}).settings
        assert settings.project == ("MYT", "DEMO")
        assert settings.environment_name == ("prod", "eu")
        assert settings.run_number == 9

    def test_the_flag_names_it_before_the_variables_do(self, folder):
        (folder / "flag.toml").write_text('project = "flag"')
        (folder / "variable.toml").write_text('project = "variable"')
        environ = {"PLUGIN_CONFIG": "variable.toml"}
        assert value_of("project", environ, config="flag.toml") == "flag"
        assert value_of("project", environ) == "variable"

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            (None, "ours.toml cannot be read"),
            (b"project = ", "ours.toml is not valid TOML"),
            (b"\xff", "ours.toml is not valid TOML"),
            (b"a=" + b"[" * 5000, "ours.toml is not valid TOML"),
        ],
    )
    def test_one_that_is_missing_or_malformed_is_an_error_that_names_it(self, folder, content, what):
        if content is not None:
            (folder / "ours.toml").write_bytes(content)
        with pytest.raises(SettingsError) as raised:
            open_sources({"JIRA_CI_CONFIG": "ours.toml"}, {}, Secrets())
        [problem] = raised.value.problems
        assert problem.what == what
        assert problem.why
        assert "JIRA_CI_CONFIG" in problem.remedy

    def test_an_unknown_name_in_it_is_a_warning_with_the_nearest_name(self, caplog):
        check_names(
            DEMO, Sources({}, config={"enviroment-name": "x", "environment_name": "y"}, config_name="ours.toml")
        )
        assert [record.getMessage() for record in caplog.records] == [
            "enviroment-name in ours.toml is not known; did you mean environment-name?",
            "environment_name in ours.toml is not known; did you mean environment-name?",
        ]


class TestTheFileOfTheProject:
    def test_the_table_of_pyproject_is_read_where_there_is_no_file_of_its_own(self, folder):
        (folder / "pyproject.toml").write_text('[tool.jira-ci]\nproject = "shared"')
        assert value_of("project") == "shared"
        assert place_of("project") == "project in [tool.jira-ci] of pyproject.toml"
        (folder / "jira-ci.toml").write_text('project = "own"')
        assert value_of("project") == "own"

    @pytest.mark.parametrize(
        "content", ["[tool.other]\nx = 1", '[project]\nname = "jira-ci-user"', 'tool = "jira-ci"', "# broken ["]
    )
    def test_a_pyproject_without_that_table_says_nothing(self, folder, content):
        (folder / "pyproject.toml").write_text(content)
        assert value_of("project") is None

    def test_a_pyproject_that_is_no_file_is_left_out_with_a_warning(self, folder, caplog):
        (folder / "pyproject.toml").mkdir()
        assert value_of("project") is None
        assert "pyproject.toml is left out: it is not a file" in caplog.text

    def test_a_table_that_is_none_is_an_error(self, folder):
        (folder / "pyproject.toml").write_text('[tool]\njira-ci = "x"')
        with pytest.raises(SettingsError, match=r"\[tool.jira-ci\] of pyproject.toml is not a table"):
            value_of("project")

    @pytest.mark.parametrize(
        "name",
        ["instance", "api-url", "connect-hostname", "connect-key", "client-secret-file", "issuekeys", "state", "link"]
        + ["auth", "plugins", "disable-plugins", "on-plugin-error", "https-proxy", "ca-bundle", "log-level", "config"]
        + ["pipeline", "environments", "environment-id", "environment-type", "service-ids", "cloud-id", "sites"],
    )
    def test_it_may_not_set(self, folder, least, name):
        (folder / "jira-ci.toml").write_text(f'{name} = "x"')
        [problem] = problems_of(least)
        assert problem.what == f"{name} may not be set in jira-ci.toml"
        assert "anyone who opens a pull request can edit it" in problem.why
        assert name.upper().replace("-", "_") in problem.remedy

    def test_it_may_set_the_project_and_the_label(self, folder, load_runtime, least):
        (folder / "jira-ci.toml").write_text('project = "DEMO"\nlabel = "sha"')
        del least["PLUGIN_PROJECT"]
        settings = load_runtime(least).settings
        assert (settings.project, settings.label) == (("DEMO",), "sha")

    @pytest.mark.parametrize(
        ("name", "near"), [("projekt", "; did you mean project?"), ("qqqq", ""), ("run_number", "")]
    )
    def test_an_unknown_name_in_it_is_an_error(self, folder, least, name, near):
        (folder / "jira-ci.toml").write_text(f'{name} = "x"')
        [problem] = problems_of(least)
        assert name in problem.what
        assert near in problem.why

    def test_what_it_may_not_set_has_no_effect_even_before_that_is_said(self, folder):
        (folder / "jira-ci.toml").write_text('environment-name = "prod"')
        assert value_of("environment_name") is None


class TestWhatHarnessSetsForItsOwnUse:
    """https://github.com/harness/lite-engine/blob/main/pipeline/runtime/run.go"""

    FILES = "ARTIFACT_FILE", "METADATA_FILE", "BUILD_TOOL_FILE", "CACHE_METRICS_FILE", "CACHE_INTEL_METRICS_FILE"
    DATA = '{"identifier": "shop"}', "Pipeline{identifier=shop}", "pipeline:\n  name: shop", "a\r\nb", "[{}]", "acme/{"

    def test_is_no_unknown_setting(self, caplog, load_runtime, least):
        load_runtime(least | {f"PLUGIN_{name}": "/harness/x" for name in (*self.FILES, "BUILDER_DRIVER_OPTS")})
        assert "PLUGIN_" not in caplog.text
        load_runtime(least | {"JIRA_CI_ARTIFACT_FILE": "x"})
        assert "JIRA_CI_ARTIFACT_FILE is not known" in caplog.text

    @pytest.mark.parametrize("data", DATA)
    def test_is_no_name_of_a_pipeline(self, caplog, load_runtime, least, data):
        harness = least | {"HARNESS_PIPELINE_ID": "checkout", "PLUGIN_PIPELINE": data}
        assert load_runtime(harness).settings.pipeline is None
        warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert warnings == ["PLUGIN_PIPELINE holds data of Harness and no name, so it counts as not set"]
        assert load_runtime(harness | {"JIRA_CI_PIPELINE": "acme/shop"}).settings.pipeline == "acme/shop"
        assert load_runtime(harness, pipeline="a flag").settings.pipeline == "a flag"

    @pytest.mark.parametrize("name", ["checkout", "acme/shop (nightly)", " a b \n", "acme/${PYTHON}", "acme/{{ a }}"])
    def test_leaves_a_name_alone(self, load_runtime, least, name):
        assert load_runtime(least | {"HARNESS_PIPELINE_ID": "x", "PLUGIN_PIPELINE": name}).settings.pipeline == name

    @pytest.mark.parametrize("data", DATA)
    def test_leaves_the_settings_of_other_cis_alone(self, load_runtime, least, data):
        assert load_runtime(least | {"PLUGIN_PIPELINE": data}).settings.pipeline == data


class TestNamesThatAreNotDeclared:
    @pytest.mark.parametrize(
        ("variable", "message"),
        [
            ("PLUGIN_ENVIROMENT_NAME", "PLUGIN_ENVIROMENT_NAME is not known; did you mean ENVIRONMENT_NAME?"),
            ("JIRA_CI_PROJEKT", "JIRA_CI_PROJEKT is not known; did you mean PROJECT?"),
            ("PLUGIN_XYZZY", "PLUGIN_XYZZY is not known"),
        ],
    )
    def test_each_is_a_warning_with_the_nearest_known_name(self, caplog, load_runtime, least, variable, message):
        load_runtime(least | {variable: "x"})
        assert message in [record.getMessage() for record in caplog.records]

    @pytest.mark.parametrize(
        "variable",
        ["PLUGIN_ENVIRONMENT", "PLUGIN_ISSUE_KEYS", "PLUGIN_CONNECT_KEY_FILE", "JIRA_CI_API_URL", "ENVIROMENT_NAME"],
    )
    def test_known_ones_and_those_of_others_are_none(self, caplog, load_runtime, least, variable):
        load_runtime(least | {variable: ""})
        check_names(DEMO, Sources({variable: "x"}))
        assert not [record for record in caplog.records if variable in record.getMessage() and variable[:6] == "ENVIRO"]
        load_runtime(least | {variable: ""})
        assert not [record for record in caplog.records if "is not known" in record.getMessage() and not record.args]

    @pytest.mark.parametrize(
        ("variable", "meant"),
        [
            ("ENVIROMENT_NAME", "ENVIRONMENT_NAME"),
            ("ENVIRONMENTNAME", "ENVIRONMENT_NAME"),
            ("ENVIRNOMENT_NAME", "ENVIRONMENT_NAME"),
            ("ENVIROMENT", "ENVIRONMENT"),
            ("ENVIRONMENT_TYP", "ENVIRONMENT_TYPE"),
            ("ISSUEKEY", "ISSUEKEYS"),
            ("SERVICE_IDS_", "SERVICE_IDS"),
            ("RUN_NUMER", "RUN_NUMBER"),
            ("STATE_POLYCY", "STATE_POLICY"),
            ("INSTANEC", "INSTANCE"),
            ("PIPELINES", "PIPELINE"),
        ],
    )
    def test_one_that_says_what_is_reported_may_not_be_misspelt(self, caplog, load_runtime, least, variable, meant):
        [problem] = problems_of(least | {f"JIRA_CI_{variable}": "x"})
        assert problem.what == f"JIRA_CI_{variable} is not known"
        assert meant in problem.why
        assert problem.remedy.startswith(f"write JIRA_CI_{meant}")
        load_runtime(least | {f"PLUGIN_{variable}": "x", f"JIRA_CI_{variable}": ""})
        assert f"PLUGIN_{variable} is not known; did you mean" in caplog.text

    def test_two_letters_away_is_another_name(self, load_runtime, least):
        load_runtime(least | {"JIRA_CI_PIPE_LINES": "x", "JIRA_CI_INSTANCE_ID": "x", "JIRA_CI_ENVIRONMENT_NMEA": "x"})

    def test_one_without_a_value_is_none(self, caplog):
        check_names(DEMO, Sources({"PLUGIN_ENVIROMENT_NAME": "", "PLUGIN_PROJEKT": "null"}))
        assert not caplog.records

    def test_a_credential_whose_package_is_not_installed_is_known_all_the_same(
        self, caplog, load_runtime, least, not_installed
    ):
        not_installed("oauth", "connect")
        load_runtime(
            least | {"PLUGIN_CLIENT_ID": "an-id", "PLUGIN_CLIENT_SECRET_FILE": __file__, "PLUGIN_CONNECT_KEY": "k3y"}
        )
        assert not [record for record in caplog.records if "is not known" in record.getMessage()]


class TestWhatIsWrong:
    def test_everything_is_told_at_once(self, folder, least):
        least |= {"PLUGIN_LINK": "nowhere", "PLUGIN_RUN_NUMBER": "x", "PLUGIN_PROJECT": ""}
        (folder / "jira-ci.toml").write_text('state = "x"')
        assert [problem.what.split()[0] for problem in problems_of(least)] == ["state", "PROJECT", "RUN_NUMBER", "LINK"]

    def test_a_missing_setting_names_its_three_spellings(self, least):
        del least["PLUGIN_PROJECT"]
        [problem] = problems_of(least)
        assert problem.what == "PROJECT is not set"
        assert "PLUGIN_PROJECT or JIRA_CI_PROJECT; as a flag: --project" in problem.remedy

    def test_a_missing_secret_has_no_flag_to_name(self):
        class Needy(PluginSettings):
            key: Secret = setting(help="a secret")

        _, [problem] = resolve(Needy, setting_specs(Needy, "needy"), Sources({}))
        assert problem.remedy == "set KEY in the step (as a variable: PLUGIN_KEY or JIRA_CI_KEY)"

    def test_a_value_without_a_reason_of_its_own_is_explained_by_its_help(self):
        _, [problem] = resolve(Demo, DEMO, Sources({"PLUGIN_COUNT": "many"}))
        assert problem.what == "COUNT cannot be 'many' (from PLUGIN_COUNT)"
        assert problem.why.startswith("input should be a valid integer")
        assert problem.remedy == "COUNT is: a number"

    def test_a_huge_value_is_shown_by_its_beginning(self):
        _, [problem] = resolve(Demo, DEMO, Sources({"PLUGIN_COUNT": "x" * 100_000}))
        assert len(problem.what) < 300


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), st.binary()))
def test_an_environment_of_any_bytes_is_made_readable(environ):
    raw = {name: value.decode("utf-8", "surrogateescape") for name, value in environ.items()}
    for name, text in readable(raw).items():
        text.encode()
        assert text == environ[name].decode(errors="replace")


def test_a_flag_of_any_bytes_is_made_readable_too(jira_ci, least):
    done = jira_ci("report", "--dry-run", "--format", "json", "--pipeline", "caf\udce9", environ=least)
    assert done.code == 0, done.err
    assert done.json["request"]["builds"][0]["pipelineId"] == "caf\ufffd"


@pytest.mark.skipif(sys.platform == "win32", reason="opening a folder lacks permission there")
def test_a_folder_in_the_place_of_a_file_of_settings_is_an_error(folder):
    (folder / "ours").mkdir()
    with pytest.raises(SettingsError, match="ours cannot be read"):
        open_sources({"JIRA_CI_CONFIG": "ours"}, {}, Secrets())
