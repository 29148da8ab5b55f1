"""The output of `jira-ci plugins`, as text and as JSON."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any

from jira_ci_core import hookspecs
from jira_ci_core.config.specs import SettingSpec
from jira_ci_core.hookspecs import CONTRACT_VERSION
from jira_ci_core.plugins.discovery import InstalledPlugin
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.plugins.validation import HOOK_PREFIX, HOOKS


def lines_of(plugins: Sequence[InstalledPlugin]) -> list[str]:
    """The plugins for people."""
    lines = [f"contract version {CONTRACT_VERSION}"]
    for plugin in plugins:
        lines.append(f"{plugin.name}  {plugin.state}{f': {plugin.reason}' if plugin.reason else ''}")
        lines.append(f"  from      {plugin.origin}, {plugin.target}")
        if plugin.hooks:
            lines.append(f"  hooks     {', '.join(map(_short, plugin.hooks))}")
        if plugin.settings:
            lines.append(f"  settings  {', '.join(setting.variable for setting in plugin.settings)}")
    return lines


def hooks_of(plugins: Plugins) -> list[dict[str, Any]]:
    """The contract: each hook, its arguments, what it promises, and who implements it, in call order."""
    hooks = []
    for hook in HOOKS:
        specification = getattr(hookspecs, hook)
        described = {
            "name": hook,
            "arguments": list(inspect.signature(specification).parameters),
            "promise": (inspect.getdoc(specification) or "").partition("\n")[0],
            "first_answer_wins": bool(specification.jira_ci_spec["firstresult"]),
            "plugins": plugins.implementers(_short(hook)),
        }
        hooks.append(described)
    return hooks


def hook_lines(hooks: Sequence[dict[str, Any]]) -> list[str]:
    """The contract for people."""
    lines = [f"contract version {CONTRACT_VERSION}"]
    for hook in hooks:
        rule = "the first answer wins" if hook["first_answer_wins"] else "all are called"
        lines.append(f"{hook['name']}({', '.join(hook['arguments'])})")
        lines.append(f"  {hook['promise']}")
        lines.append(f"  {rule}: {', '.join(hook['plugins']) or 'no plugin'}")
    return lines


def as_json(plugins: Sequence[InstalledPlugin], hooks: Sequence[dict[str, Any]]) -> str:
    """Plugins and contract for programs."""
    listed = [
        {
            "name": plugin.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "target": plugin.target,
            "state": plugin.state,
            "reason": plugin.reason,
            "hooks": [_short(hook) for hook in plugin.hooks],
            "settings": [_described(setting) for setting in plugin.settings],
        }
        for plugin in plugins
    ]
    return json.dumps({"contract_version": CONTRACT_VERSION, "hooks": list(hooks), "plugins": listed})


def _described(setting: SettingSpec) -> dict[str, Any]:
    default = None if setting.default is None else str(setting.default)
    return {"name": setting.variable, "help": setting.help, "secret": setting.secret, "default": default}


def _short(hook: str) -> str:
    return hook.removeprefix(HOOK_PREFIX)
