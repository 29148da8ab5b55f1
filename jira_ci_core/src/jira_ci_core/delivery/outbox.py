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
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from jira_ci_core.errors import JiraCiError
from jira_ci_core.models import Outcome, Receipt, Report, Result
from jira_ci_core.problem import Problem

if sys.platform != "win32":
    import fcntl

log = logging.getLogger(__name__)

FORMAT = 1
"""The version of what is in a file. One with a higher version is left to who wrote it."""
LATEST = 253402300800
"""The end of the year 9999, in seconds since the epoch: nothing can be kept later."""
SUFFIX = ".json"
UNFINISHED = ".tmp"
# A report with 500 keys and all texts at their limits is far smaller.
LARGEST_FILE = 2**20
# Whoever may write to the folder may put anything there: a link elsewhere, a pipe that never answers.
_READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class OutboxError(JiraCiError):
    """The outbox cannot be used: full, read-only, no folder."""


class Entry(NamedTuple):
    """One report in the outbox."""

    path: Path
    report: Report
    kept_at: float
    """When it was written, in seconds since the epoch."""


class ForeignFile(NamedTuple):
    """A file in the outbox that is not delivered and not touched, and why."""

    path: Path
    reason: str


class LockedEntry:
    """An entry that this process holds, so that no flush delivers it at the same time."""

    def __init__(self, entry: Entry, descriptor: int) -> None:
        self.entry = entry
        self._descriptor = descriptor

    def remove(self) -> None:
        """Jira has answered for it."""
        try:
            self.entry.path.unlink(missing_ok=True)
        finally:
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

    def keep(self, report: Report) -> LockedEntry:
        """Write a report, and answer when it is on the disk. Raises OutboxError where it cannot be."""
        kept_at = time.time()
        stored = _without_secrets(report, self._redact).model_dump(mode="json")
        data = json.dumps({"format": FORMAT, "kept_at": kept_at, "report": stored}, ensure_ascii=False).encode()
        if len(data) > LARGEST_FILE:
            raise _unkept(report, f"it is larger than {LARGEST_FILE // 2**20} MiB", "shorten the texts in it")
        name = f"{report.entity.sequence:014d}-{report.entity.kind}-{uuid.uuid4().hex}"
        unfinished, path = self.folder / f".{name}{UNFINISHED}", self.folder / f"{name}{SUFFIX}"
        try:
            if not self.folder.exists():
                self.folder.mkdir(parents=True, exist_ok=True)
                _sync(self.folder.parent)
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            try:
                _lock(descriptor)
                _write(descriptor, data)
                unfinished.rename(path)
                _sync(self.folder)
            except BaseException:
                os.close(descriptor)
                for leftover in (unfinished, path):
                    with contextlib.suppress(OSError):
                        leftover.unlink()
                raise
        except (OSError, ValueError) as error:  # a ValueError is a name that no folder can have
            raise _unusable(self.folder, error) from None
        return LockedEntry(Entry(path, report, kept_at), descriptor)

    def read(self) -> Iterator[Entry | ForeignFile]:
        """What is in it, the oldest update first. Raises OutboxError where it cannot be read.

        Where there is no folder nothing was kept yet; that is said, since it may also be the wrong name.
        """
        try:
            names = sorted(path.name for path in self.folder.iterdir())
        except FileNotFoundError:
            log.warning("there is no folder %s: nothing was kept there yet", self.folder)
            return
        except (OSError, ValueError) as error:
            raise _unusable(self.folder, error) from None
        for name in names:
            path = self.folder / name
            if name.endswith(UNFINISHED):
                yield ForeignFile(
                    path, "a step was killed, or is at work, before it was written whole; it was not sent"
                )
            elif not name.endswith(SUFFIX):
                yield ForeignFile(path, "it is no report: its name does not end in .json")
            elif (found := _read(path)) is not None:
                yield found

    def hold(self, entry: Entry) -> LockedEntry | None:
        """Take an entry for delivery; None where somebody else has it, or it is gone."""
        try:
            descriptor = os.open(entry.path, _READING)
        except OSError:
            return None
        if not _lock(descriptor) or os.fstat(descriptor).st_nlink == 0:
            os.close(descriptor)
            return None
        return LockedEntry(entry, descriptor)


def deliver_kept(outbox: Outbox, reports: Sequence[Report], deliver: Callable[[Sequence[Report]], Receipt]) -> Receipt:
    """Deliver reports that are in the outbox meanwhile.

    The receipt says of each that is still to be delivered where it is kept; the others are removed. One that cannot
    be written is a warning, since it may be delivered all the same.
    """
    held = [_kept(outbox, report) for report in reports]
    try:
        receipt = deliver(reports)
    except BaseException:
        for one in filter(None, held):
            log.warning("%s is kept in %s", one.entry.report.title, one.entry.path)
            one.release()
        raise
    outcomes = (
        outcome if one is None else settled(one, outcome) for one, outcome in zip(held, receipt.outcomes, strict=True)
    )
    return receipt.model_copy(update={"outcomes": tuple(outcomes)})


def settled(held: LockedEntry, outcome: Outcome) -> Outcome:
    """Remove what was answered for, and say of what is still to be delivered where it is kept."""
    if outcome.result is Result.NOT_DELIVERED:
        held.release()
        return outcome.model_copy(update={"kept": str(held.entry.path)})
    try:
        held.remove()
    except OSError as error:
        # It will be sent once more, which changes nothing.
        log.warning("%s was answered for and cannot be removed: %s", held.entry.path, error.strerror)
    return outcome


def _kept(outbox: Outbox, report: Report) -> LockedEntry | None:
    try:
        return outbox.keep(report)
    except OutboxError as error:
        problem = error.problems[0]
        log.warning("%s: %s; %s", problem.what, problem.why, problem.remedy)
        return None


def _read(path: Path) -> Entry | ForeignFile | None:
    """What one file holds; None where it is gone by now."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, _READING)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return ForeignFile(path, "it is no file")
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        return ForeignFile(path, "it is a link" if path.is_symlink() else f"it cannot be read: {error.strerror}")
    if len(data) > LARGEST_FILE:
        return ForeignFile(path, "it is larger than any report")
    try:
        content = json.loads(data)
        if content["format"] > FORMAT:
            return ForeignFile(path, "a newer version of jira-ci wrote it")
        if content["format"] == FORMAT and 0 <= content["kept_at"] < LATEST:
            return Entry(path, Report.model_validate(content["report"]), float(content["kept_at"]))
    except (ValueError, KeyError, TypeError, RecursionError):  # a ValidationError is a ValueError
        pass
    return ForeignFile(path, "it is no report, or a damaged one")


def _without_secrets(report: Report, redact: Callable[[str], str]) -> Report:
    """The report with the secrets in its texts masked. Raises OutboxError where one says what it is a report of."""
    with contextlib.suppress(ValidationError):
        masked = Report.model_validate(report.redacted(redact).model_dump())
        if (masked.site, masked.identity, masked.entity.issue_keys) == (
            report.site,
            report.identity,
            report.entity.issue_keys,
        ):
            return masked
    raise _unkept(
        report,
        "the site, the pipeline, the environment or a key has a credential in its name, and none is ever stored",
        "name it without, or change the credential",
    )


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


def _unkept(report: Report, why: str, remedy: str) -> OutboxError:
    return OutboxError(Problem(f"{report.title} is not kept in the outbox", why, remedy))


def _unusable(folder: Path, error: OSError | ValueError) -> OutboxError:
    return OutboxError(
        Problem(
            f"the outbox {folder} cannot be used",
            getattr(error, "strerror", None) or str(error),
            "make OUTBOX a folder that this step may write to, with room in it",
        )
    )
