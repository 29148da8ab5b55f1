"""Reads a TeamCity build: its variables, and the files of properties that they name.

https://www.jetbrains.com/help/teamcity/predefined-build-parameters.html
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from jira_ci_core import Match, VariableTable, hookimpl, reader

log = logging.getLogger(__name__)

# Names with dots are properties. Message and repository may have to come from the checkout.
TABLE: VariableTable = {
    # BUILD_NUMBER has the build configuration's own format: 42, 1.4.42, release.
    "number": ("teamcity.build.id", "BUILD_NUMBER"),
    "url": ("BUILD_URL", "{teamcity.serverUrl}/viewLog.html?buildId={teamcity.build.id}"),
    "name": ("TEAMCITY_BUILDCONF_NAME",),
    # In a pull request its number; `<default>` for the branch that the configuration calls so.
    "branch": (Match("teamcity.build.branch", "(?!<default>$)(.+)"),),
    "source_branch": ("teamcity.pullRequest.source.branch",),
    "target_branch": ("teamcity.pullRequest.target.branch",),
    "pull_request": ("teamcity.pullRequest.number",),
    "pull_request_title": ("teamcity.pullRequest.title",),
    "sha": ("BUILD_VCS_NUMBER",),
    "repository_url": ("vcsroot.url",),
    "workspace": ("teamcity.build.checkoutDir", "teamcity.build.workingDir"),
}
# Names repeat in other projects.
IDENTITY = (("teamcity.buildType.id", "{TEAMCITY_PROJECT_NAME}/{TEAMCITY_BUILDCONF_NAME}", "TEAMCITY_BUILDCONF_NAME"),)

SYSTEM_FILE = "TEAMCITY_BUILD_PROPERTIES_FILE"
CONFIGURATION_FILE = "teamcity.configuration.properties.file"
"""A system property that names the file of the others."""

LARGEST_FILE = 1 << 20

# A comment, or what one ends that no backslash stands before.
_LINE = re.compile(r"[ \t\f]*+(?:[#!][^\r\n]*+|((?:[^\\\r\n]|\\(?:\r\n|.)?)*+))(?:\r\n?|\n|\Z)", re.DOTALL)
_CONTINUED = re.compile(r"\\(?:(\r\n?|\n)[ \t\f]*+|.)", re.DOTALL)
_ENTRY = re.compile(r"((?:[^\\=: \t\f]|\\.)*+)[ \t\f]*+[=:]?[ \t\f]*+(.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)


def properties(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the properties that the table names; the files hold others, which may be secrets."""
    system = read_properties(environ.get(SYSTEM_FILE, ""))
    found = {**read_properties(system.get(CONFIGURATION_FILE, "")), **system}
    names = re.findall(r"\b(?:teamcity|vcsroot)\.[\w.]+", f"{list(TABLE.values())}{IDENTITY}")
    return {name: found[name] for name in names if name in found}


def read_properties(path: str) -> dict[str, str]:
    """Return what a file of properties holds; nothing, with a warning, if it cannot be read or is too large."""
    if not path:
        return {}
    try:
        file = Path(path)
        if not file.is_file():  # a pipe may have no end
            raise OSError(f"{path} is no file")
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise OSError(f"{path} is larger than {LARGEST_FILE >> 20} MiB")
    except (OSError, ValueError) as error:
        log.warning("a file of TeamCity's properties cannot be read, so branch and title may be missing: %s", error)
        return {}
    return dict(parse_properties(content))


def parse_properties(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield names and values, in a time that grows linearly with the content.

    https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html#load(java.io.Reader)
    """
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # as Java writes it, with all other characters escaped
    for line in _LINE.finditer(text):
        entry = _ENTRY.match(_CONTINUED.sub(lambda part: "" if part[1] else part[0], line[1] or ""))
        if entry and entry[0]:
            yield _unescaped(entry[1]), _unescaped(entry[2])


def _unescaped(text: str) -> str:
    def character(escape: re.Match[str]) -> str:
        code = escape[1]
        return chr(int(code[1:], 16)) if len(code) > 1 else {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}.get(code, code)

    text = _ESCAPE.sub(character, text)
    # A character beyond the first 65536 is two of these.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader("TeamCity", TABLE, recognised_by=("TEAMCITY_VERSION",), identity=IDENTITY, extra_variables=properties)
)
