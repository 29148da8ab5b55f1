"""What core offers to whoever delivers reports that others made."""

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


def test_it_delivers_one_batch_after_the_other_and_signs_in_once(jira, environ, report):
    with Sender(environ) as courier:
        assert courier.takes(report)
        for _ in range(2):
            [outcome] = courier.deliver([report]).outcomes
            assert outcome.result is Result.ACCEPTED
    assert len(jira.builds()) == 1
    assert len(jira.requests("/oauth/token")) == 1


def test_it_tries_nothing_again_and_says_how_long_jira_asks_to_wait(jira, environ, report):
    jira.fault("answer", status=429, headers={"Retry-After": "7"}, count=2)
    with Sender(environ) as courier:
        receipt = courier.deliver([report])
    assert receipt.outcomes[0].result is Result.NOT_DELIVERED
    assert receipt.retry_after == 7
    assert len(jira.requests("/bulk")) == 1


def test_it_never_puts_into_a_queue_what_it_took_from_one(jira, environ, report):
    with Sender({**environ, "JIRA_CI_DELIVERY": "celery"}) as courier:
        assert courier.deliver([report]).outcomes[0].result is Result.ACCEPTED


def test_it_takes_no_report_for_another_site(environ, make_report):
    with Sender(environ) as courier:
        assert not courier.takes(make_report())


def test_without_credentials_there_is_none(environ):
    del environ["JIRA_CI_CLIENT_ID"], environ["JIRA_CI_CLIENT_SECRET"]
    with pytest.raises(SettingsError, match="credential"):
        Sender(environ)


def test_settings_are_read_as_a_command_would(tmp_path):
    class Mine(PluginSettings):
        """Of a plugin."""

        colour: int = setting(7, help="a number")

    assert read_settings(Mine, "mine", {"JIRA_CI_COLOUR": "8"}).colour == 8
    with pytest.raises(SettingsError, match="COLOUR cannot be 'red'"):
        read_settings(Mine, "mine", {"PLUGIN_COLOUR": "red"})
