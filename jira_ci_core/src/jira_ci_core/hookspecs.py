"""The whole contract between core and plugins, on one page.

A plugin is an entry point in the group `jira_ci`, or in `jira_ci.ACME_BUILD` if it is to be imported only where that
variable is set (docs/contract.md). It names a module with hook functions, or a class, which core constructs once:
`Plugin(settings)`, with an instance of the class's own `Settings`. (A module may hold that class under the name
`Plugin`.) A hook function is marked with `@hookimpl`, named as below, and takes only the arguments it needs.

For every hook: it is called in the main thread, plugins of others before core's own (pluggy's `tryfirst` and `trylast`
change that). An exception, or an answer of another type than written here, is reported with the plugin's name and ends
the step with exit 3; with `ON_PLUGIN_ERROR=warn` it is a warning and counts as no answer. No credential is ever handed
over: no argument holds one. A plugin is code in core's process, though, and could look for one: see SECURITY.md.
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
        Retraction,
        Site,
        SkipReason,
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

    Called once, before all other hooks. `environ` is a copy of the environment without any spelling of a secret
    setting. The first answer wins; None means "this is not my CI". Facts that the answer leaves out (message, sha,
    branch, repository) are then taken from the checkout. If no plugin answers, the settings must say everything. Before
    the `id`, or else the repository, core puts the plugin's name, as two CIs may call their pipelines the same.
    Since contract 1.
    """


@hookspec
def jira_ci_extract_issue_keys(
    pipeline: Pipeline, environ: Mapping[str, str], settings: Settings
) -> Iterable[FoundKey | Retraction] | None:
    """Find issue keys of this change, each with its source in words.

    Called once, unless `ISSUEKEYS` names them. `environ` is what `read_pipeline` is given. All answers are collected.
    Core puts the keys in upper case, renames projects (`KEY_ALIASES`), drops keys of projects that `PROJECT` does not
    name, removes repeats, ranks them by their `place` (pull request title, message, branch, others by plugin name) and
    cuts the list at 500. An issue's id has no project, so it counts with `PROJECT=*` only. No key, an empty list and
    None are the same. To find keys in a text as core does, call `jira_ci_core.find_keys(text,
    settings.projects_to_find)`. A `Retraction` among the answers takes a key, or all of them, back from
    the change's own texts, such as the message of a revert; keys whose `place` is `OTHER` stay. Since contract 1.
    """


@hookspec(firstresult=True)
def jira_ci_map_state(status: str, kind: Kind, pipeline: Pipeline, settings: Settings) -> State | SkipReason | None:
    """Say which of Jira's states a word means.

    Called for the word in `STATE` and for the CI's own status (`pipeline.status`). The first answer wins; core's own
    table is asked last. `SkipReason.NOTHING_HAPPENED` means that there is nothing to show, and leaves the update out.
    None means "I do not know that word"; if no plugin knows it, a `STATE` is an error and a CI's status becomes
    `unknown` with a warning. A hook function may list the words that it knows in an attribute `words`; the error about
    an unknown `STATE` shows them. Since contract 1.
    """


@hookspec(firstresult=True)
def jira_ci_map_environment(name: str, settings: Settings) -> MappedEnvironment | None:
    """Say the type of an environment and, if it differs from the name, its id.

    Called for each name in `ENVIRONMENT_NAME` whose type or id no setting gives. The first answer wins; core's own
    table is asked last; if no plugin answers, the type is `unmapped`. An id must stay the same from deployment to
    deployment: otherwise Jira shows one environment as two. Since contract 1.
    """


@hookspec
def jira_ci_authenticate(site: Site, settings: Settings) -> SignIn | None:
    """Offer a way to sign in, from the plugin's own settings and without using the network.

    Called once. None means that none of the plugin's settings is set; if only some are, return a SignIn that names
    the missing ones. All answers are collected and core chooses one (`AUTH`). Its `connect(http)` is called only when
    there is something to deliver; `jira-ci backfill` calls it in several threads, each of which signs in for itself.
    Raise `SignInError` if signing in fails. Since contract 1.
    """


@hookspec(firstresult=True)
def jira_ci_deliver(
    reports: Sequence[Report], connect: Callable[[], Connection], http: Http, settings: Settings
) -> Receipt | None:
    """Deliver these reports, and say what became of each.

    The first Receipt wins and holds one outcome for each report, in their order; None leaves the reports to the next
    plugin. Delivering the same report twice must be harmless: it carries its identity and its order in itself.

    Called once a step (`jira-ci run`: at its beginning and at its end; `jira-ci outbox flush` and `backfill`: once a
    batch), with at least one report, all of them for the site that is configured.

    `connect()` signs in, and raises `SignInError` or `DeliveryError` if that fails. `http.remaining()` is how many
    seconds DEADLINE leaves, `http.waits()` how long to wait before each further try.

    Three constants in the plugin's module or class say more of it. `NEEDS_SIGN_IN = False`: it never calls `connect`,
    as it hands reports on to a queue, so no credential is asked for. `ONLY_WHEN_NAMED = True`: it is asked only if
    `DELIVERY` names it; if `DELIVERY` is set, only the plugin that it names is asked. `THREAD_SAFE = True`:
    `backfill` calls it in several threads at once, each with a `connect` and `http` of its own. Any other delivery is
    called in the main thread alone, but for `jira-ci run`, which calls each in a thread of its own and, after a signal
    to stop, does not wait for the first. Since contract 1.
    """


@hookspec
def jira_ci_reported(pipeline: Pipeline, reports: Sequence[Report], receipt: Receipt, settings: Settings) -> None:
    """Learn how the step ended: write a card, a summary, an output, a message.

    Called once (`jira-ci run`: when its command has ended, or was told to), whenever the settings were valid:
    delivered, refused, kept, skipped (then `reports` is empty and `receipt.skipped` says why). If SITES names several
    sites, all hooks are called once for each. The credentials of this step are masked in all texts; escape the texts
    for the place that you write to, since other people wrote them. `jira_ci_core.Summary.of(reports, receipt)`
    has the facts that most plugins want. A failure is a warning and never changes the exit status. Since contract 1.
    """


@hookspec
def jira_ci_register_commands(cli: click.Group) -> None:
    """Add commands to `jira-ci`: `cli.add_command(...)`.

    Called only if the command asked for is not one of core's, or all commands are listed. Import what a command needs
    inside it: `jira-ci report` loads this module, too. Since contract 1.
    """
