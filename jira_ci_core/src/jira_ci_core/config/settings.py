"""Every core setting, once: name, type, default, help, and who may set it. Plugins declare theirs in the same way.

A field `environment_name` is the setting `ENVIRONMENT_NAME`; `sources.py` says where its value comes from.
"""

from __future__ import annotations

import re
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import quote, unquote_to_bytes, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from jira_ci_core.config.environ import CA_BUNDLES, HTTP_PROXIES, HTTPS_PROXIES, words
from jira_ci_core.errors import InvalidValueError
from jira_ci_core.issue_keys import ANY_PROJECT, is_issue_key, is_project_key
from jira_ci_core.models import MOST_ASSOCIATIONS, MOST_PROPERTIES, EnvironmentType, is_property
from jira_ci_core.urls import check_address, https_url, site_url, web_url
from jira_ci_core.watchdog import PLUGIN_TIMEOUT

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


def _visible(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise InvalidValueError(
            "a credential is one word of visible ASCII characters, and this holds a space, a line break or others",
            "copy it again, without quotes or line breaks",
        )
    return SecretStr(text)


Secret = Annotated[SecretStr, AfterValidator(_visible)]
"""A credential: no flag, may come from a file (`…_FILE`), never printed."""


def split(value: object) -> object:
    """The words in a string; anything else as it is."""
    return words(value) if isinstance(value, str) else value


def _proxy(address: SecretStr) -> SecretStr:
    check_address(address.get_secret_value())
    # https://www.rfc-editor.org/rfc/rfc7617#section-2; what a proxy repeats of them would be read as several lines.
    if re.search("%(?:[01][0-9A-Fa-f]|7[Ff])", address.get_secret_value()):
        raise InvalidValueError(
            "it encodes a line break or another control character, which no user and no password may hold",
            "encode them again, without what came after their last characters (%0A, %0D)",
        )
    return address


Proxy = Annotated[Secret, AfterValidator(_proxy)]


Names = Annotated[tuple[str, ...], BeforeValidator(split)]
"""A list of words: in one string separated by commas, spaces or vertical bars, or a list in a file."""


HttpsUrl = Annotated[str, AfterValidator(https_url)]
"""An address that credentials may be sent to: https, or http on loopback; a host alone means https."""


def _project_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    if not keys:
        raise InvalidValueError("it names no project", "write the keys of your projects, or * for any")
    for key in keys:
        if key != ANY_PROJECT and not is_project_key(key):
            raise InvalidValueError(
                f"{key!r} is not a project key: at least two letters, digits or underscores, beginning with a letter",
                "write the part before the number in the keys of your issues (MYT for MYT-1234), several with commas, "
                "or * for any project",
            )
    return tuple(dict.fromkeys(key.upper() for key in keys))


def _issue_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    for key in keys:
        if not is_issue_key(key):
            raise InvalidValueError(f"{key!r} is not an issue key", "write keys such as MYT-1234, several with commas")
    return tuple(dict.fromkeys(key.upper() for key in keys))


def _comma_list(value: object) -> object:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list):
        return value
    return tuple(dict.fromkeys(str(part).strip() for part in parts if str(part).strip()))


def _patterns_of_files(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        # On Windows a backslash leads somewhere as well, and the same settings serve every machine.
        path = PureWindowsPath(pattern)
        if path.anchor or ".." in path.parts or not path.parts:
            raise InvalidValueError(
                f"{pattern!r} is empty, or leads out of the working directory",
                "write paths relative to the working directory, such as reports/**/*.xml",
            )
        if any("**" in part and part != "**" for part in path.parts) or path.parts.count("**") > 2:
            raise InvalidValueError(
                f"in {pattern!r} a ** stands beside other characters, or there are more than two",
                "write ** between slashes, for any folders, such as reports/**/*.xml",
            )
    return patterns


def _pairs(value: object) -> object:
    if not isinstance(value, (str, list)):
        return value
    words = split(value) if isinstance(value, str) else value
    pairs = [str(word).partition("=") for word in words if word] if isinstance(words, list) else []
    if not all(old and equals and new for old, equals, new in pairs):
        raise InvalidValueError("not every part is a pair", "write pairs such as NAME=VALUE, several with commas")
    return {old: new for old, _, new in pairs}


def _environments(value: object) -> object:
    if isinstance(value, (str, list)):
        value = _pairs(value)
    if not isinstance(value, dict):
        return value
    types = {str(pattern): str(type).strip().lower() for pattern, type in value.items()}
    for pattern, type in types.items():
        if type not in tuple(EnvironmentType):
            raise InvalidValueError(
                f"{type!r}, given for {pattern}, is not a type of an environment",
                f"write pairs such as prod-*=production, with one of: {', '.join(EnvironmentType)}",
            )
    return types


def _services(ids: tuple[str, ...]) -> tuple[str, ...]:
    if len(ids) >= MOST_ASSOCIATIONS:
        raise InvalidValueError(
            f"it names {len(ids)} services, and Jira takes {MOST_ASSOCIATIONS} services and issue keys together",
            "leave some out",
        )
    return tuple(dict.fromkeys(filter(None, ids)))


def _aliases(aliases: dict[str, str]) -> dict[str, str]:
    for key in (*aliases, *aliases.values()):
        if not is_project_key(key):
            raise InvalidValueError(f"{key!r} is not a project key", "write OLD=NEW with two project keys")
    return {old.upper(): new.upper() for old, new in aliases.items()}


def _properties(properties: dict[str, str]) -> dict[str, str]:
    if len(properties) > MOST_PROPERTIES:
        raise InvalidValueError(f"it holds {len(properties)} pairs, and Jira takes {MOST_PROPERTIES}", "leave some out")
    for name, value in properties.items():
        if not is_property(name, value):
            raise InvalidValueError(
                f"{name!r} is not a property that Jira takes",
                "write a name without a colon and not beginning with an underscore; both sides at most 255 characters",
            )
    return properties


def _cloud_id(text: str) -> str:
    digits = text.strip().replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{32}", digits):
        raise InvalidValueError(
            "a cloud id is 32 hexadecimal digits, with or without hyphens",
            "copy `cloudId` from https://<your site>/_edge/tenant_info, or leave CLOUD_ID out",
        )
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _link(text: str) -> str:
    try:
        return web_url(text)
    except ValueError as error:
        raise InvalidValueError(str(error), "write the whole address of the run, https://…") from None


def _seconds(value: object) -> object:
    if not re.fullmatch(r"[0-9]{1,9}", str(value).strip()):
        raise InvalidValueError("it is not a whole number of seconds", "write seconds, such as 90")
    return int(str(value))


def _run_number(value: object) -> object:
    if not re.fullmatch(r"[0-9]{1,19}", str(value).strip()) or int(str(value)) >= 2**63:
        raise InvalidValueError("it is not a whole number from 0 to 2⁶³-1", "pass the counter of your CI's runs")
    return int(str(value))


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _log_level(value: object) -> object:
    return "debug" if _lower(value) == "trace" else _lower(value)


class PluginChoice(PluginSettings):
    """The settings that are needed before the first plugin is imported."""

    plugins: Names | None = setting(None, help="use only these installed plugins, besides core's own")
    disable_plugins: Names = setting((), help="do not use these plugins, core's own included")
    local_plugins: Annotated[tuple[str, ...], BeforeValidator(_comma_list)] = setting(
        (), help="plugins without a package: Python files, several with commas"
    )
    on_plugin_error: Annotated[Literal["fail", "warn"], BeforeValidator(_lower)] = setting(
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

    project: Annotated[Names, AfterValidator(_project_keys)] = setting(
        help="project key(s) to look for, separated by comma, space or vertical bar; * accepts any",
        project_file=True,
    )
    instance: Annotated[str, AfterValidator(site_url)] | None = setting(
        None, help="your Jira site: myorg of myorg.atlassian.net, that host name, or a full address"
    )
    cloud_id: Annotated[str, AfterValidator(_cloud_id)] | None = setting(
        None, help="the site's cloud id; saves the OAuth sign-in one request"
    )
    environment_name: Annotated[tuple[str, ...], BeforeValidator(_comma_list)] = setting(
        (),
        help="where this run deploys to, several with commas: updates Deployments; without it, Builds",
        aliases=("environment",),
    )
    environment_id: str | None = setting(None, help="a stable id of the environment; made from its name by default")
    environment_type: Annotated[EnvironmentType, BeforeValidator(_lower)] | None = setting(
        None, help="production, staging, testing, development or unmapped; made from the name by default"
    )
    environments: Annotated[dict[str, EnvironmentType], BeforeValidator(_environments)] = setting(
        {},
        help="types of environments by their names, such as prod-*=production, several with commas; the first that "
        "matches counts",
    )
    duration: Annotated[int, BeforeValidator(_seconds)] | None = setting(
        None, help="how long the deployment took, in seconds; since the start of the run, if CI says when that was"
    )
    label: str | None = setting(
        None,
        help="what to show beside the run: tag, semver, calver, sha, or a text as it stands; the tag or the version by "
        "default",
        project_file=True,
    )
    service_ids: Annotated[Names, AfterValidator(_services)] = setting(
        (), help="ids or keys of the services that a deployment is of, several with commas"
    )
    state: str | None = setting(None, help="the state to show; CI's own status by default")
    state_policy: Annotated[Literal["skip", "force"], BeforeValidator(_lower)] = setting(
        "skip",
        help="what a STATE of successful means for a run that CI knows to have failed: skip the update, or force it",
    )
    log_level: Annotated[Literal["info", "debug"], BeforeValidator(_log_level)] = setting(
        "info", help="info, or debug to see what Jira answers (secrets removed)"
    )
    issuekeys: Annotated[Names, AfterValidator(_issue_keys)] = setting(
        (), help="issue key(s) to update, instead of searching for them", aliases=("issue_keys",)
    )
    key_aliases: Annotated[dict[str, str], BeforeValidator(_pairs), AfterValidator(_aliases)] = setting(
        {},
        help="renamed projects, OLD=NEW, several with commas: a key of the old one is taken for the new one's",
        project_file=True,
    )
    pipeline: str | None = setting(None, help="which pipeline this is, stable from run to run; from CI by default")
    run_number: Annotated[int, BeforeValidator(_run_number)] | None = setting(
        None, help="this run's number, for a CI that has no usable one"
    )
    link: Annotated[str, AfterValidator(_link)] | None = setting(
        None, help="the address that Jira links to; the run's by default"
    )
    delivery: str | None = setting(
        None, help="which plugin delivers, by its name: http, celery; all that are on are asked by default"
    )
    auth: str | None = setting(None, help="which kind of credentials to use if there are several: oauth, connect")
    on_no_issue: Annotated[Literal["warn", "fail"], BeforeValidator(_lower)] = setting(
        "warn", help="how a step without any issue key ends: warn (exit 0) or fail (exit 1)"
    )
    on_failure: Annotated[Literal["fail", "keep", "ignore"], BeforeValidator(_lower)] = setting(
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
    test_results: Annotated[tuple[str, ...], BeforeValidator(_comma_list), AfterValidator(_patterns_of_files)] = (
        setting(
            (),
            help="JUnit XML files whose tests a build reports: patterns such as reports/**/*.xml, several with commas",
            project_file=True,
        )
    )
    verify: bool = setting(False, help="read back what Jira accepted until it shows; exit 1 if it does not")
    properties: Annotated[dict[str, str], BeforeValidator(_pairs), AfterValidator(_properties)] = setting(
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
