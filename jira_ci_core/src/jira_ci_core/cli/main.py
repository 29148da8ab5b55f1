"""One call of `jira-ci`: from its arguments to its exit code."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from jira_ci_core.cli import render, report
from jira_ci_core.cli.report import Context, set_level
from jira_ci_core.errors import ExitCode, JiraCiError
from jira_ci_core.net.preconnect import STEP
from jira_ci_core.output.console import Console
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.problem import Problem, bug

if TYPE_CHECKING:
    from jira_ci_core.net.early import EarlyConnections


def call(arguments: Sequence[str], environ: Mapping[str, str], early: EarlyConnections | None = None) -> int:
    """Run `jira-ci` and answer its exit code; whatever happens is told in three parts and without a traceback."""
    secrets = Secrets()
    console = Console(secrets)
    root = logging.getLogger()
    before = root.level
    root.addHandler(console)
    set_level("info")
    try:
        return _end_of(arguments, Context(environ, secrets, console, early))
    finally:
        root.removeHandler(console)
        root.setLevel(before)


def _end_of(arguments: Sequence[str], context: Context) -> int:
    try:
        if list(arguments) == STEP:
            return report.report(context, *report.prepare(context, {}))
        # Nearly every call is the one above, and what there is for the others takes a while to load.
        from jira_ci_core.cli import app

        return app.run(arguments, context)
    except JiraCiError as error:
        return _failed(arguments, context, error.exit_code, error.problems)
    except KeyboardInterrupt:
        context.console.line("interrupted")
        return 130
    except Exception as error:
        return _failed(arguments, context, ExitCode.JIRA, [bug(error)])


def _failed(arguments: Sequence[str], context: Context, exit_code: ExitCode, problems: Sequence[Problem]) -> ExitCode:
    """Tell of an error; to programs as well, where they asked to be told."""
    own = list(takewhile(lambda word: word != "--", arguments))
    if "--format=json" in own or ("--format", "json") in pairwise(own):
        context.console.output(render.error_as_json(exit_code, problems))
    context.console.problems(problems)
    return exit_code
