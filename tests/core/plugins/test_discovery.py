"""Which plugins there are and which of them are on, with names that say where they come from."""

from __future__ import annotations

import sys

import pytest

from jira_ci_core.builtin import states as states_builtin
from jira_ci_core.config.settings import PluginChoice
from jira_ci_core.plugins.catalog import BUILT_IN
from jira_ci_core.plugins.manager import Plugins

from .conftest import KEYS, failing, plugin


class TestWhatIsInstalled:
    def test_core_s_own_are_there_in_call_order_after_those_of_others(self, make_plugins, install):
        install("zebra", KEYS.format(number=1))
        install("ant", KEYS.format(number=2))
        names = [one.name for one in make_plugins().installed]
        assert names[-len(BUILT_IN) :] == list(BUILT_IN)
        others = names[: -len(BUILT_IN)]
        assert others == sorted(others)
        assert {"ant", "zebra", "oauth", "connect"} <= set(others)

    def test_each_says_where_it_comes_from_what_it_implements_and_what_it_declares(self, make_plugins, install):
        module = install(
            "tags",
            """
            from jira_ci_core import PluginSettings, Secret, hookimpl, setting

            class Tags:
                class Settings(PluginSettings):
                    tag_prefix: str = setting("v", help="what tags begin with")
                    tag_token: Secret | None = setting(None, help="a token")

                def __init__(self, settings):
                    self.settings = settings

                @hookimpl
                def jira_ci_map_environment(self, name):
                    return None

                @hookimpl
                def jira_ci_extract_issue_keys(self, pipeline):
                    return None
            """,
            target="Tags",
        )
        found = plugin(make_plugins(), "tags")
        assert (found.distribution, found.version, found.origin) == ("acme-jira", "1.2.3", "acme-jira 1.2.3")
        assert found.target == f"{module}:Tags"
        assert found.state == "on"
        assert found.hooks == ("jira_ci_extract_issue_keys", "jira_ci_map_environment")
        assert [(setting.variable, setting.owner, setting.secret) for setting in found.settings] == [
            ("TAG_PREFIX", "tags", False),
            ("TAG_TOKEN", "tags", True),
        ]

    def test_nothing_is_written_to_the_home_directory(self, make_plugins, tmp_path, monkeypatch):
        home = tmp_path / "home"
        home.mkdir()
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        make_plugins()
        assert list(home.iterdir()) == []


class TestChoosing:
    def test_plugins_chooses_among_those_of_others_and_core_s_own_stay(self, make_plugins, install, keys_of):
        install("one", KEYS.format(number=1))
        install("two", KEYS.format(number=2))
        plugins = make_plugins(plugins="two")
        assert keys_of(plugins) == [("two", "MYT-2")]
        assert (plugin(plugins, "one").state, plugin(plugins, "one").reason) == ("off", "PLUGINS does not name it")
        assert plugins.is_on("keys")
        assert not plugins.is_on("one")

    def test_disable_plugins_may_name_one_of_core_s_own_too(self, make_plugins, install, keys_of):
        install("one", KEYS.format(number=1))
        plugins = make_plugins(disable_plugins="one,states")
        assert keys_of(plugins) == []
        assert plugin(plugins, "states").reason == "DISABLE_PLUGINS names it"
        assert plugin(plugins, "states").state == "off"

    def test_one_that_is_off_is_not_even_imported(self, make_plugins, install):
        install("exits", "raise SystemExit('imported')")
        assert make_plugins(disable_plugins="exits").failures == []

    def test_one_that_is_not_installed_is_not_on(self, make_plugins):
        assert not make_plugins().is_on("nobody")


READER = """
from jira_ci_core import Pipeline, hookimpl

@hookimpl
def jira_ci_read_pipeline(environ):
    return Pipeline(ci="Acme CI")
"""


class TestOneForAnotherCi:
    @pytest.mark.parametrize(
        ("groups", "environ", "is_on"),
        [
            (["jira_ci.ACME_BUILD"], {"ACME_BUILD": "7"}, True),
            (["jira_ci.ACME_BUILD"], {"ACME_BUILD": " "}, False),
            (["jira_ci.ACME_BUILD"], {"ACME_BUILD": "null"}, False),
            (["jira_ci.ACME_BUILD"], {"ACME": "7"}, False),
            (["jira_ci.ACME.Yes"], {"ACME": "yES"}, True),
            (["jira_ci.ACME.yes"], {"ACME": "no"}, False),
            (["jira_ci.ACME.1.5"], {"ACME": "1.5"}, True),
            (["jira_ci.ACME_BUILD", "jira_ci.ACME_RUN"], {"ACME_RUN": "7"}, True),
            (["jira_ci.ACME_BUILD", "jira_ci.ACME_RUN"], {"ACME_BUILD": "7", "ACME_RUN": "7"}, True),
            (["jira_ci.ACME_BUILD", "jira_ci.ACME_RUN"], {}, False),
            (["jira_ci", "jira_ci.ACME_BUILD"], {}, True),
        ],
    )
    def test_is_not_even_imported(self, install, groups, environ, is_on):
        module = install("acme", READER, groups=groups)
        plugins = Plugins(PluginChoice(), environ=environ)
        assert (module in sys.modules) is is_on
        assert plugin(plugins, "acme").state == ("on" if is_on else "idle")
        assert plugins.failures == []

    def test_names_the_variables_that_were_looked_for(self, install):
        install("acme", READER, groups=["jira_ci.ACME_BUILD", "jira_ci.ACME.yes"])
        plugins = Plugins(PluginChoice(), environ={})
        assert plugin(plugins, "acme").reason == "it is for a CI with ACME=yes or ACME_BUILD"
        assert plugins.readers()["acme"] == ("ACME=yes", "ACME_BUILD")

    def test_is_loaded_if_no_environment_is_given(self, install, make_plugins):
        install("acme", READER, groups=["jira_ci.ACME_BUILD"])
        assert make_plugins().is_on("acme")

    def test_that_is_turned_off_is_not_looked_for(self, install):
        install("acme", READER, groups=["jira_ci.ACME_BUILD"])
        plugins = Plugins(PluginChoice(disable_plugins=("acme",)), environ={"ACME_BUILD": "7"})
        assert plugin(plugins, "acme").state == "off"
        assert "acme" not in plugins.readers()

    def test_is_looked_for_like_one_of_core_s_own(self, jira_ci, install):
        install("acme", READER, groups=["jira_ci.ACME_BUILD"])
        assert "ACME_BUILD  (plugin acme)" in jira_ci("explain", environ={}).err
        done = jira_ci("explain", environ={"ACME_BUILD": "7", "GITHUB_ACTIONS": "true"})
        assert "Acme CI was recognised (plugin acme)" in done.err

    def test_may_be_in_a_group_of_another_tool_whose_name_begins_like_ours(self, install):
        install("acme", READER, groups=["jira_ci_other"])
        assert not Plugins(PluginChoice(), environ={}).is_installed("acme")


class TestOneThatFails:
    @pytest.mark.parametrize(
        ("code", "target", "reason"),
        [
            ("raise RuntimeError('no luck')", "", "RuntimeError: no luck"),
            ("import a_module_that_nobody_has", "", "ModuleNotFoundError: No module named"),
            ("raise SystemExit(3)", "", "SystemExit: 3"),
            ("class C(BaseException): pass\nraise C('odd')", "", "C: odd"),
            ("def broken(:", "", "SyntaxError"),
            ("x = 1", "Missing", "has no attribute 'Missing'"),
        ],
    )
    def test_to_import(self, make_plugins, install, code, target, reason):
        install("bad", code, target=target)
        assert failing(make_plugins(), "bad", reason)

    def test_while_the_others_go_on(self, make_plugins, install, keys_of):
        install("bad", "raise RuntimeError")
        install("good", KEYS.format(number=1))
        assert keys_of(make_plugins(on_plugin_error="warn")) == [("good", "MYT-1")]


def test_the_names_of_core_s_own_are_modules():
    assert states_builtin.__name__ == BUILT_IN["states"]
