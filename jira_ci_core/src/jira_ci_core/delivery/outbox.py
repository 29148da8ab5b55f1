"""Reports that are not delivered yet, each a file in a folder that steps may share.

A report is on the disk before it is sent, and removed once Jira has accepted or refused it. A process that dies in
between leaves the file. Sending it again is harmless, since a report holds its own identity and order.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from jira_ci_core.errors import JiraCiError
from jira_ci_core.git.checkout import part_of_change, repositories_around
from jira_ci_core.git.command import GitError
from jira_ci_core.models import Deployment, Outcome, Receipt, Report, Result
from jira_ci_core.output.ci_files import open_unlinked, require_folder
from jira_ci_core.problem import Problem

if sys.platform != "win32":
    import fcntl

log = logging.getLogger(__name__)

FORMAT = 1
"""The version of a file's content. A file with a higher version is left alone."""
LATEST = 253402300800
"""The end of the year 9999, in seconds since the epoch; a later `kept_at` is not valid."""
SUFFIX = ".json"
UNFINISHED = ".tmp"
MAX_CLOCK_SKEW = 2
"""Seconds by which this machine's clock may be behind the last report of the outbox without a warning."""
MOST_COMPARED = 20
"""How many kept reports, the latest ones, a new one is compared with."""
LARGEST_FILE = 2**20
"""In bytes. A report with 500 keys and all texts at their limits is far smaller."""
# Others may write to the folder, and may put a link to another place there, or a pipe that never answers.
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class OutboxError(JiraCiError):
    """The outbox cannot be used: its disk is full or read-only, or it is not a folder."""


class Entry(NamedTuple):
    path: Path
    report: Report
    kept_at: float
    """When it was written, in seconds since the epoch."""


class ForeignFile(NamedTuple):
    """A file in the outbox that is neither delivered nor touched."""

    path: Path
    reason: str
    may_be_report: bool = True
    """Whether it may be a report that is still to be delivered."""


class LockedEntry:
    """An entry that this process has locked, so that no other one delivers it at the same time."""

    def __init__(self, entry: Entry, descriptor: int) -> None:
        self.entry = entry
        self.is_stuck = False
        """Whether Jira has accepted or refused the report, and the file could not be deleted."""
        self._descriptor = descriptor

    def remove(self) -> None:
        """Delete the file, since Jira has accepted or refused the report, and release the lock. Raises OSError."""
        try:
            self.entry.path.unlink(missing_ok=True)
        except OSError:
            self.is_stuck = True
            raise
        finally:
            self.release()

    def release(self) -> None:
        """Release the lock and keep the file for another process."""
        os.close(self._descriptor)


class Outbox:
    def __init__(
        self, folder: Path, redact: Callable[[str], str] = str, environ: Mapping[str, str] | None = None
    ) -> None:
        """`redact` removes secrets from the texts that are written, such as the title of a pull request.

        `environ` is for git, which says what in the folder is part of a checkout.
        """
        self.folder = folder
        self._redact = redact
        self._environ = environ or {}

    def keep(self, report: Report) -> LockedEntry:
        """Write a report to the disk, and lock it. Raises OutboxError."""
        kept_at = time.time()
        stored = _without_secrets(report, self._redact).model_dump(mode="json")
        data = json.dumps({"format": FORMAT, "kept_at": kept_at, "report": stored}, ensure_ascii=False).encode()
        if len(data) > LARGEST_FILE:
            raise _not_kept(report, f"it is larger than {LARGEST_FILE // 2**20} MiB", "shorten the texts in it")
        name = f"{report.entity.sequence:014d}-{report.entity.kind}-{uuid.uuid4().hex}"
        unfinished, path = self.folder / f".{name}{UNFINISHED}", self.folder / f"{name}{SUFFIX}"
        try:
            if self.folder.exists():
                self._check_clock(report)
            else:
                require_folder(self.folder, create=True)
                _sync(self.folder.parent)
            descriptor = open_unlinked(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                _lock(descriptor)
                while data:
                    data = data[os.write(descriptor, data) :]
                os.fsync(descriptor)
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

    def _check_clock(self, report: Report) -> None:
        """Warn if the clock went back since the last report: Jira accepts an update that seems older, and drops it."""
        consequence, last = "may ignore", "the last report in the outbox"
        # The folder was last changed when a report was written or removed.
        behind = self.folder.stat().st_mtime - time.time()
        paths = sorted(path for path in self.folder.iterdir() if path.name.endswith(SUFFIX))
        for kept in map(_read, paths[-MOST_COMPARED:]):
            if not isinstance(kept, Entry) or not _of_same_pipeline(kept.report, report):
                continue
            later = kept.report.entity.sequence - report.entity.sequence
            behind = max(behind, later / 1000)
            if kept.report.identity == report.identity and later >= 0:
                consequence, last = "will ignore", "the last report of the same run"
        if behind >= MAX_CLOCK_SKEW or consequence == "will ignore":
            what = f"the clock of this machine went back: Jira {consequence} {report.title} ({report.entity.state})"
            why = f"it drops an update that seems older than the one it has, and {last} is {behind:.1f} seconds later"
            remedy = "set the clock right, and report again; `jira-ci show` shows what Jira has"
            log.warning("%s: %s; %s", what, why, remedy)

    def read(self) -> Iterator[Entry | ForeignFile]:
        """The entries by age, the oldest update first, and other files. Raises OutboxError if it cannot be read.

        A folder that does not exist is empty; a warning says so, since its name may be wrong. What git tracks there
        came with the change under test, and is no report that a step has kept.
        """
        try:
            require_folder(self.folder)
            names = sorted(path.name for path in self.folder.iterdir())
        except FileNotFoundError:
            log.warning("there is no folder %s: nothing was kept there yet", self.folder)
            return
        except (OSError, ValueError) as error:
            raise _unusable(self.folder, error) from None
        of_change = self._of_change(names)
        for name in names:
            path = self.folder / name
            found: Entry | ForeignFile | None
            if name in of_change:
                found = ForeignFile(path, of_change[name])
            elif name.endswith(SUFFIX):
                found = _read(path)
            elif name.endswith(UNFINISHED):
                found = _unfinished(path)
            else:
                found = ForeignFile(path, "it is not a report: its name does not end in .json", may_be_report=False)
            if found is not None:
                yield found

    def _of_change(self, names: Sequence[str]) -> dict[str, str]:
        """Of files in the folder, those that are or may be part of a change, with the reason."""
        reports = [name for name in names if name.endswith(SUFFIX)]
        try:
            tracked = part_of_change(self.folder, reports, self._environ) if reports else ()
        except GitError as error:
            why = f"it lies in a checkout, and may be part of the change: {error.problem}; {error.problem.remedy}"
            return dict.fromkeys(reports, why)
        return dict.fromkeys(tracked, "git tracks it, so it came with the change, and no step has kept it")

    def lock(self, entry: Entry) -> LockedEntry | None:
        """Lock an entry in order to deliver it; None if another process has locked or removed it."""
        try:
            descriptor = open_unlinked(entry.path, _READ_FLAGS)
        except OSError:
            return None
        if not _lock(descriptor) or os.fstat(descriptor).st_nlink == 0:
            os.close(descriptor)
            return None
        return LockedEntry(entry, descriptor)


def deliver_kept(outbox: Outbox, reports: Sequence[Report], deliver: Callable[[Sequence[Report]], Receipt]) -> Receipt:
    """Deliver reports that are kept in the outbox meanwhile.

    Those that were accepted or refused are removed; the outcome of any other says where it is kept. A report that
    cannot be written is delivered all the same, with a warning. Raises what `deliver` raises.
    """
    kept: dict[int, LockedEntry] = {}
    for place, report in enumerate(reports):
        try:
            kept[place] = outbox.keep(report)
        except OutboxError as error:
            problem = error.problems[0]
            log.warning("%s; %s", problem, problem.remedy)
    try:
        receipt = deliver(reports)
    except BaseException:
        for locked in kept.values():
            log.warning("%s is kept in %s", locked.entry.report.title, locked.entry.path)
            locked.release()
        raise
    outcomes = [
        settle(kept[place], outcome) if place in kept else outcome for place, outcome in enumerate(receipt.outcomes)
    ]
    return receipt.model_copy(update={"outcomes": tuple(outcomes)})


def settle(locked: LockedEntry, outcome: Outcome) -> Outcome:
    """Remove an entry, or release it if it is not delivered; the outcome then says where it is kept."""
    if outcome.result is Result.NOT_DELIVERED:
        locked.release()
        return outcome.model_copy(update={"kept": str(locked.entry.path)})
    try:
        locked.remove()
    except OSError as error:
        # It will be sent once more, which changes nothing.
        log.warning(
            "Jira has answered for the report in %s, but the file cannot be removed: %s",
            locked.entry.path,
            error.strerror,
        )
    return outcome


def warn_of_checkout(folder: Path, environ: Mapping[str, str]) -> None:
    """Warn of an outbox that is part of a checkout, where the change under test may place reports of its own."""
    with contextlib.suppress(OSError, ValueError):  # what is wrong with its name is said where it is used
        for top in [*repositories_around(folder, environ)][:1]:
            why = "the change under test, and each program that is run on it, can put reports there"
            remedy = "make OUTBOX a folder outside of it that is still there after this step, such as a cache volume"
            log.warning("the outbox %s lies in the checkout %s: %s; %s", folder, top, why, remedy)


def _unfinished(path: Path) -> ForeignFile | None:
    """What to say of a file that a step has begun to write; None if it no longer exists."""
    try:
        descriptor = open_unlinked(path, _READ_FLAGS)
    except FileNotFoundError:
        return None
    except OSError:
        return ForeignFile(path, "it is not a file")
    try:
        # A step locks the file before it writes the first byte.
        if os.fstat(descriptor).st_size == 0 or not _lock(descriptor):
            return ForeignFile(
                path, "a step is at work, or was killed as it began; it was not sent", may_be_report=False
            )
        return ForeignFile(path, "a step was killed before it was written whole; it was not sent")
    finally:
        os.close(descriptor)


def _read(path: Path) -> Entry | ForeignFile | None:
    """The content of a file; None if the file no longer exists."""
    try:
        with open(path, "rb", opener=lambda name, flags: open_unlinked(name, _READ_FLAGS)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return ForeignFile(path, "it is not a file")
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        return ForeignFile(path, "it is a link" if path.is_symlink() else f"it cannot be read: {error.strerror}")
    if len(data) > LARGEST_FILE:
        return ForeignFile(path, "it is larger than any report")
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):  # a ValidationError is a ValueError
        content = json.loads(data)
        if content["format"] > FORMAT:
            return ForeignFile(path, "a newer version of jira-ci wrote it")
        if content["format"] == FORMAT and 0 <= content["kept_at"] < LATEST:
            return Entry(path, Report.model_validate(content["report"]), float(content["kept_at"]))
    return ForeignFile(path, "it is not a report, or a damaged one")


def _without_secrets(report: Report, redact: Callable[[str], str]) -> Report:
    """The report with all secrets masked. Raises OutboxError if one is in the site, an id or an issue key."""
    with contextlib.suppress(ValidationError):
        masked = Report.model_validate(report.redacted(redact).model_dump())
        same = masked.identity == report.identity and _associations(masked) == _associations(report)
        if same and masked.site == report.site:
            return masked
    named = "the site, the pipeline, the environment, a key or a service"
    why = f"{named} has a credential in its name, and none is ever stored"
    raise _not_kept(report, why, "name it without, or change the credential")


def _associations(report: Report) -> tuple[object, ...]:
    entity = report.entity
    if not isinstance(entity, Deployment):
        return entity.issue_keys
    return entity.issue_keys, entity.service_ids, entity.commits, entity.repository_ids


def _of_same_pipeline(one: Report, other: Report) -> bool:
    return one.site.is_same(other.site) and one.entity.pipeline.id == other.entity.pipeline.id


def _sync(folder: Path) -> None:
    """Write a folder to the disk, so that the name of a new file is not lost."""
    if sys.platform != "win32":  # a folder cannot be opened there
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock an open file; False if another process has. True without locks: a report may then be sent twice."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return not isinstance(error, BlockingIOError)
    return True


def _not_kept(report: Report, why: str, remedy: str) -> OutboxError:
    return OutboxError(Problem(f"{report.title} is not kept in the outbox", why, remedy))


def _unusable(folder: Path, error: OSError | ValueError) -> OutboxError:
    why = getattr(error, "strerror", None) or str(error)
    remedy = "make OUTBOX a folder that this step may write to, with room in it"
    return OutboxError(Problem(f"the outbox {folder} cannot be used", why, remedy))
