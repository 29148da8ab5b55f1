"""Every core setting, once: name, type, default, help, and who may set it. Plugins declare theirs in the same way.

A field `environment_name` is the setting `ENVIRONMENT_NAME`; `sources.py` says where its value comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import quote, unquote_to_bytes, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from jira_ci_core.config.environ import CA_BUNDLES, HTTP_PROXIES, HTTPS_PROXIES
from jira_ci_core.config.values import (
    CloudId,
    CommaList,
    Commits,
    EnvironmentTypes,
    FilePatterns,
    HttpsUrl as HttpsUrl,
    IssueKeys,
    KeyAliases,
    KeySources,
    Link,
    LogLevel,
    Lower,
    Names as Names,
    ProjectKeys,
    Properties,
    Proxy,
    RunNumber,
    Seconds,
    Secret as Secret,
    Services,
    split as split,
)
from jira_ci_core.errors import InvalidValueError
from jira_ci_core.issue_keys import ANY_PROJECT
from jira_ci_core.models import EnvironmentType
from jira_ci_core.urls import site_url
from jira_ci_core.watchdog import PLUGIN_TIMEOUT

LONGEST_ID = 255

if TYPE_CHECKING:
    from pydantic.config import JsonDict


def setting(
    default: object = ...,
    *,
    help: str,
    project_file: bool = False,
    aliases: tuple[str, ...] = (),
    reads: tuple[str, ...] = (),
) -> Any:
    """Declare a setting as a field of a `PluginSettings` model.

    `project_file`: the file from the change under test may set it, so a pull request can change it; never true of what
    says which pipeline, environment or site a report is of. `aliases` are other names, in lower case. `reads` are raw
    variables (`GITHUB_OUTPUT`) that are asked last, by their exact names.
    """
    extra: JsonDict = {"project_file": project_file, "aliases": list(aliases), "reads": list(reads)}
    return Field(default, description=help, json_schema_extra=extra)


class PluginSettings(BaseModel):
    """The base of every model of settings, core's included."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, hide_input_in_errors=True)


class PluginChoice(PluginSettings):
    """The settings that are needed before the first plugin is imported."""

    plugins: Names | None = setting(None, help="use only these installed plugins, besides core's own")
    disable_plugins: Names = setting((), help="do not use these plugins, core's own included")
    local_plugins: CommaList = setting((), help="plugins without a package: Python files, several with commas")
    on_plugin_error: Annotated[Literal["fail", "warn"], Lower] = setting(
        "fail", help="how a failing plugin ends the step: fail (exit 3), or warn and go on without its answer"
    )
    plugin_timeout: Annotated[float, Field(gt=0, le=86400)] = setting(
        PLUGIN_TIMEOUT,
        help="seconds after which an import or a call of a plugin counts as hanging and ends the step (exit 3)",
    )
    trace_hooks: bool = setting(False, help="print each call of each plugin with its arguments and its answer")


class OutboxSettings(PluginSettings):
    """Where reports are kept."""

    outbox: str | None = setting(
        None, help="a folder in which each report is kept until Jira has answered for it; nothing is kept by default"
    )


class Settings(PluginChoice, OutboxSettings):
    """The `settings` argument of every hook. Holds no credential."""

    project: ProjectKeys = setting(
        help="project key(s) to look for, separated by comma, space or vertical bar; * accepts any",
        project_file=True,
    )
    instance: Annotated[str, AfterValidator(site_url)] | None = setting(
        None, help="your Jira site: myorg of myorg.atlassian.net, that host name, or a full address"
    )
    cloud_id: CloudId | None = setting(None, help="the site's cloud id; saves the OAuth sign-in one request")
    environment_name: CommaList = setting(
        (),
        help="where this run deploys to, several with commas: updates Deployments; without it, Builds",
        aliases=("environment",),
    )
    environment_id: str | None = setting(None, help="a stable id of the environment; made from its name by default")
    environment_type: Annotated[EnvironmentType, Lower] | None = setting(
        None, help="production, staging, testing, development or unmapped; made from the name by default"
    )
    environments: EnvironmentTypes = setting(
        {},
        help="types of environments by their names, such as prod-*=production, several with commas; the first that "
        "matches counts",
    )
    duration: Seconds | None = setting(
        None, help="how long the deployment took, in seconds; since the start of the run, if CI says when that was"
    )
    label: str | None = setting(
        None,
        help="what to show beside the run: tag, semver, calver, sha, or a text as it stands; the tag or the version by "
        "default",
        project_file=True,
    )
    service_ids: Services = setting((), help="ids or keys of the services that a deployment is of, several with commas")
    commits: Commits = setting(
        (), help="hashes of the commits that a deployment brings, several with commas; they are in REPOSITORY_ID"
    )
    repository_id: Annotated[str, Field(max_length=LONGEST_ID)] | None = setting(
        None,
        help="the repository that a deployment is made from: the id that the app for your repositories gave it in Jira",
    )
    state: str | None = setting(None, help="the state to show; CI's own status by default")
    state_policy: Annotated[Literal["skip", "force"], Lower] = setting(
        "skip",
        help="what a STATE of successful means for a run that CI knows to have failed: skip the update, or force it",
    )
    log_level: LogLevel = setting("info", help="info, or debug to see what Jira answers (secrets removed)")
    issuekeys: IssueKeys = setting(
        (), help="key(s) or id(s) of issues to update, instead of searching for them", aliases=("issue_keys",)
    )
    keys_from: KeySources = setting(
        ("title", "message", "branch"),
        help="where to search for keys: title (of the pull request), message (of the latest commit), branch, "
        "description (of the pull request), tag; several with commas",
        project_file=True,
    )
    key_aliases: KeyAliases = setting(
        {},
        help="renamed projects, OLD=NEW, several with commas: a key of the old one is taken for the new one's",
        project_file=True,
    )
    pipeline: str | None = setting(None, help="which pipeline this is, stable from run to run; from CI by default")
    run_number: RunNumber | None = setting(None, help="this run's number, for a CI that has no usable one")
    link: Link | None = setting(None, help="the address that Jira links to; the run's by default")
    delivery: str | None = setting(
        None, help="which plugin delivers, by its name: http, celery; all that are on are asked by default"
    )
    auth: str | None = setting(None, help="which kind of credentials to use if there are several: oauth, connect")
    on_no_issue: Annotated[Literal["warn", "fail"], Lower] = setting(
        "warn", help="how a step without any issue key ends: warn (exit 0) or fail (exit 1)"
    )
    on_no_credentials: Annotated[Literal["warn", "fail"], Lower] = setting(
        "fail",
        help="how a step ends that has something to report and gets no credentials, as in a run for a fork: "
        "fail (exit 2) or warn (exit 0)",
    )
    on_failure: Annotated[Literal["fail", "keep", "ignore"], Lower] = setting(
        "fail",
        help="how a step ends whose report was neither accepted nor refused: fail (exit 1), "
        "keep (exit 0 if it is in OUTBOX), ignore (exit 0)",
    )
    pass_credentials: bool = setting(
        False, help="let the command of `jira-ci run` see the variables that hold credentials of jira-ci"
    )
    gate_timeout: Annotated[float, Field(gt=0, le=604800)] = setting(
        3600, help="seconds that `jira-ci gate` waits for the verdict"
    )
    test_results: FilePatterns = setting(
        (),
        help="JUnit XML files whose tests a build reports: patterns such as reports/**/*.xml, several with commas",
        project_file=True,
    )
    verify: bool = setting(False, help="read back what Jira accepted until it shows; exit 1 if it does not")
    properties: Properties = setting(
        {}, help="up to 5 pairs, name=value, several with commas: `jira-ci delete --property` selects by them"
    )
    sites: Names = setting(
        (),
        help="report to several sites: the names of sections [sites.…] of the file named by CONFIG, each with its "
        "INSTANCE and its credentials; other commands take one name",
    )
    config: str | None = setting(None, help="a TOML file of settings, spelled project, environment-name, …")

    @model_validator(mode="after")
    def _keep_where(self) -> Self:
        if self.on_failure == "keep" and not self.outbox:
            raise InvalidValueError(
                "ON_FAILURE is keep, and OUTBOX, where reports are kept, is not set",
                "set OUTBOX to a folder that is still there after this step, such as a cache volume",
            )
        return self

    @model_validator(mode="after")
    def _name_the_repository(self) -> Self:
        if self.commits and not self.repository_id:
            raise InvalidValueError(
                "COMMITS is set, and REPOSITORY_ID, which says in which repository they are, is not",
                "set REPOSITORY_ID to the id that the app for your repositories gave it in Jira, or leave COMMITS out",
            )
        return self

    @property
    def projects_to_find(self) -> tuple[str, ...]:
        """The projects whose keys are searched for: those of PROJECT, and the old names of renamed ones."""
        wanted = self.project
        return (*wanted, *(old for old, new in self.key_aliases.items() if new in wanted or ANY_PROJECT in wanted))


class NetworkSettings(PluginSettings):
    """How to reach the network. Kept apart from `Settings`, since a proxy's address may hold a password."""

    deadline: Annotated[float, Field(gt=0, le=86400)] = setting(
        60, help="seconds from the first request to the last; until then, what fails for the moment is tried again"
    )

    https_proxy: Proxy | None = setting(None, help="proxy for https", reads=HTTPS_PROXIES)
    http_proxy: Proxy | None = setting(None, help="proxy for http", reads=HTTP_PROXIES)
    no_proxy: str | None = setting(
        None, help="hosts to reach without a proxy", reads=("NO_PROXY", "no_proxy", "HARNESS_NO_PROXY")
    )
    ca_bundle: str | None = setting(
        None,
        help="certificate authorities to trust instead of the usual ones: a file, a folder, or system",
        reads=CA_BUNDLES,
    )

    @property
    def proxies(self) -> dict[str, str]:
        """The addresses of the proxies, by scheme. People write `proxy:3128`, too: `proxy` is not a scheme there."""
        found = {"https": self.https_proxy, "http": self.http_proxy}
        return {scheme: _well_formed(proxy.get_secret_value()) for scheme, proxy in found.items() if proxy}


def _well_formed(proxy: str) -> str:
    """The address with a scheme, and with each byte of user and password encoded.

    A `%` that encodes nothing stands for itself; in urllib3, beside one, all others would as well (`parse_url`).
    """
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    user, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{quote(unquote_to_bytes(user), safe=':')}{at}{host}").geturl()
