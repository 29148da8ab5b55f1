"""Fills a model of settings from the sources, and reports each invalid value."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from pydantic import ValidationError

from jira_ci_core.config.environ import OF_HARNESS, PREFIXES, is_set
from jira_ci_core.config.settings import PluginSettings
from jira_ci_core.config.sources import HOLDS_CREDENTIAL, LONGEST_SHOWN, Sources
from jira_ci_core.config.specs import SettingSpec, file_key, flag
from jira_ci_core.errors import InvalidValueError, NoCredentialInFileError, SettingsError
from jira_ci_core.problem import Problem
from jira_ci_core.urls import may_hold_password

log = logging.getLogger(__name__)

MOST_NAMES = 10
"""How many names that the project's file may not hold are told."""
NEVER_MISSPELT = (
    *("environment_name", "environment", "environment_type", "issuekeys", "issue_keys", "service_ids"),
    *("run_number", "state_policy", "instance", "pipeline"),
)
"""Settings that say what is reported. Without one of them, the wrong thing would be."""

M = TypeVar("M", bound=PluginSettings)


def resolve(model: type[M], settings: Iterable[SettingSpec], sources: Sources) -> tuple[M | None, list[Problem]]:
    """Fill a model of settings from the sources; return the model, or None and the problem of each invalid value.

    A credential whose file is missing or empty counts as not set, and `sources.missing_files` tells of it: whether this
    run needs credentials is not known yet. Core's own settings, such as a proxy, are needed whatever is reported.
    """
    values: dict[str, object] = {}
    places: dict[str, str] = {}
    problems: list[Problem] = []
    known = {setting.name: setting for setting in settings}
    secrets = sources.secrets

    def shown(value: object) -> str:
        return secrets.shorten(repr(value if isinstance(value, str) else str(value)), LONGEST_SHOWN)

    for name, setting in known.items():
        try:
            found = sources.find(setting)
        except SettingsError as error:
            may_wait = isinstance(error, NoCredentialInFileError) and not (setting.required or setting.owner == "core")
            (sources.missing_files if may_wait else problems).extend(error.problems)
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
                problem = (
                    _problem(known[name], shown(values.get(name)), places.get(name), detail["msg"], cause)
                    if name
                    else _problem_together(tuple(known.values()), detail["msg"], cause)
                )
                # A validator may tell a part of a value, and a part of a secret is not recognised as one.
                looked_at = [values.get(name)] if name else values.values()
                if not (name and known[name].secret) and any(secrets.are_in(str(value)) for value in looked_at):
                    problem = Problem(problem.what, *HOLDS_CREDENTIAL)
                problems.append(problem)
        return None, problems


def check_names(settings: Iterable[SettingSpec], sources: Sources) -> list[Problem]:
    """Warn of settings that nothing declares.

    One that the project's file may not hold is a problem, and one that is a misspelt setting of `NEVER_MISSPELT`.
    (`PLUGIN_…` may be a setting of another step.)
    """
    problems = []
    known = {name: setting for setting in settings for name in setting.names}
    known |= {f"{name}_file": setting for name, setting in known.items() if setting.secret}
    for variable, value in sources.environ.items():
        if variable in OF_HARNESS:
            continue
        prefix = next((prefix for prefix in PREFIXES if variable.startswith(prefix)), None)
        if prefix and is_set(value) and variable.removeprefix(prefix).lower() not in known:
            name = variable.removeprefix(prefix).lower()
            meant = next((meant for meant in NEVER_MISSPELT if _is_misspelt(name, meant)), None)
            if meant and prefix == "JIRA_CI_":
                why = f"it differs in one letter from {meant.upper()}, which says what is reported"
                problems.append(
                    Problem(f"{variable} is not known", why, f"write {prefix}{meant.upper()}, or remove it")
                )
                continue
            log.warning("%s is not known%s", variable, _nearest(name, known, str.upper))
    for names, file in ((sources.config, sources.config_name), (sources.section or {}, sources.section_name)):
        for name in names:
            if name.replace("-", "_") not in known or "_" in name:
                log.warning("%s in %s is not known%s", name, file, _nearest(name, known, file_key))
    allowed = {file_key(name) for name, setting in known.items() if setting.project_file}
    refused = [name for name in sources.project if name not in allowed]
    problems += [_not_in_project_file(name, sources.project_name, known) for name in refused[:MOST_NAMES]]
    if more := len(refused[MOST_NAMES:]):
        what = f"{more} more names in {sources.project_name} are not known, or may not be set there"
        problems.append(Problem(what, f"only the first {MOST_NAMES} are told", "correct or remove them, too"))
    return problems


def _problem(setting: SettingSpec, value: str, place: str | None, message: str, cause: object) -> Problem:
    if place is None:
        return Problem(
            f"{setting.variable} is not set",
            f"it is required: {setting.help}",
            f"set {setting.variable} in the step (as a variable: PLUGIN_{setting.variable} "
            f"or JIRA_CI_{setting.variable}{'' if setting.secret else f'; as a flag: {flag(setting.name)}'})",
        )
    shown = "this address" if may_hold_password(value) else value
    fault = "is not valid" if setting.secret else f"cannot be {shown}"
    what = f"{setting.variable} {fault} (from {place})"
    if isinstance(cause, InvalidValueError):
        return Problem(what, cause.why, cause.remedy)
    why = message.removeprefix("Value error, ")
    return Problem(what, why[:1].lower() + why[1:], f"{setting.variable} is: {setting.help}")


def _problem_together(settings: tuple[SettingSpec, ...], message: str, cause: object) -> Problem:
    """The errors of a model's validators of several settings."""
    what = f"the settings of {settings[0].owner} contradict each other"
    if isinstance(cause, InvalidValueError):
        return Problem(what, cause.why, cause.remedy)
    names = ", ".join(setting.variable for setting in settings)
    return Problem(what, message.removeprefix("Value error, "), f"correct one of them: {names}")


def _not_in_project_file(name: str, file: str, known: Iterable[str]) -> Problem:
    if name.replace("-", "_") not in known:
        return Problem(
            f"{name} in {file} is not known",
            f"no setting has that name{_nearest(name, known, file_key)}",
            "remove it, or correct its name",
        )
    return Problem(
        f"{name} may not be set in {file}",
        "that file is part of the change under test, so anyone who opens a pull request can edit it",
        f"set {name.upper().replace('-', '_')} in the step's own settings, or in a file named by --config",
    )


def _is_misspelt(name: str, meant: str) -> bool:
    """Whether one letter is missing, is one too many or another one, or two that stand side by side are swapped."""
    shorter = min(len(name), len(meant))
    start = next((place for place in range(shorter) if name[place] != meant[place]), shorter)
    name, meant = name[start:], meant[start:]
    is_swapped = name[:2] == meant[:2][::-1] and name[2:] == meant[2:]
    return is_swapped or name[1:] == meant or name == meant[1:] or name[1:] == meant[1:]


def _nearest(name: str, known: Iterable[str], spelling: Callable[[str], str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name.replace("-", "_"), sorted(known), n=1)
    return f"; did you mean {spelling(near[0])}?" if near else ""
