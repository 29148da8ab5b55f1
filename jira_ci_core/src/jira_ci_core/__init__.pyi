"""The public names of jira-ci, by the module that holds them. Plugins need no others."""

from jira_ci_core.ci.reader import (
    Match as Match,
    Partial as Partial,
    VariableSource as VariableSource,
    VariableTable as VariableTable,
    branch_name as branch_name,
    commit_before as commit_before,
    read_facts as read_facts,
    reader as reader,
)
from jira_ci_core.config.settings import (
    HttpsUrl as HttpsUrl,
    Names as Names,
    PluginSettings as PluginSettings,
    Secret as Secret,
    Settings as Settings,
    setting as setting,
)
from jira_ci_core.delivery.sender import (
    Sender as Sender,
    read_settings as read_settings,
)
from jira_ci_core.errors import (
    DeliveryError as DeliveryError,
    ExitCode as ExitCode,
    InvalidValueError as InvalidValueError,
    JiraCiError as JiraCiError,
    NoCredentialsError as NoCredentialsError,
    PluginError as PluginError,
    SettingsError as SettingsError,
    SignInError as SignInError,
)
from jira_ci_core.git.checkout import (
    read_checkout as read_checkout,
    work_tree as work_tree,
)
from jira_ci_core.git.command import (
    Git as Git,
    GitError as GitError,
    GitFailure as GitFailure,
)
from jira_ci_core.hookspecs import (
    CONTRACT_VERSION as CONTRACT_VERSION,
    hookimpl as hookimpl,
)
from jira_ci_core.issue_keys import (
    find_keys as find_keys,
    is_issue_key as is_issue_key,
    is_project_key as is_project_key,
)
from jira_ci_core.models import (
    Build as Build,
    Commit as Commit,
    CountedTests as CountedTests,
    Deployment as Deployment,
    Environment as Environment,
    EnvironmentType as EnvironmentType,
    FoundKey as FoundKey,
    KeyPlace as KeyPlace,
    Kind as Kind,
    MappedEnvironment as MappedEnvironment,
    Outcome as Outcome,
    Pipeline as Pipeline,
    PipelineIdentity as PipelineIdentity,
    Receipt as Receipt,
    Reference as Reference,
    Report as Report,
    Result as Result,
    Retraction as Retraction,
    SearchedText as SearchedText,
    Site as Site,
    SkipReason as SkipReason,
    State as State,
)
from jira_ci_core.net.answers import (
    answer_error as answer_error,
    json_answer as json_answer,
)
from jira_ci_core.net.auth import (
    BearerAuth as BearerAuth,
)
from jira_ci_core.net.client import (
    Http as Http,
)
from jira_ci_core.net.connection import (
    Connection as Connection,
    SignIn as SignIn,
)
from jira_ci_core.output.ci_files import (
    STANDARD_OUTPUT as STANDARD_OUTPUT,
    write_output as write_output,
)
from jira_ci_core.output.console import (
    escape_untrusted as escape_untrusted,
)
from jira_ci_core.output.redaction import (
    Secrets as Secrets,
)
from jira_ci_core.problem import (
    Problem as Problem,
)
from jira_ci_core.reporting.identity import (
    environment_id as environment_id,
)
from jira_ci_core.reporting.run import (
    RunResult as RunResult,
    run as run,
)
from jira_ci_core.summary import (
    Summary as Summary,
)
from jira_ci_core.urls import (
    check_address as check_address,
    origin as origin,
)
