"""Whatever comes in, a step ends with a documented exit code, in words, and without a secret.

`--hypothesis-profile long` looks for much longer (`tox -e fuzz`).
"""

from __future__ import annotations

import json
import re
import socket
import sys
from types import SimpleNamespace

import pytest
from hypothesis import example, given, strategies as st

from jira_ci_core import (
    Connection,
    FoundKey,
    MappedEnvironment,
    Outcome,
    Pipeline,
    Problem,
    Receipt,
    Result,
    SignIn,
    State,
)
from jira_ci_core.net.client import RETRY
from jira_ci_core.plugins.loader import CORE_SETTINGS, NETWORK_SETTINGS

SECRETS = {"CLIENT_ID": "fuzz-client-id", "CLIENT_SECRET": "fuzz/secret+1=", "CONNECT_KEY": "fuzz.connect.key-2"}
# One ends the process where a plugin takes longer, the other says how long to try: both are for other tests.
NOT_HERE = {"PLUGIN_TIMEOUT", "DEADLINE"}
NAMES = [
    *(name.upper() for setting in (*CORE_SETTINGS, *NETWORK_SETTINGS) for name in setting.names),
    *("CLIENT_ID", "CLIENT_SECRET", "CONNECT_KEY", "API_URL", "CONNECT_HOSTNAME"),
]
SPELLINGS = [prefix + name for name in NAMES if name not in NOT_HERE for prefix in ("PLUGIN_", "JIRA_CI_")]
CI = [
    "DRONE",
    "CI",
    "HARNESS_PIPELINE_ID",
    "HARNESS_ACCOUNT_ID",
    "HARNESS_ORG_ID",
    "HARNESS_PROJECT_ID",
    "HARNESS_BUILD_ID",
    "DRONE_BUILD_NUMBER",
    "DRONE_BUILD_LINK",
    "DRONE_BUILD_STATUS",
    "DRONE_BRANCH",
    "DRONE_COMMIT_BRANCH",
    "DRONE_SOURCE_BRANCH",
    "DRONE_TARGET_BRANCH",
    "DRONE_PULL_REQUEST",
    "DRONE_PULL_REQUEST_TITLE",
    "DRONE_COMMIT_SHA",
    "DRONE_COMMIT_MESSAGE",
    "DRONE_REPO",
    "DRONE_REPO_LINK",
    "DRONE_TAG",
    "DRONE_DEPLOY_TO",
    "GITHUB_ACTIONS",
    "GITHUB_RUN_NUMBER",
    "GITHUB_RUN_ID",
    "GITHUB_SERVER_URL",
    "GITHUB_REPOSITORY",
    "GITHUB_REF_NAME",
    "GITHUB_HEAD_REF",
    "GITHUB_BASE_REF",
    "GITHUB_EVENT_PATH",
    "GITHUB_SHA",
    "GITHUB_WORKFLOW",
    "GITLAB_CI",
    "CI_PIPELINE_IID",
    "CI_PIPELINE_URL",
    "CI_JOB_STATUS",
    "CI_COMMIT_REF_NAME",
    "CI_MERGE_REQUEST_TITLE",
    "CI_COMMIT_SHA",
    "CI_COMMIT_MESSAGE",
    "CI_PROJECT_PATH",
    "CI_PROJECT_URL",
    "CI_ENVIRONMENT_NAME",
    "CI_ENVIRONMENT_TIER",
    "CI_COMMIT_TAG",
    "JENKINS_URL",
    "BUILD_NUMBER",
    "BUILD_URL",
    "BRANCH_NAME",
    "CHANGE_TITLE",
    "GIT_COMMIT",
    "GIT_URL",
    "JOB_NAME",
    "HTTPS_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
]

# No slash at the beginning: some settings name files, and a test writes nowhere but in its folder.
words = st.text(st.characters(codec="utf-8", exclude_characters="\x00/"), max_size=40)
values = st.one_of(
    words,
    st.sampled_from(list(SECRETS.values())),
    st.builds("{}{}{}".format, words, st.sampled_from(list(SECRETS.values())), words),
    st.sampled_from(
        ["", "null", "<+x>", "true", "0", "42", "-1", "1e999", "9" * 40, "MYT", "*", "MYT-1", "acme", "success", "prod"]
        + ["failed", "oauth", "connect", "system", "a=b", "debug", "keep", "https://x.example", "http://127.0.0.1:1"]
        + ["http://[", "https://a@b", "1.5", "[MYT-1] x", "main", "refs/heads/x", "::set-output x", "##vso[x]y"]
    ),
)
COMMANDS = [
    ["report"],
    ["report", "--dry-run"],
    ["report", "--format", "json"],
    ["doctor"],
    ["show"],
    ["delete"],
    ["plugins"],
    ["outbox", "list"],
]


@pytest.fixture(autouse=True)
def no_way_out(monkeypatch):
    """Only this machine's name is known, and each retry would end after the deadline, so that no example waits."""
    look_up = socket.getaddrinfo

    def only_here(host, *arguments, **keywords):
        if host not in ("127.0.0.1", "localhost"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", only_here)
    monkeypatch.setattr(
        "jira_ci_core.net.client.RETRY", RETRY.new(backoff_factor=1000, backoff_max=1000, backoff_jitter=0)
    )
    monkeypatch.setattr("jira_ci_core.net.client.READ_SECONDS", 2)


def check(done, secrets, codes=(0, 1, 2, 3)):
    """Hold an end against what is promised of every end."""
    assert done.code in codes, done.text
    assert "Traceback" not in done.text
    assert "itself failed" not in done.text
    assert [secret for secret in secrets if secret in done.text] == []
    if done.code:
        assert re.search(r"^(error: |failed  |.*  failed: |.* holds no )", done.err, re.MULTILINE), done.text
    lines = done.err.splitlines()
    for place, line in enumerate(lines):
        if line.startswith("error: "):
            assert [part[:7] for part in lines[place + 1 : place + 3]] == ["  why: ", "  do:  "], done.text


@given(
    st.dictionaries(
        st.one_of(st.sampled_from(SPELLINGS), st.sampled_from(CI), words.filter(bool)), values, max_size=12
    ),
    st.sampled_from(COMMANDS),
    st.booleans(),
)
def test_any_environment(jira_ci, environ, command, has_the_least):
    least = {"PLUGIN_PROJECT": "MYT", "PLUGIN_INSTANCE": "acme", "PLUGIN_ISSUEKEYS": "MYT-1", "PLUGIN_STATE": "failed"}
    least |= {"PLUGIN_RUN_NUMBER": "7", "PLUGIN_LINK": "https://ci.example", "PLUGIN_PIPELINE": "x", "DRONE": "true"}
    secrets = {f"JIRA_CI_{name}": value for name, value in SECRETS.items()}
    given = (least if has_the_least else {}) | {"PLUGIN_DEADLINE": "0.3"} | environ | secrets
    check(jira_ci(*command, environ=given), SECRETS.values())


FLAGS = [f"--{name.lower().replace('_', '-')}" for name in NAMES if name not in NOT_HERE]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(FLAGS), values),
            st.tuples(st.builds("{}={}".format, st.sampled_from(FLAGS), values)),
            st.tuples(words),
        ),
        max_size=6,
    ),
    st.sampled_from(COMMANDS),
)
def test_any_command_line(jira_ci, words, command):
    secrets = {f"JIRA_CI_{name}": value for name, value in SECRETS.items()} | {"PLUGIN_DEADLINE": "0.3"}
    arguments = [word for group in words for word in group]
    if "--help" in arguments or "-h" in arguments:
        return
    check(jira_ci(*command, *arguments, environ=secrets), SECRETS.values())


toml_keys = st.sampled_from([name.lower().replace("_", "-") for name in NAMES if name not in NOT_HERE])
toml = st.one_of(
    st.binary(max_size=200),
    st.dictionaries(
        toml_keys,
        st.one_of(values, st.integers(), st.booleans(), st.lists(values, max_size=3), st.just({"a": {}}), st.floats()),
        max_size=5,
    ).map(lambda table: "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items()).encode()),
)


@given(toml, st.sampled_from(["jira-ci.toml", "pyproject.toml", "named.toml"]))
def test_any_file_of_settings(jira_ci, step, content, name):
    for other in step.folder.iterdir():
        if other.is_file():
            other.unlink()
    head = b"[tool.jira-ci]\n" if name == "pyproject.toml" else b""
    (step.folder / name).write_bytes(head + content)
    environ = {f"JIRA_CI_{name}": value for name, value in SECRETS.items()} | {"PLUGIN_DEADLINE": "0.3"}
    environ |= {"JIRA_CI_CONFIG": name} if name == "named.toml" else {}
    environ |= {"JIRA_CI_INSTANCE": "acme", "JIRA_CI_STATE": "failed", "JIRA_CI_ISSUEKEYS": "MYT-1"}
    check(jira_ci("report", "--dry-run", environ=environ), SECRETS.values())


# What a plugin answers, or raises.
texts = st.one_of(st.text(max_size=20), st.sampled_from([*SECRETS.values(), "MYT-1", "\ud800", "##vso[x]", "\x1b[2J"]))
scraps = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts, st.binary(max_size=10)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=5,
)
pipelines = st.builds(
    lambda facts: Pipeline.model_construct(**{"ci": "Fuzz", "origins": {}, **facts}),
    st.dictionaries(st.sampled_from(list(Pipeline.model_fields)), st.one_of(texts, scraps), max_size=6),
)
outcomes = st.builds(
    Outcome.model_construct,
    result=st.one_of(st.sampled_from(Result), texts),
    problems=st.one_of(st.just(()), st.tuples(st.builds(Problem, texts, texts, texts)), scraps),
    kept=st.none(),
)
receipts = st.builds(
    Receipt.model_construct,
    outcomes=st.one_of(st.lists(outcomes, max_size=3).map(tuple), scraps),
    unknown_issue_keys=st.one_of(st.just(()), st.tuples(texts), scraps),
)
connections = st.one_of(scraps, st.builds(Connection, texts, texts, scraps, scraps))
answers = {
    "read_pipeline": pipelines,
    "extract_issue_keys": st.lists(st.one_of(scraps, st.builds(FoundKey, key=st.just("MYT-1"), source=st.just("x")))),
    "map_state": st.sampled_from(State),
    "map_environment": st.builds(MappedEnvironment.model_construct, type=texts, id=texts),
    "authenticate": st.builds(
        lambda kind, connection, hosts, missing: SignIn(kind, lambda http: connection, hosts, missing),
        st.one_of(texts, scraps),
        connections,
        st.one_of(st.lists(texts).map(tuple), scraps),
        st.one_of(st.just(()), scraps),
    ),
    "deliver": receipts,
    "reported": scraps,
}
problems = st.one_of(
    st.builds(ValueError, texts),
    st.builds(KeyError, scraps),
    st.sampled_from([RecursionError("x"), StopIteration(), AssertionError(), OSError(7, "x"), SystemExit(7)]),
)

PLUGIN = """
import fuzz_answers
from jira_ci_core import hookimpl

{hooks}
"""
HOOK = """
@hookimpl
def jira_ci_{name}({argument}):
    return fuzz_answers.answer("{name}")
"""


@pytest.fixture
def answering(step, monkeypatch):
    """A plugin that answers what a test gives it: hook to answer, or an exception."""
    given = SimpleNamespace(answers={})

    def answer(hook):
        found = given.answers.get(hook)
        if isinstance(found, BaseException):
            raise found
        return found

    monkeypatch.setitem(sys.modules, "fuzz_answers", SimpleNamespace(answer=answer))
    hooks = "".join(HOOK.format(name=name, argument="") for name in answers)
    (step.folder / "fuzzing.py").write_text(PLUGIN.format(hooks=hooks))
    return given


@given(
    st.fixed_dictionaries({}, optional={hook: st.one_of(valid, scraps, problems) for hook, valid in answers.items()}),
    st.sampled_from(["fail", "warn"]),
    st.sampled_from([None, "prod"]),
)
def test_any_answer_of_a_plugin(jira_ci, answering, jira, given, policy, environment):
    answering.answers = given
    environ = {f"JIRA_CI_{name}": value for name, value in SECRETS.items()} | {
        "PLUGIN_LOCAL_PLUGINS": "fuzzing.py",
        "PLUGIN_ON_PLUGIN_ERROR": policy,
        "PLUGIN_PROJECT": "MYT",
        "PLUGIN_INSTANCE": jira.url,
        "PLUGIN_API_URL": jira.url,
        "PLUGIN_RUN_NUMBER": "7",
        "PLUGIN_PIPELINE": "x",
        "PLUGIN_LINK": "https://ci.example",
        "PLUGIN_DEADLINE": "0.5",
        "PLUGIN_LOG_LEVEL": "debug",
    }
    environ |= {"PLUGIN_ENVIRONMENT_NAME": environment} if environment else {}
    check(jira_ci("report", "--format", "json", environ=environ), SECRETS.values())


# What a server answers.
headers = st.lists(
    st.tuples(
        st.one_of(
            st.sampled_from(
                [
                    "Content-Type",
                    "Content-Encoding",
                    "Content-Length",
                    "Transfer-Encoding",
                    "Location",
                    "Retry-After",
                    "Date",
                    "Set-Cookie",
                    "Connection",
                    "Proxy-Authenticate",
                    "WWW-Authenticate",
                ]
            ).map(str.encode),
            st.binary(max_size=10),
        ),
        st.one_of(
            st.binary(max_size=30),
            st.sampled_from(
                [b"gzip", b"deflate", b"chunked", b"identity", b"text/html", b"application/json", b"charset=undefined"]
                + [b"text/plain; charset=idna", b"0", b"5", b"-1", b"9" * 5000, b"https://[", b"/x", b"close"]
                + [b"Wed, 21 Oct 2015 07:28:00 GMT", b"Wed, 99 Oct 99999 99:99:99 GMT", b",", b"a=b; Max-Age=9e999"]
            ),
        ),
    ),
    max_size=5,
)
jsons = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                texts,
                st.sampled_from(
                    [
                        "access_token",
                        "cloudId",
                        "acceptedBuilds",
                        "rejectedBuilds",
                        "unknownIssueKeys",
                        "unknownAssociations",
                        "key",
                        "errors",
                        "message",
                        "errorMessages",
                        "error",
                        "pipelineId",
                        "buildNumber",
                        "associationType",
                        "values",
                    ]
                ),
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
KEY = {"pipelineId": "harness/acme/default/shop/checkout", "buildNumber": 42}
bulk_answers = st.fixed_dictionaries(
    {"acceptedBuilds": st.one_of(st.just([KEY]), jsons), "rejectedBuilds": st.one_of(st.just([]), jsons)},
    optional={
        "unknownIssueKeys": st.one_of(st.lists(texts), jsons),
        "unknownAssociations": st.one_of(
            st.lists(
                st.fixed_dictionaries(
                    {"associationType": st.one_of(st.just("issueKeys"), texts), "values": st.lists(jsons)}
                )
            ),
            jsons,
        ),
    },
) | st.fixed_dictionaries(
    {
        "acceptedBuilds": st.just([]),
        "rejectedBuilds": st.lists(st.fixed_dictionaries({"key": st.just(KEY), "errors": jsons}), min_size=1),
    }
)
bodies = st.one_of(
    st.binary(max_size=200),
    st.one_of(jsons, bulk_answers).map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"<html>", b"[" * 5000, b"1" * 5000, b'"\\ud800"', b"null"]),
    st.builds(lambda before, after: before + b"{secret}" + after, st.binary(max_size=20), st.binary(max_size=20)),
)


def http(version, status, reason, headers, body, has_length):
    head = b"HTTP/%s %d %s\r\n" % (version, status, reason)
    length = [(b"Content-Length", str(len(body)).encode())] if has_length else []
    return head + b"".join(b"%s: %s\r\n" % pair for pair in (*length, *headers)) + b"\r\n" + body


raw_answers = st.one_of(
    st.binary(max_size=200),
    st.builds(
        http,
        st.sampled_from([b"1.1", b"1.0", b"1.1", b"2", b"x"]),
        st.one_of(st.sampled_from([200, 202, 204, 301, 304, 400, 401, 403, 404, 413, 429, 500]), st.integers(0, 1200)),
        st.one_of(st.just(b"Said"), st.binary(max_size=20)),
        headers,
        bodies,
        st.booleans(),
    ),
)


@given(raw_answers, st.sampled_from(["oauth", "connect"]), st.integers(0, 3), st.booleans())
@example(
    http(b"1.1", 202, b"x", [], json.dumps({"acceptedBuilds": [KEY], "rejectedBuilds": []}).encode(), True),
    "connect",
    1,
    True,
)
def test_any_answer_of_a_server(request, report, jira, front, raw, kind, first, each_time):
    secrets = [jira.client_secret, jira.connect_key]
    raw = raw.replace(b"{secret}", secrets[kind == "connect"].encode())
    number = front.seen
    front.wrong = lambda seen: seen - number >= first if each_time else seen - number == first
    front.act = lambda caller, ask: caller.sendall(raw)
    address = dict.fromkeys(["instance", "api_url", "connect_hostname"], f"http://127.0.0.1:{front.port}")
    environ = request.getfixturevalue(kind)
    more = {"verify": "true"} if first == 3 else {}
    check(
        report("--format", "json", environ=environ, deadline="2", log_level="debug", **address, **more), secrets, (0, 1)
    )
