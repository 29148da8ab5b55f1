"""Which credentials are used, and where secrets go."""

from __future__ import annotations

import os
import re

import pytest

BASIC = """
from jira_ci_core import BearerAuth, Connection, PluginSettings, Secret, SignIn, hookimpl, setting

class Basic:
    class Settings(PluginSettings):
        basic_token: Secret | None = setting(None, help="a token")
        basic_url: str = setting("", help="where to")

    def __init__(self, settings):
        self.settings = settings

    @hookimpl
    def jira_ci_authenticate(self, site):
        if self.settings.basic_token is None:
            return None
        return SignIn("basic", self.connect, hosts=(site.url,))

    def connect(self, http):
        auth = BearerAuth(self.settings.basic_token.get_secret_value)
        return Connection(self.settings.basic_url, self.settings.basic_url, auth, auth.renew)
"""


def kinds_used(jira):
    """The kinds of credentials that signed a bulk call."""
    return {request["credential"].partition("-")[0] for request in jira.requests("bulk")}


@pytest.mark.parametrize("kind", ["oauth", "connect"])
def test_one_kind_complete_is_used_and_nothing_is_warned_of(request, harness, jira, clean, kind):
    harness.environ |= request.getfixturevalue(kind)
    done = clean(harness())
    assert done.code == 0, done.text
    assert kinds_used(jira) == {kind}
    assert "warning" not in done.err


def test_connect_says_once_that_it_is_ending_and_points_to_oauth(harness, connect, oauth):
    done = harness(environ=connect)
    assert done.err.count("Atlassian is ending Connect apps") == 1
    assert "CLIENT_ID and CLIENT_SECRET" in done.err
    assert "ending" not in harness(environ=oauth).err


def test_both_kinds_complete_is_oauth_with_a_warning_naming_the_ignored(harness, oauth, connect, jira, clean):
    done = clean(harness(environ=oauth | connect))
    assert done.code == 0, done.text
    assert kinds_used(jira) == {"oauth"}
    [warning] = [line for line in done.err.splitlines() if line.startswith("warning")]
    assert "connect is ignored" in warning


@pytest.mark.usefixtures("in_process")
class TestChoice:
    """What AUTH chooses, and what happens with halves, with none, and without a package."""

    @pytest.mark.parametrize("kind", ["oauth", "connect", " OAuth ", "CONNECT"])
    def test_auth_chooses_of_both(self, harness, oauth, connect, jira, kind):
        done = harness(auth=kind, environ=oauth | connect)
        assert done.code == 0, done.text
        assert kinds_used(jira) == {kind.strip().lower()}
        assert "warning" not in done.err

    @pytest.mark.parametrize("half", ["CLIENT_ID", "CLIENT_SECRET"])
    def test_half_of_the_other_kind_is_a_warning(self, harness, oauth, connect, jira, half):
        done = harness(environ=connect | {f"PLUGIN_{half}": oauth[f"PLUGIN_{half}"]})
        assert done.code == 0, done.text
        assert kinds_used(jira) == {"connect"}
        other = {"CLIENT_ID": "CLIENT_SECRET", "CLIENT_SECRET": "CLIENT_ID"}[half]
        assert f"warning: oauth is ignored: {other} is not set" in done.err

    @pytest.mark.parametrize("half", ["CLIENT_ID", "CLIENT_SECRET"])
    def test_one_half_alone_is_an_error_naming_the_other(self, harness, oauth, jira, failed, half):
        other = {"CLIENT_ID": "CLIENT_SECRET", "CLIENT_SECRET": "CLIENT_ID"}[half]
        failure = failed(harness(environ={f"PLUGIN_{half}": oauth[f"PLUGIN_{half}"]}), 2)
        assert failure.what == f"{other} is not set"
        assert failure.do == f"set {other} as well"
        assert jira.requests() == []

    def test_none_at_all_is_an_error_naming_both_kinds(self, harness, jira, failed):
        failure = failed(harness(), 2)
        assert "no credentials" in failure.what
        assert "CONNECT_KEY, or CLIENT_ID and CLIENT_SECRET" in failure.do
        assert jira.requests() == []

    def test_the_kind_that_auth_names_must_be_complete(self, harness, oauth, connect, jira, failed):
        failure = failed(harness(auth="connect", environ=oauth), 2)
        assert "CONNECT_KEY" in failure.what
        failure = failed(harness(auth="oauth", environ=connect), 2)
        assert "CLIENT_ID and CLIENT_SECRET" in failure.what
        half = {"PLUGIN_CLIENT_ID": oauth["PLUGIN_CLIENT_ID"]}
        failure = failed(harness(auth="oauth", environ=connect | half), 2)
        assert failure.what == "CLIENT_SECRET is not set"
        assert jira.requests() == []

    def test_an_auth_that_no_plugin_offers_is_an_error_listing_the_kinds(self, harness, oauth, jira, failed):
        failure = failed(harness(auth="kerberos", environ=oauth), 2)
        assert "AUTH cannot be 'kerberos'" in failure.what
        assert "connect, oauth" in failure.do
        assert jira.requests() == []

    @pytest.mark.parametrize("kind", ["oauth", "connect"])
    def test_a_kind_whose_package_is_not_installed_is_an_error_with_the_command(
        self, request, harness, jira, failed, monkeypatch, kind
    ):
        without(kind, monkeypatch)
        failure = failed(harness(environ=request.getfixturevalue(kind)), 2)
        assert failure.do == f"pip install 'jira-ci-core[{kind}]'"
        assert jira.requests() == []

    def test_a_half_of_a_kind_whose_package_is_not_installed_is_the_same_error(
        self, harness, oauth, jira, failed, monkeypatch
    ):
        without("oauth", monkeypatch)
        half = {"PLUGIN_CLIENT_ID": oauth["PLUGIN_CLIENT_ID"]}
        assert failed(harness(environ=half), 2).do == "pip install 'jira-ci-core[oauth]'"
        assert failed(harness(auth="oauth", environ=half), 2).do == "pip install 'jira-ci-core[oauth]'"

    def test_a_kind_without_its_package_is_a_warning_beside_one_that_is_complete(
        self, harness, oauth, connect, jira, clean, monkeypatch
    ):
        without("oauth", monkeypatch)
        done = clean(harness(environ=oauth | connect))
        assert done.code == 0, done.text
        assert "warning: oauth is ignored: the package for oauth sign-in is not installed" in done.err
        assert kinds_used(jira) == {"connect"}

    def test_without_any_package_the_error_says_what_to_install(self, harness, failed, monkeypatch):
        without("oauth", monkeypatch)
        without("connect", monkeypatch)
        failure = failed(harness(), 2)
        assert "pip install 'jira-ci-core[oauth]' or 'jira-ci-core[connect]'" in failure.do

    def test_a_kind_that_is_off_is_not_one_that_is_missing(self, harness, oauth, jira, failed):
        failure = failed(harness(disable_plugins="oauth", environ=oauth), 2)
        assert "installed but off" in failure.why
        assert "DISABLE_PLUGINS" in failure.do
        assert "pip install" not in failure.do
        assert jira.requests() == []


def without(kind, monkeypatch):
    """Let the package of one kind of sign-in be not installed."""
    from jira_ci_core.plugins import discovery

    found = discovery.plugin_entry_points
    monkeypatch.setattr(discovery, "plugin_entry_points", lambda: [point for point in found() if point.name != kind])


class TestStrangersKind:
    """A kind of sign-in that a stranger's plugin brings."""

    @pytest.fixture(autouse=True)
    def basic(self, install):
        install("basic", BASIC, ":Basic")

    def test_it_is_used_where_it_is_the_only_one(self, harness, listen, clean, secrets):
        secrets.append("a-basic-token")
        accepting = listen(lambda received: (202, {}, ACCEPTED))
        done = clean(harness(instance=accepting.url, basic_token="a-basic-token", basic_url=f"{accepting.url}/x"))
        assert done.code == 0, done.text
        [received] = accepting.received
        assert (received.target, received.headers["Authorization"]) == ("/x", "Bearer a-basic-token")

    def test_auth_must_choose_where_others_are_complete(self, harness, oauth, jira, failed):
        failure = failed(harness(basic_token="a-basic-token", environ=oauth), 2)
        assert "several kinds" in failure.what
        assert "set AUTH to one of them (basic, oauth)" in failure.do
        assert jira.requests() == []

    def test_auth_chooses_it(self, harness, oauth, jira, failed):
        done = harness(auth="oauth", basic_token="a-basic-token", environ=oauth)
        assert done.code == 0, done.text
        assert kinds_used(jira) == {"oauth"}
        undeclared = harness(auth="basic", basic_token="a-basic-token", basic_url="https://x.example", environ=oauth)
        failure = failed(undeclared, 1)
        assert "https://x.example was not asked" in failure.what


ACCEPTED = (
    b'{"acceptedBuilds": [{"pipelineId": "harness/acme/default/shop/checkout", "buildNumber": 42}], "rejectedBuilds": [],'
    b' "unknownIssueKeys": []}'
)


@pytest.mark.usefixtures("in_process")
class TestWhereSecretsGo:
    """To hosts that the settings name, and nowhere else."""

    def test_a_redirect_of_the_post_carries_nothing_to_another_server(self, harness_oauth, jira, listen, failed):
        elsewhere = listen()
        jira.fault("redirect", location=f"{elsewhere.url}/jira/bulk", status=307)
        failure = failed(harness_oauth(), 1)
        assert elsewhere.received == []
        assert f"moved to {elsewhere.url}" in failure.what
        assert f"set INSTANCE to {elsewhere.url}" in failure.do
        assert [request["method"] for request in jira.requests("bulk")] == ["POST"]

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize("match", ["token", "tenant"])
    def test_a_redirect_while_signing_in_carries_nothing_to_another_server(
        self, harness_oauth, jira, listen, failed, match, status
    ):
        elsewhere = listen()
        jira.fault("redirect", match=match, location=f"{elsewhere.url}/oauth/token", status=status)
        failure = failed(harness_oauth(), 1)
        assert elsewhere.received == []
        assert elsewhere.url in failure.what
        assert jira.requests("bulk") == []

    def test_a_redirect_of_the_connect_token_carries_nothing_to_another_server(
        self, harness, connect, jira, listen, failed
    ):
        elsewhere = listen()
        jira.fault("redirect", match="token", location=f"{elsewhere.url}/token")
        failed(harness(environ=connect), 1)
        assert elsewhere.received == []

    def test_a_redirect_back_to_the_same_server_is_not_followed_either(self, harness_oauth, jira, failed):
        jira.fault("redirect", location="/browse/MYT-1")
        failure = failed(harness_oauth(), 1)
        assert "moved to /browse/MYT-1" in failure.what
        assert len(jira.requests("bulk")) == 1

    @pytest.mark.parametrize("cloud_id", ["{url}", "../../../{url}", "@{host}/", "x.{host}"])
    def test_a_tenant_info_that_names_a_host_is_no_cloud_id(self, harness_oauth, jira, listen, failed, cloud_id):
        elsewhere = listen()
        cloud_id = cloud_id.format(url=elsewhere.url, host=elsewhere.url.removeprefix("http://"))
        jira.fault("answer", match="tenant", status=200, body={"cloudId": cloud_id, "url": elsewhere.url})
        failure = failed(harness_oauth(), 1)
        assert "did not give the site's cloud id" in failure.what
        assert "CLOUD_ID" in failure.do
        assert elsewhere.received == []
        assert jira.requests("bulk") == []

    def test_the_site_is_asked_for_its_cloud_id_without_credentials(self, harness_oauth, jira, listen):
        site = listen(lambda received: (200, {}, b'{"cloudId": "%s"}' % jira.cloud_id.encode()))
        done = harness_oauth(instance=site.url)
        assert done.code == 0, done.text
        [received] = site.received
        assert received.body == b""
        assert "Authorization" not in received.headers
        assert "Cookie" not in received.headers

    def test_the_connect_key_goes_to_the_app_and_the_token_to_the_site_only(self, harness, connect, jira, passing_on):
        app, site = passing_on(), passing_on()
        done = harness(instance=site.url, connect_hostname=app.url, environ=connect)
        assert done.code == 0, done.text
        assert [received.headers["Authorization"] for received in app.received] == [f"Bearer {jira.connect_key}"]
        [update] = site.received
        assert update.headers["Authorization"] == f"Bearer {app.answered[0][1].decode()}"

    def test_the_client_secret_goes_to_the_api_only(self, harness_oauth, jira, passing_on):
        api, site = passing_on(), passing_on()
        done = harness_oauth(instance=site.url, api_url=api.url)
        assert done.code == 0, done.text
        assert [received.target for received in site.received] == ["/_edge/tenant_info"]
        assert jira.client_secret not in str(site.received)
        assert jira.client_secret.encode() in api.received[0].body

    def test_cookies_of_the_site_do_not_matter(self, harness_oauth, jira):
        jira.fault("answer", match="tenant", status=200, body={"cloudId": jira.cloud_id}, headers={"set-cookie": "a=b"})
        assert harness_oauth().code == 0
        assert all("cookie" not in request["headers"] for request in jira.requests())

    def test_a_plugin_never_sees_a_credential_in_the_environment(self, harness_oauth, jira, install):
        install(
            "curious",
            """
from pathlib import Path
from jira_ci_core import hookimpl

@hookimpl
def jira_ci_read_pipeline(environ):
    Path("seen.txt").write_text(repr(dict(environ)))

@hookimpl
def jira_ci_reported(pipeline, reports, receipt, settings):
    with Path("seen.txt").open("a") as file:
        file.write(repr((pipeline, reports, receipt, settings)))
""",
        )
        done = harness_oauth(https_proxy="http://me:proxy-password@proxy.example", environ=path_of(harness_oauth))
        assert done.code == 0, done.text
        seen = (harness_oauth.folder / "seen.txt").read_text()
        assert "HARNESS_PIPELINE_ID" in seen
        assert "Receipt" in seen
        for secret in (jira.client_secret, jira.client_id, "proxy-password"):
            assert secret not in seen


def path_of(step):
    """In this process, what PYTHONPATH does at the start of one."""
    import sys

    sys.path.insert(0, step.environ["PYTHONPATH"])
    return {}


NO_KEY = {"DRONE_COMMIT_MESSAGE": "nothing"}
# What a run for a fork gets: secrets are empty, or not there, and what is no secret may be there.
MISSING = {
    "nothing": {"PLUGIN_CLIENT_ID": "", "PLUGIN_CLIENT_SECRET": "", "PLUGIN_CONNECT_KEY": "null"},
    "half": {"PLUGIN_CLIENT_ID": "an-id"},
    "a kind that AUTH names": {"PLUGIN_AUTH": "connect"},
    "a file that is missing": {"PLUGIN_CONNECT_KEY_FILE": "/nonexistent/key"},
    "a file that is empty": {"PLUGIN_CLIENT_ID": "an-id", "JIRA_CI_CLIENT_SECRET_FILE": os.devnull},
}
NEEDS_A_BROKER = """
from jira_ci_core import NoCredentialsError, Problem, hookimpl

NEEDS_SIGN_IN = False

@hookimpl
def jira_ci_deliver():
    raise NoCredentialsError(Problem("BROKER_URL is not set", "reports are handed to it", "set it"))
"""
SAYS_WHAT_IT_IS_TOLD = """
from jira_ci_core import hookimpl

@hookimpl
def jira_ci_reported(reports, receipt):
    print(len(reports), receipt.skip_reason)
"""


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("missing", MISSING.values(), ids=MISSING)
class TestARunWithoutSecrets:
    """A run for a fork, or of Dependabot."""

    @pytest.mark.parametrize(
        ("command", "code"), [(["report"], 0), (["gate"], 0), (["run", "--", "sh", "-c", "exit 7"], 7)]
    )
    def test_that_has_no_key_needs_none(self, harness, jira, clean, missing, command, code):
        done = clean(harness.run(*command, environment_name="prod", environ=missing | NO_KEY))
        assert done.code == code, done.text
        assert "warning: no issue key was found" in done.err
        assert jira.requests() == []

    def test_that_has_no_key_tells_programs_what_was_searched(self, harness, missing):
        [problem] = harness("--format", "json", environ=missing | NO_KEY).json["problems"]
        assert problem["what"] == "no issue key was found"
        assert 'the commit message "nothing"' in problem["why"]
        assert "write a key" in problem["remedy"]

    def test_that_state_leaves_out_needs_none(self, harness, jira, missing):
        done = harness(state="successful", environ=missing | {"DRONE_BUILD_STATUS": "failure"})
        assert (done.code, jira.requests()) == (0, []), done.text

    @pytest.mark.parametrize("command", [["report"], ["gate"], ["run", "--", "true"]])
    def test_that_has_a_key_fails(self, harness, jira, failed, missing, command):
        failed(harness.run(*command, environment_name="prod", environ=missing), 2)
        assert jira.requests() == []

    @pytest.mark.parametrize(("command", "code"), [(["report"], 0), (["run", "--", "sh", "-c", "exit 7"], 7)])
    def test_that_has_a_key_may_be_warned(self, harness, jira, clean, missing, command, code):
        done = clean(harness.run(*command, on_no_credentials="warn", environ=missing))
        assert done.code == code, done.text
        [warning] = [line for line in done.err.splitlines() if line.startswith("warning")]
        assert warning.endswith(", so nothing was sent")
        assert re.search("^  do:  (set|check the path in) ", done.err, re.MULTILINE)
        assert jira.requests() == []

    def test_that_only_warns_tells_programs_so(self, harness, missing):
        done = harness("--format", "json", on_no_credentials="warn", environ=missing)
        answer = done.json
        assert (done.code, answer["ending"], answer["exit_code"], answer["request"]) == (0, "skipped", 0, None)
        [problem] = answer["problems"]
        assert problem["what"] == answer["skipped"]
        assert problem["why"]
        assert problem["remedy"]
        assert [found["key"] for found in answer["keys"]] == ["MYT-1"]


@pytest.mark.usefixtures("in_process")
class TestOnNoCredentials:
    def test_a_gate_is_never_passed_without_jira(self, harness, failed):
        failed(harness.run("gate", environment_name="prod", on_no_credentials="warn"), 2)

    def test_what_cannot_be_used_for_another_reason_still_fails(self, harness, oauth, connect, jira, failed):
        settings = {"on_no_credentials": "warn", "environ": oauth}
        failed(harness(auth="kerberos", **settings), 2)
        failed(harness(disable_plugins="oauth", **settings), 2)
        assert jira.requests() == []

    def test_a_file_is_not_asked_for_in_a_dry_run(self, harness, jira):
        done = harness("--dry-run", connect_key_file="/nonexistent/key")
        assert (done.code, jira.requests()) == (0, []), done.text

    def test_a_file_that_is_missing_is_said_and_its_path_is_not(self, harness, failed):
        failure = failed(harness(connect_key_file="/nonexistent/key"), 2)
        assert failure.what == "the file named by PLUGIN_CONNECT_KEY_FILE cannot be read"
        assert "nonexistent" not in str(failure)

    def test_a_file_that_is_missing_leaves_the_other_kind(self, harness_oauth, jira, failed):
        failed(harness_oauth(connect_key_file="/nonexistent/key"), 2)
        done = harness_oauth(connect_key_file="/nonexistent/key", on_no_credentials="warn")
        assert (done.code, len(jira.builds())) == (0, 1), done.text
        assert "warning: the file named by PLUGIN_CONNECT_KEY_FILE cannot be read: No such file" in done.err

    @pytest.mark.parametrize("content", [b"\xff", b"x" * 70000], ids=["no text", "too large"])
    def test_a_file_that_cannot_be_a_credential_fails_even_so(self, harness, failed, content):
        (harness.folder / "key").write_bytes(content)
        failed(harness(connect_key_file="key", on_no_credentials="warn", environ=NO_KEY), 2)

    def test_the_file_of_a_proxy_is_needed_whatever_is_reported(self, harness, failed):
        failed(harness(https_proxy_file="/nonexistent/proxy", on_no_credentials="warn", environ=NO_KEY), 2)

    def test_plugins_are_told(self, harness, install, monkeypatch):
        install("listener", SAYS_WHAT_IT_IS_TOLD)
        monkeypatch.syspath_prepend(harness.environ["PYTHONPATH"])
        done = harness(on_no_credentials="warn")
        assert done.code == 0, done.text
        assert "0 no_credentials" in done.text

    def test_a_plugin_that_delivers_may_lack_its_own(self, harness_oauth, install, failed, monkeypatch):
        install("broker", NEEDS_A_BROKER)
        monkeypatch.syspath_prepend(harness_oauth.environ["PYTHONPATH"])
        assert "BROKER_URL" in failed(harness_oauth(delivery="broker"), 2).what
        done = harness_oauth(delivery="broker", on_no_credentials="warn")
        assert done.code == 0, done.text
        assert "warning: BROKER_URL is not set, so nothing was sent" in done.err

    def test_complete_ones_are_used(self, harness_oauth, jira):
        assert harness_oauth(on_no_credentials="warn").code == 0
        assert len(jira.builds()) == 1
