"""Which site a step reports to."""

from __future__ import annotations

import pytest

from jira_ci_core import SettingsError
from jira_ci_core.delivery.site import make_site


class TestTheSite:
    def test_is_instance_or_the_cloud_id(self, settings_of):
        assert make_site(settings_of()).url == "https://acme.atlassian.net"
        cloud_id = "a436116f-02ce-4520-8fbb-7301462a1674"
        site = make_site(settings_of(cloud_id=cloud_id).model_copy(update={"instance": None}))
        assert (site.url, site.cloud_id) == (None, cloud_id)

    def test_without_either_it_is_an_error_that_names_instance(self, settings_of):
        with pytest.raises(SettingsError, match="INSTANCE is not set"):
            make_site(settings_of().model_copy(update={"instance": None}))
