"""Leaves reports as files in a folder, for somebody else to deliver."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from jira_ci_core import Outcome, PluginSettings, Problem, Receipt, Report, Result, hookimpl, setting


class QueueDirectory:
    """Writes each report to a file of its own: plain JSON, without any credential."""

    CONTRACT = 1
    NEEDS_SIGN_IN = False

    class Settings(PluginSettings):
        """What this plugin reads."""

        queue_directory: str | None = setting(None, help="the folder that reports are left in")

    def __init__(self, settings: Settings) -> None:
        self._folder = Path(settings.queue_directory) if settings.queue_directory else None

    @hookimpl
    def jira_ci_deliver(self, reports: Sequence[Report]) -> Receipt | None:
        """Queue them, where there is a folder; else leave them to the next."""
        if self._folder is None:
            return None
        return Receipt(outcomes=tuple(_queued(report, self._folder) for report in reports))


def _queued(report: Report, folder: Path) -> Outcome:
    content = report.model_dump_json().encode()
    # By time, so that they are found in their order; the same report has the same name.
    name = f"{report.entity.sequence:020}-{hashlib.sha256(content).hexdigest()[:16]}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, content)
    except OSError as error:
        remedy = "check QUEUE_DIRECTORY, and that this step may write to it"
        problem = Problem("the report could not be queued", f"{folder}: {error.strerror}", remedy)
        return Outcome(result=Result.NOT_DELIVERED, problems=(problem,))
    return Outcome(result=Result.QUEUED)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there completely or not at all, also for whoever looks meanwhile."""
    descriptor, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
