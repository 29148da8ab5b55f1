"""The values that flow from step to step: what CI knows, which keys were found, what is reported, what Jira said.

All of them are immutable. Those that may travel (a `Report`, a `Receipt`) are plain data and hold no secret.
"""

from jira_ci_core.models.base import (
    Model as Model,
    is_issue_id as is_issue_id,
)
from jira_ci_core.models.pipeline import (
    GIT_CHECKOUT as GIT_CHECKOUT,
    KEY_SOURCES as KEY_SOURCES,
    NO_CI as NO_CI,
    EnvironmentType as EnvironmentType,
    FoundKey as FoundKey,
    KeyPlace as KeyPlace,
    Pipeline as Pipeline,
    Retraction as Retraction,
    SearchedText as SearchedText,
)
from jira_ci_core.models.receipt import (
    Outcome as Outcome,
    Receipt as Receipt,
    Result as Result,
    SkipReason as SkipReason,
)
from jira_ci_core.models.report import (
    LONGEST_TEXT as LONGEST_TEXT,
    MOST_ASSOCIATIONS as MOST_ASSOCIATIONS,
    MOST_PROPERTIES as MOST_PROPERTIES,
    Build as Build,
    Commit as Commit,
    CountedTests as CountedTests,
    Deployment as Deployment,
    Environment as Environment,
    Kind as Kind,
    MappedEnvironment as MappedEnvironment,
    PipelineIdentity as PipelineIdentity,
    Reference as Reference,
    Report as Report,
    Site as Site,
    State as State,
    is_property as is_property,
)
