"""Where settings come from: flags, `PLUGIN_…`, `JIRA_CI_…`, the file named by `--config`, the project's own file.

Nothing here knows what a setting means; `settings.py` declares them, plugins declare theirs.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from jira_ci_core.config.environ import PREFIXES, UNRESOLVED, is_set
from jira_ci_core.config.settings import PluginSettings, holds_secret, split
from jira_ci_core.errors import InvalidValueError, SettingsError
from jira_ci_core.problem import Problem

log = logging.getLogger(__name__)

PROJECT_FILE = "jira-ci.toml"
LARGEST_SECRET_FILE = 65536

# Whose package may be missing: core knows the names, for hints, for redaction and for the environment it hands
# to plugins; what they mean is the business of the packages.
SHIPPED_CREDENTIALS = {"oauth": ("client_id", "client_secret"), "connect": ("connect_key",)}

M = TypeVar("M", bound=PluginSettings)


class SettingSpec(NamedTuple):
    """One setting as it was declared."""

    name: str
    """The field's name: `environment_name`."""
    owner: str
    """Whose it is: "core" or the plugin's name."""
    help: str
    default: object
    required: bool
    secret: bool
    project_file: bool
    aliases: tuple[str, ...]
    reads: tuple[str, ...]

    @property
    def variable(self) -> str:
        """What people and messages call it: `ENVIRONMENT_NAME`."""
        return self.name.upper()

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return self.name, *self.aliases


def flag(name: str) -> str:
    """`--environment-name` for `environment_name`."""
    return f"--{key(name)}"


def key(name: str) -> str:
    """`environment-name` for `environment_name`, as files spell it."""
    return name.replace("_", "-")


def setting_specs(model: type[PluginSettings], owner: str) -> tuple[SettingSpec, ...]:
    """The settings that a model declares, its own before those of the models that it extends."""
    found = []
    own = [name for name in model.model_fields if name in model.__annotations__]
    for name in dict.fromkeys([*own, *model.model_fields]):
        info = model.model_fields[name]
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        found.append(
            SettingSpec(
                name=name,
                owner=owner,
                help=info.description or "",
                default=None if info.is_required() else info.get_default(call_default_factory=False),
                required=info.is_required(),
                secret=holds_secret(info.annotation),
                project_file=bool(extra.get("project_file")),
                aliases=tuple(map(str, _list(extra.get("aliases")))),
                reads=tuple(map(str, _list(extra.get("reads")))),
            )
        )
    return tuple(found)


@dataclass(frozen=True)
class Sources:
    """All places a value may come from, read once."""

    # Each may hold credentials, so that none is shown.
    environ: Mapping[str, str] = field(repr=False)
    flags: Mapping[str, str] = field(default_factory=dict, repr=False)
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    config_name: str = ""
    project: Mapping[str, Any] = field(default_factory=dict, repr=False)
    project_name: str = ""
    sections: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The tables `[sites.…]` of the file named by `--config`."""
    section: Mapping[str, Any] | None = field(default=None, repr=False)
    """That of the one site that is reported to; what stands in it comes first."""
    section_name: str = ""
    own: frozenset[str] = frozenset()
    """The settings that a site has of its own: those are taken from its section alone."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """What a command takes for settings that it does not need, by their names."""
    unresolved: set[str] = field(default_factory=set)
    """Where expressions stand that were not resolved; each is told of once."""

    def find(self, setting: SettingSpec) -> tuple[object, str] | None:
        """The value that wins and where it stands, or None where nobody sets it.

        Raises SettingsError where a file that should hold a secret cannot be read.
        """
        for value, place in self._spellings(setting):
            if is_set(value):
                if not isinstance(value, str) or not UNRESOLVED.search(value):
                    return value, place
                if place not in self.unresolved:
                    self.unresolved.add(place)
                    log.warning("%s holds an expression that was not resolved; it counts as not set", place)
        return None

    def values(self, setting: SettingSpec) -> Iterator[object]:
        """Every value that is set for a setting, the winning one first, up to a file that cannot be read."""
        with contextlib.suppress(SettingsError):
            for value, _ in self._spellings(setting):
                if is_set(value):
                    yield value

    def _spellings(self, setting: SettingSpec) -> Iterator[tuple[object, str]]:
        """All places, in their order, with what stands there; a secret's files are opened only when reached."""
        if self.section is not None:
            for name in setting.names:
                yield from self._with_file(setting, self.section, key(name), "-file", f" in {self.section_name}")
            if setting.name in self.own:
                return
        for name in () if setting.secret else setting.names:
            yield self.flags.get(name), flag(name)
        for prefix in PREFIXES:
            for name in setting.names:
                yield from self._with_file(setting, self.environ, prefix + name.upper(), "_FILE", "")
        for name in setting.names:
            yield from self._with_file(setting, self.config, key(name), "-file", f" in {self.config_name}")
        for name in setting.names if setting.project_file else ():
            yield self.project.get(key(name)), f"{key(name)} in {self.project_name}"
        for variable in setting.reads:
            yield self.environ.get(variable), variable
        yield self.defaults.get(setting.name), "the command's default"

    @property
    def sites(self) -> tuple[str, ...]:
        """The names in SITES; none once one of them is chosen. Raises SettingsError where they are no names."""
        found = self.find(SITES)
        names = split(found[0]) if found and self.section is None else []
        if not isinstance(names, list):
            raise SettingsError(
                Problem(
                    f"SITES cannot be {str(names)[:200]!r}", "it is a list of names", "write names, several with commas"
                )
            )
        return tuple(dict.fromkeys(str(name) for name in names if name))

    def of_site(self, name: str, own: Iterable[str]) -> Sources:
        """What holds for one of the sites; `own` are the settings that it shares with no other.

        Raises SettingsError where it has no section.
        """
        section = self.sections.get(name)
        if isinstance(section, dict):
            where = f"[sites.{name}] of {self.config_name}"
            return replace(self, section=section, section_name=where, own=frozenset((*own, SITES.name)))
        sections = [other for other, section in self.sections.items() if isinstance(section, dict)]
        there = f"only of {', '.join(sections)}" if sections else "nor any other"
        where = f"{self.config_name} has no section of it, {there}" if self.config_name else "CONFIG is not set"
        raise SettingsError(
            Problem(
                f"SITES names {name}, and nothing says what that is",
                where,
                f"write a section [sites.{name}] with instance, project and credentials to the file that CONFIG names",
            )
        )

    @staticmethod
    def _with_file(
        setting: SettingSpec, values: Mapping[str, Any], name: str, suffix: str, where: str
    ) -> Iterator[tuple[object, str]]:
        yield values.get(name), name + where
        if setting.secret:
            place = name + suffix + where
            yield _content(values.get(name + suffix), place), place


def read_sources(environ: Mapping[str, str], flags: Mapping[str, str]) -> Sources:
    """Read the files that hold settings, and make all sources ready to be asked.

    Raises SettingsError where a file is missing, cannot be read or is no TOML.
    """
    environ, flags = readable(environ), readable(flags)
    without_files = Sources(environ, flags)
    named = without_files.find(CONFIG)
    config, config_name = (_toml(Path(str(named[0])), named[1]), str(named[0])) if named else ({}, "")
    sections = config.pop(SITES.name) if isinstance(config.get(SITES.name), dict) else {}
    project, project_name = _project_file()
    return Sources(environ, flags, config, config_name, project, project_name, sections)


def readable(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with what is not valid UTF-8 in it replaced, as nothing after this can carry it."""
    return {name: value.encode(errors="surrogateescape").decode(errors="replace") for name, value in environ.items()}


def resolve(model: type[M], settings: Iterable[SettingSpec], sources: Sources) -> tuple[M | None, list[Problem]]:
    """Fill a model of settings from the sources: the model, or None and what is wrong with which value."""
    values: dict[str, object] = {}
    places: dict[str, str] = {}
    problems: list[Problem] = []
    known = {setting.name: setting for setting in settings}
    for name, setting in known.items():
        try:
            found = sources.find(setting)
        except SettingsError as error:
            problems += error.problems
            continue
        if found is not None:
            values[name], places[name] = found
    try:
        return (None, problems) if problems else (model.model_validate(values), [])
    except ValidationError as error:
        seen: set[str] = set()
        for detail in error.errors(include_url=False, include_context=True, include_input=False):
            name = str(detail["loc"][0]) if detail["loc"] else ""
            if name not in seen:
                seen.add(name)
                cause = detail.get("ctx", {}).get("error")
                problems.append(
                    _problem(known[name], values.get(name), places.get(name), detail["msg"], cause)
                    if name
                    else _problem_together(tuple(known.values()), detail["msg"], cause)
                )
        return None, problems


def check_names(settings: Iterable[SettingSpec], sources: Sources) -> list[Problem]:
    """Warn of settings that nobody declared; what the project's file may not set is a problem."""
    known = _known_names(settings)
    for variable, value in sources.environ.items():
        prefix = next((prefix for prefix in PREFIXES if variable.startswith(prefix)), None)
        if prefix and is_set(value) and variable.removeprefix(prefix).lower() not in known:
            name = variable.removeprefix(prefix).lower()
            log.warning("%s is not known%s", variable, _nearest(name, known, str.upper))
    for names, file in ((sources.config, sources.config_name), (sources.section or {}, sources.section_name)):
        for name in names:
            if name.replace("-", "_") not in known or "_" in name:
                log.warning("%s in %s is not known%s", name, file, _nearest(name, known, key))
    problems = []
    for name in sources.project:
        declared_as = known.get(name.replace("-", "_")) if "_" not in name else None
        if declared_as is None or not declared_as.project_file:
            problems.append(_not_in_project_file(name, sources.project_name, declared_as, known))
    return problems


def _known_names(settings: Iterable[SettingSpec]) -> dict[str, SettingSpec | None]:
    """Every name that means something, and what is declared by it, as far as that is known here."""
    known: dict[str, SettingSpec | None] = {}
    shipped = [shipped_credential(name) for names in SHIPPED_CREDENTIALS.values() for name in names]
    for setting in (*shipped, *settings):
        for name in setting.names:
            known[name] = setting
            if setting.secret:
                known[f"{name}_file"] = setting
    return known


def without_secrets(environ: Mapping[str, str], settings: Iterable[SettingSpec]) -> dict[str, str]:
    """A copy of the environment without any spelling of a secret setting."""
    hidden: set[str] = set()
    names = {name for names in SHIPPED_CREDENTIALS.values() for name in names}
    for setting in settings:
        if setting.secret:
            names.update(setting.names)
            hidden.update(setting.reads)
    for name in names:
        for prefix in ("", *PREFIXES):
            hidden.update((prefix + name.upper(), f"{prefix}{name.upper()}_FILE"))
    return {name: value for name, value in environ.items() if name not in hidden}


def shipped_credential(name: str) -> SettingSpec:
    """A credential of a kind that ships, as far as core knows it without the package that declares it."""
    return SettingSpec(name, "core", "", None, False, True, False, (), ())


SITES = SettingSpec("sites", "core", "", (), False, False, False, (), ())
CONFIG = SettingSpec("config", "core", "", None, False, False, False, (), ())


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _content(path: object, place: str) -> str | None:
    if not is_set(path) or UNRESOLVED.search(str(path)):
        return None
    remedy = f"check the path in {place}, and that this step may read the file"
    try:
        with Path(str(path)).open("rb") as file:
            content = file.read(LARGEST_SECRET_FILE + 1)
        text = content.decode().strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not text"
        raise SettingsError(Problem(f"the file named by {place} cannot be read", f"{path}: {why}", remedy)) from None
    if not text or len(content) > LARGEST_SECRET_FILE:
        why = f"{path} is {'empty' if not text else 'larger than any credential'}"
        raise SettingsError(Problem(f"the file named by {place} holds no credential", why, remedy))
    return text


def _toml(path: Path, place: str) -> dict[str, Any]:
    import tomllib

    remedy = f'check {place}; the file is TOML, with lines such as: project = "MYT"'
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise SettingsError(Problem(f"{path} cannot be read", error.strerror or str(error), remedy)) from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(Problem(f"{path} is not valid TOML", str(error), remedy)) from None


def _project_file() -> tuple[dict[str, Any], str]:
    own = Path(PROJECT_FILE)
    if own.is_file():
        return _toml(own, PROJECT_FILE), PROJECT_FILE
    shared = Path("pyproject.toml")
    try:
        mentions = b"jira-ci" in shared.read_bytes()
    except OSError:
        return {}, ""
    tool = _toml(shared, "pyproject.toml").get("tool") if mentions else None
    section = tool.get("jira-ci") if isinstance(tool, dict) else None
    name = "[tool.jira-ci] of pyproject.toml"
    if section is not None and not isinstance(section, dict):
        raise SettingsError(
            Problem(f"{name} is not a table", "settings are lines in a table", 'write: project = "MYT"')
        )
    return section or {}, name


def _problem(setting: SettingSpec, value: object, place: str | None, message: str, cause: object) -> Problem:
    if place is None:
        return Problem(
            f"{setting.variable} is not set",
            f"it is required: {setting.help}",
            f"set {setting.variable} in the step (as a variable: PLUGIN_{setting.variable} "
            f"or JIRA_CI_{setting.variable}{'' if setting.secret else f'; as a flag: {flag(setting.name)}'})",
        )
    shown = "" if setting.secret else f" {str(value)[:200]!r}"
    what = f"{setting.variable} cannot be{shown or ' what it is'} (from {place})"
    if isinstance(cause, InvalidValueError):
        return Problem(what, cause.why, cause.remedy)
    why = message.removeprefix("Value error, ")
    return Problem(what, why[:1].lower() + why[1:], f"{setting.variable} is: {setting.help}")


def _problem_together(settings: tuple[SettingSpec, ...], message: str, cause: object) -> Problem:
    """What a model says of its settings as a whole."""
    what = f"the settings of {settings[0].owner} do not go together"
    if isinstance(cause, InvalidValueError):
        return Problem(what, cause.why, cause.remedy)
    names = ", ".join(setting.variable for setting in settings)
    return Problem(what, message.removeprefix("Value error, "), f"correct one of them: {names}")


def _not_in_project_file(name: str, file: str, setting: SettingSpec | None, known: Iterable[str]) -> Problem:
    if setting is None and name.replace("-", "_") not in known:
        return Problem(
            f"{name} in {file} is not known",
            f"no setting has that name{_nearest(name, known, key)}",
            "remove it, or correct its name",
        )
    return Problem(
        f"{name} may not be set in {file}",
        "that file comes from the change under test, and whoever opened the change may have written it",
        f"set {name.upper().replace('-', '_')} in the step's own settings, or in a file named by --config",
    )


def _nearest(name: str, known: Iterable[str], spelling: Any) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name.replace("-", "_"), sorted(known), n=1)
    return f"; did you mean {spelling(near[0])}?" if near else ""
