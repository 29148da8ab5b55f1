"""Reports that are not delivered yet, each a file in a folder that steps may share.

A report is there, on the disk, before it is sent, and gone once Jira has answered for it. Whoever dies in between
leaves a file, and sending that again is harmless: a report carries its identity and its order in itself.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import stat
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from jira_ci_core.errors import JiraCiError
from jira_ci_core.models import Outcome, Receipt, Report, Result

if sys.platform != "win32":
    import fcntl

log = logging.getLogger(__name__)

FORMAT = 1
"""The version of what is in a file. One with a higher version is left to who wrote it."""
SUFFIX = ".json"
UNFINISHED = ".tmp"
# A report with 500 keys and all texts at their limits is far smaller.
LARGEST_FILE = 2**20


class OutboxError(JiraCiError):
    """The outbox cannot be used: full, read-only, no folder."""


@dataclass(frozen=True)
class Entry:
    """One report in the outbox."""

    path: Path
    report: Report
    kept_at: float
    """When it was written, in seconds since the epoch."""


@dataclass(frozen=True)
class Stranger:
    """A file in the outbox that is not delivered and not touched, and why."""

    path: Path
    reason: str


class Held:
    """An entry that this process holds, so that no flush delivers it at the same time."""

    def __init__(self, entry: Entry, descriptor: int) -> None:
        self.entry = entry
        self._descriptor = descriptor

    def remove(self) -> None:
        """Jira has answered for it."""
        with contextlib.suppress(FileNotFoundError):
            self.entry.path.unlink()
        self.release()

    def release(self) -> None:
        """Leave it to whoever comes next."""
        os.close(self._descriptor)


class Outbox:
    """A folder of reports."""

    def __init__(self, folder: Path, redact: Callable[[str], str] = str) -> None:
        """`redact` takes secrets out of what is written: a title may hold one."""
        self.folder = folder
        self._redact = redact

    def keep(self, report: Report) -> Held:
        """Write a report, and answer when it is on the disk. Raises OutboxError where it cannot be."""
        kept_at = time.time()
        text = json.dumps(
            {"format": FORMAT, "kept_at": kept_at, "report": report.model_dump(mode="json")}, ensure_ascii=False
        )
        name = f"{report.entity.sequence:014d}-{report.entity.kind}-{uuid.uuid4().hex}"
        unfinished, path = self.folder / f".{name}{UNFINISHED}", self.folder / f"{name}{SUFFIX}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            try:
                _lock(descriptor)
                _write(descriptor, self._redact(text).encode())
                unfinished.rename(path)
                _sync(self.folder)
            except BaseException:
                os.close(descriptor)
                with contextlib.suppress(OSError):
                    unfinished.unlink()
                raise
        except OSError as error:
            raise _unusable(self.folder, error) from None
        return Held(Entry(path, report, kept_at), descriptor)

    def read(self) -> Iterator[Entry | Stranger]:
        """What is in it, the oldest update first. Raises OutboxError where there is no folder that can be read."""
        try:
            names = sorted(path.name for path in self.folder.iterdir())
        except OSError as error:
            raise _unusable(self.folder, error) from None
        for name in names:
            path = self.folder / name
            if name.endswith(UNFINISHED):
                yield Stranger(path, "a step was killed, or is at work, before it was written whole; it was not sent")
            elif not name.endswith(SUFFIX):
                yield Stranger(path, "it is no report: its name does not end in .json")
            elif (found := _read(path)) is not None:
                yield found

    def hold(self, entry: Entry) -> Held | None:
        """Take an entry for delivery; None where somebody else has it, or it is gone."""
        try:
            descriptor = os.open(entry.path, os.O_RDONLY)
        except OSError:
            return None
        if not _lock(descriptor) or os.fstat(descriptor).st_nlink == 0:
            os.close(descriptor)
            return None
        return Held(entry, descriptor)


def deliver_kept(
    outbox: Outbox | None, reports: Sequence[Report], deliver: Callable[[Sequence[Report]], Receipt]
) -> Receipt:
    """Deliver reports that are in the outbox meanwhile.

    The receipt says of each that is still to be delivered where it is kept; the others are removed. One that cannot
    be written is a warning, since it may be delivered all the same.
    """
    held = [_kept(outbox, report) for report in reports]
    try:
        return settled(held, deliver(reports))
    except JiraCiError:
        for one in held:
            if one is not None:
                log.warning("%s is kept in %s", one.entry.report.title, one.entry.path)
                one.release()
        raise


def settled(held: Sequence[Held | None], receipt: Receipt) -> Receipt:
    """The receipt of reports that were held, saying where those are kept that are still to be delivered."""
    outcomes = [
        outcome if one is None else _settled(one, outcome) for one, outcome in zip(held, receipt.outcomes, strict=True)
    ]
    return receipt.model_copy(update={"outcomes": tuple(outcomes)})


def _kept(outbox: Outbox | None, report: Report) -> Held | None:
    try:
        return outbox.keep(report) if outbox else None
    except OutboxError as error:
        problem = error.problems[0]
        log.warning("%s: %s; %s", problem.what, problem.why, problem.remedy)
        return None


def _settled(held: Held, outcome: Outcome) -> Outcome:
    if outcome.result is Result.NOT_DELIVERED:
        held.release()
        return outcome.model_copy(update={"kept": str(held.entry.path)})
    try:
        held.remove()
    except OSError as error:
        # It will be sent once more, which changes nothing.
        log.warning("%s was answered for and cannot be removed: %s", held.entry.path, error.strerror)
    return outcome


def _read(path: Path) -> Entry | Stranger | None:
    """What one file holds; None where it is gone by now."""
    try:
        # Whoever may write to the folder may put anything there: a link elsewhere, a pipe that never answers.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return Stranger(path, "it is no file")
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Stranger(path, f"it cannot be read: {error.strerror}")
    if len(data) > LARGEST_FILE:
        return Stranger(path, "it is larger than any report")
    try:
        content = json.loads(data)
        if isinstance(content, dict) and isinstance(content.get("format"), int) and content["format"] > FORMAT:
            return Stranger(path, "a newer version of jira-ci wrote it")
        return Entry(path, Report.model_validate(content["report"]), float(content["kept_at"]))
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError):
        return Stranger(path, "it is no report, or a damaged one")


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def _sync(folder: Path) -> None:
    """Have the name of a new file on the disk, too."""
    if sys.platform != "win32":  # a folder cannot be opened there
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Hold a file, as long as it is open; False where somebody else does. Without locks a report may be sent twice."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # a file system that has none
    return True


def _unusable(folder: Path, error: OSError) -> OutboxError:
    return OutboxError(
        f"the outbox {folder} cannot be used",
        error.strerror or str(error),
        "make OUTBOX a folder that this step may write to, with room in it",
    )
