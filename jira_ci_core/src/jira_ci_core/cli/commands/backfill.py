"""`jira-ci backfill`: many builds and deployments from a file."""

from __future__ import annotations

import gc
import os
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

import click

from jira_ci_core.cli.app import SettingsCommand, site_of
from jira_ci_core.errors import ExitCode, SettingsError
from jira_ci_core.problem import Problem

if TYPE_CHECKING:
    from jira_ci_core.backfill.run import BackfillResult
    from jira_ci_core.output.console import Console

STANDARD_INPUT = "-"
# Often enough to lay hands on garbage before it is much: unlike a step, this may run for hours.
GARBAGE = 10_000, 10, 10
WIDTH = 30


@click.command(cls=SettingsCommand, short_help="Report many builds and deployments from a file.")
@click.argument("file")
@click.option(
    "--checkpoint", type=Path, help="The file that tells how far it came; FILE.checkpoint, and none for standard input."
)
@click.option(
    "--rejected", type=Path, help="The file for rejected lines; FILE.rejected, backfill.rejected for standard input."
)
@click.pass_context
def backfill(ctx: click.Context, /, file: str, checkpoint: Path | None, rejected: Path | None, **flags: str) -> None:
    """Report the builds and deployments in FILE, one JSON object a line; - is standard input.

    docs/backfill.md describes a line. Interrupted, run it again: it goes on where it stopped. Rejected lines are
    told with their reasons, and go to a file. Neither PROJECT nor what CI knows matters here. Exit 1 where a line was
    rejected, or not all were delivered.
    """
    from jira_ci_core.backfill.checkpoint import Checkpoint
    from jira_ci_core.backfill.run import backfill as deliver_all
    from jira_ci_core.delivery.site import make_site

    gc.set_threshold(*GARBAGE)
    runtime = site_of(ctx, flags)
    console: Console = ctx.obj.console
    if file != STANDARD_INPUT:
        checkpoint = checkpoint or Path(f"{file}.checkpoint")
    rejected = rejected or Path("backfill.rejected" if file == STANDARD_INPUT else f"{file}.rejected")
    journal = Checkpoint(checkpoint, rejected, make_site(runtime.settings).name, runtime.secrets.redact)
    with _open(file) as lines:
        progress = Progress(console, _size(lines))
        try:
            summary = deliver_all(runtime, lines, journal, progress)
        except KeyboardInterrupt:
            progress.end()
            if checkpoint is not None and checkpoint.exists():
                console.line(f"{checkpoint} tells how far it came; run the same command again to go on from there")
            raise
    progress.end()
    _tell(console, summary, checkpoint, rejected)
    is_well = summary.is_done and not (summary.rejected or summary.rejected_before)
    ctx.exit(ExitCode.OK if is_well else ExitCode.JIRA)


class Progress:
    """A bar on a terminal, elsewhere a line once in a while."""

    SECONDS = 0.2, 10.0

    def __init__(self, console: Console, size: int, stream: TextIO | None = None) -> None:
        """`size` is that of the file in bytes, 0 where it is not known."""
        self._console = console
        self._size = size
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream is not None and self._stream.isatty()
        self._every = self.SECONDS[0 if self._is_terminal else 1]
        self._next = time.monotonic() + self._every
        self._shown = ""

    def __call__(self, summary: BackfillResult) -> None:
        """Show how far it is, if it is time."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every
        share = min(1.0, summary.read_to.offset / self._size) if self._size else 0.0
        text = f"line {summary.read_to.line:,}{f' ({share:.0%})' if self._size else ''}, {figures(summary)}"
        if not self._is_terminal:
            self._console.line(text)
            return
        bar = f"[{'#' * int(share * WIDTH):<{WIDTH}}] " if self._size else ""
        self._show(bar + text)

    def end(self) -> None:
        """Leave the line to what comes next."""
        if self._shown:
            self._show("")
            self._stream.write("\r")

    def _show(self, text: str) -> None:
        self._stream.write("\r" + text.ljust(len(self._shown)))
        self._stream.flush()
        self._shown = text


def figures(summary: BackfillResult) -> str:
    """What became of the lines, in numbers."""
    return f"{summary.delivered:,} delivered, {summary.rejected:,} rejected"


def _tell(console: Console, summary: BackfillResult, checkpoint: Path | None, rejected: Path) -> None:
    for number, reason in summary.rejections:
        console.line(f"rejected: line {number}: {reason}")
    if summary.rejected > len(summary.rejections):
        console.line(f"and {summary.rejected - len(summary.rejections):,} more")
    if summary.unknown_issue_keys:
        console.line(f"warning: Jira does not know some issues: {', '.join(summary.unknown_issue_keys)}, …")
    since = f" since line {summary.begun_at.line:,}, where an earlier run stopped" if summary.begun_at.line else ""
    before = f", which rejected {summary.rejected_before:,} before" if summary.rejected_before else ""
    where = f"; the rejected lines are in {rejected}" if summary.rejected or summary.rejected_before else ""
    console.line(figures(summary) + since + before + where)
    console.problems(summary.problems)
    if not summary.is_done:
        kept = f"; {checkpoint} tells how far it came, and the same command goes on from there" if checkpoint else ""
        console.line(f"not all was delivered{kept}")


def _open(file: str) -> BinaryIO:
    if file == STANDARD_INPUT:
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SettingsError(
            Problem(f"{file} cannot be read", why, "name a file of lines, or - for standard input")
        ) from None


def _size(lines: BinaryIO) -> int:
    try:
        status = os.fstat(lines.fileno())
    except (OSError, ValueError):
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
