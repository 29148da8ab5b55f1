"""The objects that every command shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jira_ci_core.output.console import Console
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.plugins.loader import choose_plugins, open_sources

if TYPE_CHECKING:
    from jira_ci_core.config.sources import Sources
    from jira_ci_core.net.preconnect import Preconnections
    from jira_ci_core.plugins.manager import Plugins


@dataclass
class Context:
    """One call of `jira-ci`."""

    environ: Mapping[str, str] = field(repr=False)
    secrets: Secrets
    console: Console
    preconnections: Preconnections | None = None
    wants_json: bool = False
    """Whether the command was called with `--format json`; then errors are JSON, too."""
    warnings: Callable[[], tuple[str, ...]] = tuple
    """Takes what was warned of since the last call."""

    def prepare(self, flags: Mapping[str, str]) -> tuple[Sources, Plugins]:
        """The sources of settings, and the plugins that they choose. Raises SettingsError."""
        sources = open_sources(self.environ, flags, self.secrets, self.warnings)
        return sources, choose_plugins(sources)
