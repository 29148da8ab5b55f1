"""The contract test for extractors."""

from __future__ import annotations

from jira_ci_core.testing import ExtractorContract
from jira_ci_keys_git.plugin import GitKeys


class TestKeysGit(ExtractorContract):
    plugin = GitKeys
