"""One call of `jira-ci`: from its arguments to its exit code."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jira_ci_core.cli import render, report
from jira_ci_core.cli.context import Context
from jira_ci_core.errors import ExitCode, JiraCiError
from jira_ci_core.net.preconnect import REPORT
from jira_ci_core.output.console import Console, Warnings, set_level
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.problem import Problem, bug

if TYPE_CHECKING:
    from jira_ci_core.net.preconnect import Preconnections


def call(arguments: Sequence[str], environ: Mapping[str, str], preconnections: Preconnections | None = None) -> int:
    """Run `jira-ci` and return its exit code; every error is told in three parts and without a traceback."""
    secrets = Secrets()
    console, warnings = Console(secrets), Warnings(secrets)
    root = logging.getLogger()
    level = root.level
    root.addHandler(console)
    root.addHandler(warnings)
    set_level("info")
    try:
        return _run(arguments, Context(environ, secrets, console, preconnections, warnings=warnings.take))
    finally:
        root.removeHandler(warnings)
        root.removeHandler(console)
        root.setLevel(level)


def _run(arguments: Sequence[str], context: Context) -> int:
    try:
        if list(arguments) == REPORT:
            return report.report(context, *context.prepare({}))
        # Loading the command line takes a while, and the call above needs none of it.
        from jira_ci_core.cli import app

        return app.run(arguments, context)
    except JiraCiError as error:
        return _fail(context, arguments, error.exit_code, error.problems)
    except KeyboardInterrupt:
        context.console.line("interrupted")
        return 130
    except Exception as error:
        return _fail(context, arguments, ExitCode.JIRA, [bug(error)])


def _wants_json(arguments: Sequence[str]) -> bool:
    """Whether programs read the result, as far as can be told of arguments that may not be valid."""
    options = [*itertools.takewhile(lambda word: word != "--", arguments)]
    return "--format=json" in options or ("--format", "json") in itertools.pairwise(options)


def _fail(context: Context, arguments: Sequence[str], exit_code: ExitCode, problems: Sequence[Problem]) -> ExitCode:
    """Print an error, and as JSON if the arguments ask for that."""
    if context.wants_json or _wants_json(arguments):
        context.console.json(render.error_as_json(exit_code, problems))
    context.console.problems(problems)
    return exit_code
