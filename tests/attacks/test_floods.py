"""Others write much: Jira in its messages, the author of a change in its texts. Each output keeps below 64 KiB."""

from __future__ import annotations

import json

import pytest

MOST = 64 * 1024
NUMBERS = range(1, 3000)
TEXTS = {
    "keys": {"DRONE_COMMIT_MESSAGE": " ".join(f"MYT-{number}" for number in NUMBERS)},
    "long keys": {
        "PLUGIN_PROJECT": "*",
        "DRONE_COMMIT_MESSAGE": " ".join(f"{'A' * 250}-{number}" for number in NUMBERS),
    },
    "a long message": {"DRONE_COMMIT_MESSAGE": "MYT-1 " + "x" * 100_000},
    "a long name": {"DRONE_REPO": "acme/" + "x" * 60_000, "DRONE_BRANCH": "y" * 60_000},
    "many environments": {"PLUGIN_ENVIRONMENT_NAME": ",".join(f"e{number}" for number in range(60))},
    "matches that are no keys": {
        "PLUGIN_KEY_PATTERNS": r"(?P<key>\S+)",
        "DRONE_COMMIT_MESSAGE": "MYT-1 " + " ".join(f"no{number}" for number in range(9000)),
    },
}
ANSWERS = {
    "a long one": json.dumps([{"message": "The beginning " + "x" * 1_000_000}]),
    "many": json.dumps([{"message": f"The beginning {number}"} for number in range(50_000)]),
    "of wide characters": json.dumps([{"message": "The beginning " + "\U0001f600" * 200_000}]),
    "of controls": json.dumps([{"message": "The beginning " + "\x1b" * 200_000}]),
    "of backticks": json.dumps([{"message": "The beginning " + "`" * 500_000}]),
}


@pytest.fixture
def sizes(harness_oauth, tmp_path):
    """Runs a step with all outputs, and answers what it printed and the sizes of everything."""

    def run(*arguments, environ, **settings):
        files = {name: tmp_path / name for name in ("card", "summary", "outputs")}
        names = {"drone_card_path": files["card"], "github_step_summary": files["summary"], "dotenv": files["outputs"]}
        done = harness_oauth(*arguments, environ=environ, **names, **settings)
        texts = {name: file.read_text() for name, file in files.items()} | {"out": done.out, "err": done.err}
        assert {name: len(text.encode()) for name, text in texts.items() if len(text.encode()) >= MOST} == {}
        return done, texts

    return run


@pytest.mark.parametrize("said", TEXTS)
@pytest.mark.parametrize("arguments", [(), ("--format=json",)])
def test_of_a_change(sizes, said, arguments):
    done, _ = sizes(*arguments, environ=TEXTS[said])
    assert "Traceback" not in done.text
    if arguments:
        assert done.json["issue_keys"] is not None


@pytest.mark.parametrize("said", ANSWERS)
@pytest.mark.parametrize("settings", [{}, {"log_level": "debug"}])
def test_of_jira(sizes, jira, said, settings):
    jira.fault("answer", status=400, body=ANSWERS[said], count=9)
    done, texts = sizes(environ={}, **settings)
    assert done.code == 1
    for output in ("err", "card", "summary"):
        assert "The beginning" in texts[output]


def test_a_number_of_more_than_ten_digits_makes_no_key(harness_oauth, jira):
    message = f"MYT-12345678901 MYT-{'1' * 50_000} MYT-7 is one"
    done = harness_oauth("--dry-run", "--format=json", environ={"DRONE_COMMIT_MESSAGE": message})
    assert [found["key"] for found in done.json["keys"]] == ["MYT-7"]


def test_what_patterns_find_that_is_no_key_is_one_warning(harness_oauth):
    done = harness_oauth(environ=TEXTS["matches that are no keys"])
    assert done.err.count("KEY_PATTERNS found what is not an issue key") == 1
    assert "'no0' in the commit message" in done.err
    assert "and 8995 more" in done.err  # without the last word of a text that may be cut
