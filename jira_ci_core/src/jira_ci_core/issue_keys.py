"""The form of project keys and issue keys, and how issue keys are found in a text."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice

# Jira's default form of a project key is two or more characters: a letter, then letters, digits and
# (if an administrator allows it) underscores. Only ASCII counts, hence no `\d` and no `\w`.
# "Maximum project key size" in Jira's general configuration is 10 by default and 255 at most. No issue has a number of
# ten digits. https://confluence.atlassian.com/adminjiraserver0917/changing-the-project-key-format-1431246065.html
_PROJECT = r"[A-Za-z][A-Za-z0-9_]{1,254}"
_NUMBER = r"[1-9][0-9]{0,9}+"
# A number that goes on like this is that of a version: 1.2, 2.x
_VERSION = r"\.(?:[0-9]|[xX](?![A-Za-z]))"
_CONSTANT = string.ascii_uppercase + string.digits + "_"

ANY_PROJECT = "*"
MOST_LOWER = 50
"""How many projects are looked for that a text may name in lower case."""

# Prefixes of words that only look like an issue key, such as UTF-8. They are excluded only if PROJECT is `*`:
# one that PROJECT lists is a project.
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
    """Return whether `text` is a project key of at least two characters, in any case."""
    return re.fullmatch(_PROJECT, text) is not None


def is_issue_key(text: str) -> bool:
    """Return whether `text` is an issue key, in any case."""
    return re.fullmatch(rf"{_PROJECT}-{_NUMBER}", text) is not None


def find_keys(text: str, projects: Iterable[str]) -> Iterator[str]:
    """Yield the issue keys in `text`, in upper case and in their order, repeats included.

    `projects` are project keys, or `*` for any. Keys of a listed project are found in any case; others, with `*`, only
    in upper case, without an underscore, and without the well-known look-alikes. A key inside a longer ASCII word is
    none, nor is a version (`app-1.2`, `app-2.x`). The time is linear in the length of the text.
    """
    listed = frozenset(project.upper() for project in projects)
    end = 0
    for match in _pattern(listed).finditer(text):
        key, before, end = match[0].upper(), text[end : match.start()], match.end()
        if project_of(key) in listed or not (project_of(key) in LOOK_ALIKES or _ends_in_constant(before)):
            yield key


def find_likely_keys(text: str) -> Iterator[str]:
    """Yield what `find_keys` would with `*`, and keys in lower case, which count where PROJECT lists their projects."""
    words = re.finditer("(?<![A-Za-z0-9])([A-Za-z][A-Za-z0-9]{1,254}+)-[1-9]", text)
    projects = dict.fromkeys(word[1].upper() for word in words if not word[1].isupper())
    return find_keys(text, (ANY_PROJECT, *islice((one for one in projects if one not in LOOK_ALIKES), MOST_LOWER)))


def _ends_in_constant(text: str) -> bool:
    """Whether a name in capitals goes on after `text`, as in `PATH_MAX-1`; `6.0_HHH-1` and `branch_OPS-7` hold none."""
    return text[len(text.rstrip(_CONSTANT)) :][:1].isalpha()


@lru_cache(maxsize=8)
def _pattern(listed: frozenset[str]) -> re.Pattern[str]:
    # A class for each letter, since with a flag `ſ` would match S; a class for all first letters, since the search can
    # skip to the next of them.
    names = sorted(listed - {ANY_PROJECT, ""})
    choices = ["(?<={}){}".format(_in_any_case(name[0]), "".join(map(_in_any_case, name[1:]))) for name in names]
    first = "".join(_in_any_case(name[0])[1:-1] for name in names)
    if ANY_PROJECT in listed:
        choices.append("(?<=[A-Z])[A-Z0-9]{1,254}+")
        first += "A-Z"
    if not choices:
        return re.compile("(?!)")
    return re.compile(rf"[{first}](?<![A-Za-z0-9].)(?:{'|'.join(choices)})-{_NUMBER}(?![A-Za-z0-9]|{_VERSION})")


def _in_any_case(character: str) -> str:
    return f"[{re.escape(character + character.lower())}]"


def project_of(key: str) -> str:
    """Return the project key of an issue key."""
    return key.rpartition("-")[0]
