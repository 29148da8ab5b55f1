"""The types of settings: what a value of each may be, and how a text becomes one."""

from __future__ import annotations

import re
from pathlib import PureWindowsPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, SecretStr

from jira_ci_core.config.environ import words
from jira_ci_core.errors import InvalidValueError
from jira_ci_core.issue_keys import ANY_PROJECT, is_issue_key, is_project_key
from jira_ci_core.models import (
    KEY_SOURCES,
    MOST_ASSOCIATIONS,
    MOST_PROPERTIES,
    EnvironmentType,
    is_issue_id,
    is_property,
)
from jira_ci_core.urls import check_address, https_url, web_url


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


ProjectKeys = Annotated[Names, AfterValidator(_project_keys)]


def _issue_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    for key in keys:
        if not (is_issue_key(key) or is_issue_id(key)):
            remedy = "write keys such as MYT-1234, or the ids of issues, several with commas"
            raise InvalidValueError(f"{key!r} is not an issue key", remedy)
    return tuple(dict.fromkeys(key.upper() for key in keys))


IssueKeys = Annotated[Names, AfterValidator(_issue_keys)]


def _key_sources(names: tuple[str, ...]) -> tuple[str, ...]:
    known = ", ".join(KEY_SOURCES)
    for name in names:
        if name.lower() not in KEY_SOURCES:
            raise InvalidValueError(f"{name!r} is no text of a change", f"choose from: {known}")
    if not names:
        raise InvalidValueError("it names no text", f"choose from: {known}; DISABLE_PLUGINS=keys searches in none")
    return tuple(dict.fromkeys(name.lower() for name in names))


KeySources = Annotated[Names, AfterValidator(_key_sources)]


def _comma_list(value: object) -> object:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list):
        return value
    return tuple(dict.fromkeys(str(part).strip() for part in parts if str(part).strip()))


CommaList = Annotated[tuple[str, ...], BeforeValidator(_comma_list)]


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


FilePatterns = Annotated[CommaList, AfterValidator(_patterns_of_files)]


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


EnvironmentTypes = Annotated[dict[str, EnvironmentType], BeforeValidator(_environments)]


def _services(ids: tuple[str, ...]) -> tuple[str, ...]:
    if len(ids) >= MOST_ASSOCIATIONS:
        raise InvalidValueError(
            f"it names {len(ids)} services, and Jira takes {MOST_ASSOCIATIONS} services and issue keys together",
            "leave some out",
        )
    return tuple(dict.fromkeys(filter(None, ids)))


Services = Annotated[Names, AfterValidator(_services)]


def _commits(hashes: tuple[str, ...]) -> tuple[str, ...]:
    for text in filter(None, hashes):
        if not re.fullmatch("[0-9A-Fa-f]{7,64}", text):
            raise InvalidValueError(
                f"{text!r} is not the hash of a commit: 7 to 64 hexadecimal digits",
                "write whole hashes, as `git rev-parse HEAD` prints them, several with commas",
            )
    return tuple(dict.fromkeys(text.lower() for text in hashes if text))


Commits = Annotated[Names, AfterValidator(_commits)]


def _aliases(aliases: dict[str, str]) -> dict[str, str]:
    for key in (*aliases, *aliases.values()):
        if not is_project_key(key):
            raise InvalidValueError(f"{key!r} is not a project key", "write OLD=NEW with two project keys")
    return {old.upper(): new.upper() for old, new in aliases.items()}


KeyAliases = Annotated[dict[str, str], BeforeValidator(_pairs), AfterValidator(_aliases)]


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


Properties = Annotated[dict[str, str], BeforeValidator(_pairs), AfterValidator(_properties)]


def _cloud_id(text: str) -> str:
    digits = text.strip().replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{32}", digits):
        raise InvalidValueError(
            "a cloud id is 32 hexadecimal digits, with or without hyphens",
            "copy `cloudId` from https://<your site>/_edge/tenant_info, or leave CLOUD_ID out",
        )
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


CloudId = Annotated[str, AfterValidator(_cloud_id)]


def _link(text: str) -> str:
    try:
        return web_url(text)
    except ValueError as error:
        raise InvalidValueError(str(error), "write the whole address of the run, https://…") from None


Link = Annotated[str, AfterValidator(_link)]


def _seconds(value: object) -> object:
    if not re.fullmatch(r"[0-9]{1,9}", str(value).strip()):
        raise InvalidValueError("it is not a whole number of seconds", "write seconds, such as 90")
    return int(str(value))


Seconds = Annotated[int, BeforeValidator(_seconds)]


def _run_number(value: object) -> object:
    if not re.fullmatch(r"[0-9]{1,19}", str(value).strip()) or int(str(value)) >= 2**63:
        raise InvalidValueError("it is not a whole number from 0 to 2⁶³-1", "pass the counter of your CI's runs")
    return int(str(value))


RunNumber = Annotated[int, BeforeValidator(_run_number)]


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


Lower = BeforeValidator(_lower)


def _log_level(value: object) -> object:
    return "debug" if _lower(value) == "trace" else _lower(value)


LogLevel = Annotated[Literal["info", "debug"], BeforeValidator(_log_level)]
