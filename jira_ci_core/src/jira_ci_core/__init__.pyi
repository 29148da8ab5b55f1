"""The public names of jira-ci, by the module that holds them. Plugins need no others."""

from jira_ci_core.ci.reader import (
    Match as Match,
)
from jira_ci_core.ci.reader import (
    VariableSource as VariableSource,
)
from jira_ci_core.ci.reader import (
    VariableTable as VariableTable,
)
from jira_ci_core.ci.reader import (
    commit_before as commit_before,
)
from jira_ci_core.ci.reader import (
    read_facts as read_facts,
)
from jira_ci_core.ci.reader import (
    reader as reader,
)
from jira_ci_core.ci.reader import (
    short_ref as short_ref,
)
from jira_ci_core.config.settings import (
    HttpsUrl as HttpsUrl,
)
from jira_ci_core.config.settings import (
    Names as Names,
)
from jira_ci_core.config.settings import (
    PluginSettings as PluginSettings,
)
from jira_ci_core.config.settings import (
    Secret as Secret,
)
from jira_ci_core.config.settings import (
    Settings as Settings,
)
from jira_ci_core.config.settings import (
    setting as setting,
)
from jira_ci_core.delivery.sender import (
    Sender as Sender,
)
from jira_ci_core.delivery.sender import (
    read_settings as read_settings,
)
from jira_ci_core.errors import (
    DeliveryError as DeliveryError,
)
from jira_ci_core.errors import (
    ExitCode as ExitCode,
)
from jira_ci_core.errors import (
    InvalidValueError as InvalidValueError,
)
from jira_ci_core.errors import (
    JiraCiError as JiraCiError,
)
from jira_ci_core.errors import (
    PluginError as PluginError,
)
from jira_ci_core.errors import (
    SettingsError as SettingsError,
)
from jira_ci_core.errors import (
    SignInError as SignInError,
)
from jira_ci_core.git.checkout import (
    read_checkout as read_checkout,
)
from jira_ci_core.git.checkout import (
    work_tree as work_tree,
)
from jira_ci_core.git.command import (
    Git as Git,
)
from jira_ci_core.git.command import (
    GitError as GitError,
)
from jira_ci_core.git.command import (
    GitFailure as GitFailure,
)
from jira_ci_core.hookspecs import (
    CONTRACT_VERSION as CONTRACT_VERSION,
)
from jira_ci_core.hookspecs import (
    hookimpl as hookimpl,
)
from jira_ci_core.issue_keys import (
    find_keys as find_keys,
)
from jira_ci_core.issue_keys import (
    is_issue_key as is_issue_key,
)
from jira_ci_core.issue_keys import (
    is_project_key as is_project_key,
)
from jira_ci_core.models import (
    Build as Build,
)
from jira_ci_core.models import (
    Connection as Connection,
)
from jira_ci_core.models import (
    CountedTests as CountedTests,
)
from jira_ci_core.models import (
    Deployment as Deployment,
)
from jira_ci_core.models import (
    Environment as Environment,
)
from jira_ci_core.models import (
    EnvironmentType as EnvironmentType,
)
from jira_ci_core.models import (
    FoundKey as FoundKey,
)
from jira_ci_core.models import (
    Kind as Kind,
)
from jira_ci_core.models import (
    MappedEnvironment as MappedEnvironment,
)
from jira_ci_core.models import (
    Outcome as Outcome,
)
from jira_ci_core.models import (
    Pipeline as Pipeline,
)
from jira_ci_core.models import (
    PipelineIdentity as PipelineIdentity,
)
from jira_ci_core.models import (
    Receipt as Receipt,
)
from jira_ci_core.models import (
    Reference as Reference,
)
from jira_ci_core.models import (
    Report as Report,
)
from jira_ci_core.models import (
    Result as Result,
)
from jira_ci_core.models import (
    SignIn as SignIn,
)
from jira_ci_core.models import (
    Site as Site,
)
from jira_ci_core.models import (
    State as State,
)
from jira_ci_core.net.client import (
    BearerAuth as BearerAuth,
)
from jira_ci_core.net.client import (
    Http as Http,
)
from jira_ci_core.net.client import (
    answer_error as answer_error,
)
from jira_ci_core.net.client import (
    json_answer as json_answer,
)
from jira_ci_core.output.ci_files import (
    write_output as write_output,
)
from jira_ci_core.output.console import (
    escape_untrusted as escape_untrusted,
)
from jira_ci_core.problem import (
    Problem as Problem,
)
from jira_ci_core.reporting.identity import (
    environment_id as environment_id,
)
from jira_ci_core.reporting.run import (
    RunResult as RunResult,
)
from jira_ci_core.reporting.run import (
    run as run,
)
from jira_ci_core.summary import (
    Summary as Summary,
)
from jira_ci_core.urls import (
    origin as origin,
)
