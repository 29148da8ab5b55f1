"""A kit for testing plugins: the contract as tests, the step itself, a local Jira, and recorded runs of each CI.

    class TestMine(ExtractorContract):
        plugin = MyExtractor

It needs the extra `testing`: `pip install 'jira-ci-core[testing]'`. pytest then finds the fixtures `jira_ci`,
`jira_ci_sandbox`, `jira_ci_plugins` and `jira_ci_pipeline`.
"""

try:
    import hypothesis as _hypothesis  # noqa: F401
except ImportError as error:
    raise ImportError("jira_ci_core.testing needs more packages: pip install 'jira-ci-core[testing]'") from error

from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.testing.contracts import (
    AuthenticationContract,
    DeliveryContract,
    EnvironmentMapContract,
    ExtractorContract,
    PluginContract,
    ReaderContract,
    ReportedContract,
    StateMapContract,
)
from jira_ci_core.testing.harness import load_plugin
from jira_ci_core.testing.recorded import RECORDED, recorded_pipeline
from jira_ci_core.testing.sandbox import Sandbox
from jira_ci_core.testing.step import JiraCi, StepResult
from jira_ci_core.testing.strategies import pipelines, receipts, reports

__all__ = [
    "RECORDED",
    "AuthenticationContract",
    "DeliveryContract",
    "EnvironmentMapContract",
    "ExtractorContract",
    "JiraCi",
    "PluginContract",
    "Plugins",
    "ReaderContract",
    "ReportedContract",
    "Sandbox",
    "StateMapContract",
    "StepResult",
    "load_plugin",
    "pipelines",
    "receipts",
    "recorded_pipeline",
    "reports",
]
