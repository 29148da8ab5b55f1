"""The timeline of deployments."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from jira_ci_sandbox import queries
from jira_ci_sandbox.pages.timeline import CHARACTER_WIDTH, COLUMN_WIDTH, draw
from jira_ci_sandbox.records import Update

PATH = "/projects/DEMO/deployments"


def update(number: int, environment: str = "production", pipeline: str = "shop", **changes: Any) -> Update:
    entity = {
        "state": "successful",
        "deploymentSequenceNumber": number,
        "displayName": f"{pipeline} #{number}",
        "label": "",
        "url": "https://ci.example.com",
        "lastUpdated": f"2024-05-01T12:{number:02}:00Z",
        "pipeline": {"id": pipeline, "displayName": pipeline, "url": "https://ci.example.com"},
        "environment": {"id": environment, "displayName": environment, "type": environment},
    }
    return Update("deployments", {}, 1, entity | changes, ("DEMO-1", "OTHER-1"), {}, id=number)


def test_lanes_are_pipelines_with_their_environments_from_production_on() -> None:
    drawing = draw([update(1, "staging"), update(2), update(3, "testing", "app"), update(4, "staging")], "DEMO")
    assert [(lane.name, lane.type) for lane in drawing.lanes] == [
        ("app", None),
        ("testing", "testing"),
        ("shop", None),
        ("production", "production"),
        ("staging", "staging"),
    ]
    lowest = max(lane.y + lane.height for lane in drawing.lanes)
    assert drawing.floor == lowest < drawing.height


def test_each_deployment_has_a_column_and_lasts_until_the_next_in_its_lane() -> None:
    drawing = draw([update(1), update(2, "staging"), update(3)], "DEMO")
    first, second, third = drawing.marks
    assert first.x + COLUMN_WIDTH <= second.x
    assert second.x + COLUMN_WIDTH <= third.x
    assert first.y == third.y != second.y
    assert (first.end_x, second.end_x, third.end_x) == (third.x, drawing.width, drawing.width)


def test_details_stay_inside_the_drawing() -> None:
    drawing = draw([update(number) for number in range(60)], "DEMO")
    assert {0 <= mark.details_x <= drawing.width - drawing.details_width for mark in drawing.marks} == {True}


def test_time_labels_do_not_overlap_and_show_the_date_where_it_changes() -> None:
    days = [update(number, lastUpdated=f"2024-05-{number // 9 + 1:02}T12:{number:02}:00Z") for number in range(40)]
    ticks = draw(days, "DEMO").ticks
    for (x, label), (following, _) in itertools.pairwise(ticks):
        assert x + CHARACTER_WIDTH * len(label) < following
    assert ticks[0][1] == "2024-05-01 12:00"
    assert [label for _, label in ticks if len(label) > 5] == sorted({label for _, label in ticks if len(label) > 5})


def test_mark_describes_its_deployment_and_links_to_the_issue_of_this_project() -> None:
    [mark] = draw([update(7, state="rolled_back", label="1.2.3")], "OTHER").marks
    assert mark.lines == (
        "shop #7 to production",
        "rolled back, version 1.2.3 · DEMO-1, OT…",
        "2024-05-01 12:07:00 UTC",
    )
    assert mark.href == "/browse/OTHER-1?show=7#drawer"


def test_page_has_marks_as_links_and_the_same_deployments_as_a_list(browser: Any, oauth: Any, deployment: Any) -> None:
    oauth.bulk("deployments", deployment(), deployment(deploymentSequenceNumber=2))
    page = browser.get(PATH)
    assert page.count("svg", role="group") == 1
    marks = [link for link in page.links if link and link.endswith("#drawer")]
    assert len(marks) == 2
    assert browser.get(marks[0].partition("#")[0]).count("aside", id="drawer") == 1
    assert "The same, as a list" in page.text


def test_deployment_of_several_issues_is_drawn_once(browser: Any, oauth: Any, deployment: Any) -> None:
    oauth.sandbox.configure(projects=["*"])
    values = ["DEMO-1", "AA-1", "DEMO-2", "DEMO2-1"]
    oauth.bulk("deployments", deployment(associations=[{"associationType": "issueKeys", "values": values}]))
    for project, key in (("DEMO", "DEMO-1"), ("AA", "AA-1"), ("DEMO2", "DEMO2-1")):
        page = browser.get(f"/projects/{project}/deployments")
        assert [link.partition("?")[0] for link in page.links if "#drawer" in link] == [f"/browse/{key}"]


def test_timeline_comes_in_pages(browser: Any, oauth: Any, deployment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "TIMELINE_PAGE_SIZE", 2)
    oauth.bulk("deployments", *(deployment(deploymentSequenceNumber=number) for number in range(3)))
    page = browser.get(f"{PATH}?page=2")
    assert "Page 2 of 2" in page.text
    assert len([link for link in page.links if "#drawer" in link]) == 1


def test_timeline_without_deployments_says_how_a_report_becomes_one(browser: Any) -> None:
    page = browser.get("/deployments")
    assert page.answer.url.endswith(PATH)
    assert "jira-ci report --environment-name production" in page.text


def test_timelines_begin_with_the_project_that_was_updated_last(browser: Any, oauth: Any, deployment: Any) -> None:
    oauth.sandbox.configure(projects=["*"])
    for number, key in enumerate(["AA-1", "BB-1"]):
        association = [{"associationType": "issueKeys", "values": [key]}]
        oauth.bulk("deployments", deployment(deploymentSequenceNumber=number, associations=association))
    page = browser.get("/deployments")
    assert page.answer.url.endswith("/projects/BB/deployments")
    assert "/projects/AA/deployments" in page.links


@pytest.mark.parametrize("project", ["NO", "%3Cb%3E", "demo"])
def test_timeline_of_an_unknown_project_is_not_found(browser: Any, project: str) -> None:
    assert browser.get(f"/projects/{project}/deployments").answer.status_code == 404
