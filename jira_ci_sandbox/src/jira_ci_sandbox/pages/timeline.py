"""The deployments of a project over time, drawn as SVG: one lane for each environment of each pipeline.

Each deployment has a column of its own, in the order of arrival. So two within a second do not overlap, and a month
without deployments takes no space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jira_ci_sandbox.pages import timestamps
from jira_ci_sandbox.pages.context import PageContext, parse_number, redirect_to
from jira_ci_sandbox.pages.entity_views import ENVIRONMENT_ORDER, entity_view
from jira_ci_sandbox.records import Update

# All sizes and positions are in pixels.
COLUMN_WIDTH, LANE_HEIGHT, HEADING_HEIGHT, TOP, DETAILS_HEIGHT = 34, 44, 30, 34, 92
MIN_WIDTH, DETAILS_WIDTH = 980, 292
CHARACTER_WIDTH = 7  # of a label, approximately
MAX_LINE_LENGTH = 40


@dataclass(frozen=True)
class Mark:
    """The mark of one deployment. The line behind it ends at `end_x`, where the next one replaced it."""

    x: int
    y: int
    end_x: int
    details_x: int
    href: str
    deployment: dict[str, Any]
    lines: tuple[str, str, str]


@dataclass(frozen=True)
class Lane:
    """One row: an environment, or the heading of a pipeline, whose `type` is None."""

    y: int
    height: int
    name: str
    type: str | None


@dataclass(frozen=True)
class Drawing:
    """The whole timeline. `ticks` are labels of the time axis with their positions."""

    width: int
    height: int
    lanes: list[Lane]
    marks: list[Mark]
    ticks: list[tuple[int, str]]
    details_width: int = DETAILS_WIDTH

    @property
    def floor(self) -> int:
        """The y position where the lanes end and the details begin."""
        return self.height - DETAILS_HEIGHT


class TimelinePages:
    """The page of each project's timeline."""

    def __init__(self, context: PageContext) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return [
            Route("/deployments", self.latest_project, methods=["GET"]),
            Route("/projects/{project}/deployments", self.timeline, methods=["GET"]),
        ]

    def latest_project(self, request: Request) -> Response:
        """Redirect to the timeline of the project that was updated last."""
        projects = sorted(self._context.queries.projects(), key=lambda project: project.updated_at)
        plain = [name for name in self._context.settings().projects if not set(name) & set("*?")]
        name = projects[-1].key if projects else (plain or ["DEMO"])[0]
        return redirect_to(f"/projects/{quote(name, safe='')}/deployments")

    def timeline(self, request: Request) -> Response:
        project = unquote(request.path_params["project"])
        if not self._context.settings().knows_issue(f"{project}-1"):
            return self._context.render_page(request, "unknown.html", 404, key=f"{project}-1", is_key=False)
        list_page = self._context.queries.deployments(project, parse_number(request.query_params.get("page")))
        return self._context.render_page(
            request,
            "timeline.html",
            project=project,
            known=self._context.queries.projects(),
            list_page=list_page,
            drawing=draw(list(reversed(list_page.rows)), project),
            deployments=[entity_view(update) for update in list_page.rows],
        )


def draw(updates: Sequence[Update], project: str) -> Drawing:
    """Draw deployments, which are given oldest first."""
    deployments = [entity_view(update) for update in updates]
    lanes, places, floor = _layout_lanes(deployments)
    width = max(MIN_WIDTH, COLUMN_WIDTH * (len(deployments) + 1))
    step = width / (len(deployments) + 1)
    marks: list[Mark] = []
    ends: dict[tuple[str, ...], int] = {}
    for index, deployment in reversed(list(enumerate(deployments))):
        lane = _lane_key(deployment)
        x = round(step * (index + 1))
        mark = Mark(
            x=x,
            y=places[lane],
            end_x=ends.get(lane, width),
            details_x=max(0, min(x - DETAILS_WIDTH // 2, width - DETAILS_WIDTH)),
            href=_entity_path(deployment, project),
            deployment=deployment,
            lines=_detail_lines(deployment),
        )
        ends[lane] = x
        marks.insert(0, mark)
    return Drawing(width, floor + DETAILS_HEIGHT, lanes, marks, _time_ticks(marks))


def _layout_lanes(deployments: Sequence[dict[str, Any]]) -> tuple[list[Lane], dict[tuple[str, ...], int], int]:
    lanes: list[Lane] = []
    places: dict[tuple[str, ...], int] = {}
    y = TOP
    order = {_lane_key(one): one for one in deployments}
    pipelines: dict[str, list[tuple[tuple[str, ...], dict[str, Any]]]] = {}
    for lane, one in order.items():
        pipelines.setdefault(one["pipeline"], []).append((lane, one))
    for pipeline, rows in sorted(pipelines.items()):
        lanes.append(Lane(y, HEADING_HEIGHT, pipeline, None))
        y += HEADING_HEIGHT
        for lane, one in sorted(rows, key=lambda row: _lane_order(row[1]["environment"])):
            environment = one["environment"]
            lanes.append(Lane(y, LANE_HEIGHT, environment["displayName"], environment["type"]))
            places[lane] = y + LANE_HEIGHT // 2
            y += LANE_HEIGHT
    return lanes, places, y


def _lane_key(deployment: dict[str, Any]) -> tuple[str, ...]:
    return deployment["pipeline"], deployment["environment"]["id"]


def _lane_order(environment: dict[str, Any]) -> tuple[int, str]:
    return ENVIRONMENT_ORDER.index(environment["type"]), environment["displayName"]


def _entity_path(deployment: dict[str, Any], project: str) -> str:
    key = next(key for key in deployment["keys"] if key.startswith(f"{project}-"))
    return f"/browse/{quote(key, safe='')}?show={deployment['id']}#drawer"


def _detail_lines(deployment: dict[str, Any]) -> tuple[str, str, str]:
    environment = deployment["environment"]
    version = f", version {deployment['version']}" if deployment["version"] else ""
    return (
        _shorten(f"{deployment['name']} to {environment['displayName']}"),
        _shorten(f"{deployment['state'].replace('_', ' ')}{version} · {', '.join(deployment['keys'])}"),
        timestamps.format_exact(deployment["time"]),
    )


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_LINE_LENGTH else text[: MAX_LINE_LENGTH - 1] + "…"


def _time_ticks(marks: Sequence[Mark]) -> list[tuple[int, str]]:
    """Label the columns with their times if there is room; with the date only where it changes."""
    ticks: list[tuple[int, str]] = []
    free_from, last_date, last_time = 0, "", ""
    for mark in marks:
        date, _, time = timestamps.format_exact(mark.deployment["time"]).partition(" ")
        minute = time[:5]
        label = minute if date == last_date else f"{date} {minute}".strip()
        if mark.x < free_from or (date, minute) == (last_date, last_time):
            continue
        ticks.append((mark.x, label))
        free_from, last_date, last_time = mark.x + CHARACTER_WIDTH * (len(label) + 2), date, minute
    return ticks
