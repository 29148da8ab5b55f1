"""The whole contract between core and plugins, on one page.

A plugin is an entry point in the group `jira_ci` that names a module with hook functions, or a class that core
makes one instance of: `Plugin(settings)`, with an instance of the class's own `Settings`. (A module may hold that
class under the name `Plugin`.) A hook function is marked with `@hookimpl` and named as below; it names only those
arguments that it needs.

For every hook holds: it is called in the main thread, plugins of others before core's own (pluggy's `tryfirst`
and `trylast` change that); an exception, or an answer of another type than written here, is reported with the
plugin's name and ends the step with exit 3, or, with `ON_PLUGIN_ERROR=warn`, counts as no answer and a warning.
No argument ever holds a credential.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from jira_ci_core.config.settings import Settings
    from jira_ci_core.models import (
        FoundKey,
        Kind,
        MappedEnvironment,
        Pipeline,
        Receipt,
        Report,
        Site,
        State,
    )
    from jira_ci_core.net.client import Http
    from jira_ci_core.net.connection import Connection, SignIn

PROJECT_NAME = "jira_ci"
ENTRY_POINT_GROUP = "jira_ci"

CONTRACT_VERSION = 1
"""The version of this page. A plugin may say which it was made for: `CONTRACT = 1` in its module or class."""

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)


@hookspec(firstresult=True)
def jira_ci_read_pipeline(environ: Mapping[str, str]) -> Pipeline | None:
    """Say what this CI knows of the run.

    Called once, first of all. `environ` is a copy of the environment without any spelling of a secret setting.
    The first answer wins; None means "this is not my CI". What the winner leaves empty (message, sha, branch,
    repository) is then filled from the checkout. Where nobody answers, the settings must say it all.
    Since contract 1.
    """


@hookspec
def jira_ci_extract_issue_keys(
    pipeline: Pipeline, environ: Mapping[str, str], settings: Settings
) -> Iterable[FoundKey] | None:
    """Find issue keys of this change, each with its source in words.

    Called once, unless `ISSUEKEYS` names them. `environ` is what `read_pipeline` is given. All answers are collected.
    Core puts the keys in upper case, renames projects (`KEY_ALIASES`), drops those of projects that `PROJECT` does not
    name, removes repeats, ranks them (pull request title, message, branch, then plugins by name) and cuts the list at
    500. No key, an empty list and None are the same. `jira_ci_core.find_keys(text, settings.projects_to_find)` finds
    keys in a text as core does. Since contract 1.
    """


@hookspec(firstresult=True)
def jira_ci_map_state(status: str, kind: Kind, pipeline: Pipeline, settings: Settings) -> State | None:
    """Say which of Jira's states a word means.

    Called for the word in `STATE` and for the CI's own status (`pipeline.status`). The first answer wins; core's
    own table is asked last. None means "I do not know that word"; where nobody does, a `STATE` is an error and
    a CI's status becomes `unknown` with a warning. Since contract 1.
    """


@hookspec(firstresult=True)
def jira_ci_map_environment(name: str, settings: Settings) -> MappedEnvironment | None:
    """Say the type of an environment and, where it differs from the name, its id.

    Called for each name in `ENVIRONMENT_NAME` whose type or id no setting gives. The first answer wins; core's
    own table is asked last; where nobody answers the type is `unmapped`. An id must stay the same from
    deployment to deployment, or Jira shows one environment as two. Since contract 1.
    """


@hookspec
def jira_ci_authenticate(site: Site, settings: Settings) -> SignIn | None:
    """Offer a way to sign in, from the plugin's own settings and without touching the network.

    Called once. None means that none of its settings is there; with some of them, answer a SignIn that names the
    missing ones. All answers are collected, core chooses one (`AUTH`), and calls its `connect(http)` only when
    something is to be delivered; `jira-ci backfill` in several threads, each of which signs in for
    itself. What fails then is raised as `SignInError`. Since contract 1.
    """


@hookspec(firstresult=True)
def jira_ci_deliver(
    reports: Sequence[Report], connect: Callable[[], Connection], http: Http, settings: Settings
) -> Receipt | None:
    """Deliver these reports, and say for each what became of it.

    Called once a step (`jira-ci run`: at its beginning and at its end; `jira-ci outbox flush` and `backfill`: once
    a batch), with one report or more, all for the site that is configured. One that says `THREAD_SAFE = True` in
    its module or class is called by `backfill` in several threads at once, each with its own `connect` and `http`;
    any other one in the main thread alone, but for `jira-ci run`, which calls it in a thread of its own each time,
    and after a signal to stop does not wait for the first. `connect()` signs in when it is called and raises
    `SignInError` or `DeliveryError` where that fails; a delivery that hands on (to a queue) does not call it, and
    says so with `NEEDS_SIGN_IN = False` in its module or class, so that no credential is asked for. With `DELIVERY`
    only the plugin that it names is asked; one that says `ONLY_WHEN_NAMED = True` is asked only then. The first
    Receipt wins and holds one outcome for each report, in their order; None leaves it to the next. `http.remaining()`
    is how many seconds DEADLINE leaves, `http.waits()` how long to wait before each further try. Delivering the same
    report twice must be harmless: it carries its identity and its order in itself. Since contract 1.
    """


@hookspec
def jira_ci_reported(pipeline: Pipeline, reports: Sequence[Report], receipt: Receipt, settings: Settings) -> None:
    """Learn how it ended: write a card, a summary, an output, a message.

    Called once (`jira-ci run`: when its command has ended, or was told to), at every end that had settings to work
    with: delivered, refused, kept, skipped (then `reports` is empty and `receipt.skipped` says why). Where SITES names
    several sites the whole story is told once for each. In all texts handed over the credentials of this step are
    masked; others wrote them, so mind what the place that you write to makes of them.
    `jira_ci_core.Summary.of(reports, receipt)` has the facts that most want. A failure here is a warning and never
    changes the exit status. Since contract 1.
    """


@hookspec
def jira_ci_register_commands(cli: click.Group) -> None:
    """Add commands to `jira-ci`: `cli.add_command(...)`.

    Called only when the command asked for is none of core's, or when all commands are listed. Import what a
    command needs inside it: this hook is not on the way of `jira-ci report`. Since contract 1.
    """
