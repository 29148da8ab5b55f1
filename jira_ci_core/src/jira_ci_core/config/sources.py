"""Where settings come from: flags, `PLUGIN_…`, `JIRA_CI_…`, the file named by `--config`, the project's own file.

Nothing here knows what a setting means; `settings` declares core's, plugins declare theirs.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from jira_ci_core.config.environ import PREFIXES, holds_data_of_harness, is_set, is_unresolved, unresolved_part
from jira_ci_core.config.settings import split
from jira_ci_core.config.specs import SettingSpec, file_key, flag
from jira_ci_core.errors import NoCredentialInFileError, SettingsError
from jira_ci_core.output.ci_files import open_unlinked
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.problem import Problem

log = logging.getLogger(__name__)

PROJECT_FILE = "jira-ci.toml"
SHARED_FILE = "pyproject.toml"
LARGEST_SECRET_FILE = 65536
LARGEST_PROJECT_FILE = 65536
LARGEST_FILE = 2**20
"""In bytes; of the file that `--config` names, and of pyproject.toml."""
MOST_KEY_PARTS = 16
HOLDS_CREDENTIAL = "it holds a credential (not shown)", "write the credential to its own setting, and only there"
"""Why a setting is refused that is none for credentials, and what to do."""
LONGEST_SHOWN = 200
"""How much of a value that is not valid a message shows."""

# As much of TOML (https://toml.io/en/v1.0.0) as it takes to tell keys from texts and comments. A text without its end
# goes on to the end of the line, or of the file.
_TEXT = r""""(?:[^"\\\n]|\\[^\n]?)*+"?|'[^'\n]*+'?"""
_LONG_TEXT = r'''"""(?:[^"\\]|\\.?|"{1,2}(?!"))*+"{0,5}|\'\'\'(?:[^']|'{1,2}(?!'))*+'{0,5}'''
_KEY_PART = rf"(?:[A-Za-z0-9_-]++|{_TEXT})"
_LONG_KEY = rf"(?P<key>{_KEY_PART}(?:[ \t]*+\.[ \t]*+{_KEY_PART}){{{MOST_KEY_PARTS}}})"
_TOKEN = rf"(?s:{_LONG_TEXT})|#[^\n]*+|{_LONG_KEY}|{_KEY_PART}"

SITES = SettingSpec("sites", split=True)
CONFIG = SettingSpec("config")


@dataclass(frozen=True)
class Sources:
    """All places a value may come from, read once."""

    # Each may hold credentials, so none is shown.
    environ: Mapping[str, str] = field(repr=False)
    flags: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Secrets = field(default_factory=Secrets, repr=False)
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    config_name: str = ""
    project: Mapping[str, Any] = field(default_factory=dict, repr=False)
    project_name: str = ""
    sections: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The tables `[sites.…]` of the file named by `--config`."""
    section: Mapping[str, Any] | None = field(default=None, repr=False)
    """The table of the one site that is reported to; it comes first."""
    section_name: str = ""
    own: frozenset[str] = frozenset()
    """The settings that a site has of its own: they are taken from its table alone."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """What a command takes for settings that it does not need, by their names."""
    warnings: Callable[[], tuple[str, ...]] = tuple
    """Takes what this step has warned of since the last call."""
    unresolved: set[str] = field(default_factory=set)
    """Where a value stands that CI did not resolve; each is warned of once."""
    missing_files: list[Problem] = field(default_factory=list)
    """What is wrong with the files of secrets that are missing or empty."""

    def find(self, setting: SettingSpec) -> tuple[object, str] | None:
        """The value that wins and where it stands; None where it is not set.

        Raises SettingsError where a file that should hold a secret cannot be read, and where a secret stands in a
        setting of which parts may be shown: a part of a secret is not recognised.
        """
        for spelled, place in self._spellings(setting):
            value = _content(spelled, place)
            if not is_set(value):
                continue
            if setting.split and not setting.secret and self.secrets.are_in(str(value)):
                raise SettingsError(Problem(f"{setting.variable} cannot be used (from {place})", *HOLDS_CREDENTIAL))
            part = unresolved_part(_text(value))
            if not part:
                return value, place
            if is_unresolved(_text(value)):
                self._warn_of_unresolved(setting, place, _text(value).strip(), "so it counts as not set")
                continue
            kept = _resolved_parts(value) if setting.split else value
            use = "and is used as it stands" if kept == value else "and is left out"
            self._warn_of_unresolved(setting, place, part, use)
            return kept, place
        return None

    def _warn_of_unresolved(self, setting: SettingSpec, place: str, part: str, use: str) -> None:
        if place not in self.unresolved:
            self.unresolved.add(place)
            shown = "what" if setting.secret else f"{self.secrets.shorten(part, LONGEST_SHOWN)}, which"
            log.warning("%s: %s holds %s CI did not replace, %s", setting.variable, place, shown, use)

    def is_given(self, setting: SettingSpec) -> bool:
        """Whether any place holds a value, well-formed or not."""
        return not all(is_unresolved(_text(value)) for value in self._values(setting))

    def hide(self, settings: Iterable[SettingSpec]) -> None:
        """Have all values of the credentials among these settings removed from all output, well-formed or not."""
        sites = [replace(self, section=section) for section in self.sections.values() if isinstance(section, dict)]
        for setting in settings:
            if setting.secret:
                for place in (self, *sites):
                    for value in place._values(setting):
                        self.secrets.add(str(value))
                        for part in re.split(r"""[\s,|;=()\[\]{}'"]+""", str(value)) if setting.split else ():
                            self.secrets.add(part)

    @property
    def sites(self) -> tuple[str, ...]:
        """The names in SITES; empty once one of them is chosen. Raises SettingsError where they are no names."""
        found = self.find(SITES)
        names = split(found[0]) if found and self.section is None else []
        if not isinstance(names, list):
            what = f"SITES cannot be {self.secrets.shorten(repr(names), LONGEST_SHOWN)}"
            raise SettingsError(Problem(what, "it is a list of names", "write names, several with commas"))
        return tuple(dict.fromkeys(str(name) for name in names if name))

    def for_site(self, name: str, own: Iterable[str]) -> Sources:
        """The sources of one of the sites; `own` are the settings that it shares with no other.

        Raises SettingsError where the site has no table.
        """
        section = self.sections.get(name)
        if isinstance(section, dict):
            where = f"[sites.{name}] of {self.config_name}"
            return replace(self, section=section, section_name=where, own=frozenset((*own, SITES.name)))
        sections = [other for other, section in self.sections.items() if isinstance(section, dict)]
        there = f"only {', '.join(sections)}" if sections else "nor any other"
        where = f"{self.config_name} has no section of that name, {there}" if self.config_name else "CONFIG is not set"
        remedy = f"write a section [sites.{name}] with instance, project and credentials to the file that CONFIG names"
        raise SettingsError(Problem(f"SITES names {name}, and no section holds its settings", where, remedy))

    def _values(self, setting: SettingSpec) -> Iterator[object]:
        """Every value that is set, the winning one first; a file that cannot be read holds none."""
        for spelled, place in self._spellings(setting):
            try:
                value = _content(spelled, place)
            except SettingsError:
                continue
            if is_set(value):
                yield value

    def _spellings(self, setting: SettingSpec) -> Iterator[tuple[object, str]]:
        """All places in their order, with what stands there: a value, or the file that holds it."""
        if self.section is not None:
            for name in setting.names:
                yield from _with_file(setting, self.section, file_key(name), "-file", f" in {self.section_name}")
            if setting.name in self.own:
                return
        for name in () if setting.secret else setting.names:
            yield self.flags.get(name), flag(name)
        for prefix in PREFIXES:
            for name in setting.names:
                yield from self._in_environ(setting, prefix + name.upper())
        for name in setting.names:
            yield from _with_file(setting, self.config, file_key(name), "-file", f" in {self.config_name}")
        for name in setting.names if setting.project_file else ():
            yield self.project.get(file_key(name)), f"{file_key(name)} in {self.project_name}"
        for variable in setting.reads:
            yield self.environ.get(variable), variable
        yield self.defaults.get(setting.name), "the command's default"

    def _in_environ(self, setting: SettingSpec, variable: str) -> Iterator[tuple[object, str]]:
        if not holds_data_of_harness(self.environ, variable):
            yield from _with_file(setting, self.environ, variable, "_FILE", "")
        elif variable not in self.unresolved:
            self.unresolved.add(variable)
            log.warning("%s holds data of Harness and no name, so it counts as not set", variable)


def read_sources(
    environ: Mapping[str, str],
    flags: Mapping[str, str],
    secrets: Secrets,
    credentials: Iterable[SettingSpec],
    warnings: Callable[[], tuple[str, ...]] = tuple,
) -> Sources:
    """Read the files that hold settings, and hide `credentials`, those that are known before any plugin is loaded.

    Raises SettingsError where a file is missing, cannot be read or is not TOML.
    """
    sources = Sources(readable(environ), readable(flags), secrets, warnings=warnings)
    try:
        named = sources.find(CONFIG)
        config, config_name = (_read_config(Path(str(named[0])), named[1]), str(named[0])) if named else ({}, "")
        sections = config.pop(SITES.name) if isinstance(config.get(SITES.name), dict) else {}
        project, project_name = _read_project_file(config_name)
        sources = replace(sources, config=config, config_name=config_name, sections=sections)
        sources = replace(sources, project=project, project_name=project_name)
    finally:
        sources.hide(credentials)
        for value in (*sources.environ.values(), *sources.flags.values(), *map(str, sources.config.values())):
            if "://" in value and "@" in value:
                secrets.add_password(value)
    return sources


def readable(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment, with what is not valid UTF-8 replaced: neither JSON nor a terminal can carry it."""
    return {name: value.encode(errors="surrogateescape").decode(errors="replace") for name, value in environ.items()}


def secret_variables(settings: Iterable[SettingSpec]) -> frozenset[str]:
    """The names of the variables that spell a secret setting, or name the file that holds one."""
    names: set[str] = set()
    for setting in settings:
        if setting.secret:
            names.update(setting.reads)
            for name in setting.names:
                for prefix in ("", *PREFIXES):
                    names.update((prefix + name.upper(), f"{prefix}{name.upper()}_FILE"))
    return frozenset(names)


def without_secrets(environ: Mapping[str, str], settings: Iterable[SettingSpec]) -> dict[str, str]:
    """A copy of the environment without any spelling of a secret setting."""
    hidden = secret_variables(settings)
    return {name: value for name, value in environ.items() if name not in hidden}


class _File(NamedTuple):
    path: object


def _with_file(
    setting: SettingSpec, values: Mapping[str, Any], name: str, suffix: str, where: str
) -> Iterator[tuple[object, str]]:
    """A value, and for a secret the content of the file that may be named in its place."""
    yield values.get(name), name + where
    if setting.secret:
        place = name + suffix + where
        yield _File(values.get(name + suffix)), place


def _text(value: object) -> str:
    """A value of any type in one text, to look for what CI did not replace."""
    values = value.values() if isinstance(value, dict) else value
    return " ".join(map(str, values)) if isinstance(values, Iterable) and not isinstance(values, str) else str(values)


def _resolved_parts(value: object) -> object:
    """A list, or a text with commas, without those parts that CI should have replaced."""
    if isinstance(value, str):
        return ",".join(part for part in value.split(",") if not is_unresolved(part))
    return [part for part in value if not is_unresolved(str(part))] if isinstance(value, list) else value


def _content(spelled: object, place: str) -> object:
    return _read_secret(spelled.path, place) if isinstance(spelled, _File) else spelled


def _read_secret(path: object, place: str) -> str | None:
    """The credential in a file. A path that CI did not resolve stands for itself, as it names no file."""
    if not is_set(path):
        return None
    if is_unresolved(str(path)):
        return str(path)
    remedy = f"check the path in {place}, and that this step may read the file"
    try:
        with Path(str(path)).open("rb") as file:
            content = file.read(LARGEST_SECRET_FILE + 1)
        text = content.decode().strip()
    except (OSError, ValueError) as error:
        # Without the path, in whose place the credential itself may stand.
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not text"
        kind = NoCredentialInFileError if isinstance(error, FileNotFoundError) else SettingsError
        raise kind(Problem(f"the file named by {place} cannot be read", why, remedy)) from None
    if not text or len(content) > LARGEST_SECRET_FILE:
        kind = SettingsError if text else NoCredentialInFileError
        why = f"it is {'too large for a credential' if text else 'empty'}"
        raise kind(Problem(f"the file named by {place} holds no credential", why, remedy))
    return text


def _read_config(path: Path, place: str) -> dict[str, Any]:
    """Read the file that `--config` names. It may be a link or a pipe: the change under test does not choose it."""
    remedy = f"check {place}, and that this step may read the file"
    try:
        with path.open("rb") as file:
            return _parse_toml(file.read(LARGEST_FILE + 1), LARGEST_FILE, path, place)
    except OSError as error:
        raise SettingsError(Problem(f"{path} cannot be read", error.strerror or str(error), remedy)) from None


def _read_project_file(config_name: str) -> tuple[dict[str, Any], str]:
    """Read the settings that the change under test may set, and say where they stand.

    A file that `--config` names is trusted as a whole, so there are none in it.
    """
    with contextlib.suppress(OSError):
        if config_name and Path(PROJECT_FILE).samefile(config_name):
            return {}, ""
    try:
        content = _read_unlinked(PROJECT_FILE, LARGEST_PROJECT_FILE)
    except FileNotFoundError:
        return _read_shared_file()
    except OSError as error:
        remedy = "make it a file with settings, or remove it"
        raise SettingsError(Problem(f"{PROJECT_FILE} cannot be read", error.strerror or str(error), remedy)) from None
    return _parse_toml(content, LARGEST_PROJECT_FILE, PROJECT_FILE, PROJECT_FILE), PROJECT_FILE


def _read_shared_file() -> tuple[dict[str, Any], str]:
    """Read a section of pyproject.toml. Other programs share that file, so what is wrong with it may be no error."""
    try:
        content = _read_unlinked(SHARED_FILE, LARGEST_FILE)
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        log.warning("%s is left out: %s", SHARED_FILE, error.strerror or error)
        return {}, ""
    if len(content) <= LARGEST_FILE and b"jira-ci" not in content:
        return {}, ""
    try:
        tool = _parse_toml(content, LARGEST_FILE, SHARED_FILE, SHARED_FILE).get("tool")
    except SettingsError as error:
        log.warning("%s is left out: %s", SHARED_FILE, error.problems[0].why)
        return {}, ""
    section = tool.get("jira-ci") if isinstance(tool, dict) else None
    name = f"[tool.jira-ci] of {SHARED_FILE}"
    if section is not None and not isinstance(section, dict):
        problem = Problem(f"{name} is not a table", "settings are lines in a table", 'write: project = "MYT"')
        raise SettingsError(problem)
    return section or {}, name


def _read_unlinked(path: str, limit: int) -> bytes:
    """Read a file, and one byte more than the limit if it has that many. Raises OSError for a link, a pipe and such."""
    with open(path, "rb", opener=open_unlinked) as file:
        return file.read(limit + 1)


def _parse_toml(content: bytes, limit: int, path: str | Path, place: str) -> dict[str, Any]:
    import tomllib

    remedy = f'check {place}; the file is TOML, with lines such as: project = "MYT"'
    if len(content) > limit:
        raise SettingsError(Problem(f"{path} is too large", f"it has more than {limit // 1024} KiB", remedy))
    try:
        text = content.decode()
        # tomllib takes time that grows with the square of the parts of a key, or faster.
        for token in re.finditer(_TOKEN, text):
            if token["key"]:
                line = text.count("\n", 0, token.start()) + 1
                why = f"the key in line {line} has more than {MOST_KEY_PARTS} parts"
                raise SettingsError(Problem(f"{path} is not a file of settings", why, remedy))
        values = tomllib.loads(text)
        # Numbers of thousands of digits are refused here, since later messages could not show them:
        # https://docs.python.org/3/library/stdtypes.html#int-max-str-digits
        str(values)
    except (ValueError, RecursionError) as error:
        raise SettingsError(Problem(f"{path} is not valid TOML", str(error), remedy)) from None
    return values
