"""Writes text for the CI to read: to a file that it names, or to standard output.

A change can bring links along in place of the files and folders that its pipeline writes. Below the checkout none is
followed, by this module and by others that open files there.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from jira_ci_core.import_path import checkouts
from jira_ci_core.output.console import write_line

log = logging.getLogger(__name__)

STANDARD_OUTPUT = "/dev/stdout"
"""The path that stands for standard output."""
MOST_LINKS = 40
"""As many as Linux follows in one path: https://man7.org/linux/man-pages/man7/path_resolution.7.html"""
_FOLDER_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
# A pipe in place of a file would be waited for.
_FILE_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def write_output(text: str, path: str, name: str, *, append: bool = False) -> None:
    """Write whole lines to a file, or to standard output if `path` is /dev/stdout. Secrets in them are not masked here.

    `append` keeps what the file holds. Below the checkout no link is followed. A failure is a warning that uses `name`
    (mostly a setting's), and never changes how the step ends. With `--format json` standard output is for JSON alone:
    standard error takes its place.
    """
    why = write_line(sys.stdout, text.removesuffix("\n")) if path == STANDARD_OUTPUT else _write(text, path, append)
    if why:
        remedy = "check that the folder exists and is no link, that this step may write there, and that there is room"
        log.warning("%s could not be written: %s: %s; %s", name, path, why, remedy)


def _write(text: str, path: str, append: bool) -> str:
    try:
        with open(path, "a+b" if append else "wb", opener=open_unlinked) as file:
            if append and file.seekable() and file.tell():
                file.seek(-1, os.SEEK_END)
                # Another step may have left its last line open.
                text = text if file.read(1) == b"\n" else f"\n{text}"
            file.write(text.encode(errors="replace"))
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def open_unlinked(path: str | Path, flags: int) -> int:
    """Open a file as `os.open` does; an `opener` of `open`. Outside of the checkout this is all.

    Below it neither the file nor a folder on the way may be a link, and it must be a regular file; anything else raises
    OSError. Each folder is opened from the one above it, so that a link which appears meanwhile is not followed either.
    """
    folder, names = _in_checkout(Path(path))
    if not names:
        return os.open(path, flags, 0o666)
    with _folder(folder, names[:-1]) as (place, descriptor):
        _refuse_link(place / names[-1], descriptor)
        opened = os.open(place / names[-1], flags | _FILE_FLAGS, 0o666, dir_fd=descriptor)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError(errno.EINVAL, "it is not a file")
    return opened


def require_folder(path: Path, *, create: bool = False) -> None:
    """Raise OSError unless a folder exists, or can be created, and none on its way below the checkout is a link."""
    folder, names = _in_checkout(path)
    if names:
        with _folder(folder, names, create):
            return
    if create:
        path.mkdir(parents=True, exist_ok=True)


def _in_checkout(path: Path) -> tuple[Path, list[str]]:
    """Follow a path to where it enters a checkout; return that folder, and the names that are left.

    No names are left for a path that leads elsewhere. Links outside of the checkouts are no part of the change, and
    lead where they lead.
    """
    path, here = _with_one_root(path), Path.cwd()
    roots = [Path(root) for root in checkouts()]
    if path.is_absolute():  # a step that runs in / has no checkout there
        roots = [root for root in roots if root != root.parent]
    place, names = (Path(path.anchor), [*path.parts[1:]]) if path.is_absolute() else (here, [*path.parts])
    links = 0
    while names:
        if names[0] != ".." and any(place.is_relative_to(root) for root in roots):
            break
        name = names.pop(0)
        place = place.parent if name == ".." else place / name
        if place.is_symlink() and links < MOST_LINKS:
            links += 1
            target = _with_one_root(place.readlink())
            names = [*target.parts[1 if target.is_absolute() else 0 :], *names]
            place = Path(target.anchor) if target.is_absolute() else place.parent
    return place, names


def _with_one_root(path: Path) -> Path:
    """The path as `/…` where it begins with two slashes, which pathlib takes for another root."""
    return Path(os.sep, *path.parts[1:]) if path.anchor == os.sep * 2 else path


@contextlib.contextmanager
def _folder(place: Path, names: Iterable[str], create: bool = False) -> Iterator[tuple[Path, int | None]]:
    """Open a folder of the checkout; what is in it has a path, and a descriptor which that is relative to."""
    descriptor = None
    if os.open in os.supports_dir_fd:  # not on Windows
        place, descriptor = Path(), os.open(place, _FOLDER_FLAGS)
    try:
        for name in names:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(place / name, dir_fd=descriptor)
            _refuse_link(place / name, descriptor)
            if descriptor is None:
                place /= name
            else:
                above, descriptor = descriptor, os.open(name, _FOLDER_FLAGS, dir_fd=descriptor)
                os.close(above)
        yield place, descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _refuse_link(path: Path, descriptor: int | None) -> None:
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISLNK(os.stat(path, dir_fd=descriptor, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, f"{path.name} is a link, and none in the checkout is followed")
