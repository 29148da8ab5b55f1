"""Writes a new plugin: a package that can be installed, and passes its tests, type checks and lint."""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template

from jira_ci_core.errors import SettingsError
from jira_ci_core.hookspecs import ENTRY_POINT_GROUP
from jira_ci_core.plugins.catalog import BUILT_IN
from jira_ci_core.plugins.validation import HOOK_PREFIX, HOOKS
from jira_ci_core.problem import Problem

LONGEST_NAME = 40
_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")

# The files of the package, each with its template; `$hook` and `$module` are replaced in both.
FILES = {
    "pyproject.toml": "pyproject",
    "README.md": "readme",
    ".gitignore": "gitignore",
    "src/$module/__init__.py": "$hook.plugin",
    "src/$module/py.typed": "",
    "tests/test_$module.py": "$hook.tests",
}


def new_plugin(name: str, hook: str, folder: Path) -> list[Path]:
    """Write the package `name` into a folder of that name in `folder`, and return its files.

    `hook` may be written with or without `jira_ci_`. Raises SettingsError if the name or the hook is invalid, or the
    folder exists already or cannot be written.
    """
    hook = _short_hook_name(hook)
    names = {"hook": hook, "name": name, "module": _module_name(name)}
    names["class_name"] = "".join(part.capitalize() for part in name.split("-"))
    names["variable"] = names["module"].upper()
    # A reader is imported on its own CI alone.
    names["group"] = f'"{ENTRY_POINT_GROUP}.{names["variable"]}.true"' if hook == "read_pipeline" else ENTRY_POINT_GROUP
    package = folder / name
    try:
        package.mkdir()
        return [_write(package, _fill(path, names), _fill(template, names), names) for path, template in FILES.items()]
    except FileExistsError:
        raise SettingsError(
            Problem(
                f"{name} is not written",
                "there is a file or folder of that name here",
                "choose another name, or move it",
            )
        ) from None
    except OSError as error:
        raise SettingsError(
            Problem(
                f"{name} cannot be written", f"{package}: {error.strerror}", "change to a folder that you may write to"
            )
        ) from None


def _short_hook_name(hook: str) -> str:
    short = hook.strip().removeprefix(HOOK_PREFIX)
    if HOOK_PREFIX + short not in HOOKS:
        known = ", ".join(name.removeprefix(HOOK_PREFIX) for name in HOOKS)
        raise SettingsError(
            Problem(f"there is no hook {hook!r}", "the contract has none of that name", f"choose one of: {known}")
        )
    return short


def _module_name(name: str) -> str:
    module = name.replace("-", "_")
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        why = f"a name is lower-case words joined by hyphens, {LONGEST_NAME} characters at most"
    elif name in BUILT_IN:
        why = "a plugin that ships with core has that name"
    elif keyword.iskeyword(module) or module in ("test", "tests") or find_spec(module) is not None:
        why = f"Python knows {module} as something else"
    else:
        return module
    raise SettingsError(Problem(f"a plugin cannot be called {name!r}", why, "choose a name such as acme-changelog"))


def _fill(text: str, names: dict[str, str]) -> str:
    return Template(text).substitute(names)


def _write(package: Path, path: str, template: str, names: dict[str, str]) -> Path:
    file = package / path
    file.parent.mkdir(parents=True, exist_ok=True)
    text = (files(__package__) / "templates" / f"{template}.txt").read_text(encoding="utf-8") if template else ""
    file.write_text(_fill(text, names), encoding="utf-8", newline="\n")
    return file
