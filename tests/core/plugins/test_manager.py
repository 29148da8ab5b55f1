"""Loading, choosing and calling plugins: every answer and every failure has a plugin's name on it."""

from __future__ import annotations

import logging

import pytest

from jira_ci_core import Kind, PluginError, SettingsError, State
from jira_ci_core.builtin import states as states_builtin
from jira_ci_core.config.settings import PluginChoice
from jira_ci_core.config.sources import Sources
from jira_ci_core.hookspecs import CONTRACT_VERSION
from jira_ci_core.plugins.catalog import BUILT_IN
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.plugins.validation import HOOKS

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
def made():
    """Plugins that are imported and started, whatever is wrong with them."""

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
    """Checks that a plugin has failed, and that what is told names plugin, distribution, version and reason."""
    [problem] = [problem for problem in plugins.failures if f"plugin {name} failed" in problem.what]
    assert problem.why.startswith("acme-jira 1.2.3: ")
    assert reason in problem.why
    assert f"DISABLE_PLUGINS={name}" in problem.remedy
    assert "ON_PLUGIN_ERROR=warn" in problem.remedy
    assert plugin(plugins, name).state == "failed"
    assert reason in plugin(plugins, name).reason
    return True


class TestWhatIsInstalled:
    def test_core_s_own_are_there_in_call_order_after_those_of_others(self, made, install):
        install("zebra", KEYS.format(number=1))
        install("ant", KEYS.format(number=2))
        names = [one.name for one in made().installed]
        assert names[-len(BUILT_IN) :] == list(BUILT_IN)
        others = names[: -len(BUILT_IN)]
        assert others == sorted(others)
        assert {"ant", "zebra", "oauth", "connect"} <= set(others)

    def test_each_says_where_it_comes_from_what_it_implements_and_what_it_declares(self, made, install):
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
        found = plugin(made(), "tags")
        assert (found.distribution, found.version, found.origin) == ("acme-jira", "1.2.3", "acme-jira 1.2.3")
        assert found.target == f"{module}:Tags"
        assert found.state == "on"
        assert found.hooks == ("jira_ci_extract_issue_keys", "jira_ci_map_environment")
        assert [(setting.variable, setting.owner, setting.secret) for setting in found.settings] == [
            ("TAG_PREFIX", "tags", False),
            ("TAG_TOKEN", "tags", True),
        ]

    def test_two_plugins_of_one_name_are_an_error_that_names_both(self, made, install):
        install("tags", KEYS.format(number=1), distribution="acme-one")
        install("tags", KEYS.format(number=2), distribution="acme-two")
        [problem] = made().failures
        assert "another plugin has the same name" in problem.why
        assert "acme-one 1.2.3" in problem.why
        assert "acme-two 1.2.3" in problem.why

    def test_a_stranger_may_not_take_the_name_of_one_of_core_s_own(self, made, install):
        install("keys", KEYS.format(number=1))
        [problem] = made().failures
        assert "another plugin has the same name" in problem.why
        assert "acme-jira 1.2.3" in problem.why
        assert "jira-ci-core" in problem.why

    def test_nothing_is_written_to_the_home_directory(self, made, tmp_path, monkeypatch):
        home = tmp_path / "home"
        home.mkdir()
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        made()
        assert list(home.iterdir()) == []


class TestChoosing:
    def test_plugins_chooses_among_those_of_others_and_core_s_own_stay(self, made, install, keys_of):
        install("one", KEYS.format(number=1))
        install("two", KEYS.format(number=2))
        plugins = made(plugins="two")
        assert keys_of(plugins) == [("two", "MYT-2")]
        assert (plugin(plugins, "one").state, plugin(plugins, "one").reason) == ("off", "PLUGINS does not name it")
        assert plugins.is_on("keys")
        assert not plugins.is_on("one")

    def test_disable_plugins_may_name_one_of_core_s_own_too(self, made, install, keys_of):
        install("one", KEYS.format(number=1))
        plugins = made(disable_plugins="one,states")
        assert keys_of(plugins) == []
        assert plugin(plugins, "states").reason == "DISABLE_PLUGINS names it"
        assert plugin(plugins, "states").state == "off"

    def test_one_that_is_off_is_not_even_imported(self, made, install):
        install("exits", "raise SystemExit('imported')")
        assert made(disable_plugins="exits").failures == []

    def test_one_that_is_not_installed_is_not_on(self, made):
        assert not made().is_on("nobody")


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
    def test_to_import(self, made, install, code, target, reason):
        install("bad", code, target=target)
        assert failing(made(), "bad", reason)

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
            ("raise SystemExit(4)", "SystemExit: 4"),
            ("self.settings", "AttributeError"),
        ],
    )
    def test_to_be_constructed(self, made, install, body, reason):
        install("bad", f"class Bad:\n    def __init__(self):\n        {body}\n", target="Bad")
        assert failing(made(), "bad", reason)

    def test_because_it_wants_settings_that_it_does_not_declare(self, made, install):
        install("bad", "class Bad:\n    def __init__(self, settings): pass\n", target="Bad")
        assert failing(made(), "bad", "TypeError")

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("def jira_ci_extract_isue_keys(pipeline): ...", "did you mean jira_ci_extract_issue_keys?"),
            ("def jira_ci_xyzzy(pipeline): ...", "there is no hook jira_ci_xyzzy"),
        ],
    )
    def test_because_a_hook_is_misspelt(self, made, install, code, reason):
        install("bad", f"from jira_ci_core import hookimpl\n@hookimpl\n{code}\n")
        assert failing(made(), "bad", reason)

    def test_because_a_hook_is_not_marked(self, made, install):
        install("bad", "def jira_ci_map_state(status): ...")
        assert failing(made(), "bad", "jira_ci_map_state is not marked with @hookimpl")

    def test_because_a_method_is_not_marked(self, made, install):
        install("bad", "class Bad:\n    def jira_ci_map_state(self, status): ...\n", target="Bad")
        assert failing(made(), "bad", "jira_ci_map_state is not marked with @hookimpl")

    def test_because_a_hook_wants_what_there_is_not_and_then_none_of_its_hooks_is_called(self, made, install, keys_of):
        install(
            "bad",
            KEYS.format(number=1) + "\n@hookimpl\ndef jira_ci_map_state(status, colour):\n    return None\n",
        )
        plugins = made()
        assert failing(plugins, "bad", "colour")
        assert keys_of(plugins) == []

    def test_because_it_was_made_for_another_contract(self, made, install):
        install("bad", f"CONTRACT = {CONTRACT_VERSION + 1}")
        assert failing(made(), "bad", f"made for contract version {CONTRACT_VERSION + 1}")

    @pytest.mark.parametrize(
        ("constant", "reason"),
        [
            ("NEEDS_SIGNIN = False", "NEEDS_SIGNIN is not a known constant; did you mean NEEDS_SIGN_IN?"),
            ("needs_sign_in = False", "did you mean NEEDS_SIGN_IN?"),
            ("NEEDS_LOGIN = False", "did you mean NEEDS_SIGN_IN?"),
            ("IS_THREAD_SAFE = True", "did you mean THREAD_SAFE?"),
            ("ONLY_IF_NAMED = True", "did you mean ONLY_WHEN_NAMED?"),
            ("THREADSAFE = True", "did you mean THREAD_SAFE?"),
            ("ONLY_WHEN_NAME = True", "did you mean ONLY_WHEN_NAMED?"),
            ("ONLY_WHEN_NAMED = 'yes'", "its ONLY_WHEN_NAMED is 'yes'; it must be True or False"),
        ],
    )
    @pytest.mark.parametrize("target", ["", "Bad"])
    def test_because_a_constant_of_a_delivery_is_misspelt_or_no_bool(self, made, install, constant, reason, target):
        hook = "    @hookimpl\n    def jira_ci_deliver(self, reports): ...\n"
        module = f"{constant}\n@hookimpl\ndef jira_ci_deliver(reports): ...\n"
        code = f"class Bad:\n    {constant}\n{hook}" if target else module
        install("bad", f"from jira_ci_core import hookimpl\n{code}", target=target)
        assert failing(made(), "bad", reason)

    def test_because_a_constant_beside_its_class_is_misspelt(self, made, install):
        hook = "    @hookimpl\n    def jira_ci_deliver(self, reports): ...\n"
        install("bad", f"from jira_ci_core import hookimpl\nTHREADSAFE = True\nclass Plugin:\n{hook}")
        assert failing(made(), "bad", "did you mean THREAD_SAFE?")

    def test_a_constant_beside_its_class_counts(self, made, install):
        hook = "    @hookimpl\n    def jira_ci_deliver(self, reports): ...\n"
        install("good", f"from jira_ci_core import hookimpl\nTHREAD_SAFE = True\nclass Plugin:\n{hook}")
        assert made().delivery_constant("good", "THREAD_SAFE")

    def test_because_looking_at_it_fails(self, made, install):
        install(
            "bad",
            """
            class Descriptor:
                def __get__(self, *arguments):
                    raise RuntimeError("of its own")

            class Bad:
                value = Descriptor()
            """,
            target="Bad",
        )
        assert failing(made(), "bad", "RuntimeError: of its own")

    def test_because_a_hook_that_is_not_marked_is_misspelt(self, made, install):
        install("bad", "def jira_ci_map_stat(status): ...\n")
        assert failing(made(), "bad", "there is no hook jira_ci_map_stat; did you mean jira_ci_map_state?")

    def test_not_because_of_constants_of_its_own(self, made, install):
        own = "TIMEOUT = 3\nNAME = 'x'\nTHREADS = 4\nSIGN_IN = 1\nNAMES = ()\nONLY_BUILDS = True\n"
        install("good", f"from jira_ci_core import hookimpl\n{own}@hookimpl\ndef jira_ci_deliver(reports): ...\n")
        assert made().failures == []

    def test_because_its_settings_are_no_settings(self, made, install):
        install("bad", "class Bad:\n    Settings = dict\n", target="Bad")
        assert failing(made(), "bad", "not a subclass of PluginSettings")

    @pytest.mark.parametrize(
        "body",
        [
            "@field_validator('colour')\n    @classmethod\n    def _check(cls, value): raise KeyError('odd')",
            "other: 'Nowhere'",
        ],
    )
    def test_because_its_settings_are_broken(self, made, install, body):
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
        plugins = made({"PLUGIN_COLOUR": "blue"})
        assert failing(plugins, "bad", "")

    def test_while_the_others_go_on(self, made, install, keys_of):
        install("bad", "raise RuntimeError")
        install("good", KEYS.format(number=1))
        assert keys_of(made(on_plugin_error="warn")) == [("good", "MYT-1")]

    def test_a_module_that_lists_what_it_has_not_is_no_failure(self, made, install, keys_of):
        install("lazy", KEYS.format(number=1) + "\ndef __dir__():\n    return [*globals(), 'later']\n")
        plugins = made()
        assert plugins.failures == []
        assert keys_of(plugins) == [("lazy", "MYT-1")]


class TestWhatPluggyHas:
    def test_specname_names_the_hook_that_a_function_implements(self, made, install, keys_of):
        code = KEYS.format(number=1).replace("jira_ci_extract_issue_keys", "look_for_keys")
        install("tags", code.replace("@hookimpl", '@hookimpl(specname="jira_ci_extract_issue_keys")'))
        plugins = made()
        assert keys_of(plugins) == [("tags", "MYT-1")]
        assert plugin(plugins, "tags").hooks == ("jira_ci_extract_issue_keys",)

    def test_an_optional_hook_may_be_one_that_this_core_does_not_have(self, made, install, keys_of):
        later = "@hookimpl(optionalhook=True)\ndef jira_ci_of_a_later_version(answer): ...\n"
        install("tags", KEYS.format(number=1) + later)
        install("bad", "from jira_ci_core import hookimpl\n@hookimpl\ndef jira_ci_xyzzy(): ...\n")
        plugins = made()
        assert keys_of(plugins) == [("tags", "MYT-1")]
        assert failing(plugins, "bad", "there is no hook jira_ci_xyzzy")

    def test_the_plugins_themselves_are_registered_and_those_that_are_off_are_blocked(self, made, install):
        install("tags", "class Tags:\n    pass\n", target="Tags")
        pluggy = made(disable_plugins="card")._pluggy
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

    def test_they_are_filled_from_the_same_sources_as_core_s(self, made, keys_of):
        assert keys_of(made({"JIRA_CI_FIRST_NUMBER": "5"})) == [("numbers", "MYT-5")]

    def test_they_may_have_a_flag(self, loaded, least, keys_of):
        assert ("numbers", "MYT-6") in keys_of(loaded(least, first_number="6", end_number="7").plugins)

    @pytest.mark.parametrize(
        ("environ", "what"),
        [
            ({}, "FIRST_NUMBER is not set"),
            ({"PLUGIN_FIRST_NUMBER": "x"}, "FIRST_NUMBER cannot be 'x' (from PLUGIN_FIRST_NUMBER)"),
        ],
    )
    def test_what_is_wrong_with_them_is_a_problem_of_the_settings(self, made, environ, what):
        plugins = made(environ)
        [problem] = plugins.problems
        assert problem.what == what
        assert plugin(plugins, "numbers").state == "failed"
        assert plugins.failures == []

    def test_that_they_do_not_fit_together_is_one_too(self, made):
        [problem] = made({"PLUGIN_FIRST_NUMBER": "10"}).problems
        assert "numbers" in problem.what
        assert "the first is after the last" in problem.why
        assert "FIRST_NUMBER" in problem.remedy

    def test_one_that_two_plugins_declare_is_an_error_that_names_both(self, made, install):
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
        plugins = made({"PLUGIN_FIRST_NUMBER": "1"})
        assert failing(plugins, "other", "it declares the setting END_NUMBER, and so does numbers")

    @pytest.mark.parametrize(("name", "owner"), [("project", "core"), ("environment", "core"), ("no_proxy", "core")])
    def test_one_that_core_declares_is_an_error_too(self, made, install, name, owner):
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
        assert failing(made({"PLUGIN_FIRST_NUMBER": "1"}), "other", f"{name.upper()}, and so does {owner}")

    def test_nothing_is_registered_of_one_whose_settings_are_wrong(self, made, keys_of):
        assert keys_of(made()) == []


class TestAnswers:
    def test_a_stranger_is_asked_before_core_s_own_and_strangers_by_name(self, made, install, settings_of, pipeline_of):
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
        plugins = made()
        answer = plugins.map_environment(name="dev", settings=settings_of())
        assert answer.id == "ant"
        assert plugins.answered["map_environment"] == "ant"

    def test_tryfirst_and_trylast_change_that(self, made, install, keys_of):
        for name, option in (("ant", "trylast=True"), ("bee", ""), ("cat", "tryfirst=True")):
            install(name, KEYS.format(number=1).replace("@hookimpl", f"@hookimpl({option})"))
        assert [name for name, _ in keys_of(made())] == ["cat", "bee", "ant"]

    def test_none_leaves_it_to_the_next(self, made, settings_of, install):
        install("shy", "from jira_ci_core import hookimpl\n@hookimpl\ndef jira_ci_map_environment(): return None\n")
        assert made().map_environment(name="prod", settings=settings_of()).type == "production"

    def test_where_nobody_answers_there_is_none(self, made, settings_of):
        assert made().map_environment(name="blue", settings=settings_of()) is None

    def test_found_keys_have_their_finder_s_name_whatever_it_says(self, made, install, keys_of):
        install("honest", KEYS.format(number=1).replace('source="a file"', 'source="a file", plugin="keys"'))
        assert keys_of(made()) == [("honest", "MYT-1")]

    def test_found_keys_may_be_any_collection(self, made, install, keys_of):
        install("lazy", KEYS.format(number=1).replace("return [", "yield from ["))
        assert keys_of(made()) == [("lazy", "MYT-1")]

    @pytest.mark.parametrize(
        ("hook", "answer", "reason"),
        [
            ("extract_issue_keys(pipeline)", "'MYT-1'", "answered str, not a list of FoundKey"),
            ("extract_issue_keys(pipeline)", "{'MYT-1': 1}", "answered dict, not a list of FoundKey"),
            ("extract_issue_keys(pipeline)", "['MYT-1']", "answered a list with str in it, not FoundKey"),
            ("extract_issue_keys(pipeline)", "7", "TypeError"),
            ("extract_issue_keys(pipeline)", "[FoundKey(key='no', source='x')]", "ValidationError"),
            ("extract_issue_keys(pipeline)", "[1 / 0]", "ZeroDivisionError: division by zero"),
            ("extract_issue_keys(pipeline)", "exit(5)", "SystemExit: 5"),
            ("map_state(status)", "'successful'", "answered str, not State"),
            ("map_environment(name)", "'production'", "answered str, not MappedEnvironment"),
            ("read_pipeline(environ)", "{}", "answered dict, not Pipeline"),
            (
                "read_pipeline(environ)",
                "__import__('jira_ci_core').Pipeline(ci='x').model_copy(update={'ci': None})",
                "ci: ",
            ),
            ("deliver(reports)", "__import__('jira_ci_core').Receipt.model_construct(outcomes=7)", "outcomes: "),
            ("authenticate(site)", "True", "answered bool, not SignIn"),
            ("authenticate(site)", "__import__('jira_ci_core').SignIn(None, print)", "its kind is None"),
            ("authenticate(site)", "__import__('jira_ci_core').SignIn('x', print, hosts='https://x')", "its hosts is"),
            ("deliver(reports)", "[]", "answered list, not Receipt"),
        ],
    )
    @pytest.mark.parametrize("policy", ["fail", "warn"])
    def test_a_wrong_one_is_named(self, made, install, settings_of, pipeline_of, caplog, hook, answer, reason, policy):
        name, arguments = hook.rstrip(")").split("(")
        install(
            "bad",
            f"from jira_ci_core import FoundKey, hookimpl\n@hookimpl\ndef jira_ci_{name}({arguments}): return {answer}\n",
        )
        plugins = made(on_plugin_error=policy)
        given = {
            "status": "success",
            "kind": Kind.BUILD,
            "pipeline": pipeline_of(),
            "settings": settings_of(),
            "name": "prod",
            "environ": {},
            "site": None,
            "reports": (),
            "connect": None,
            "http": None,
        }
        from jira_ci_core import hookspecs

        wanted = hookspecs.__dict__[f"jira_ci_{name}"].__code__
        call = getattr(plugins, name)
        passed = {key: given[key] for key in wanted.co_varnames[: wanted.co_argcount]}
        if name == "deliver":
            passed["leave_out"] = ["celery"]  # asked only when it is named
        if policy == "fail":
            with pytest.raises(PluginError) as raised:
                call(**passed)
            [problem] = raised.value.problems
            assert problem.what == f"plugin bad failed in jira_ci_{name}"
            assert problem.why.startswith("acme-jira 1.2.3: ")
            assert reason in problem.why
            assert raised.value.exit_code == 3
        else:
            try:
                call(**passed)
            except AttributeError:
                assert name == "deliver"  # core's own is asked next, and has nothing to deliver with here
            assert f"plugin bad failed in jira_ci_{name}: acme-jira 1.2.3: " in caplog.text
            assert reason in caplog.text

    def test_with_warn_a_failing_one_costs_nobody_else_s_answer(self, made, install, settings_of, pipeline_of, keys_of):
        install("aaa", "from jira_ci_core import hookimpl\n@hookimpl\ndef jira_ci_map_state(status): 1 / 0\n")
        install("bbb", KEYS.format(number=1).replace("return", "1 / 0; return"))
        install("ccc", KEYS.format(number=2))
        plugins = made(on_plugin_error="warn")
        state = plugins.map_state(status="ok", kind=Kind.BUILD, pipeline=pipeline_of(), settings=settings_of())
        assert state is State.SUCCESSFUL
        assert keys_of(plugins) == [("ccc", "MYT-2")]

    @pytest.mark.parametrize("error", ["ZeroDivisionError", "SystemExit", "SettingsError(Problem('a', 'b', 'c'))"])
    @pytest.mark.parametrize("policy", ["fail", "warn"])
    def test_one_that_fails_in_reported_is_a_warning_and_the_others_are_told(
        self, made, install, settings_of, pipeline_of, caplog, error, policy
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
        made(on_plugin_error=policy).reported(pipeline=pipeline_of(), reports=(), receipt=None, settings=settings_of())
        assert "plugin aaa failed in jira_ci_reported" in caplog.text
        assert "plugin ccc failed in jira_ci_reported" in caplog.text
        assert "I was told" in caplog.text

    def test_an_error_that_is_explained_already_stays_as_it_is(self, made, install, keys_of):
        install(
            "strict",
            KEYS.format(number=1).replace(
                "return",
                "from jira_ci_core import Problem, SettingsError\n    raise SettingsError(Problem('TAG is not set', 'it is needed', 'set it'))\n    return",
            ),
        )
        with pytest.raises(SettingsError, match="TAG is not set"):
            keys_of(made())

    def test_a_wrapper_is_called_around_the_others(self, made, install, keys_of):
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
        assert keys_of(made()) == [("one", "MYT-1")] * 2

    @pytest.mark.parametrize("body", ["1 / 0\n    answers = yield\n    return answers", "yield\n    1 / 0"])
    def test_a_wrapper_that_fails_is_named(self, made, install, keys_of, caplog, body):
        install("one", KEYS.format(number=1))
        install(
            "around",
            f"from jira_ci_core import hookimpl\n@hookimpl(wrapper=True)\ndef jira_ci_extract_issue_keys(pipeline):\n    {body}\n",
        )
        with pytest.raises(PluginError, match="plugin around failed in jira_ci_extract_issue_keys"):
            keys_of(made())
        assert keys_of(made(on_plugin_error="warn")) == [("one", "MYT-1")]
        assert "plugin around failed in jira_ci_extract_issue_keys" in caplog.text


@pytest.mark.filterwarnings("ignore:take keys instead")
def test_a_hook_that_is_going_to_change_is_told_to_whoever_implements_it(made, install, caplog, monkeypatch):
    install("old", KEYS.format(number=7))
    from jira_ci_core import hookspecs

    specification = hookspecs.jira_ci_extract_issue_keys.jira_ci_spec
    monkeypatch.setitem(specification, "warn_on_impl", DeprecationWarning("take keys instead"))
    plugins = made()
    told = [text for text in caplog.messages if "going to change" in text]
    of_core = [text for text in told if "(jira-ci-core" in text]
    assert "plugin old (acme-jira 1.2.3) implements jira_ci_extract_issue_keys, which is going to change" in str(told)
    assert "take keys instead" in told[0]
    assert of_core == []
    assert plugin(plugins, "old").state == "on"


def test_every_hook_of_the_contract_is_documented():
    assert len(HOOKS) == 8
    from jira_ci_core import hookspecs

    for name in HOOKS:
        assert f"Since contract {CONTRACT_VERSION}" in " ".join(getattr(hookspecs, name).__doc__.split())


def test_the_names_of_core_s_own_are_modules():
    assert states_builtin.__name__ == BUILT_IN["states"]
