"""Starting and calling plugins: every answer and every failure has a plugin's name on it."""

from __future__ import annotations

import logging

import pytest

from jira_ci_core import Kind, PluginError, SettingsError, State
from jira_ci_core.builtin import states as states_builtin

from .conftest import KEYS, failing, plugin


class TestOfTheSameName:
    def test_two_plugins_of_one_name_are_an_error_that_names_both(self, make_plugins, install):
        install("tags", KEYS.format(number=1), distribution="acme-one")
        install("tags", KEYS.format(number=2), distribution="acme-two")
        [problem] = make_plugins().failures
        assert "another plugin has the same name" in problem.why
        assert "acme-one 1.2.3" in problem.why
        assert "acme-two 1.2.3" in problem.why

    def test_a_stranger_may_not_take_the_name_of_one_of_core_s_own(self, make_plugins, install):
        install("keys", KEYS.format(number=1))
        [problem] = make_plugins().failures
        assert "another plugin has the same name" in problem.why
        assert "acme-jira 1.2.3" in problem.why
        assert "jira-ci-core" in problem.why


class TestOneThatFails:
    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
            ("raise SystemExit(4)", "SystemExit: 4"),
            ("self.settings", "AttributeError"),
        ],
    )
    def test_to_be_constructed(self, make_plugins, install, body, reason):
        install("bad", f"class Bad:\n    def __init__(self):\n        {body}\n", target="Bad")
        assert failing(make_plugins(), "bad", reason)

    def test_because_it_wants_settings_that_it_does_not_declare(self, make_plugins, install):
        install("bad", "class Bad:\n    def __init__(self, settings): pass\n", target="Bad")
        assert failing(make_plugins(), "bad", "TypeError")

    def test_because_a_hook_wants_what_there_is_not_and_then_none_of_its_hooks_is_called(
        self, make_plugins, install, keys_of
    ):
        install(
            "bad",
            KEYS.format(number=1) + "\n@hookimpl\ndef jira_ci_map_state(status, colour):\n    return None\n",
        )
        plugins = make_plugins()
        assert failing(plugins, "bad", "colour")
        assert keys_of(plugins) == []

    @pytest.mark.parametrize(
        "body",
        [
            "@field_validator('colour')\n    @classmethod\n    def _check(cls, value): raise KeyError('odd')",
            "other: 'Nowhere'",
        ],
    )
    def test_because_its_settings_are_broken(self, make_plugins, install, body):
        install(
            "bad",
            f"""
from jira_ci_core import PluginSettings, setting
from pydantic import field_validator

class Settings(PluginSettings):
    colour: str = setting("red", help="x")
    {body}

class Bad:
    Settings = Settings
    def __init__(self, settings): pass
""",
            target="Bad",
        )
        plugins = make_plugins({"PLUGIN_COLOUR": "blue"})
        assert failing(plugins, "bad", "")


class TestWhatPluggyHas:
    def test_specname_names_the_hook_that_a_function_implements(self, make_plugins, install, keys_of):
        code = KEYS.format(number=1).replace("jira_ci_extract_issue_keys", "look_for_keys")
        install("tags", code.replace("@hookimpl", '@hookimpl(specname="jira_ci_extract_issue_keys")'))
        plugins = make_plugins()
        assert keys_of(plugins) == [("tags", "MYT-1")]
        assert plugin(plugins, "tags").hooks == ("jira_ci_extract_issue_keys",)

    def test_an_optional_hook_may_be_one_that_this_core_does_not_have(self, make_plugins, install, keys_of):
        later = "@hookimpl(optionalhook=True)\ndef jira_ci_of_a_later_version(answer): ...\n"
        install("tags", KEYS.format(number=1) + later)
        install("bad", "from jira_ci_core import hookimpl\n@hookimpl\ndef jira_ci_xyzzy(): ...\n")
        plugins = make_plugins()
        assert keys_of(plugins) == [("tags", "MYT-1")]
        assert failing(plugins, "bad", "there is no hook jira_ci_xyzzy")

    def test_the_plugins_themselves_are_registered_and_those_that_are_off_are_blocked(self, make_plugins, install):
        install("tags", "class Tags:\n    pass\n", target="Tags")
        pluggy = make_plugins(disable_plugins="card")._pluggy
        assert type(pluggy.get_plugin("tags")).__name__ == "Tags"
        assert states_builtin in pluggy.get_plugins()
        assert pluggy.is_blocked("card")


class TestItsSettings:
    CODE = """
    from jira_ci_core import FoundKey, PluginSettings, hookimpl, setting
    from pydantic import model_validator

    class Numbers:
        CONTRACT = 1

        class Settings(PluginSettings):
            first_number: int = setting(help="a number")
            last_number: int = setting(9, help="another number", aliases=("end_number",))

            @model_validator(mode="after")
            def _in_order(self):
                if self.first_number > self.last_number:
                    raise ValueError("the first is after the last")
                return self

        def __init__(self, settings):
            self.settings = settings

        @hookimpl
        def jira_ci_extract_issue_keys(self, pipeline):
            return [FoundKey(key=f"MYT-{self.settings.first_number}", source="a number")]
    """

    @pytest.fixture(autouse=True)
    def _numbers(self, install):
        install("numbers", self.CODE, target="Numbers")

    def test_they_are_filled_from_the_same_sources_as_core_s(self, make_plugins, keys_of):
        assert keys_of(make_plugins({"JIRA_CI_FIRST_NUMBER": "5"})) == [("numbers", "MYT-5")]

    def test_they_may_have_a_flag(self, load_runtime, least, keys_of):
        assert ("numbers", "MYT-6") in keys_of(load_runtime(least, first_number="6", end_number="7").plugins)

    @pytest.mark.parametrize(
        ("environ", "what"),
        [
            ({}, "FIRST_NUMBER is not set"),
            ({"PLUGIN_FIRST_NUMBER": "x"}, "FIRST_NUMBER cannot be 'x' (from PLUGIN_FIRST_NUMBER)"),
        ],
    )
    def test_what_is_wrong_with_them_is_a_problem_of_the_settings(self, make_plugins, environ, what):
        plugins = make_plugins(environ)
        [problem] = plugins.problems
        assert problem.what == what
        assert plugin(plugins, "numbers").state == "failed"
        assert plugins.failures == []

    def test_that_they_do_not_fit_together_is_one_too(self, make_plugins):
        [problem] = make_plugins({"PLUGIN_FIRST_NUMBER": "10"}).problems
        assert "numbers" in problem.what
        assert "the first is after the last" in problem.why
        assert "FIRST_NUMBER" in problem.remedy

    def test_one_that_two_plugins_declare_is_an_error_that_names_both(self, make_plugins, install):
        install(
            "other",
            """
            from jira_ci_core import PluginSettings, setting

            class Other:
                class Settings(PluginSettings):
                    end_number: int = setting(1, help="x")
            """,
            target="Other",
        )
        plugins = make_plugins({"PLUGIN_FIRST_NUMBER": "1"})
        assert failing(plugins, "other", "it declares the setting END_NUMBER, and so does numbers")

    @pytest.mark.parametrize(("name", "owner"), [("project", "core"), ("environment", "core"), ("no_proxy", "core")])
    def test_one_that_core_declares_is_an_error_too(self, make_plugins, install, name, owner):
        install(
            "other",
            f"""
            from jira_ci_core import PluginSettings, setting

            class Other:
                class Settings(PluginSettings):
                    {name}: str = setting("", help="x")
            """,
            target="Other",
        )
        assert failing(make_plugins({"PLUGIN_FIRST_NUMBER": "1"}), "other", f"{name.upper()}, and so does {owner}")

    def test_nothing_is_registered_of_one_whose_settings_are_wrong(self, make_plugins, keys_of):
        assert keys_of(make_plugins()) == []


class TestAnswers:
    def test_a_stranger_is_asked_before_core_s_own_and_strangers_by_name(
        self, make_plugins, install, settings_of, pipeline_of
    ):
        for name in ("bee", "ant"):
            install(
                name,
                f"""
                from jira_ci_core import MappedEnvironment, hookimpl

                @hookimpl
                def jira_ci_map_environment(name):
                    return MappedEnvironment(type="production", id="{name}")
                """,
            )
        plugins = make_plugins()
        answer = plugins.map_environment(name="dev", settings=settings_of())
        assert answer.id == "ant"
        assert plugins.answered["map_environment"] == "ant"

    def test_tryfirst_and_trylast_change_that(self, make_plugins, install, keys_of):
        for name, option in (("ant", "trylast=True"), ("bee", ""), ("cat", "tryfirst=True")):
            install(name, KEYS.format(number=1).replace("@hookimpl", f"@hookimpl({option})"))
        assert [name for name, _ in keys_of(make_plugins())] == ["cat", "bee", "ant"]

    def test_none_leaves_it_to_the_next(self, make_plugins, settings_of, install):
        install("shy", "from jira_ci_core import hookimpl\n@hookimpl\ndef jira_ci_map_environment(): return None\n")
        assert make_plugins().map_environment(name="prod", settings=settings_of()).type == "production"

    def test_where_no_plugin_answers_there_is_none(self, make_plugins, settings_of):
        assert make_plugins().map_environment(name="blue", settings=settings_of()) is None

    def test_with_warn_a_failing_one_costs_no_other_plugin_s_answer(
        self, make_plugins, install, settings_of, pipeline_of, keys_of
    ):
        install("aaa", "from jira_ci_core import hookimpl\n@hookimpl\ndef jira_ci_map_state(status): 1 / 0\n")
        install("bbb", KEYS.format(number=1).replace("return", "1 / 0; return"))
        install("ccc", KEYS.format(number=2))
        plugins = make_plugins(on_plugin_error="warn")
        state = plugins.map_state(status="ok", kind=Kind.BUILD, pipeline=pipeline_of(), settings=settings_of())
        assert state is State.SUCCESSFUL
        assert keys_of(plugins) == [("ccc", "MYT-2")]

    @pytest.mark.parametrize("error", ["ZeroDivisionError", "SystemExit", "SettingsError(Problem('a', 'b', 'c'))"])
    @pytest.mark.parametrize("policy", ["fail", "warn"])
    def test_one_that_fails_in_reported_is_a_warning_and_the_others_are_told(
        self, make_plugins, install, settings_of, pipeline_of, caplog, error, policy
    ):
        caplog.set_level(logging.INFO)
        code = """
        import logging
        from jira_ci_core import Problem, SettingsError, hookimpl

        @hookimpl
        def jira_ci_reported(receipt):
            {}
        """
        install("aaa", code.format(f"raise {error}"))
        install("bbb", code.format("logging.getLogger('x').info('I was told')"))
        install("ccc", code.format(f"raise {error}"))
        make_plugins(on_plugin_error=policy).reported(
            pipeline=pipeline_of(), reports=(), receipt=None, settings=settings_of()
        )
        assert "plugin aaa failed in jira_ci_reported" in caplog.text
        assert "plugin ccc failed in jira_ci_reported" in caplog.text
        assert "I was told" in caplog.text

    def test_an_error_that_is_explained_already_stays_as_it_is(self, make_plugins, install, keys_of):
        install(
            "strict",
            KEYS.format(number=1).replace(
                "return",
                "from jira_ci_core import Problem, SettingsError\n    raise SettingsError(Problem('TAG is not set', 'it is needed', 'set it'))\n    return",
            ),
        )
        with pytest.raises(SettingsError, match="TAG is not set"):
            keys_of(make_plugins())

    def test_a_wrapper_is_called_around_the_others(self, make_plugins, install, keys_of):
        install("one", KEYS.format(number=1))
        install(
            "around",
            """
            from jira_ci_core import hookimpl

            @hookimpl(wrapper=True)
            def jira_ci_extract_issue_keys(pipeline):
                answers = yield
                return [*answers, *answers]
            """,
        )
        assert keys_of(make_plugins()) == [("one", "MYT-1")] * 2

    @pytest.mark.parametrize("body", ["1 / 0\n    answers = yield\n    return answers", "yield\n    1 / 0"])
    def test_a_wrapper_that_fails_is_named(self, make_plugins, install, keys_of, caplog, body):
        install("one", KEYS.format(number=1))
        install(
            "around",
            f"from jira_ci_core import hookimpl\n@hookimpl(wrapper=True)\ndef jira_ci_extract_issue_keys(pipeline):\n    {body}\n",
        )
        with pytest.raises(PluginError, match="plugin around failed in jira_ci_extract_issue_keys"):
            keys_of(make_plugins())
        assert keys_of(make_plugins(on_plugin_error="warn")) == [("one", "MYT-1")]
        assert "plugin around failed in jira_ci_extract_issue_keys" in caplog.text


@pytest.mark.filterwarnings("ignore:take keys instead")
def test_a_hook_that_is_going_to_change_is_a_warning_for_each_plugin_that_implements_it(
    make_plugins, install, caplog, monkeypatch
):
    install("old", KEYS.format(number=7))
    from jira_ci_core import hookspecs

    specification = hookspecs.jira_ci_extract_issue_keys.jira_ci_spec
    monkeypatch.setitem(specification, "warn_on_impl", DeprecationWarning("take keys instead"))
    plugins = make_plugins()
    warnings = [text for text in caplog.messages if "going to change" in text]
    of_core = [text for text in warnings if "(jira-ci-core" in text]
    assert "plugin old (acme-jira 1.2.3) implements jira_ci_extract_issue_keys, which is going to change" in str(
        warnings
    )
    assert "take keys instead" in warnings[0]
    assert of_core == []
    assert plugin(plugins, "old").state == "on"
