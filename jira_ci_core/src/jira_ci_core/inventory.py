"""What is installed, in words and as JSON: what `jira-ci plugins` shows."""

from __future__ import annotations

import json
from collections.abc import Sequence

from jira_ci_core.hookspecs import CONTRACT_VERSION
from jira_ci_core.plugins import HOOK_PREFIX, Installed


def lines_of(plugins: Sequence[Installed]) -> list[str]:
    """One plugin after the other, for people."""
    lines = [f"contract version {CONTRACT_VERSION}"]
    for plugin in plugins:
        lines.append(f"{plugin.name}  {plugin.state}{f': {plugin.reason}' if plugin.reason else ''}")
        lines.append(f"  from      {plugin.origin}, {plugin.target}")
        if plugin.hooks:
            lines.append(f"  hooks     {', '.join(map(_short, plugin.hooks))}")
        if plugin.settings:
            lines.append(f"  settings  {', '.join(setting.variable for setting in plugin.settings)}")
    return lines


def as_json(plugins: Sequence[Installed]) -> str:
    """All of it, for programs."""
    return json.dumps(
        {
            "contract_version": CONTRACT_VERSION,
            "plugins": [
                {
                    "name": plugin.name,
                    "distribution": plugin.distribution,
                    "version": plugin.version,
                    "target": plugin.target,
                    "state": plugin.state,
                    "reason": plugin.reason,
                    "hooks": [_short(hook) for hook in plugin.hooks],
                    "settings": [
                        {
                            "name": setting.variable,
                            "help": setting.help,
                            "secret": setting.secret,
                            "default": None if setting.default is None else str(setting.default),
                        }
                        for setting in plugin.settings
                    ],
                }
                for plugin in plugins
            ],
        }
    )


def _short(hook: str) -> str:
    return hook.removeprefix(HOOK_PREFIX)
