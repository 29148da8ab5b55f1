"""What authors of plugins test with: recorded runs, a local Jira, the step itself, and the contract as tests.

    class TestMine(ExtractorContract):
        plugin = MyExtractor

It needs the extra `testing`: `pip install 'jira-ci-core[testing]'`. With that, pytest knows the fixtures `jira_ci`,
`jira_ci_sandbox`, `jira_ci_plugins` and `jira_ci_pipeline` by itself.
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
from jira_ci_core.testing.strategies import pipelines, receipts_of, reports

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
    "receipts_of",
    "recorded_pipeline",
    "reports",
]
