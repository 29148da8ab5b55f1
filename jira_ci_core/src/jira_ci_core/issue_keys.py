"""What an issue key is, where one is found in a text, and which of those found are sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

# Jira's default form of a project key is two or more characters: a letter, then letters, digits and
# (where an administrator allows it) underscores. Everything here is ASCII on purpose.
_PROJECT = r"[A-Za-z][A-Za-z0-9_]+"
_NUMBER = r"[1-9][0-9]*+"

PROJECT_KEY = re.compile(_PROJECT)
ISSUE_KEY = re.compile(rf"{_PROJECT}-{_NUMBER}")

ANY_PROJECT = "*"

# Words that look like an issue key and are none. They only matter where PROJECT is `*`: a project of that
# name that is listed is believed.
LOOK_ALIKES = frozenset(
    {
        # character sets and encodings
        *("ANSI", "ASCII", "BASE", "KOI8", "LATIN", "UCS", "UTF", "WINDOWS"),
        # digests, ciphers, protocols
        *("AES", "BLAKE2", "CRC", "HMAC", "HTTP", "MD", "RSA", "SHA", "SHA1", "SHA2", "SHA3", "SSL", "TLS", "UUID"),
        # standards and advisories
        *("BCP", "CVE", "CWE", "DIN", "ECMA", "ETSI", "FIPS", "GHSA", "IEC", "IEEE", "ISO", "ITU", "JEP", "JSR"),
        *("NIST", "PEP", "PKCS", "RFC", "RHSA", "USN", "WCAG"),
        # everyday words
        *("COVID", "GPT", "SARS"),
    }
)


def is_project_key(text: str) -> bool:
    """Whether this is a project key of at least two characters, in any case."""
    return PROJECT_KEY.fullmatch(text) is not None


def is_issue_key(text: str) -> bool:
    """Whether this is an issue key, in any case."""
    return ISSUE_KEY.fullmatch(text) is not None


def find_keys(text: str, projects: Iterable[str]) -> Iterator[str]:
    """The issue keys in `text`, upper-cased, in their order, repeats included.

    `projects` are project keys, or `*` for any. A key of a named project is found in any case. With `*`
    only upper-case keys of the plain form count, without the well-known look-alikes. A key inside a longer
    ASCII word is none. Takes time linear in the length of the text.
    """
    named = frozenset(project.upper() for project in projects)
    keys = (match[0].upper() for match in _pattern(named).finditer(text))
    return keys if ANY_PROJECT not in named else (key for key in keys if _is_believed(project_of(key), named))


def _is_believed(project: str, named: frozenset[str]) -> bool:
    return project in named or project not in LOOK_ALIKES


@lru_cache(maxsize=8)
def _pattern(named: frozenset[str]) -> re.Pattern[str]:
    # Longest first, so that MY_T-1 is of MY_T also where T is listed. A class for each letter in place of a flag, so
    # that `ſ` is no S, and a class for all first letters, since the search skips to what it may begin with.
    names = sorted(named - {ANY_PROJECT, ""}, key=lambda name: (-len(name), name))
    choices = ["(?<={}){}".format(_in_any_case(name[0]), "".join(map(_in_any_case, name[1:]))) for name in names]
    first = "".join(sorted({re.escape(letter) for name in names for letter in (name[0], name[0].lower())}))
    if ANY_PROJECT in named:
        choices.append("(?<=[A-Z])[A-Z0-9]++")
        first += "A-Z"
    begin = rf"[{first}](?<![A-Za-z0-9].)" if choices else ""
    return re.compile(rf"{begin}(?:{'|'.join(choices) or '(?!)'})-{_NUMBER}(?![A-Za-z0-9])")


def _in_any_case(character: str) -> str:
    return f"[{character}{character.lower()}]" if character.isascii() and character.isalpha() else re.escape(character)


def project_of(key: str) -> str:
    """The project key of an issue key."""
    return key.rpartition("-")[0]
