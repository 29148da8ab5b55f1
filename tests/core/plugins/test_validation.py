"""What is checked of a plugin before it is called, and of each of its answers."""

from __future__ import annotations

import pytest

from jira_ci_core import Kind, PluginError
from jira_ci_core.hookspecs import CONTRACT_VERSION
from jira_ci_core.plugins.validation import HOOKS

from .conftest import KEYS, failing


class TestOneThatFails:
    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("def jira_ci_extract_isue_keys(pipeline): ...", "did you mean jira_ci_extract_issue_keys?"),
            ("def jira_ci_xyzzy(pipeline): ...", "there is no hook jira_ci_xyzzy"),
        ],
    )
    def test_because_a_hook_is_misspelt(self, make_plugins, install, code, reason):
        install("bad", f"from jira_ci_core import hookimpl\n@hookimpl\n{code}\n")
        assert failing(make_plugins(), "bad", reason)

    def test_because_a_hook_is_not_marked(self, make_plugins, install):
        install("bad", "def jira_ci_map_state(status): ...")
        assert failing(make_plugins(), "bad", "jira_ci_map_state is not marked with @hookimpl")

    def test_because_a_method_is_not_marked(self, make_plugins, install):
        install("bad", "class Bad:\n    def jira_ci_map_state(self, status): ...\n", target="Bad")
        assert failing(make_plugins(), "bad", "jira_ci_map_state is not marked with @hookimpl")

    def test_because_it_was_made_for_another_contract(self, make_plugins, install):
        install("bad", f"CONTRACT = {CONTRACT_VERSION + 1}")
        assert failing(make_plugins(), "bad", f"made for contract version {CONTRACT_VERSION + 1}")

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
    def test_because_a_constant_of_a_delivery_is_misspelt_or_no_bool(
        self, make_plugins, install, constant, reason, target
    ):
        hook = "    @hookimpl\n    def jira_ci_deliver(self, reports): ...\n"
        module = f"{constant}\n@hookimpl\ndef jira_ci_deliver(reports): ...\n"
        code = f"class Bad:\n    {constant}\n{hook}" if target else module
        install("bad", f"from jira_ci_core import hookimpl\n{code}", target=target)
        assert failing(make_plugins(), "bad", reason)

    def test_because_a_constant_beside_its_class_is_misspelt(self, make_plugins, install):
        hook = "    @hookimpl\n    def jira_ci_deliver(self, reports): ...\n"
        install("bad", f"from jira_ci_core import hookimpl\nTHREADSAFE = True\nclass Plugin:\n{hook}")
        assert failing(make_plugins(), "bad", "did you mean THREAD_SAFE?")

    def test_a_constant_beside_its_class_counts(self, make_plugins, install):
        hook = "    @hookimpl\n    def jira_ci_deliver(self, reports): ...\n"
        install("good", f"from jira_ci_core import hookimpl\nTHREAD_SAFE = True\nclass Plugin:\n{hook}")
        assert make_plugins().delivery_constant("good", "THREAD_SAFE")

    def test_not_because_of_a_descriptor_that_raises(self, make_plugins, install):
        install(
            "good",
            """
            from jira_ci_core import hookimpl

            class Descriptor:
                def __get__(self, *arguments):
                    raise RuntimeError("never run")

            class Good:
                value = Descriptor()

                @hookimpl
                def jira_ci_deliver(self, reports): ...
            """,
            target="Good",
        )
        plugins = make_plugins()
        assert plugins.failures == []
        assert plugins.is_on("good")

    @pytest.mark.parametrize("constant", ["THREADSAFE = True", f"CONTRACT = {CONTRACT_VERSION + 1}"])
    def test_because_of_a_constant_beside_a_class_from_elsewhere(self, make_plugins, install, constant):
        code = """
            from jira_ci_core import hookimpl

            class Plugin:
                @hookimpl
                def jira_ci_deliver(self): ...
            """
        elsewhere = install("elsewhere", code)
        install("bad", f"from {elsewhere} import Plugin as Base\nclass Plugin(Base): ...\n{constant}\n")
        name, _, value = constant.partition(" = ")
        [problem] = make_plugins().failures
        assert problem.what == "plugin bad failed"
        assert value in problem.why or f"{name} is not a known constant" in problem.why

    def test_because_a_hook_that_is_not_marked_is_misspelt(self, make_plugins, install):
        install("bad", "def jira_ci_map_stat(status): ...\n")
        assert failing(make_plugins(), "bad", "there is no hook jira_ci_map_stat; did you mean jira_ci_map_state?")

    def test_not_because_of_constants_of_its_own(self, make_plugins, install):
        own = "TIMEOUT = 3\nNAME = 'x'\nTHREADS = 4\nSIGN_IN = 1\nNAMES = ()\nONLY_BUILDS = True\n"
        install("good", f"from jira_ci_core import hookimpl\n{own}@hookimpl\ndef jira_ci_deliver(reports): ...\n")
        assert make_plugins().failures == []

    def test_because_its_settings_are_no_settings(self, make_plugins, install):
        install("bad", "class Bad:\n    Settings = dict\n", target="Bad")
        assert failing(make_plugins(), "bad", "not a subclass of PluginSettings")

    def test_a_module_that_lists_what_it_has_not_is_no_failure(self, make_plugins, install, keys_of):
        install("lazy", KEYS.format(number=1) + "\ndef __dir__():\n    return [*globals(), 'later']\n")
        plugins = make_plugins()
        assert plugins.failures == []
        assert keys_of(plugins) == [("lazy", "MYT-1")]


class TestAnswers:
    def test_found_keys_have_their_finder_s_name_whatever_it_says(self, make_plugins, install, keys_of):
        install("honest", KEYS.format(number=1).replace('source="a file"', 'source="a file", plugin="keys"'))
        assert keys_of(make_plugins()) == [("honest", "MYT-1")]

    def test_found_keys_may_be_any_collection(self, make_plugins, install, keys_of):
        install("lazy", KEYS.format(number=1).replace("return [", "yield from ["))
        assert keys_of(make_plugins()) == [("lazy", "MYT-1")]

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
            ("map_state(status)", "__import__('jira_ci_core').SkipReason.NO_KEY", "answered SkipReason, not State"),
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
    def test_a_wrong_one_is_named(
        self, make_plugins, install, settings_of, pipeline_of, caplog, hook, answer, reason, policy
    ):
        name, arguments = hook.rstrip(")").split("(")
        install(
            "bad",
            f"from jira_ci_core import FoundKey, hookimpl\n@hookimpl\ndef jira_ci_{name}({arguments}): return {answer}\n",
        )
        plugins = make_plugins(on_plugin_error=policy)
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


def test_every_hook_of_the_contract_is_documented():
    assert len(HOOKS) == 8
    from jira_ci_core import hookspecs

    for name in HOOKS:
        assert f"Since contract {CONTRACT_VERSION}" in " ".join(getattr(hookspecs, name).__doc__.split())
