"""Which credentials are used, where several kinds are given, or none, or half of one."""

from __future__ import annotations

import pytest

from jira_ci_core import DeliveryError, PluginError, Receipt, SettingsError, Site
from jira_ci_core.delivery.session import plan_delivery

OAUTH = {"PLUGIN_CLIENT_ID": "an-id-0001", "PLUGIN_CLIENT_SECRET": "hunter2222"}
CONNECT = {"PLUGIN_CONNECT_KEY": "k3y-k3y-k3y"}
SITE = Site(url="https://acme.atlassian.net")

THEIRS = """
from jira_ci_core import PluginSettings, Secret, SignIn, hookimpl, setting

class Theirs:
    class Settings(PluginSettings):
        their_key: Secret | None = setting(None, help="a key")

    def __init__(self, settings):
        self.settings = settings

    @hookimpl
    def jira_ci_authenticate(self, site):
        return SignIn(kind="theirs", connect=lambda http: {answer}) if self.settings.their_key else None
"""
THEIR_KEY = {"PLUGIN_THEIR_KEY": "theirs-0001"}


@pytest.fixture
def kind_of(load_runtime, least, caplog):
    """The kind of credentials that is used with these settings, and the warnings on the way."""

    def choose(*given, **more):
        caplog.clear()
        environ = {**least, **{f"PLUGIN_{name.upper()}": value for name, value in more.items()}}
        for settings in given:
            environ |= settings
        plan = plan_delivery(load_runtime(environ), SITE)
        plan.check()
        return plan.kind, [record.getMessage() for record in caplog.records]

    return choose


@pytest.fixture
def refused(kind_of):
    """The problem that is told with these settings."""

    def choose(*given, **more):
        with pytest.raises(SettingsError) as raised:
            kind_of(*given, **more)
        [problem] = raised.value.problems
        assert problem.what
        assert problem.why
        assert problem.remedy
        assert "hunter2222" not in repr(problem)
        return problem

    return choose


class TestTwoPluginsOfOneKind:
    @pytest.mark.parametrize("given", [{}, {"auth": "oauth"}])
    def test_are_refused_since_neither_is_meant_more(self, refused, install, given):
        install(
            "saml",
            """
            from jira_ci_core import SignIn, hookimpl

            @hookimpl
            def jira_ci_authenticate(site): return SignIn("oauth", print)
            """,
        )
        problem = refused(OAUTH, **given)
        assert problem.what == "oauth sign-in is offered by several plugins: oauth, saml"
        assert "DISABLE_PLUGINS" in problem.remedy

    def test_are_no_mistake_where_one_of_them_lacks_a_setting_or_is_off(self, kind_of, install):
        install(
            "saml",
            """
            from jira_ci_core import SignIn, hookimpl

            @hookimpl
            def jira_ci_authenticate(site): return SignIn("oauth", print)
            """,
        )
        assert kind_of({"PLUGIN_CLIENT_ID": "an-id-0001"}) == ("oauth", [])
        assert kind_of(OAUTH, disable_plugins="oauth") == ("oauth", [])


class TestOneKindComplete:
    def test_is_used(self, kind_of):
        assert kind_of(OAUTH) == ("oauth", [])
        assert kind_of(CONNECT) == ("connect", [])

    def test_is_used_and_half_of_another_is_a_warning(self, kind_of):
        assert kind_of(CONNECT, client_id="an-id-0001") == ("connect", ["oauth is ignored: CLIENT_SECRET is not set"])
        assert kind_of(CONNECT, client_secret="hunter2222") == ("connect", ["oauth is ignored: CLIENT_ID is not set"])

    def test_is_used_and_another_without_its_package_is_a_warning(self, kind_of, not_installed):
        not_installed("connect")
        kind, [warning] = kind_of(OAUTH, CONNECT)
        assert kind == "oauth"
        assert warning == "connect is ignored: the package for connect sign-in is not installed"

    def test_of_a_third_party_is_used(self, kind_of, install):
        install("theirs", THEIRS.format(answer="None"), target="Theirs")
        assert kind_of(THEIR_KEY) == ("theirs", [])


class TestBothComplete:
    def test_oauth_is_used_with_a_warning_that_names_the_ignored_one(self, kind_of):
        kind, [warning] = kind_of(OAUTH, CONNECT)
        assert kind == "oauth"
        assert "connect is ignored" in warning
        assert "AUTH=connect" in warning

    @pytest.mark.parametrize("auth", ["connect", "oauth", "Connect", " OAUTH "])
    def test_auth_chooses(self, kind_of, auth):
        assert kind_of(OAUTH, CONNECT, auth=auth) == (auth.strip().lower(), [])

    def test_auth_must_choose_where_a_third_party_s_kind_is_among_them(self, kind_of, refused, install):
        install("theirs", THEIRS.format(answer="None"), target="Theirs")
        problem = refused(OAUTH, THEIR_KEY)
        assert problem.what == "credentials of several kinds are set: oauth, theirs"
        assert "set AUTH" in problem.remedy
        assert kind_of(OAUTH, THEIR_KEY, auth="theirs")[0] == "theirs"


class TestAuth:
    def test_naming_a_kind_of_which_half_is_given_is_an_error_that_names_the_other_half(self, refused):
        assert refused(CONNECT, auth="oauth", client_id="an-id-0001").what == "CLIENT_SECRET is not set"

    def test_naming_a_kind_that_is_not_given_is_an_error_that_names_its_settings(self, refused):
        problem = refused(CONNECT, auth="oauth")
        assert problem.what == "AUTH is oauth, but CLIENT_ID and CLIENT_SECRET are not set"
        assert problem.remedy == "set CLIENT_ID and CLIENT_SECRET"

    def test_naming_a_kind_without_its_package_is_an_error_that_names_the_extra(self, refused, not_installed):
        not_installed("connect")
        assert refused(OAUTH, CONNECT, auth="connect").remedy == "pip install 'jira-ci-core[connect]'"

    def test_naming_a_kind_that_no_plugin_offers_is_an_error_that_lists_the_kinds(self, refused):
        problem = refused(OAUTH, auth="magic")
        assert problem.what == "AUTH cannot be 'magic'"
        assert "connect, oauth" in problem.remedy


class TestNoneComplete:
    @pytest.mark.parametrize(("given", "missing"), [("client_id", "CLIENT_SECRET"), ("client_secret", "CLIENT_ID")])
    def test_with_one_half_given_it_is_an_error_that_names_the_missing_half(self, refused, given, missing):
        problem = refused(**{given: "an-id-0001"})
        assert problem.what == f"{missing} is not set"
        assert "oauth" in problem.why

    @pytest.mark.parametrize("empty", ["", "null", "<+secrets.getValue('x')>"])
    def test_an_empty_half_is_a_missing_one(self, refused, empty):
        assert refused(client_id="an-id-0001", client_secret=empty).what == "CLIENT_SECRET is not set"

    @pytest.mark.parametrize(("kind", "given"), [("oauth", OAUTH), ("connect", CONNECT)])
    def test_of_a_kind_whose_package_is_not_installed_it_is_an_error_with_the_exact_command(
        self, refused, not_installed, kind, given
    ):
        not_installed("oauth", "connect")
        problem = refused(given)
        assert "cannot be used" in problem.what
        assert problem.remedy == f"pip install 'jira-ci-core[{kind}]'"

    def test_of_a_kind_whose_plugin_is_off_it_is_an_error_that_says_so(self, refused):
        problem = refused(OAUTH, disable_plugins="oauth")
        assert problem.why == "the plugin oauth is installed but off"
        assert "DISABLE_PLUGINS" in problem.remedy

    def test_half_of_one_and_half_of_an_uninstalled_one_names_the_half_that_could_be_used(self, refused, not_installed):
        not_installed("oauth")
        assert "jira-ci-core[oauth]" in refused(client_id="an-id-0001").remedy

    def test_none_at_all_is_an_error_that_names_both_kinds(self, refused, not_installed):
        problem = refused()
        assert problem.what == "there are no credentials"
        assert "CONNECT_KEY, or CLIENT_ID and CLIENT_SECRET" in problem.remedy
        assert "pip install" not in problem.remedy
        not_installed("oauth", "connect")
        assert "pip install 'jira-ci-core[oauth]' or 'jira-ci-core[connect]'" in refused().remedy


class TestADeliveryThatNeedsNoCredential:
    QUEUE = """
    from jira_ci_core import Receipt, Result, hookimpl

    NEEDS_SIGN_IN = False

    @hookimpl
    def jira_ci_deliver(reports, connect):
        {body}
        return Receipt.for_all(reports, Result.QUEUED)
    """

    def test_is_not_asked_for_one(self, kind_of, install):
        install("queue", self.QUEUE.format(body=""))
        assert kind_of(disable_plugins="http") == ("", [])

    def test_is_told_what_is_missing_where_it_asks_all_the_same(self, load_runtime, least, install):
        install("queue", self.QUEUE.format(body="connect()"))
        session = plan_delivery(load_runtime(least | {"PLUGIN_DISABLE_PLUGINS": "http"}), SITE).open()
        with pytest.raises(SettingsError, match="there are no credentials"):
            session.deliver(())

    def test_but_another_one_that_could_be_asked_needs_one(self, kind_of, install):
        install("queue", self.QUEUE.format(body=""))
        with pytest.raises(SettingsError, match="there are no credentials"):
            kind_of(plugins="sandbox,oauth,connect")

    def test_says_for_each_report_what_became_of_it(self, load_runtime, least, install):
        install("queue", self.QUEUE.format(body="return Receipt()"))
        session = plan_delivery(load_runtime(least | {"PLUGIN_DISABLE_PLUGINS": "http"}), SITE).open()
        assert session.deliver(()) == Receipt()
        with pytest.raises(PluginError, match="plugin queue failed in deliver") as raised:
            session.deliver((object(),))
        assert "answered 0 outcomes for 1 reports" in raised.value.problems[0].why

    def test_where_no_plugin_delivers_it_is_an_error(self, load_runtime, least, install):
        install("queue", self.QUEUE.format(body="return None"))
        session = plan_delivery(load_runtime(least | {"PLUGIN_DISABLE_PLUGINS": "http"}), SITE).open()
        with pytest.raises(SettingsError, match="no plugin delivered"):
            session.deliver(())

    @pytest.mark.parametrize("error", ["DeliveryError", "SignInError"])
    def test_its_own_error_is_what_became_of_all(self, load_runtime, least, install, error):
        install(
            "queue",
            self.QUEUE.format(
                body=f"from jira_ci_core import Problem, {error}\n        raise {error}(Problem('no', 'a', 'b'))"
            ),
        )
        receipt = plan_delivery(load_runtime(least | {"PLUGIN_DISABLE_PLUGINS": "http"}), SITE).open().deliver((1, 2))
        assert [(outcome.result, outcome.problems[0].what) for outcome in receipt.outcomes] == [
            ("not_delivered", "no")
        ] * 2


class TestSigningInWithAPluginThatFails:
    @pytest.mark.parametrize(
        ("answer", "reason"),
        [("7", "answered int, not Connection"), ("1 / 0", "ZeroDivisionError"), ("exit(3)", "SystemExit")],
    )
    def test_it_is_named(self, load_runtime, least, install, answer, reason):
        install("theirs", THEIRS.format(answer=answer), target="Theirs")
        with pytest.raises(PluginError, match="plugin theirs failed in connect") as raised:
            plan_delivery(load_runtime(least | THEIR_KEY), SITE).open().connection  # noqa: B018
        assert reason in raised.value.problems[0].why

    def test_later_too(self, load_runtime, least, install):
        install(
            "theirs",
            THEIRS.format(answer="__import__('jira_ci_core').Connection('a', 'b', lambda r: 1 / 0, lambda: 1 / 0)"),
            target="Theirs",
        )
        session = plan_delivery(load_runtime(least | THEIR_KEY), SITE).open()
        connection, http = session.connection, session.http
        with pytest.raises(PluginError, match="plugin theirs failed in auth"):
            connection.auth(None)
        with pytest.raises(PluginError, match="plugin theirs failed in renew"):
            connection.renew()
        with pytest.raises(DeliveryError, match="was not asked"):
            http.request("GET", "https://elsewhere.example/")
