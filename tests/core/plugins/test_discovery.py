"""Which plugins there are and which of them are on, with names that say where they come from."""

from __future__ import annotations

import pytest

from jira_ci_core.builtin import states as states_builtin
from jira_ci_core.plugins.catalog import BUILT_IN

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
