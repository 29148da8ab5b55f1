"""Keeps in the repository which commit was last deployed to which environment: as a ref, or as git notes."""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

from jira_ci_keys_git.git import Done
from jira_ci_keys_git.repository import Repository

LONGEST_NAME = 150

_SEQUENCE = re.compile(r"^sequence: ([0-9]{1,20})$", re.MULTILINE)


class Memory(Protocol):
    """Where deployed commits are kept, by the id of their environment."""

    def recall(self, environment: str, head: str) -> str | None:
        """The commit that was deployed last, other than `head`; None where there is none."""

    def remember(self, environment: str, head: str, run: str, sequence: int) -> Done:
        """Keep that `head` is deployed now, by a run, at a time in milliseconds."""

    def forget(self, environment: str, head: str) -> Done | None:
        """Keep that `head` was rolled back; None where that changes nothing."""

    def place(self, environment: str) -> str:
        """The ref that holds it."""


class Refs:
    """One ref an environment, and another for the commit before: a rerun must not find itself."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def place(self, environment: str) -> str:
        """`refs/jira-ci/deployed/<environment>`."""
        return f"refs/jira-ci/deployed/{ref_name(environment)}"

    def recall(self, environment: str, head: str) -> str | None:
        """What the ref holds; what the other one holds, where the ref holds `head`."""
        last = self._repository.commit(self.place(environment))
        return last if last != head else self._repository.commit(self._before(environment))

    def remember(self, environment: str, head: str, run: str, sequence: int) -> Done:
        """Move both refs, or none."""
        last = self._repository.commit(self.place(environment))
        changes = [f"update {self.place(environment)} {head}"]
        if last and last != head:
            changes.append(f"update {self._before(environment)} {last}")
        return self._update(changes, f"jira-ci: deployed by {run}")

    def forget(self, environment: str, head: str) -> Done | None:
        """Move the ref back, or remove it where nothing was deployed before."""
        if self._repository.commit(self.place(environment)) != head:
            return None
        before = self._repository.commit(self._before(environment))
        changes = [f"delete {self.place(environment)}"]
        if before:
            changes = [f"update {self.place(environment)} {before}", f"delete {self._before(environment)}"]
        return self._update(changes, "jira-ci: rolled back")

    def _update(self, changes: list[str], reason: str) -> Done:
        lines = "".join(f"{change}\n" for change in changes)
        return self._repository.git.run(
            "update-ref", "--create-reflog", "-m", _one_line(reason), "--stdin", input=lines
        )

    def _before(self, environment: str) -> str:
        return f"refs/jira-ci/deployed-before/{ref_name(environment)}"


class Notes:
    """A note on each commit that was deployed, in a notes ref of the environment's own."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def place(self, environment: str) -> str:
        """`refs/notes/jira-ci/deployed/<environment>`."""
        return f"refs/notes/jira-ci/deployed/{ref_name(environment)}"

    def recall(self, environment: str, head: str) -> str | None:
        """The commit in the history of `head`, and not `head` itself, whose note is the latest."""
        notes = [line.split() for line in self._notes(environment, "list").out.splitlines()]
        contents = self._contents([note for note, _ in notes])
        latest_first = sorted(((_sequence(contents.get(note, "")), commit) for note, commit in notes), reverse=True)
        commits = (commit for _, commit in latest_first if commit != head)
        return next((commit for commit in commits if self._repository.holds(head, commit)), None)

    def remember(self, environment: str, head: str, run: str, sequence: int) -> Done:
        """Write the commit's note, over the one that it may have."""
        text = f"deployed to {_one_line(environment)}\nrun: {_one_line(run)}\nsequence: {sequence}"
        return self._notes(environment, "add", "-f", "-m", text, head)

    def forget(self, environment: str, head: str) -> Done | None:
        """Remove the commit's note."""
        if self._notes(environment, "list", head).code:
            return None
        return self._notes(environment, "remove", head)

    def _notes(self, environment: str, *arguments: str) -> Done:
        return self._repository.git.run("notes", f"--ref={self.place(environment)}", *arguments)

    def _contents(self, notes: list[str]) -> dict[str, str]:
        """The texts of notes, by their hashes."""
        names = "".join(f"{note}\n" for note in dict.fromkeys(notes))
        found: dict[str, str] = {}
        out = self._repository.git.run("cat-file", "--batch", input=names).out.encode(errors="surrogateescape")
        while out:
            head, _, rest = out.partition(b"\n")
            note, _, size = head.decode().split()
            found[note] = rest[: int(size)].decode(errors="replace")
            out = rest[int(size) + 1 :]
        return found


KINDS: dict[str, type[Refs] | type[Notes]] = {"ref": Refs, "note": Notes}


def ref_name(environment: str) -> str:
    """An environment's id as the last part of a ref's name: what may not stand there is percent-encoded."""
    data = environment.encode(errors="surrogatepass")
    name = re.sub(rb"[^A-Za-z0-9_-]", lambda match: b"%%%02X" % match[0][0], data).decode()
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}-{hashlib.sha256(data).hexdigest()[:16]}"


def _sequence(note: str) -> int:
    match = _SEQUENCE.search(note)
    return int(match[1]) if match else 0


def _one_line(text: str) -> str:
    return " ".join(text.replace("\0", " ").split())
