"""Plugins without a package, patterns and aliases, through the installed command."""

import pytest

DRY = ("--dry-run", "--format", "json")
LOCAL = """
from jira_ci_core import FoundKey, hookimpl

@hookimpl
def jira_ci_extract_issue_keys(pipeline):
    {body}
    return [FoundKey(key="MYT-77", source="mine")]
"""


@pytest.fixture
def local(harness):
    def write(body="pass"):
        (harness.folder / "my_keys.py").write_text(LOCAL.format(body=body))
        return harness

    return write


def keys(done):
    return [(found["key"], found["plugin"]) for found in done.json["keys"]]


def test_a_local_plugin_takes_part_when_it_is_named(local):
    step = local()
    assert keys(step(*DRY, local_plugins="my_keys.py")) == [("MYT-1", "keys"), ("MYT-77", "my-keys")]
    assert keys(step(*DRY)) == [("MYT-1", "keys")]


@pytest.mark.parametrize("body", ["import time; time.sleep(60)", 'import re; re.match(r"(a+)+$", "a" * 60 + "b")'])
@pytest.mark.parametrize("policy", ["fail", "warn"])
def test_one_that_hangs_is_named_and_ends_the_step(local, body, policy):
    settings = {"local_plugins": "my_keys.py", "plugin_timeout": "5", "on_plugin_error": policy}
    # Not measured: it ends in the middle of C code, where nothing can be written down any more.
    done = local(body)(*DRY, environ={"COVERAGE_PROCESS_CONFIG": ""}, **settings)
    assert done.code == 3
    assert "plugin my-keys (local file) in jira_ci_extract_issue_keys hangs" in done.err


def test_one_that_exits_costs_no_other_plugins_keys_where_that_is_only_a_warning(local):
    step = local("raise SystemExit(9)")
    assert step(*DRY, local_plugins="my_keys.py").code == 3
    done = step(*DRY, local_plugins="my_keys.py", on_plugin_error="warn")
    assert keys(done) == [("MYT-1", "keys")]
    assert "SystemExit: 9" in done.err


def test_one_that_is_not_there_is_named(harness):
    done = harness(*DRY, local_plugins="nowhere.py")
    assert done.code == 3
    assert "plugin nowhere failed" in done.err


def test_hooks_are_traced_without_the_environment(harness_oauth):
    done = harness_oauth(*DRY, trace_hooks="true")
    assert "hook extract_issue_keys of keys(" in done.err
    assert "variables>" in done.err
    assert harness_oauth.environ["PLUGIN_CLIENT_SECRET"] not in done.text


def test_a_key_of_a_renamed_project_is_taken_for_the_new_one(harness):
    done = harness(*DRY, key_aliases="OLD=MYT", environ={"DRONE_COMMIT_MESSAGE": "old-5, OTHER-1"})
    assert keys(done) == [("MYT-5", "keys")]


@pytest.mark.parametrize("aliases", ["OLD", "OLD=", "=NEW", "O=NEW", "OLD=N-1"])
def test_aliases_that_are_none_are_refused(harness, aliases):
    done = harness(*DRY, key_aliases=aliases)
    assert done.code == 2
    assert "KEY_ALIASES cannot be" in done.err


def test_the_contract_is_printed_with_who_implements_it(step):
    done = step.run("plugins", "--hooks")
    assert done.code == 0
    assert "jira_ci_extract_issue_keys(pipeline, environ, settings)" in done.err
    assert "all are called: keys, patterns" in done.err


class TestPatterns:
    def test_find_what_their_group_holds(self, harness):
        message = {"DRONE_COMMIT_MESSAGE": "Ticket=MYT-8;"}
        done = harness(*DRY, key_patterns="Ticket=(?P<key>[A-Z]+-[0-9]+);", disable_plugins="keys", environ=message)
        assert keys(done) == [("MYT-8", "patterns")]

    def test_what_is_no_key_is_told(self, harness):
        done = harness(*DRY, key_patterns="(?P<key>Let)")
        assert (done.code, "not an issue key" in done.err) == (0, True)

    @pytest.mark.parametrize("pattern", ["(?P<key>a", "(a)", "(?P<key>a)(?=b)"])
    def test_one_that_is_none_is_refused(self, harness, pattern):
        done = harness(*DRY, key_patterns=pattern)
        assert done.code == 2
        assert "KEY_PATTERNS cannot be" in done.err

    def test_a_bad_pattern_cannot_hang(self, harness):
        hostile = {"DRONE_COMMIT_MESSAGE": "a" * 100_000 + "b MYT-1"}
        assert harness(*DRY, key_patterns="(a+)+(?P<key>$)", plugin_timeout="20", environ=hostile).code == 0
