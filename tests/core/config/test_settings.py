"""Every core setting: which values it takes, and what is said of those it does not."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from pydantic import SecretStr, ValidationError, create_model

from jira_ci_core import HttpsUrl, InvalidValueError, Names, PluginSettings, Secret, Settings
from jira_ci_core.config.resolve import resolve
from jira_ci_core.config.settings import PluginChoice
from jira_ci_core.config.sources import Sources
from jira_ci_core.config.specs import setting_specs

CORE = setting_specs(Settings, "core")
NEEDED = {"PLUGIN_PROJECT": "MYT"}


class Addresses(PluginSettings):
    api_url: HttpsUrl = "https://api.example"
    connect_key: Secret | None = None
    names: Names = ()


def core(name, value):
    """A setting as it is understood, or the problem that is told of it."""
    settings, problems = resolve(Settings, CORE, Sources(NEEDED | {f"PLUGIN_{name.upper()}": value}))
    if settings is None:
        [problem] = problems
        assert problem.what.startswith(f"{name.upper()} cannot be "), problem
        assert f"(from PLUGIN_{name.upper()})" in problem.what
        assert problem.why
        assert problem.remedy
        return problem
    assert not problems
    return getattr(settings, name)


TAKEN = [
    ("project", "myt", ("MYT",)),
    ("project", "MYT,demo|X1 my_t\nMYT", ("MYT", "DEMO", "X1", "MY_T")),
    ("project", " | MYT , ", ("MYT",)),
    ("project", "*", ("*",)),
    ("project", "*,MYT", ("*", "MYT")),
    ("instance", "acme", "https://acme.atlassian.net"),
    ("instance", "ACME.atlassian.net", "https://acme.atlassian.net"),
    ("instance", " acme.atlassian.net/ ", "https://acme.atlassian.net"),
    ("instance", "https://Jira.Acme.example/jira/", "https://jira.acme.example"),
    ("instance", "https://jira.example:8443", "https://jira.example:8443"),
    ("instance", "http://localhost:8080", "http://localhost:8080"),
    ("instance", "http://127.0.0.1:1/x", "http://127.0.0.1:1"),
    ("cloud_id", "A436116F-02CE-4520-8FBB-7301462A1674", "a436116f-02ce-4520-8fbb-7301462a1674"),
    ("cloud_id", "a436116f02ce45208fbb7301462a1674", "a436116f-02ce-4520-8fbb-7301462a1674"),
    ("environment_name", "prod", ("prod",)),
    ("environment_name", "prod, EU west ,,prod", ("prod", "EU west")),
    ("environment_type", "Production", "production"),
    ("environment_type", " unmapped ", "unmapped"),
    ("state", "whatever", "whatever"),
    ("state_policy", "FORCE", "force"),
    ("log_level", "Debug", "debug"),
    ("log_level", "TRACE", "debug"),
    ("log_level", "info", "info"),
    ("issuekeys", "myt-1, MYT-2|other-3 MYT-1", ("MYT-1", "MYT-2", "OTHER-3")),
    ("run_number", "0", 0),
    ("run_number", " 0042 ", 42),
    ("run_number", "9223372036854775807", 2**63 - 1),
    ("link", "https://ci.example/a b", "https://ci.example/a%20b"),
    ("on_no_issue", "Fail", "fail"),
    ("on_plugin_error", "WARN", "warn"),
    ("plugins", "a,b c", ("a", "b", "c")),
    ("disable_plugins", "http", ("http",)),
    ("auth", "oauth", "oauth"),
    ("environments", "prod-*=Production|pr-*=development", {"prod-*": "production", "pr-*": "development"}),
    ("duration", " 90 ", 90),
    ("label", "1.2 beta", "1.2 beta"),
    ("service_ids", "b:x= b:y,b:x=", ("b:x=", "b:y")),
    ("service_ids", ",", ()),
]

REFUSED = [
    ("project", "M", "is not a project key"),
    ("project", "MYT,1A", "'1A' is not a project key"),
    ("project", "MYT-1", "is not a project key"),
    ("project", "MÝT", "is not a project key"),
    ("project", "**", "is not a project key"),
    ("project", ",", "is not a project key"),
    ("instance", "acme.example", "neither the name of a site"),
    ("instance", "acme corp", "neither the name of a site"),
    ("instance", "-acme", "neither the name of a site"),
    ("instance", "acme/x", "neither the name of a site"),
    ("instance", ".atlassian.net", "neither the name of a site"),
    ("instance", "http://jira.example", "plain http would show them"),
    ("instance", "HTTP://jira.example", "plain http would show them"),
    ("instance", "Http://jira.example", "plain http would show them"),
    ("instance", "ftp://jira.example", "not an absolute"),
    ("instance", "https://", "not an absolute"),
    ("instance", "https://user@jira.example", "more than scheme, host and path"),
    ("instance", "https://user:pass@jira.example", "it holds a credential (not shown)"),
    ("instance", "https://jira.example/?a=b", "more than scheme, host and path"),
    ("instance", "https://jira.example/#x", "more than scheme, host and path"),
    ("instance", "https://jira.example/" + "x" * 2000, "longer than 2000"),
    ("cloud_id", "a436116f", "32 hexadecimal digits"),
    ("cloud_id", "g436116f02ce45208fbb7301462a1674", "32 hexadecimal digits"),
    ("environment_type", "prod", "production"),
    ("state_policy", "maybe", "skip"),
    ("log_level", "loud", "info"),
    ("issuekeys", "MYT", "'MYT' is not an issue key"),
    ("issuekeys", "MYT-1,MYT-0", "'MYT-0' is not an issue key"),
    ("issuekeys", "MYT-01", "is not an issue key"),
    ("run_number", "-1", "not a whole number"),
    ("run_number", "1.0", "not a whole number"),
    ("run_number", "1e3", "not a whole number"),
    ("run_number", "٣", "not a whole number"),
    ("run_number", "9223372036854775808", "not a whole number"),
    ("run_number", "1" * 10_000, "not a whole number"),
    ("link", "ci.example/run", "not an absolute"),
    ("link", "javascript:alert(1)", "not an absolute"),
    ("link", "https://ci.example/" + "x" * 2000, "longer than 2000"),
    ("on_no_issue", "ignore", "warn"),
    ("on_plugin_error", "ignore", "fail"),
    ("environments", "prod", "not every part is a pair"),
    ("environments", "prod=prod", "'prod', given for prod, is not a type"),
    ("duration", "1.5", "not a whole number of seconds"),
    ("duration", "-1", "not a whole number of seconds"),
    ("duration", "9" * 10, "not a whole number of seconds"),
    ("service_ids", " ".join(map(str, range(500))), "names 500 services"),
]


def label(row):
    return f"{row[0]}={row[1][:30]}".encode("ascii", "backslashreplace").decode()


@pytest.mark.parametrize(("name", "value", "understood"), TAKEN, ids=map(label, TAKEN))
def test_a_value_is_taken(name, value, understood):
    assert core(name, value) == understood


@pytest.mark.parametrize(("name", "value", "why"), REFUSED, ids=map(label, REFUSED))
def test_a_value_is_refused_with_what_why_and_what_to_do(name, value, why):
    assert why in core(name, value).why


def test_a_list_of_no_projects_is_refused():
    with pytest.raises(ValidationError, match="it names no project"):
        Settings(project=[])


def test_the_defaults_are_as_documented():
    settings = Settings(project="MYT")
    assert settings.model_dump(exclude_defaults=True) == {"project": ("MYT",)}
    assert (settings.on_no_issue, settings.state_policy, settings.log_level) == ("warn", "skip", "info")
    assert settings.on_plugin_error == "fail"
    assert settings.environment_name == settings.issuekeys == ()


def test_every_setting_says_what_it_is_for():
    assert [setting.name for setting in CORE if not setting.help] == []


def test_no_setting_that_hooks_are_given_is_a_secret():
    assert [setting.name for setting in CORE if setting.secret] == []


def test_a_setting_cannot_be_changed_and_an_unknown_one_cannot_be_made():
    settings = Settings(project="MYT")
    with pytest.raises(ValidationError):
        settings.state = "failed"
    with pytest.raises(ValidationError):
        Settings(project="MYT", colour="red")


@given(st.text())
def test_a_setting_taken_twice_is_taken_once(text):
    for name in ("project", "instance", "issuekeys", "link", "cloud_id"):
        try:
            once = getattr(Settings.model_validate({"project": "MYT", name: text}), name)
        except ValidationError:
            continue
        again = ",".join(once) if isinstance(once, tuple) else once
        assert getattr(Settings.model_validate({"project": "MYT", name: again}), name) == once


@given(st.from_regex(r"(?i)https?://[a-z0-9.:@\[\]/?#-]{1,40}", fullmatch=True))
def test_no_credential_ever_goes_over_plain_http_to_another_machine(url):
    try:
        taken = Addresses(api_url=url).api_url
    except ValidationError:
        return
    plain = taken.lower().startswith("http:")
    host = taken.lower().partition("://")[2]
    assert not plain or host.startswith(("localhost", "127.", "[")) or ".localhost" in host


class TestAnAddressThatCredentialsMayBeSentTo:
    @pytest.mark.parametrize(
        ("text", "url"),
        [
            ("gateway.example", "https://gateway.example"),
            ("https://gateway.example/atlassian/", "https://gateway.example/atlassian"),
            ("http://[::1]:9", "http://[::1]:9"),
        ],
    )
    def test_is_taken(self, text, url):
        assert Addresses(api_url=text).api_url == url

    @pytest.mark.parametrize(
        "text", ["http://gateway.example", "HTTP://gateway.example", "https://a:b@x.example", "x y"]
    )
    def test_is_refused(self, text):
        with pytest.raises(ValidationError):
            Addresses(api_url=text)


class TestACredential:
    def test_is_one_visible_word_and_its_ends_are_trimmed(self):
        assert Addresses(connect_key=" k3y\n").connect_key.get_secret_value() == "k3y"

    @pytest.mark.parametrize("text", ["two words", "line\nbreak", "ключ", "k3y\x00", "k\u200by"])
    def test_with_anything_else_in_it_is_refused_without_being_shown(self, text):
        with pytest.raises(ValidationError) as raised:
            Addresses(connect_key=text)
        assert text not in str(raised.value)

    def test_is_not_shown_by_its_model(self):
        assert "k3y" not in repr(Addresses(connect_key="k3y"))

    @pytest.mark.parametrize(
        ("annotation", "secret"),
        [(SecretStr, True), (Secret | None, True), (list[SecretStr], True), (str | None, False)],
    )
    def test_is_known_by_its_type(self, annotation, secret):
        model = create_model("Model", __base__=PluginSettings, field=(annotation, None))
        assert [setting.secret for setting in setting_specs(model, "a plugin")] == [secret]


@pytest.mark.parametrize(
    ("value", "names"), [("a,b|c d", ("a", "b", "c", "d")), (["a b", "c"], ("a b", "c")), (" a ", ("a",)), ((), ())]
)
def test_a_list_of_words_is_one_string_or_a_list(value, names):
    assert Addresses(names=value).names == names


def test_a_refusal_has_a_reason_and_a_remedy():
    error = InvalidValueError("it is blue", "paint it")
    assert (str(error), error.why, error.remedy) == ("it is blue", "it is blue", "paint it")


def test_the_choice_of_plugins_needs_no_other_setting():
    assert PluginChoice().plugins is None
