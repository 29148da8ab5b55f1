"""`jira-ci explain`: the facts about this run, and where each comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jira_ci_core.config.resolve import check_names, resolve
from jira_ci_core.config.settings import Settings
from jira_ci_core.config.sources import Sources, without_secrets
from jira_ci_core.errors import JiraCiError
from jira_ci_core.issue_keys import ANY_PROJECT
from jira_ci_core.models import Pipeline
from jira_ci_core.plugins.loader import CORE_SETTINGS, all_settings, warn_of_failures
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.reporting.identity import ordered_number
from jira_ci_core.reporting.run import RunFacts, find_keys_of, read_pipeline

FACTS = tuple(name for name in Pipeline.model_fields if name not in ("ci", "publishes_status", "origins", "partial"))
# Settings that replace a fact.
INSTEAD = "pipeline", "run_number", "link", "state", "environment_name"
# Settings that a report is of besides.
BESIDES = "service_ids", "commits", "repository_id"

LONGEST_SHOWN = 200


@dataclass(frozen=True)
class Explanation:
    """The run as readers see it, and what settings say instead."""

    pipeline: Pipeline
    reader: str | None
    """The plugin that recognised the CI; None if none did."""
    signs: dict[str, str]
    """What was looked for: the plugin of a CI, and the variables that it is recognised by."""
    settings: dict[str, tuple[str, str]]
    """Setting to its value and where it is set."""
    keys: RunFacts | None
    """The issue keys that a report would be for; None if settings are not valid."""
    shorten: Callable[[str, int], str]
    """Cuts a text to a limit: see `Secrets.shorten`."""

    @property
    def hints(self) -> tuple[str, ...]:
        """The settings that are still needed, since CI does not say them either."""
        it = self.pipeline
        orderless = it.number and ordered_number(it.number) is None
        hints = (
            (not it.number, "RUN_NUMBER", "to a number that grows from run to run; none is told"),
            (orderless, "RUN_NUMBER", f"to a number that grows from run to run: {it.number} is no integer"),
            (not (it.url or it.repository_url), "LINK", "to the address that people should get to from Jira"),
            (not it.id, "PIPELINE", "to a name that stays the same from run to run: acme/shop"),
            (not it.publishes_status, "STATE", "to the state of this run: no variable has it"),
            (it.environment, "ENVIRONMENT_NAME", f"to {it.environment} to report a deployment instead of a build"),
        )
        needed = (hint for hint in hints if hint[0] and hint[1] not in self.settings)
        return tuple(f"set {setting} {advice}" for _, setting, advice in needed)


def explain(sources: Sources, plugins: Plugins) -> Explanation:
    """Ask the readers. Neither PROJECT nor any credential is needed, and no plugin is given a credential.

    A name that no setting has is only warned of, as one that ends a report tells why a fact is not as it was set.
    """
    known = all_settings(plugins)
    warn_of_failures(check_names(known, sources))
    environ = without_secrets(sources.environ, known)
    pipeline = read_pipeline(plugins, environ)
    keys = _keys_of(pipeline, environ, sources, plugins)
    signs = {plugin: " or ".join(variables) for plugin, variables in plugins.readers().items()}
    found = {setting.variable: sources.find(setting) for setting in CORE_SETTINGS if setting.name in INSTEAD + BESIDES}
    settings = {name: (str(place[0]), place[1]) for name, place in found.items() if place}
    return Explanation(pipeline, plugins.answered.get("read_pipeline"), signs, settings, keys, sources.secrets.shorten)


def _keys_of(pipeline: Pipeline, environ: Mapping[str, str], sources: Sources, plugins: Plugins) -> RunFacts | None:
    settings, _ = resolve(Settings, CORE_SETTINGS, replace(sources, defaults={"project": ANY_PROJECT}))
    if settings is None:
        return None
    try:
        return find_keys_of(plugins, pipeline, environ, settings, sources.secrets.shorten)
    except JiraCiError as error:  # of a plugin, which ends a report
        warn_of_failures(error.problems)
        return None


def lines_of(explanation: Explanation) -> list[str]:
    """The explanation for people."""
    pipeline = explanation.pipeline
    if pipeline.is_of_ci:
        by = pipeline.origins.get("ci")
        lines = [f"{pipeline.ci} was recognised{f', by {by}' if by else ''} (plugin {explanation.reader})"]
    else:
        lines = ["no CI was recognised; none of these is set:"]
        lines += [f"  {signs}  (plugin {plugin})" for plugin, signs in explanation.signs.items()]
        lines.append("the checkout says:" if pipeline.origins else "there is no git checkout here either")
    facts = {name: value for name in FACTS if (value := getattr(pipeline, name)) is not None}
    width = max(map(len, FACTS)) + 2
    for name, value in facts.items():
        text = str(value).strip()
        first_line = text.partition("\n")[0]
        # Of the whole text, since a secret may go on in the next line.
        shown = explanation.shorten(text, min(len(first_line) + 2, LONGEST_SHOWN))
        lines.append(f"  {name:<{width}}{shown}  <- {pipeline.origins.get(name, explanation.reader)}")
    missing = [name for name in FACTS if name not in facts]
    if facts and missing:
        lines.append(f"not told: {', '.join(missing)}")
    for name, (value, place) in explanation.settings.items():
        how = "set besides" if name.lower() in BESIDES else "set instead"
        lines.append(f"{how}: {name}={value}  <- {place}")
    if explanation.keys:
        keys, no_key = explanation.keys.keys, explanation.keys.no_key
        lines += ["issue keys:", *(f"  {found.key}  {found.source}" for found in keys)] if keys else []
        lines += [f"no issue key: {no_key.why}", f"  do:  {no_key.remedy}"] if no_key else []
    return lines + [f"hint: {hint}" for hint in explanation.hints]


def as_json(explanation: Explanation) -> dict[str, Any]:
    """The explanation for programs."""
    pipeline, keys = explanation.pipeline, explanation.keys
    facts: dict[str, Any] = pipeline.model_dump(mode="json", include=set(FACTS), exclude_none=True)
    settings = {name: {"value": value, "from": place} for name, (value, place) in explanation.settings.items()}
    return {
        "ci": pipeline.ci if pipeline.is_of_ci else None,
        "recognised_by": pipeline.origins.get("ci") if pipeline.is_of_ci else None,
        "plugin": explanation.reader,
        "publishes_status": pipeline.publishes_status,
        "facts": {name: {"value": value, "from": pipeline.origins.get(name)} for name, value in facts.items()},
        "not_told": [name for name in FACTS if name not in facts],
        "settings": settings,
        "issue_keys": [{"key": found.key, "source": found.source} for found in (keys.keys if keys else ())],
        "no_issue_key": vars(keys.no_key) if keys and keys.no_key else None,
        "looked_for": explanation.signs,
        "hints": explanation.hints,
    }
