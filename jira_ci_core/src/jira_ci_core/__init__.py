"""jira-ci: tell Jira about builds and deployments. These are the public names; plugins need no others.

Each is imported when it is first asked for, so that what needs few of them need not wait for all.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jira_ci_core.ci.reader import Source, Table, When, commit_before, read_facts, reader, short_ref
    from jira_ci_core.config.settings import HttpsUrl, Names, PluginSettings, Secret, Settings, setting
    from jira_ci_core.delivery.sender import Courier, read_settings
    from jira_ci_core.errors import (
        DeliveryError,
        ExitCode,
        JiraCiError,
        PluginError,
        RefusedError,
        SettingsError,
        SignInError,
    )
    from jira_ci_core.git.checkout import read_checkout
    from jira_ci_core.hookspecs import CONTRACT_VERSION, hookimpl
    from jira_ci_core.issue_keys import find_keys, is_issue_key, is_project_key
    from jira_ci_core.models import (
        Build,
        Connection,
        CountedTests,
        Deployment,
        Environment,
        EnvironmentType,
        FoundKey,
        Kind,
        MappedEnvironment,
        Outcome,
        Pipeline,
        PipelineIdentity,
        Receipt,
        Reference,
        Report,
        Result,
        SignIn,
        Site,
        State,
    )
    from jira_ci_core.net.client import BearerAuth, Http, answer_error, json_answer
    from jira_ci_core.output.ci_files import hand_over
    from jira_ci_core.output.console import harmless
    from jira_ci_core.problem import Problem
    from jira_ci_core.reporting.identity import environment_id
    from jira_ci_core.reporting.run import Ending, run
    from jira_ci_core.summary import Summary
    from jira_ci_core.urls import origin

_IN_MODULES = {
    "git.checkout": ("read_checkout",),
    "output.console": ("harmless",),
    "delivery.sender": ("Courier", "read_settings"),
    "errors": (
        "DeliveryError",
        "ExitCode",
        "JiraCiError",
        "PluginError",
        "RefusedError",
        "SettingsError",
        "SignInError",
    ),
    "output.ci_files": ("hand_over",),
    "hookspecs": ("CONTRACT_VERSION", "hookimpl"),
    "net.client": ("BearerAuth", "Http", "answer_error", "json_answer"),
    "reporting.identity": ("environment_id",),
    "issue_keys": ("find_keys", "is_issue_key", "is_project_key"),
    "models": (
        "Build",
        "Connection",
        "CountedTests",
        "Deployment",
        "Environment",
        "EnvironmentType",
        "FoundKey",
        "Kind",
        "MappedEnvironment",
        "Outcome",
        "Pipeline",
        "PipelineIdentity",
        "Receipt",
        "Reference",
        "Report",
        "Result",
        "SignIn",
        "Site",
        "State",
    ),
    "problem": ("Problem",),
    "ci.reader": ("Source", "Table", "When", "commit_before", "read_facts", "reader", "short_ref"),
    "reporting.run": ("Ending", "run"),
    "config.settings": ("HttpsUrl", "Names", "PluginSettings", "Secret", "Settings", "setting"),
    "summary": ("Summary",),
    "urls": ("origin",),
}
_MODULE_OF = {name: module for module, names in _IN_MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"jira_ci_core.{_MODULE_OF[name]}"), name)
    return value


__all__ = [
    "CONTRACT_VERSION",
    "BearerAuth",
    "Build",
    "Connection",
    "CountedTests",
    "Courier",
    "DeliveryError",
    "Deployment",
    "Ending",
    "Environment",
    "EnvironmentType",
    "ExitCode",
    "FoundKey",
    "Http",
    "HttpsUrl",
    "JiraCiError",
    "Kind",
    "MappedEnvironment",
    "Names",
    "Outcome",
    "Pipeline",
    "PipelineIdentity",
    "PluginError",
    "PluginSettings",
    "Problem",
    "Receipt",
    "Reference",
    "RefusedError",
    "Report",
    "Result",
    "Secret",
    "Settings",
    "SettingsError",
    "SignIn",
    "SignInError",
    "Site",
    "Source",
    "State",
    "Summary",
    "Table",
    "When",
    "answer_error",
    "commit_before",
    "environment_id",
    "find_keys",
    "hand_over",
    "harmless",
    "hookimpl",
    "is_issue_key",
    "is_project_key",
    "json_answer",
    "origin",
    "read_checkout",
    "read_facts",
    "read_settings",
    "reader",
    "run",
    "setting",
    "short_ref",
]
