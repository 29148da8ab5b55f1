"""The site that the settings name, a plan for delivering to it, and the sessions that are made of it."""

from __future__ import annotations

import dataclasses

import pytest

from jira_ci_core import SettingsError, Site
from jira_ci_core.delivery.session import make_site, plan_delivery

OAUTH = {"PLUGIN_CLIENT_ID": "an-id-0001", "PLUGIN_CLIENT_SECRET": "hunter2222"}
SITE = Site(url="https://acme.atlassian.net")


@pytest.fixture
def runtime(load_runtime, least):
    return load_runtime(least | OAUTH | {"PLUGIN_DEADLINE": "30"})


class TestTheSite:
    def test_is_instance_or_the_cloud_id(self, settings_of):
        assert make_site(settings_of()).url == "https://acme.atlassian.net"
        cloud_id = "a436116f-02ce-4520-8fbb-7301462a1674"
        site = make_site(settings_of(cloud_id=cloud_id).model_copy(update={"instance": None}))
        assert (site.url, site.cloud_id) == (None, cloud_id)

    def test_without_either_it_is_an_error_that_names_instance(self, settings_of):
        with pytest.raises(SettingsError, match="INSTANCE is not set"):
            make_site(settings_of().model_copy(update={"instance": None}))


class TestPlan:
    def test_it_cannot_be_changed(self, runtime):
        with pytest.raises(dataclasses.FrozenInstanceError):
            plan_delivery(runtime, SITE).site = None

    def test_it_is_made_without_the_http_library(self, runtime, monkeypatch):
        monkeypatch.delattr("jira_ci_core.net.client.Http")
        assert plan_delivery(runtime, SITE).kind == "oauth"

    def test_it_names_the_hosts_that_its_sessions_may_ask(self, runtime):
        assert "https://api.atlassian.com" in plan_delivery(runtime, SITE).hosts

    def test_a_dry_run_needs_no_credentials(self, load_runtime, least):
        plan = plan_delivery(load_runtime(least), SITE, dry_run=True)
        plan.check()
        assert (plan.kind, plan.hosts) == ("", ())

    def test_missing_credentials_are_an_error_only_when_it_is_checked(self, load_runtime, least):
        plan = plan_delivery(load_runtime(least), SITE)
        with pytest.raises(SettingsError, match="there are no credentials"):
            plan.check()

    def test_a_delivery_that_is_not_installed_is_an_error_at_once(self, load_runtime, least):
        with pytest.raises(SettingsError, match="DELIVERY names magic"):
            plan_delivery(load_runtime(least | {"PLUGIN_DELIVERY": "magic"}), SITE, dry_run=True)


class TestSessions:
    def test_each_has_a_client_and_a_deadline_of_its_own(self, runtime):
        plan = plan_delivery(runtime, SITE)
        with plan.open() as first, plan.open() as second:
            assert first.http is not second.http
            first.http.close()
            assert first.http.remaining() == 0
            assert 20 < second.http.remaining() <= 30

    @pytest.mark.parametrize(("seconds", "remaining"), [(2, 2), (99, 30)])
    def test_a_plan_within_some_seconds_has_sessions_with_that_deadline_at_most(self, runtime, seconds, remaining):
        plan = plan_delivery(runtime, SITE)
        assert plan.within(seconds).open().http.remaining() == pytest.approx(remaining, abs=1)
        assert plan.open().http.remaining() == pytest.approx(30, abs=1)

    def test_one_that_sent_nothing_is_closed_without_having_a_client(self, runtime):
        with plan_delivery(runtime, SITE).open() as session:
            pass
        assert "http" not in vars(session)
