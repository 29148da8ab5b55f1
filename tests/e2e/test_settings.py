"""Every documented setting: its spellings, where else it may come from, and what it does."""

from __future__ import annotations

import pytest

SETTINGS = {
    "PROJECT": "DEMO",
    "INSTANCE": None,
    "CLOUD_ID": None,
    "ENVIRONMENT_NAME": "prod",
    "ENVIRONMENT_ID": "eu-1",
    "ENVIRONMENT_TYPE": "testing",
    "STATE": "in_progress",
    "STATE_POLICY": "force",
    "LOG_LEVEL": "debug",
    "ISSUEKEYS": "DEMO-9",
    "PIPELINE": "acme/other",
    "RUN_NUMBER": "77",
    "LINK": "https://ci.example/77",
    "AUTH": "oauth",
    "ON_NO_ISSUE": "fail",
}


def spelled(how, name, value):
    """The arguments and variables that set one setting in one of its spellings."""
    if how == "flag":
        return [f"--{name.lower().replace('_', '-')}", value], {}
    return [], {f"{how}_{name}": value}


@pytest.mark.parametrize("how", ["flag", "PLUGIN", "JIRA_CI"])
def test_all_settings_together_take_effect_in_each_of_their_spellings(harness_oauth, jira, how):
    values = SETTINGS | {"INSTANCE": jira.url, "CLOUD_ID": jira.cloud_id, "API_URL": jira.url}
    arguments, variables = [], {}
    for name, value in values.items():
        more_arguments, more_variables = spelled(how, name, value)
        arguments += more_arguments
        variables |= {f"PLUGIN_{name}": None} | more_variables
    done = harness_oauth(*arguments, environ=variables)
    assert done.code == 0, done.text
    [deployment] = jira.deployments()
    assert deployment["issueKeys"] == ["DEMO-9"]
    assert deployment["environment"] == {"id": "eu-1", "displayName": "prod", "type": "testing"}
    assert deployment["pipeline"]["id"] == "acme/other"
    assert deployment["deploymentSequenceNumber"] == 77
    assert deployment["url"] == "https://ci.example/77"
    assert deployment["state"] == "in_progress"
    assert "debug: Jira answered 202" in done.err


@pytest.mark.usefixtures("in_process")
class TestOrder:
    """The first of flag, PLUGIN_…, JIRA_CI_…, the file of --config, the project's own file, the default."""

    SOURCES = ["flag", "PLUGIN", "JIRA_CI", "config", "project", "default"]

    @pytest.mark.parametrize("first", range(len(SOURCES)))
    def test_the_earliest_source_wins(self, harness_oauth, jira, first):
        given = self.SOURCES[first:]
        (harness_oauth.folder / "settings.toml").write_text('label = "config"\n' if "config" in given else "")
        (harness_oauth.folder / "jira-ci.toml").write_text('label = "project"\n' if "project" in given else "")
        variables = {f"{how}_LABEL": how for how in ("PLUGIN", "JIRA_CI") if how in given}
        arguments = ["--label", "flag"] if "flag" in given else []
        done = harness_oauth(*arguments, "--config", "settings.toml", environ=variables)
        assert done.code == 0, done.text
        expected = given[0] if given[0] != "default" else None
        assert [build.get("label") for build in jira.builds()] == [expected]

    @pytest.mark.parametrize("nothing", ["", " ", "null"])
    def test_what_means_not_set_falls_through(self, harness_oauth, jira, nothing):
        environ = {"PLUGIN_PIPELINE": nothing, "JIRA_CI_PIPELINE": "acme/other"}
        done = harness_oauth("--pipeline", nothing, environ=environ)
        assert done.code == 0, done.text
        assert [build["pipelineId"] for build in jira.builds()] == ["acme/other"]
        assert "warning" not in done.err

    def test_an_unresolved_expression_falls_through_with_a_warning(self, harness_oauth, jira):
        environ = {"PLUGIN_PIPELINE": "<+pipeline.variables.x>", "JIRA_CI_PIPELINE": "acme/other"}
        done = harness_oauth(environ=environ)
        assert done.code == 0, done.text
        assert [build["pipelineId"] for build in jira.builds()] == ["acme/other"]
        assert done.err.count("PLUGIN_PIPELINE") == 1
        assert "warning: PIPELINE: PLUGIN_PIPELINE holds <+pipeline.variables.x>, which CI did not replace" in done.err

    def test_an_unresolved_credential_is_not_set(self, harness_oauth, failed, jira):
        failure = failed(harness_oauth(client_secret="<+secrets.getValue('jira')>"), 2)
        assert "CLIENT_SECRET is not set" in failure.what
        assert jira.requests() == []


@pytest.mark.usefixtures("in_process")
class TestFiles:
    """The file that --config names may set everything, the project's own file only what is harmless."""

    def test_the_file_of_config_sets_everything_credentials_included(self, harness, jira, clean):
        folder = harness.folder
        (folder / "secret.txt").write_text(jira.client_secret + "\n")
        (folder / "settings.toml").write_text(
            f'project = ["DEMO", "MYT"]\ninstance = "{jira.url}"\napi-url = "{jira.url}"\nrun-number = 9\n'
            f'client-id = "{jira.client_id}"\nclient-secret-file = "secret.txt"\nenvironment-name = ["qa", "prod"]\n'
        )
        unset = {name: None for name in harness.environ if name.startswith("PLUGIN_")}
        done = clean(harness(environ=unset | {"JIRA_CI_CONFIG": "settings.toml", "PLUGIN_LOG_LEVEL": "debug"}))
        assert done.code == 0, done.text
        found = [(one["environment"]["id"], one["deploymentSequenceNumber"]) for one in jira.deployments()]
        assert found == [("qa", 9), ("prod", 9)]
        assert "warning" not in done.err

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("jira-ci.toml", 'project = "DEMO"\nlabel = "own"\n'),
            ("pyproject.toml", '[tool.jira-ci]\nproject = "DEMO"\nlabel = "own"\n'),
        ],
    )
    def test_the_projects_own_file_sets_what_is_harmless(self, harness_oauth, jira, name, content):
        (harness_oauth.folder / name).write_text(content)
        done = harness_oauth(environ={"PLUGIN_PROJECT": None, "DRONE_COMMIT_MESSAGE": "DEMO-4"})
        assert done.code == 0, done.text
        assert [(build["label"], build["issueKeys"]) for build in jira.builds()] == [("own", ["DEMO-4"])]

    def test_jira_ci_toml_comes_before_pyproject(self, harness_oauth, jira):
        (harness_oauth.folder / "jira-ci.toml").write_text('label = "own"\n')
        (harness_oauth.folder / "pyproject.toml").write_text('[tool.jira-ci]\nlabel = "other"\n')
        assert harness_oauth().code == 0
        assert [build["label"] for build in jira.builds()] == ["own"]

    def test_a_pyproject_of_others_does_not_matter(self, harness_oauth):
        (harness_oauth.folder / "pyproject.toml").write_text("[tool.other]\nthis is no TOML at all\n")
        assert harness_oauth().code == 0

    @pytest.mark.parametrize(
        "line",
        [
            'instance = "https://evil.example"',
            'api-url = "https://evil.example"',
            'connect-hostname = "https://evil.example"',
            'connect-key = "abcdefgh"',
            'connect-key-file = "/etc/hostname"',
            'client-secret = "abcdefgh"',
            'link = "https://evil.example"',
            'state = "successful"',
            'state-policy = "force"',
            'issuekeys = "MYT-5"',
            'environment-name = "production"',
            'environments = "preview=production"',
            'pipeline = "acme/prod-deploy"',
            'service-ids = "b:payments"',
            'auth = "connect"',
            'plugins = "evil"',
            'disable-plugins = "oauth"',
            'on-plugin-error = "warn"',
            'https-proxy = "http://evil.example"',
            'ca-bundle = "evil.pem"',
            'config = "evil.toml"',
            'log-level = "debug"',
        ],
    )
    def test_the_projects_own_file_may_not_say_where_what_or_how(self, harness_oauth, jira, failed, line):
        (harness_oauth.folder / "jira-ci.toml").write_text(line + "\n")
        failure = failed(harness_oauth(), 2)
        name = line.partition(" ")[0]
        assert failure.what == f"{name} may not be set in jira-ci.toml"
        assert name.upper().replace("-", "_") in failure.do
        assert jira.requests() == []

    def test_the_projects_own_file_is_trusted_if_it_is_named(self, harness_oauth, jira):
        (harness_oauth.folder / "jira-ci.toml").write_text('pipeline = "acme/own"\n')
        done = harness_oauth("--config", "./jira-ci.toml")
        assert done.code == 0, done.text
        assert [build["pipelineId"] for build in jira.builds()] == ["acme/own"]

    def test_a_misspelt_name_in_the_projects_own_file_is_an_error_with_the_nearest(self, harness_oauth, jira, failed):
        (harness_oauth.folder / "pyproject.toml").write_text('[tool.jira-ci]\npipelin = "x"\n')
        failure = failed(harness_oauth(), 2)
        assert "pipelin in [tool.jira-ci] of pyproject.toml is not known" in failure.what
        assert "did you mean pipeline?" in failure.why
        assert jira.requests() == []

    @pytest.mark.parametrize(
        ("content", "said"),
        [(None, "cannot be read"), ("project = MYT", "not valid TOML"), (b"\xff\xfe", "not valid TOML")],
    )
    def test_a_file_that_cannot_be_read_is_an_error(self, harness_oauth, jira, failed, content, said):
        path = harness_oauth.folder / "settings.toml"
        if content is not None:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        failure = failed(harness_oauth("--config", "settings.toml"), 2)
        assert said in failure.what
        assert "--config" in failure.do
        assert jira.requests() == []

    def test_a_tool_section_that_is_no_table_is_an_error(self, harness_oauth, failed):
        (harness_oauth.folder / "pyproject.toml").write_text('[tool]\njira-ci = "MYT"\n')
        assert "is not a table" in failed(harness_oauth(), 2).what


@pytest.mark.usefixtures("in_process")
class TestSecretsFromFiles:
    """A credential may come from a file, and nothing else may."""

    @pytest.mark.parametrize("prefix", ["PLUGIN", "JIRA_CI"])
    def test_a_credential_is_read_from_its_file(self, harness, jira, clean, prefix):
        for name in ("client_id", "client_secret"):
            (harness.folder / name).write_text(f"{getattr(jira, name)}\n")
            harness.environ[f"{prefix}_{name.upper()}_FILE"] = name
        done = clean(harness(log_level="debug"))
        assert done.code == 0, done.text
        assert len(jira.builds()) == 1

    def test_the_connect_key_is_read_from_its_file(self, harness, jira, clean):
        (harness.folder / "key").write_text(jira.connect_key)
        done = clean(harness(connect_key_file="key", log_level="debug"))
        assert done.code == 0, done.text
        assert len(jira.builds()) == 1

    def test_a_value_comes_before_a_file(self, harness, jira):
        done = harness(connect_key=jira.connect_key, connect_key_file="/does/not/exist")
        assert done.code == 0, done.text

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, "cannot be read"),
            (b"", "holds no credential"),
            (b"\xff", "cannot be read"),
            (b"x" * 70000, "holds no"),
        ],
    )
    def test_a_file_without_a_credential_is_an_error(self, harness, jira, failed, content, said):
        if content is not None:
            (harness.folder / "key").write_bytes(content)
        failure = failed(harness(connect_key_file="key"), 2)
        assert said in failure.what
        assert "PLUGIN_CONNECT_KEY_FILE" in failure.do
        assert jira.requests() == []

    def test_another_setting_does_not_come_from_a_file(self, harness_oauth, jira, failed):
        (harness_oauth.folder / "project").write_text("MYT")
        done = harness_oauth(project_file="project", environ={"PLUGIN_PROJECT": None})
        assert "PROJECT is not set" in failed(done, 2).what
        assert "PLUGIN_PROJECT_FILE is not known" in done.err
        assert jira.requests() == []

    @pytest.mark.parametrize("flag", ["--client-secret", "--connect-key", "--client-id", "--https-proxy"])
    def test_a_credential_has_no_flag(self, harness_oauth, jira, failed, secrets, flag):
        secrets.append("a-secret-on-the-command-line")
        for arguments in ([flag, "a-secret-on-the-command-line"], [f"{flag}=a-secret-on-the-command-line"]):
            failure = failed(harness_oauth(*arguments), 2)
            assert flag in failure.what
        assert jira.requests() == []


@pytest.mark.usefixtures("in_process")
class TestRefusedValues:
    """A value that a setting does not take is an error that names it, and nothing is sent."""

    @pytest.mark.parametrize(
        ("setting", "value", "hint"),
        [
            ("PROJECT", None, "PLUGIN_PROJECT"),
            ("PROJECT", "M", "MYT for MYT-1234"),
            ("PROJECT", "1AB", "MYT for MYT-1234"),
            ("PROJECT", "MYT-1", "MYT for MYT-1234"),
            ("PROJECT", "MYT;DEMO", "MYT for MYT-1234"),
            ("PROJECT", "ПРО", "MYT for MYT-1234"),
            ("INSTANCE", None, "CLOUD_ID"),
            ("INSTANCE", "my org", "myorg"),
            ("INSTANCE", "http://jira.example.com", "https://"),
            ("INSTANCE", "ftp://jira.example.com", "https://"),
            ("INSTANCE", "https://user@jira.example.com", "without a user"),
            ("INSTANCE", "https://user:pw@jira.example.com", "the credential to its own setting"),
            ("INSTANCE", "jira.example.com", "full address"),
            ("INSTANCE", "https://", "https://"),
            ("API_URL", "http://api.example.com", "https://"),
            ("API_URL", "https://api.example.com?x=1", "without a user"),
            ("CONNECT_HOSTNAME", "http://jira-ci.example.com", "https://"),
            ("CLOUD_ID", "abc", "tenant_info"),
            ("CLOUD_ID", "0" * 31 + "g", "tenant_info"),
            ("ENVIRONMENT_TYPE", "prod", "production, staging"),
            ("STATE", "great", "successful"),
            ("STATE_POLICY", "maybe", "STATE_POLICY"),
            ("LOG_LEVEL", "loud", "LOG_LEVEL"),
            ("ISSUEKEYS", "MYT", "MYT-1234"),
            ("ISSUEKEYS", "MYT-1,MYT-01", "MYT-1234"),
            ("RUN_NUMBER", "12a", "counter"),
            ("RUN_NUMBER", "-1", "counter"),
            ("RUN_NUMBER", str(2**63), "counter"),
            ("LINK", "ci.example/7", "https://"),
            ("LINK", "javascript:alert(1)", "https://"),
            ("AUTH", "basic", "oauth"),
            ("ON_NO_ISSUE", "ignore", "ON_NO_ISSUE"),
            ("ON_PLUGIN_ERROR", "ignore", "ON_PLUGIN_ERROR"),
            ("CLIENT_SECRET", "two words", "quotes"),
            ("CLIENT_SECRET", "gehéim", "quotes"),
            ("CA_BUNDLE", "missing.pem", "CA_BUNDLE"),
        ],
    )
    def test_it_is_named_with_a_remedy(self, harness_oauth, jira, failed, secrets, setting, value, hint):
        if setting == "CLIENT_SECRET":
            secrets.append(value)
        failure = failed(harness_oauth(environ={f"PLUGIN_{setting}": value}), 2)
        assert setting in failure.what
        assert hint in failure.do
        assert failure.count == 1
        assert jira.requests() == []

    def test_all_of_them_are_told_at_once(self, harness_oauth, jira, failed):
        failure = failed(
            harness_oauth(project="M", instance="my org", client_secret="a b", api_url="http://x.example"), 2
        )
        assert failure.count == 4
        assert jira.requests() == []

    def test_an_id_for_several_environments_is_refused(self, harness_oauth, jira, failed):
        failure = failed(harness_oauth(environment_name="a,b", environment_id="x"), 2)
        assert "ENVIRONMENT_ID" in failure.what
        assert jira.requests() == []


@pytest.mark.usefixtures("in_process")
class TestMeaning:
    """What a setting does."""

    @pytest.mark.parametrize("value", ["MYT,DEMO", "myt demo", "MYT|DEMO", " MYT , DEMO ", "*"])
    def test_project_is_one_or_several_or_any(self, harness_oauth, jira, value):
        done = harness_oauth(project=value, environ={"DRONE_COMMIT_MESSAGE": "MYT-1 DEMO-2 UTF-8"})
        assert done.code == 0, done.text
        assert [build["issueKeys"] for build in jira.builds()] == [["MYT-1", "DEMO-2"]]

    def test_project_may_hold_an_underscore(self, harness_oauth, jira):
        assert harness_oauth(project="MY_T", environ={"DRONE_COMMIT_MESSAGE": "fix_my_t-3"}).code == 0
        assert [build["issueKeys"] for build in jira.builds()] == [["MY_T-3"]]

    @pytest.mark.parametrize("name", ["issuekeys", "issue_keys"])
    def test_issuekeys_replaces_the_search_and_project_does_not_filter_it(self, harness_oauth, jira, name):
        assert harness_oauth(**{name: "demo-7, MYT-9"}).code == 0
        assert [build["issueKeys"] for build in jira.builds()] == [["DEMO-7", "MYT-9"]]

    @pytest.mark.parametrize("name", ["environment", "environment_name"])
    def test_environment_is_an_alias(self, harness_oauth, jira, name):
        assert harness_oauth(**{name: "prod"}).code == 0
        assert [one["environment"]["id"] for one in jira.deployments()] == ["prod"]

    def test_the_environment_that_ci_knows_makes_no_deployment_and_a_hint_says_how(self, harness_oauth, jira):
        drone = {name: None for name in harness_oauth.environ if name.startswith("HARNESS_")}
        done = harness_oauth(environ=drone | {"DRONE_DEPLOY_TO": "prod"})
        assert done.code == 0, done.text
        assert "ENVIRONMENT_NAME=prod" in done.err
        assert jira.deployments() == []
        assert len(jira.builds()) == 1

    @pytest.mark.parametrize("form", [lambda id: id, lambda id: id.replace("-", ""), str.upper])
    def test_cloud_id_saves_the_request_for_it(self, harness_oauth, jira, form):
        done = harness_oauth(cloud_id=form(jira.cloud_id))
        assert done.code == 0, done.text
        assert [request["path"] for request in jira.requests()][0] == "/oauth/token"
        assert len(jira.builds()) == 1

    def test_instance_may_be_absent_with_oauth_and_cloud_id(self, harness_oauth, jira):
        done = harness_oauth(cloud_id=jira.cloud_id, environ={"PLUGIN_INSTANCE": None})
        assert done.code == 0, done.text
        assert f"cloud id {jira.cloud_id} accepted build 42" in done.err

    def test_connect_needs_instance_whatever_else_is_set(self, harness, connect, jira, failed):
        failure = failed(harness(cloud_id=jira.cloud_id, environ={**connect, "PLUGIN_INSTANCE": None}), 2)
        assert "INSTANCE is not set" in failure.what
        assert jira.requests() == []

    @pytest.mark.parametrize("value", ["debug", "DEBUG", "trace"])
    def test_log_level_debug_shows_what_jira_answers(self, harness_oauth, value):
        assert '{"acceptedBuilds":' in harness_oauth(log_level=value).err

    @pytest.mark.parametrize("value", ["info", "INFO", None])
    def test_log_level_info_does_not(self, harness_oauth, value):
        done = harness_oauth(log_level=value)
        assert done.code == 0
        assert "acceptedBuilds" not in done.err
        assert "debug:" not in done.err

    def test_an_unknown_setting_is_a_warning_with_the_nearest_name(self, harness_oauth, jira):
        done = harness_oauth(environ={"PLUGIN_ENVIROMENT_NAME": "prod", "JIRA_CI_CLIENTSECRET": "abc"})
        assert done.code == 0, done.text
        assert "warning: PLUGIN_ENVIROMENT_NAME is not known; did you mean ENVIRONMENT_NAME?" in done.err
        assert "JIRA_CI_CLIENTSECRET is not known; did you mean CLIENT_SECRET?" in done.err
        assert len(jira.builds()) == 1

    def test_one_that_is_nearly_a_setting_is_an_error_where_only_this_tool_reads_it(self, harness_oauth, jira, failed):
        failure = failed(harness_oauth(environ={"JIRA_CI_ENVIROMENT_NAME": "prod"}), 2)
        assert failure.what == "JIRA_CI_ENVIROMENT_NAME is not known"
        assert "JIRA_CI_ENVIRONMENT_NAME" in failure.do
        assert jira.requests() == []

    def test_an_unknown_setting_in_the_file_of_config_is_a_warning_too(self, harness_oauth):
        (harness_oauth.folder / "settings.toml").write_text('stat = "failed"\n')
        done = harness_oauth("--config", "settings.toml")
        assert done.code == 0, done.text
        assert "warning: stat in settings.toml is not known; did you mean state?" in done.err

    def test_an_unknown_flag_is_an_error(self, harness_oauth, jira, failed):
        failure = failed(harness_oauth("--enviroment-name", "prod"), 2)
        assert "--enviroment-name" in failure.what
        assert "--help" in failure.do
        assert jira.requests() == []


@pytest.mark.parametrize("kind", ["oauth", "connect"])
def test_debug_shows_jiras_answer_and_neither_credential_nor_token(
    request, harness, jira, secrets, clean, passing_on, kind
):
    between = passing_on()
    harness.environ |= request.getfixturevalue(kind)
    done = harness(log_level="debug", instance=between.url, api_url=between.url, connect_hostname=between.url)
    assert done.code == 0, done.text
    assert "Jira answered 202" in done.err
    authorizations = [received.headers.get("Authorization", "") for received in between.received]
    tokens = {one.removeprefix("Bearer ") for one in authorizations if one} - {jira.connect_key}
    assert len(tokens) == 1
    secrets += tokens
    clean(done)


@pytest.mark.parametrize("wrap", [str, lambda secret: f'{{"echo": "Bearer {secret}"}}', lambda secret: f"<p>{secret}"])
def test_what_jira_echoes_of_a_secret_is_removed(harness_oauth, jira, failed, wrap):
    jira.fault("answer", status=400, body=wrap(jira.client_secret))
    done = harness_oauth(log_level="debug")
    failed(done, 1)
    assert "[secret]" in done.err
