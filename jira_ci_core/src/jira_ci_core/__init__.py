"""jira-ci: tell Jira about builds and deployments. These are the public names; plugins need no others.

Each is imported when it is first asked for, so that what needs few of them need not wait for all.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jira_ci_core.checkout import read_checkout
    from jira_ci_core.console import harmless
    from jira_ci_core.courier import Courier, read_settings
    from jira_ci_core.errors import (
        DeliveryError,
        ExitCode,
        JiraCiError,
        PluginError,
        RefusedError,
        SettingsError,
        SignInError,
    )
    from jira_ci_core.handing import hand_over
    from jira_ci_core.hookspecs import CONTRACT_VERSION, hookimpl
    from jira_ci_core.http import BearerAuth, Http, answer_error, json_answer
    from jira_ci_core.identity import environment_id
    from jira_ci_core.keys import find_keys, is_issue_key, is_project_key
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
    from jira_ci_core.problem import Problem
    from jira_ci_core.readers import Source, Table, When, commit_before, read_facts, reader, short_ref
    from jira_ci_core.runner import Ending, run
    from jira_ci_core.settings import HttpsUrl, Names, PluginSettings, Secret, Settings, setting
    from jira_ci_core.summary import Summary
    from jira_ci_core.urls import origin

_IN_MODULES = {
    "checkout": ("read_checkout",),
    "console": ("harmless",),
    "courier": ("Courier", "read_settings"),
    "errors": (
        "DeliveryError",
        "ExitCode",
        "JiraCiError",
        "PluginError",
        "RefusedError",
        "SettingsError",
        "SignInError",
    ),
    "handing": ("hand_over",),
    "hookspecs": ("CONTRACT_VERSION", "hookimpl"),
    "http": ("BearerAuth", "Http", "answer_error", "json_answer"),
    "identity": ("environment_id",),
    "keys": ("find_keys", "is_issue_key", "is_project_key"),
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
    "readers": ("Source", "Table", "When", "commit_before", "read_facts", "reader", "short_ref"),
    "runner": ("Ending", "run"),
    "settings": ("HttpsUrl", "Names", "PluginSettings", "Secret", "Settings", "setting"),
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
