"""Each kind of bad input, as a process and with `LOG_LEVEL=debug`: how it ends, and that nothing was sent before."""

from __future__ import annotations

import pytest

NOWHERE = dict.fromkeys(("HARNESS_PIPELINE_ID", "DRONE", "DRONE_BUILD_NUMBER"))

BAD = {
    "a missing setting": ({"PLUGIN_PROJECT": None}, 2, "PROJECT is not set", "PLUGIN_PROJECT"),
    "no site": ({"PLUGIN_INSTANCE": None}, 2, "INSTANCE is not set", "myorg.atlassian.net"),
    "a malformed setting": ({"PLUGIN_PROJECT": "MYT-1"}, 2, "PROJECT cannot be 'MYT-1'", "MYT for MYT-1234"),
    "a misspelt flag": (["--instanze", "acme"], 2, "--instanze", "--help"),
    "a misspelt word": ({"PLUGIN_STATE": "sucess"}, 2, "STATE cannot be 'sucess'", "successful"),
    "no credential": ({"PLUGIN_CLIENT_ID": None, "PLUGIN_CLIENT_SECRET": None}, 2, "no credentials", "CONNECT_KEY"),
    "half a credential": ({"PLUGIN_CLIENT_SECRET": "null"}, 2, "CLIENT_SECRET is not set", "CLIENT_SECRET"),
    "a malformed credential": (
        {"PLUGIN_CLIENT_SECRET": "in two-words"},
        2,
        "CLIENT_SECRET is not valid",
        "copy it again",
    ),
    "a credential in the wrong place": (["--client-secret", "x"], 2, "--client-secret", "--help"),
    "a host that does not exist": ({"PLUGIN_INSTANCE": "https://jira.invalid"}, 1, "could not be reached", "INSTANCE"),
    "a port where no server listens": ({"PLUGIN_INSTANCE": "http://127.0.0.1:{port}"}, 1, "not be reached", "INSTANCE"),
    "a foreign host": ({"PLUGIN_INSTANCE": "https://a:b@jira.example"}, 2, "INSTANCE cannot be", "to its own setting"),
    "plain http": ({"PLUGIN_INSTANCE": "http://jira.example.com"}, 2, "INSTANCE cannot be", "https://"),
    "plain http to the api": ({"PLUGIN_API_URL": "http://api.example.com"}, 2, "API_URL cannot be", "https://"),
    "no key": ({"DRONE_COMMIT_MESSAGE": "x", "PLUGIN_ON_NO_ISSUE": "fail"}, 1, "no issue key was found", "[MYT-1234]"),
    "an unknown CI": (NOWHERE | {"PLUGIN_ISSUEKEYS": "MYT-1"}, 2, "STATE is not set", "set STATE"),
    "an unknown CI without a pipeline": (
        NOWHERE | {"PLUGIN_ISSUEKEYS": "MYT-1", "PLUGIN_STATE": "ok"},
        2,
        "PIPELINE is not set",
        "acme/shop",
    ),
    "an unknown CI without an address": (
        NOWHERE | {"PLUGIN_ISSUEKEYS": "MYT-1", "PLUGIN_STATE": "ok", "PLUGIN_PIPELINE": "a/b"},
        2,
        "LINK is not set",
        "https://",
    ),
    "an unknown CI without a number": (
        NOWHERE
        | {"PLUGIN_ISSUEKEYS": "MYT-1", "PLUGIN_STATE": "ok", "PLUGIN_PIPELINE": "a/b", "PLUGIN_LINK": "https://ci.x"},
        2,
        "RUN_NUMBER is not set",
        "grows from run to run",
    ),
}


@pytest.mark.parametrize(("given", "code", "what", "do"), BAD.values(), ids=BAD)
def test_it_ends_with_what_why_and_what_to_do_and_nothing_was_sent(
    harness_oauth, jira, failed, free_port, given, code, what, do
):
    arguments = given if isinstance(given, list) else []
    environ = {} if arguments else {name: value and value.format(port=free_port) for name, value in given.items()}
    failure = failed(harness_oauth(*arguments, log_level="debug", deadline="0.9", environ=environ), code)
    assert what in failure.what
    assert do in failure.do
    assert failure.count == 1
    # Where the site cannot be reached, the token is asked for meanwhile.
    assert [one["path"] for one in jira.requests()] in ([], ["/oauth/token"] if code == 1 else [])


@pytest.mark.parametrize("name", ["CLIENT_ID", "CLIENT_SECRET", "CONNECT_KEY"])
def test_a_wrong_credential_is_refused_before_anything_is_reported(harness, oauth, connect, jira, failed, name):
    given = connect if name == "CONNECT_KEY" else oauth
    harness.environ |= given | {f"PLUGIN_{name}": "wrong-credential-0001", "PLUGIN_LOG_LEVEL": "debug"}
    done = harness()
    failure = failed(done, 1)
    assert name in failure.do
    assert "answered 401" in failure.why
    assert "wrong-credential-0001" not in done.text
    assert jira.requests("bulk") == []


def test_a_misspelt_setting_is_a_warning_with_the_nearest_name(harness_oauth, jira, clean):
    done = clean(harness_oauth(enviroment_name="prod", log_level="debug"))
    assert done.code == 0, done.text
    assert "warning: PLUGIN_ENVIROMENT_NAME is not known; did you mean ENVIRONMENT_NAME?" in done.err
    assert len(jira.builds()) == 1


def test_no_key_is_no_failure_unless_that_is_asked_for(harness_oauth, jira, clean):
    done = clean(harness_oauth(log_level="debug", environ={"DRONE_COMMIT_MESSAGE": "x"}))
    assert done.code == 0
    assert "warning: no issue key was found" in done.err
    assert jira.requests() == []
