"""The deployments of a project over time: a lane for each environment of each pipeline, drawn as SVG.

Each deployment has a column of its own, in the order in which this Jira heard of them: two in one second stay apart,
and a quiet month takes no room.
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
from jira_ci_sandbox.pages.context import Frame, number, to
from jira_ci_sandbox.pages.entity_views import ENVIRONMENT_ORDER, shown
from jira_ci_sandbox.records import Update

COLUMN, LANE, HEADING, TOP, DETAILS = 34, 44, 30, 34, 92
LEAST_WIDTH, DETAILS_WIDTH = 980, 292
CHARACTER = 7  # about as wide as one of a label, in pixels
LONGEST_LINE = 40


@dataclass(frozen=True)
class Mark:
    """One deployment: where it is drawn, what it was, and how far it lasted."""

    x: int
    y: int
    until: int
    details_x: int
    href: str
    deployment: dict[str, Any]
    lines: tuple[str, str, str]


@dataclass(frozen=True)
class Lane:
    """One row: the heading of a pipeline, or an environment of it. Positions are in pixels from the top."""

    y: int
    height: int
    name: str
    type: str | None


@dataclass(frozen=True)
class Drawing:
    """Everything that is drawn, in pixels."""

    width: int
    height: int
    lanes: list[Lane]
    marks: list[Mark]
    ticks: list[tuple[int, str]]
    details_width: int = DETAILS_WIDTH

    @property
    def floor(self) -> int:
        """Where the lanes end and the details begin."""
        return self.height - DETAILS


class TimelinePages:
    """The timelines of all projects."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        """Return the addresses of these pages."""
        return [
            Route("/deployments", self.first, methods=["GET"]),
            Route("/projects/{project}/deployments", self.timeline, methods=["GET"]),
        ]

    def first(self, request: Request) -> Response:
        """Go to the project that heard something last."""
        projects = sorted(self._frame.reading.projects(), key=lambda project: project.heard_at)
        plain = [name for name in self._frame.settings().projects if not set(name) & set("*?")]
        name = projects[-1].key if projects else (plain or ["DEMO"])[0]
        return to(f"/projects/{quote(name, safe='')}/deployments")

    def timeline(self, request: Request) -> Response:
        """Show a project's deployments over time."""
        project = unquote(request.path_params["project"])
        if not self._frame.settings().knows_issue(f"{project}-1"):
            return self._frame.page(request, "unknown.html", 404, key=f"{project}-1", is_key=False)
        part = self._frame.reading.deployments(project, number(request.query_params.get("page")))
        return self._frame.page(
            request,
            "timeline.html",
            project=project,
            known=self._frame.reading.projects(),
            part=part,
            drawing=drawn(list(reversed(part.rows)), project),
            deployments=[shown(update) for update in part.rows],
        )


def drawn(updates: Sequence[Update], project: str) -> Drawing:
    """Place deployments, the oldest first."""
    deployments = [shown(update) for update in updates]
    lanes, places, floor = _lanes(deployments)
    width = max(LEAST_WIDTH, COLUMN * (len(deployments) + 1))
    step = width / (len(deployments) + 1)
    marks: list[Mark] = []
    ends: dict[tuple[str, ...], int] = {}
    for index, deployment in reversed(list(enumerate(deployments))):
        lane = _lane_of(deployment)
        x = round(step * (index + 1))
        mark = Mark(
            x=x,
            y=places[lane],
            until=ends.get(lane, width),
            details_x=max(0, min(x - DETAILS_WIDTH // 2, width - DETAILS_WIDTH)),
            href=_address(deployment, project),
            deployment=deployment,
            lines=_lines(deployment),
        )
        ends[lane] = x
        marks.insert(0, mark)
    return Drawing(width, floor + DETAILS, lanes, marks, _ticks(marks))


def _lanes(deployments: Sequence[dict[str, Any]]) -> tuple[list[Lane], dict[tuple[str, ...], int], int]:
    lanes: list[Lane] = []
    places: dict[tuple[str, ...], int] = {}
    y = TOP
    order = {_lane_of(one): one for one in deployments}
    pipelines: dict[str, list[tuple[tuple[str, ...], dict[str, Any]]]] = {}
    for lane, one in order.items():
        pipelines.setdefault(one["pipeline"], []).append((lane, one))
    for pipeline, rows in sorted(pipelines.items()):
        lanes.append(Lane(y, HEADING, pipeline, None))
        y += HEADING
        for lane, one in sorted(rows, key=lambda row: _rank(row[1]["environment"])):
            environment = one["environment"]
            lanes.append(Lane(y, LANE, environment["displayName"], environment["type"]))
            places[lane] = y + LANE // 2
            y += LANE
    return lanes, places, y


def _lane_of(deployment: dict[str, Any]) -> tuple[str, ...]:
    return deployment["pipeline"], deployment["environment"]["id"]


def _rank(environment: dict[str, Any]) -> tuple[int, str]:
    return ENVIRONMENT_ORDER.index(environment["type"]), environment["displayName"]


def _address(deployment: dict[str, Any], project: str) -> str:
    key = next(key for key in deployment["keys"] if key.startswith(f"{project}-"))
    return f"/browse/{quote(key, safe='')}?show={deployment['id']}#drawer"


def _lines(deployment: dict[str, Any]) -> tuple[str, str, str]:
    environment = deployment["environment"]
    version = f", version {deployment['version']}" if deployment["version"] else ""
    return (
        _cut(f"{deployment['name']} to {environment['displayName']}"),
        _cut(f"{deployment['state'].replace('_', ' ')}{version} · {', '.join(deployment['keys'])}"),
        timestamps.exact(deployment["time"]),
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 1] + "…"


def _ticks(marks: Sequence[Mark]) -> list[tuple[int, str]]:
    """Name the time above those columns that have room for it; the date only where it is another one."""
    ticks: list[tuple[int, str]] = []
    free_from, last_date, last_time = 0, "", ""
    for mark in marks:
        date, _, time = timestamps.exact(mark.deployment["time"]).partition(" ")
        minute = time[:5]
        label = minute if date == last_date else f"{date} {minute}".strip()
        if mark.x < free_from or (date, minute) == (last_date, last_time):
            continue
        ticks.append((mark.x, label))
        free_from, last_date, last_time = mark.x + CHARACTER * (len(label) + 2), date, minute
    return ticks
