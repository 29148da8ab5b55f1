"""Which of the keys that were found are sent, in which order, and what to say if there are none."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from jira_ci_core.config.settings import Settings
from jira_ci_core.git.checkout import checkout_problem
from jira_ci_core.issue_keys import ANY_PROJECT, find_likely_keys, project_of
from jira_ci_core.models import KEY_SOURCES, MOST_ASSOCIATIONS, FoundKey, KeyPlace, Pipeline, Retraction
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.problem import Problem

log = logging.getLogger(__name__)

# Further keys cannot be sent in a second update: it would replace the first.
MOST_KEYS = MOST_ASSOCIATIONS


# Of what was searched, and found of other projects, an error shows so much.
LONGEST_BEGINNING = 80
MOST_SHOWN = 10


class KeySearch(NamedTuple):
    """The result of a search for keys."""

    keys: tuple[FoundKey, ...]
    """The keys to send."""
    others: tuple[str, ...] = ()
    """The keys that plugins found of projects that PROJECT does not name."""
    retractions: tuple[Retraction, ...] = ()
    """What was taken back, as far as it was found."""


def find_issue_keys(plugins: Plugins, pipeline: Pipeline, environ: Mapping[str, str], settings: Settings) -> KeySearch:
    """The keys to send: those that ISSUEKEYS names, or else those that plugins find, of the projects in PROJECT."""
    if settings.issuekeys:
        named = (FoundKey(key=key, source="ISSUEKEYS", place=KeyPlace.SETTING) for key in settings.issuekeys)
        return KeySearch(cut_at_most(named))
    answers = plugins.extract_issue_keys(pipeline, environ, settings)
    retractions = {
        (one.key and _renamed(one.key, settings), one.place): one for one in answers if isinstance(one, Retraction)
    }
    taken_back = dict[Retraction, None]()
    wanted, others = [], []
    if "description" in settings.keys_from and "pull_request_description" in pipeline.partial:
        log.warning("%s cuts the pull request description: keys in the rest of it are not found", pipeline.ci)
    for found in answers:
        if isinstance(found, Retraction):
            continue
        key, place = _renamed(found.key, settings), found.place
        retraction = None
        if place in _TEXTS:
            which = ((key, place), (key, None), (None, place), (None, None))
            retraction = next((retractions[one] for one in which if one in retractions), None)
        if not _is_wanted(project_of(key), settings):
            others += [found.key] if project_of(key) else []  # of an issue's id, the project is not known
        elif retraction:
            taken_back[retraction.model_copy(update={"key": key})] = None
        else:
            wanted.append(found.model_copy(update={"key": key}))
    if taken_back and wanted:  # where none is left, the problem says it
        log.info("not counted: %s", _listed(map(_shown, taken_back)))
    return KeySearch(cut_at_most(rank(wanted)), tuple(others), tuple(taken_back))


def no_key_problem(
    plugins: Plugins,
    pipeline: Pipeline,
    environ: Mapping[str, str],
    settings: Settings,
    search: KeySearch,
    shorten: Callable[[str, int], str],
) -> Problem:
    """What to say if no key was found: what was searched, which other keys were seen, and what kept git from helping.

    `shorten` masks secrets in a text, and cuts it.
    """
    texts = pipeline.searched_texts(settings.keys_from)
    # Masked before it is cut, as half a secret is not known for one.
    searched = [f'the {text.name} "{" ".join(shorten(text.text, LONGEST_BEGINNING).split())}"' for text in texts]
    none = "no other key" if search.retractions else "no key"
    why = [f"{none} of PROJECT ({_listed(settings.project)}) is in {', '.join(searched) or 'any text'}"]
    for name in settings.keys_from:
        _, label, field = KEY_SOURCES[name]
        if not getattr(pipeline, field) and (name == "message" or (pipeline.pull_request and name in _OF_REQUEST)):
            why.append(f"the {label} is not known")
        elif field in pipeline.partial:
            why.append(f"of the {label} {pipeline.ci} may tell a part only")
    finders = [name for name in plugins.implementers("extract_issue_keys") if name not in _OF_CORE]
    why += [f"no key was found by {_listed(finders)} either"] if finders else []
    why += [f"not counted: {_listed(map(_shown, search.retractions))}"] if search.retractions else []
    seen = [key for text in texts for key in find_likely_keys(text.text)]
    seen = [
        key
        for key in dict.fromkeys((*seen, *search.others))
        if not _is_wanted(project_of(_renamed(key, settings)), settings)
    ]
    sample = "MYT" if ANY_PROJECT in settings.project else settings.project[0]
    remedies = [f"write a key such as [{sample}-1234] into the title or the message", "check PROJECT", "set ISSUEKEYS"]
    if seen:
        why.append(f"seen of other projects: {_listed(seen)}")
        remedies[1] = f"add {_listed(dict.fromkeys(map(project_of, seen)))} to PROJECT"
    is_message_unread = "message" in settings.keys_from and ("message" in pipeline.partial or not pipeline.message)
    if is_message_unread and plugins.is_on("checkout") and (problem := checkout_problem(pipeline, environ)):
        why.append(problem.why)
        remedies.append(problem.remedy)  # at the end, where a command can be copied
    *first, last = remedies
    return Problem("no issue key was found", "; ".join(why), f"{', '.join(first)}, or {last}")


_TEXTS = frozenset(place for place, _, _ in KEY_SOURCES.values())
_OF_CORE = "keys", "patterns"
_OF_REQUEST = "title", "description"


def _renamed(key: str, settings: Settings) -> str:
    """The key with its project's new name, if KEY_ALIASES has one."""
    project, hyphen, number = key.rpartition("-")
    return f"{settings.key_aliases.get(project, project)}{hyphen}{number}"


def _listed(words: Iterable[str]) -> str:
    every = list(words)
    more = f" and {len(every) - MOST_SHOWN} more" if len(every) > MOST_SHOWN else ""
    return f"{', '.join(every[:MOST_SHOWN])}{more}"


def _shown(retraction: Retraction) -> str:
    return f"{retraction.key} ({retraction.source})"


def _is_wanted(project: str, settings: Settings) -> bool:
    return ANY_PROJECT in settings.project or project in settings.project


def rank(found: Iterable[FoundKey]) -> list[FoundKey]:
    """By place (title, message, branch, then plugins by name), each key where it ranks highest."""

    def order(key: FoundKey) -> tuple[int, str]:
        return key.place, key.plugin if key.place is KeyPlace.OTHER else ""

    first: dict[str, FoundKey] = {}
    for key in sorted(found, key=order):
        first.setdefault(key.key, key)
    return list(first.values())


def cut_at_most(ranked: Iterable[FoundKey]) -> tuple[FoundKey, ...]:
    """The first 500, with a warning that says how many were dropped."""
    keys = tuple(ranked)
    if len(keys) > MOST_KEYS:
        warning = "%d issue keys were found and Jira takes %d: the last %d are dropped"
        log.warning(warning, len(keys), MOST_KEYS, len(keys) - MOST_KEYS)
    return keys[:MOST_KEYS]
