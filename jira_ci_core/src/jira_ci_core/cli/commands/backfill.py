"""`jira-ci backfill`: many builds and deployments from a file."""

from __future__ import annotations

import gc
import os
import stat
import sys
import time
from pathlib import Path
from typing import BinaryIO

import click

from jira_ci_core.backfill.checkpoint import Checkpoint, RejectedLines
from jira_ci_core.backfill.run import BackfillResult, backfill as deliver_all
from jira_ci_core.cli.options import SettingsCommand, runtime_of
from jira_ci_core.delivery.session import make_site
from jira_ci_core.errors import ExitCode, SettingsError
from jira_ci_core.output.console import Console
from jira_ci_core.problem import Problem

# Python's collector runs more often than in a report: a backfill may take hours, and must not grow.
GARBAGE = 10_000, 10, 10
BAR_WIDTH = 30
SECONDS_ON_TERMINAL, SECONDS_ELSEWHERE = 0.2, 10.0
"""Between two updates of the progress."""


@click.command(cls=SettingsCommand, short_help="Report many builds and deployments from a file.")
@click.argument("file")
@click.option(
    "--checkpoint",
    type=Path,
    help="The file that says how far a run has come; FILE.checkpoint by default, none for standard input.",
)
@click.option(
    "--rejected",
    type=Path,
    help="The file for rejected lines; FILE.rejected by default, backfill.rejected for standard input.",
)
@click.pass_context
def backfill(ctx: click.Context, /, file: str, checkpoint: Path | None, rejected: Path | None) -> None:
    """Report the builds and deployments in FILE, one JSON object a line; - is standard input.

    docs/backfill.md describes a line. If it is interrupted, run the same command again: it resumes where it stopped.
    Rejected lines are shown with their reasons, and written to a file. PROJECT and CI's variables are not used. Exits
    with 1 if a line was rejected, or not all were delivered.
    """
    gc.set_threshold(*GARBAGE)
    runtime = runtime_of(ctx, needs_project=False)
    console: Console = ctx.obj.console
    rejected = rejected or Path("backfill.rejected" if file == "-" else f"{file}.rejected")
    if file != "-":
        checkpoint = checkpoint or Path(f"{file}.checkpoint")
    files = Checkpoint(checkpoint, RejectedLines(rejected, runtime.secrets.shorten), make_site(runtime.settings).name)
    with _open(file) as lines:
        progress = Progress(console, _size(lines))
        try:
            result = deliver_all(runtime, lines, files, progress)
        except KeyboardInterrupt:
            progress.end()
            if checkpoint is not None and checkpoint.exists():
                console.line(f"progress is saved in {checkpoint}; run the same command again to resume")
            raise
    progress.end()
    _show(console, result, checkpoint, rejected)
    is_success = result.is_done and not (result.rejected or result.rejected_before)
    ctx.exit(ExitCode.OK if is_success else ExitCode.JIRA)


class Progress:
    """Shows how far a backfill is: as a bar on a terminal, elsewhere as a line now and then."""

    def __init__(self, console: Console, size: int) -> None:
        """`size` is the size of the file in bytes; 0 if it is unknown."""
        self._console = console
        self._size = size
        self._is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._every = SECONDS_ON_TERMINAL if self._is_terminal else SECONDS_ELSEWHERE
        self._next = time.monotonic() + self._every
        self._shown = ""

    def __call__(self, result: BackfillResult) -> None:
        """Show the result so far, unless that was done a moment ago."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every
        share = min(1.0, result.position.offset / self._size) if self._size else 0.0
        text = f"line {result.position.line:,}{f' ({share:.0%})' if self._size else ''}, {_figures(result)}"
        if not self._is_terminal:
            self._console.line(text)
            return
        bar = f"[{'#' * int(share * BAR_WIDTH):<{BAR_WIDTH}}] " if self._size else ""
        self._draw(bar + text)

    def end(self) -> None:
        """Clear the bar, so that the next output begins on an empty line."""
        if self._shown:
            self._draw("")
            sys.stderr.write("\r")

    def _draw(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(len(self._shown)))
        sys.stderr.flush()
        self._shown = text


def _figures(result: BackfillResult) -> str:
    left_out = f", {result.left_out:,} left out, as they say that nothing happened" if result.left_out else ""
    return f"{result.delivered:,} delivered, {result.rejected:,} rejected{left_out}"


def _show(console: Console, result: BackfillResult, checkpoint: Path | None, rejected: Path) -> None:
    for number, reason in result.rejections:
        console.line(f"rejected: line {number}: {reason}")
    if result.rejected > len(result.rejections):
        console.line(f"and {result.rejected - len(result.rejections):,} more")
    if result.unknown_issue_keys:
        console.line(f"warning: Jira does not know some issues: {', '.join(result.unknown_issue_keys)}, …")
    since = f" since line {result.resumed_at.line:,}, where an earlier run stopped" if result.resumed_at.line else ""
    before = f", which rejected {result.rejected_before:,} before" if result.rejected_before else ""
    where = f"; the rejected lines are in {rejected}" if result.rejected or result.rejected_before else ""
    console.line(_figures(result) + since + before + where)
    console.problems(result.problems)
    if not result.is_done:
        kept = f"; progress is saved in {checkpoint}; run the same command again to resume" if checkpoint else ""
        console.line(f"not all was delivered{kept}")


def _open(file: str) -> BinaryIO:
    if file == "-":
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        remedy = "name a file of lines, or - for standard input"
        raise SettingsError(Problem(f"{file} cannot be read", why, remedy)) from None


def _size(lines: BinaryIO) -> int:
    try:
        status = os.fstat(lines.fileno())
    except (OSError, ValueError):
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
