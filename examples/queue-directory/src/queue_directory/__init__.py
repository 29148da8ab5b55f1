"""Writes reports as files to a folder, from which another process delivers them."""

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
        queue_directory: str | None = setting(None, help="the folder that reports are written to")

    def __init__(self, settings: Settings) -> None:
        self._folder = Path(settings.queue_directory) if settings.queue_directory else None

    @hookimpl
    def jira_ci_deliver(self, reports: Sequence[Report]) -> Receipt | None:
        """Write the reports to the folder. Without one, leave them to the next delivery."""
        if self._folder is None:
            return None
        return Receipt(outcomes=tuple(_write_report(report, self._folder) for report in reports))


def _write_report(report: Report, folder: Path) -> Outcome:
    content = report.model_dump_json().encode()
    # Names sort by the time of the reports, and the same report has the same name.
    name = f"{report.entity.sequence:020}-{hashlib.sha256(content).hexdigest()[:16]}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, content)
    except OSError as error:
        remedy = "check QUEUE_DIRECTORY, and that this step may write to it"
        problem = Problem("the report could not be queued", f"{folder}: {error.strerror}", remedy)
        return Outcome(result=Result.NOT_DELIVERED, problems=(problem,))
    return Outcome(result=Result.QUEUED)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that readers see it complete or not at all."""
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
