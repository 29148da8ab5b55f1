"""Finds issue keys in changelog fragments: files such as `changes.d/MYT-12.md`, one for each change."""

from __future__ import annotations

from pathlib import Path, PurePath

from pydantic import field_validator

from jira_ci_core import (
    FoundKey,
    InvalidValueError,
    PluginSettings,
    Settings as CoreSettings,
    find_keys,
    hookimpl,
    setting,
)


class ChangelogKeys:
    """Searches the name and the text of each fragment."""

    CONTRACT = 1

    class Settings(PluginSettings):
        changelog_folder: str = setting(
            "changes.d", help="the folder of changelog fragments, inside the repository", project_file=True
        )

        @field_validator("changelog_folder")
        @classmethod
        def _inside(cls, folder: str) -> str:
            # The project's file may set this, so its value may come from the author of a pull request.
            if PurePath(folder).is_absolute() or ".." in PurePath(folder).parts:
                raise InvalidValueError("it is outside the repository", "write a path such as docs/changes")
            return folder

    def __init__(self, settings: Settings) -> None:
        self._folder = Path(settings.changelog_folder)

    @hookimpl
    def jira_ci_extract_issue_keys(self, settings: CoreSettings) -> list[FoundKey]:
        """Return the keys in all fragments, for each fragment those in its name first."""
        found = []
        for fragment in sorted(path for path in self._folder.glob("*") if path.is_file() and not path.is_symlink()):
            text = f"{fragment.name}\n{fragment.read_text(encoding='utf-8', errors='replace')}"
            for key in dict.fromkeys(find_keys(text, settings.projects_to_find)):
                found.append(FoundKey(key=key, source=f"changelog fragment {fragment.name!r}"))
        return found
