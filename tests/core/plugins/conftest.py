"""What the tests of plugins share: plugins that are started whatever is wrong with them, and what to see of them."""

from __future__ import annotations

import pytest

from jira_ci_core.config.settings import PluginChoice
from jira_ci_core.config.sources import Sources
from jira_ci_core.plugins.manager import Plugins

KEYS = """
from jira_ci_core import FoundKey, hookimpl

@hookimpl
def jira_ci_extract_issue_keys(pipeline):
    return [FoundKey(key="MYT-{number}", source="a file")]
"""


def plugin(plugins, name):
    [found] = [one for one in plugins.installed if one.name == name]
    return found


@pytest.fixture
def make_plugins():
    """Imports and starts plugins, whatever is wrong with them: `make_plugins(environ, disable_plugins="card")`."""

    def make(environ=None, **choice):
        plugins = Plugins(PluginChoice.model_validate(choice))
        plugins.problems = plugins.start(Sources(environ or {}))
        return plugins

    return make


@pytest.fixture
def keys_of(settings_of, pipeline_of):
    """What the plugins answer to `extract_issue_keys` for a run of which nothing is known."""

    def ask(plugins):
        found = plugins.extract_issue_keys(pipeline=pipeline_of(), environ={}, settings=settings_of())
        return [(key.plugin, key.key) for key in found]

    return ask


def failing(plugins, name, reason):
    """Checks that a plugin has failed, and that the problem names plugin, distribution, version and reason."""
    [problem] = [problem for problem in plugins.failures if f"plugin {name} failed" in problem.what]
    assert problem.why.startswith("acme-jira 1.2.3: ")
    assert reason in problem.why
    assert f"DISABLE_PLUGINS={name}" in problem.remedy
    assert "ON_PLUGIN_ERROR=warn" in problem.remedy
    assert plugin(plugins, name).state == "failed"
    assert reason in plugin(plugins, name).reason
    return True
