"""Core's sender, with which workers deliver reports of other processes."""

from __future__ import annotations

import pytest

from jira_ci_core import PluginSettings, Result, Sender, SettingsError, Site, read_settings, setting


@pytest.fixture
def environ(jira):
    return {
        "JIRA_CI_INSTANCE": jira.url,
        "JIRA_CI_API_URL": jira.url,
        "JIRA_CI_CLIENT_ID": jira.client_id,
        "JIRA_CI_CLIENT_SECRET": jira.client_secret,
    }


@pytest.fixture
def report(jira, make_report):
    return make_report().model_copy(update={"site": Site(url=jira.url)})


def test_sender_delivers_several_batches_with_one_sign_in(jira, environ, report):
    with Sender(environ) as sender:
        assert sender.takes(report)
        for _ in range(2):
            [outcome] = sender.deliver([report]).outcomes
            assert outcome.result is Result.ACCEPTED
    assert len(jira.builds()) == 1
    assert len(jira.requests("/oauth/token")) == 1


def test_sender_does_not_retry_and_says_how_long_jira_asks_to_wait(jira, environ, report):
    jira.fault("answer", status=429, headers={"Retry-After": "7"}, count=2)
    with Sender(environ) as sender:
        receipt = sender.deliver([report])
    assert receipt.outcomes[0].result is Result.NOT_DELIVERED
    assert receipt.retry_after == 7
    assert len(jira.requests("/bulk")) == 1


def test_sender_delivers_to_jira_even_where_delivery_is_a_queue(jira, environ, report):
    with Sender({**environ, "JIRA_CI_DELIVERY": "celery"}) as sender:
        assert sender.deliver([report]).outcomes[0].result is Result.ACCEPTED


def test_sender_takes_no_report_for_another_site(environ, make_report):
    with Sender(environ) as sender:
        assert not sender.takes(make_report())


def test_sender_needs_credentials(environ):
    del environ["JIRA_CI_CLIENT_ID"], environ["JIRA_CI_CLIENT_SECRET"]
    with pytest.raises(SettingsError, match="credential"):
        Sender(environ)


def test_settings_of_a_plugin_are_read_from_the_environment(tmp_path):
    class ColourSettings(PluginSettings):
        colour: int = setting(7, help="a number")

    assert read_settings(ColourSettings, "mine", {"JIRA_CI_COLOUR": "8"}).colour == 8
    with pytest.raises(SettingsError, match="COLOUR cannot be 'red'"):
        read_settings(ColourSettings, "mine", {"PLUGIN_COLOUR": "red"})
