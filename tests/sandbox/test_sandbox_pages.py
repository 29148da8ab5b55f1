"""The pages that people look at."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
import requests

from jira_ci_sandbox import pages
from jira_ci_sandbox.client import Sandbox
from jira_ci_sandbox.pages import shown_time


class Page(HTMLParser):
    """What is on a page: its text, its links, and every element with its attributes."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__()
        self.answer = answer
        self.text = ""
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(answer.text)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def links(self) -> list[str | None]:
        return [attributes["href"] for tag, attributes in self.elements if tag == "a"]


def page(sandbox: Sandbox, path: str = "/") -> Page:
    return Page(requests.get(sandbox.url + path, timeout=20))


def test_empty_page_says_what_to_do_next(sandbox: Sandbox) -> None:
    empty = page(sandbox)
    assert empty.answer.status_code == 200
    assert "Nothing here yet" in empty.text
    assert f"JIRA_CI_INSTANCE={sandbox.url}" in empty.text
    assert "jira-ci report" in empty.text


def test_first_page_lists_issues_with_their_builds_and_deployments(oauth: Any, build: Any, deployment: Any) -> None:
    oauth.bulk("builds", build(buildNumber=7, displayName="The build", issueKeys=["DEMO-1", "DEMO-2"]))
    oauth.bulk("deployments", deployment(displayName="The release"))
    listed = page(oauth.sandbox)
    assert "/browse/DEMO-1" in listed.links
    assert "/browse/DEMO-2" in listed.links
    assert "https://ci.example.com/run/1" in listed.links
    for words in ("successful", "#7 of pipeline", "1 of 3 tests passed", "2024-05-01 12:30:00 UTC", "The build"):
        assert words in listed.text
    for words in ("pending", "#1 of Pipeline to Production production", "2024-05-01 10:30:00 UTC", "The release"):
        assert words in listed.text


def test_issue_that_heard_something_last_comes_first(oauth: Any, build: Any) -> None:
    for number in (1, 2):
        oauth.bulk("builds", build(buildNumber=number, issueKeys=[f"DEMO-{number}"]))
    links = page(oauth.sandbox).links
    assert links.index("/browse/DEMO-2") < links.index("/browse/DEMO-1")


def test_first_page_says_how_many_issues_it_leaves_out(oauth: Any, build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_ISSUES", 2)
    oauth.bulk("builds", build(issueKeys=["DEMO-1", "DEMO-2", "DEMO-3"]))
    assert "1 older issues are not listed" in page(oauth.sandbox).text


def test_issue_page_shows_one_issue(oauth: Any, build: Any) -> None:
    oauth.bulk("builds", build(displayName="Mine"), build(buildNumber=2, displayName="Other", issueKeys=["DEMO-2"]))
    issue = page(oauth.sandbox, "/browse/DEMO-1")
    assert "Mine" in issue.text
    assert "Other" not in issue.text


def test_issue_page_without_news_says_what_to_do_next(sandbox: Sandbox) -> None:
    issue = page(sandbox, "/browse/DEMO-9")
    assert issue.answer.status_code == 200
    assert "JIRA_CI_ISSUEKEYS=DEMO-9" in issue.text


def test_page_of_an_unknown_issue_is_not_found(sandbox: Sandbox) -> None:
    issue = page(sandbox, "/browse/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert issue.answer.status_code == 404
    assert "<script>alert(1)</script>" in issue.text
    assert "script" not in [tag for tag, _ in issue.elements]


HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}"


def test_hostile_text_stays_text(oauth: Any, build: Any, deployment: Any) -> None:
    oauth.bulk("builds", build(displayName=HOSTILE, pipelineId=HOSTILE, description=HOSTILE))
    named = {"id": HOSTILE, "displayName": HOSTILE}
    pipeline, environment = named | {"url": "https://ci.example.com"}, named | {"type": "unmapped"}
    oauth.bulk("deployments", deployment(displayName=HOSTILE, pipeline=pipeline, environment=environment))
    for path in ("/", "/browse/DEMO-1"):
        shown = page(oauth.sandbox, path)
        assert shown.text.count(HOSTILE) == 6
        assert not {"script", "img"} & {tag for tag, _ in shown.elements}
        assert not [name for _, attributes in shown.elements for name in attributes if name.startswith("on")]


@pytest.mark.parametrize(
    "url", ["javascript://x.example/%0aalert(1)", "JavaScript://x/%0aalert(1)", "data://x/text", "vbscript://x/y"]
)
def test_only_web_addresses_become_links(oauth: Any, build: Any, url: str) -> None:
    assert oauth.bulk("builds", build(url=url)).json()["rejectedBuilds"] == []
    shown = page(oauth.sandbox)
    assert url in shown.text
    assert url not in shown.links


def test_address_cannot_leave_its_attribute(oauth: Any, build: Any) -> None:
    url = 'https://ci.example.com/"onmouseover="alert(1)'
    oauth.bulk("builds", build(url=url))
    assert url in page(oauth.sandbox).links


@pytest.mark.parametrize("path", ["/", "/browse/DEMO-1", "/browse/NO-1"])
def test_pages_run_no_script_and_load_nothing_from_elsewhere(sandbox: Sandbox, path: str) -> None:
    shown = page(sandbox, path)
    policy = shown.answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert shown.answer.headers["x-content-type-options"] == "nosniff"
    assert not [element for element in shown.elements if element[0] == "script" or "style" in element[1]]


def test_pages_have_a_style_sheet_for_light_and_dark(sandbox: Sandbox) -> None:
    style = requests.get(f"{sandbox.url}/style.css", timeout=20)
    assert style.headers["content-type"].startswith("text/css")
    assert "prefers-color-scheme: dark" in style.text


def contrast(one: str, other: str) -> float:
    def luminance(color: str) -> float:
        parts = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_can_be_read_on_its_background(sandbox: Sandbox, scheme: int) -> None:
    style = requests.get(f"{sandbox.url}/style.css", timeout=20).text
    block = style.split(":root {")[scheme + 1].partition("}")[0]
    colors = dict(line.strip().removeprefix("--").split(": ") for line in block.split(";") if line.strip())
    pairs = [(text, back) for text in ("text", "quiet", "link") for back in ("page", "card", "code")]
    pairs += [("on-state", state) for state in ("good", "bad", "busy", "idle", "back")]
    assert [(one, other) for one, other in pairs if contrast(colors[one], colors[other]) < 4.5] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2024-05-01T12:30:00Z", "2024-05-01 12:30:00 UTC"),
        ("2024-05-01t12:30:00.123456789z", "2024-05-01 12:30:00 UTC"),
        ("2024-05-01T12:30:00-11:30", "2024-05-02 00:00:00 UTC"),
        ("0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00+01:00"),
    ],
)
def test_time_is_shown_in_utc(text: str, shown: str) -> None:
    assert shown_time(text) == shown
