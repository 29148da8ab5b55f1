"""Masks secret values, however they are spelled, in everything that is printed.

A secret is looked for in the text as it is, and in what it becomes when escapes in it are resolved, again and again:
those of URLs, HTML, JSON and other languages, in any mixture. Each place found is masked where it stands in the text.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import re
import threading
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote, unquote, unquote_plus, urlsplit

from jira_ci_core.output.escapes import ALL, CERTAIN, MARKS, REMOVED, meaning, pattern_of, resolved

MASK = "[secret]"
_CUT = " …"
# These are compiled where they are needed, which few steps do.
_SENSITIVE_OPTION = "(?i)[?&;](?=[^=?&;]*(?:pass|pw|secret|token|key(?!file)|auth|sig))[^=?&;]+=([^&]+)"
# Masking a shorter value would hit ordinary words.
SHORTEST = 4
LONGEST_WORD = 16
LONGEST_TEXT = 1000
"""The most characters that are shown of a text that others write."""
DEPTH = 8
"""How many times a text may be escaped: an URL in JSON in a page counts three."""
MOST_READINGS = 30
WIDEST = 32
"""The most characters that stand for one byte of a secret where a text is cut."""

_CUT_BY_PYTHON = 150
# int() quotes the first 200 characters of what is no number, which may end in the beginning of a secret:
# https://github.com/python/cpython/blob/v3.11.0/Objects/longobject.c#L2568
_CUT_NUMBER = rb"invalid literal for int\(\) with base [0-9]+: (b?\\?[\"']?[^\n\"]{%d,})" % _CUT_BY_PYTHON

_URI_COMPONENT = "!*'()~"
_HTML = {
    ord(letter): name for letter, name in zip("&<>\"'", ("&amp;", "&lt;", "&gt;", "&quot;", "&#x27;"), strict=True)
}
# UTF-8 that is read as Windows' code page, as browsers do: https://encoding.spec.whatwg.org/#windows-1252
_WINDOWS_1252 = dict(enumerate("€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ", 0x80))
_CONTINUATIONS = bytes(range(0x80, 0xC0))
_WORD = rb"(?<![\w.-])(?:%s)(?![\w-]|\.\w)"
_WHITE_SPACE = b" \t\r\n\v\f"
_BETWEEN_BYTES = _WHITE_SPACE + b":,-"
_STANDARD_BASE64 = bytes.maketrans(b"-_", b"+/")


class Secrets:
    """The credentials and tokens of one process, by value."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._users: set[str] = set()
        self._needles: _Needles | None = None
        # One thread may obtain a token while another one prints.
        self._lock = threading.Lock()

    def add(self, value: str) -> None:
        """Mask a value, in every spelling, in everything that is printed from now on; of an address, all its parts."""
        values = {value, value.strip()}
        if "://" in value:
            # The path and query of an address: a webhook's secret, which may be logged alone.
            with contextlib.suppress(ValueError):
                values.add(urlsplit(value)._replace(scheme="", netloc="", fragment="").geturl())
            values |= {form for text in re.findall(_SENSITIVE_OPTION, value) for form in (text, unquote_plus(text))}
        pairs = _users_and_passwords(value)
        self._add(values | _parts(pairs), {user for user, _ in pairs})

    def add_password(self, text: str) -> None:
        """Mask the password in any address, such as that of a repository, and the pair with its user."""
        with contextlib.suppress(ValueError):
            parts = urlsplit(text)
            parts.port  # noqa: B018  (raises if it is part of a password)
            text = f"{parts.netloc.rpartition('@')[0]}@"
        self._add(
            _parts(pair for pair in _users_and_passwords(text) if pair[1] and not re.search(r"\s", "".join(pair)))
        )

    def _add(self, values: Iterable[str], users: Iterable[str] = ()) -> None:
        with self._lock:
            self._values.update(value for value in values if len(value) >= SHORTEST)
            self._users.update(user for user in users if len(user) >= SHORTEST)
            self._needles = None

    def redact(self, text: str) -> str:
        """The text with each secret masked. The time that it takes grows linearly with the text."""
        return _masked(text, self._places(text, with_users=True))

    def redact_stored(self, text: str) -> str:
        """The same for what is stored or sent: it keeps the users of addresses, as a pipeline may have such a name."""
        return _masked(text, self._places(text, with_users=False))

    def are_in(self, text: str) -> bool:
        """Whether a text holds a secret. A short one of letters or digits does not count: a name may be the same."""
        found = (text[start:end] for start, end in self._places(text, with_users=False))
        return any(len(part) >= (LONGEST_WORD if part.isalpha() else 8) or not part.isalnum() for part in found)

    def shorten(self, text: str, limit: int = LONGEST_TEXT) -> str:
        """The beginning of a text without its secrets, of at most `limit` characters; `…` stands for the rest.

        This is the way to cut any text that may hold a secret: one that is cut before it is masked may end in the
        beginning of a secret, which is not recognised. The time that it takes does not grow with the text.
        """
        if len(text) <= limit:
            return self.redact(text)[:limit]
        end = max(0, limit - len(_CUT))
        # Whatever begins before the end is looked at as a whole.
        places = self._places(text[: end + max(LONGEST_TEXT, self._compiled().longest * WIDEST)], with_users=True)
        return _masked(text, [place for place in places if place[0] < end], end)[:end].rstrip() + _CUT[:limit]

    def _compiled(self) -> _Needles:
        with self._lock:
            if self._needles is None:
                self._needles = _Needles.of(self._values, self._users)
            return self._needles

    def _places(self, text: str, *, with_users: bool) -> list[tuple[int, int]]:
        """Where the secrets stand in a text: start and end of each, in order, none overlapping another."""
        needles = self._compiled()
        if not needles.longest and "@" not in text:
            return []
        data = text.encode(errors="surrogatepass")
        merged: list[tuple[int, int]] = []
        found = [place for reading in _readings(data) for place in reading.find(needles, with_users)]
        if needles.longest > _CUT_BY_PYTHON:
            found += [match.span(1) for match in re.finditer(_CUT_NUMBER, data)]
        for start, end in sorted(found):
            if merged and start < merged[-1][1]:
                merged[-1] = merged[-1][0], max(end, merged[-1][1])
            else:
                merged.append((start, end))
        return merged if text.isascii() else _in_characters(data, merged)


def _masked(text: str, places: Iterable[tuple[int, int]], limit: int | None = None) -> str:
    """The text up to its limit, with a mask in each place."""
    parts, done = [], 0
    for start, end in places:
        parts += [text[done:start], MASK]
        done = end
    return "".join((*parts, text[done:limit]))


def _users_and_passwords(address: str) -> set[tuple[str, str]]:
    """What may be the user and password of an address, as they stand there and decoded.

    What ends at any of the first few `@` may be: a password that should have been percent-encoded may hold one.
    """
    rest = address.partition("://")[2] or address
    pairs = set()
    for match in itertools.islice(re.finditer("@", rest), MOST_READINGS):
        user, _, password = rest[: match.start()].partition(":")
        pairs |= {(user, password), (unquote(user), unquote(password))}
        # Of bytes that are no UTF-8, and as http.client reads headers.
        pairs.add((unquote(user, "latin-1"), unquote(password, "latin-1")))
    return pairs


def _parts(pairs: Iterable[tuple[str, str]]) -> set[str]:
    return {part for user, password in pairs for part in (password, f"{user}:{password}")}


class _Needles(NamedTuple):
    """What secrets look like, as bytes: the values themselves, and in encodings of whole texts."""

    plain: frozenset[bytes]
    with_spaces: frozenset[bytes]
    """Those with a space, which forms encode as a plus sign; each has spaces for both."""
    base64: frozenset[bytes]
    hexadecimal: frozenset[bytes]
    decimal: frozenset[bytes]
    """Lists of the bytes as numbers, also those of Java: `97,-61,-92`."""
    users: re.Pattern[bytes] | None
    """The users of addresses, each as a word: many are called like something else."""
    longest: int
    """The length of the longest value, in bytes."""

    @classmethod
    def of(cls, values: Iterable[str], users: Iterable[str]) -> _Needles:
        plain: set[bytes] = set()
        encoded: set[bytes] = set()
        for value in values:
            data = value.encode(errors="surrogatepass")
            # What resolving escapes makes of a value that looks as if it had some; and of one beyond ASCII with escapes
            # of its letters, which may look like those of bytes.
            for form in (data, ascii(value)[1:-1].encode()) if len(data) > len(value) else (data,):
                plain |= {reading.data for reading in _readings(form) if len(reading.data) >= SHORTEST}
            encoded |= {form.encode(errors="surrogatepass") for form in (value, *_escaped(value, data))}
            encoded |= {value.encode(codec, errors="surrogatepass") for codec in ("utf-16-le", "utf-16-be")}
            with contextlib.suppress(UnicodeEncodeError):  # as `requests` encodes user and password
                encoded.add(value.encode("latin-1"))
            if len(data) > len(value):
                plain |= {data.decode("latin-1").encode(), data.decode("latin-1").translate(_WINDOWS_1252).encode()}
        return cls(
            frozenset(plain),
            frozenset(data.replace(b"+", b" ") for data in plain if b" " in data),
            frozenset(part for data in encoded for part in _in_base64(data)),
            frozenset(data.hex().encode() for data in encoded),
            frozenset(
                str(list(numbers)).encode().translate(None, b"[ ]")
                for data in encoded
                for numbers in (data, memoryview(data).cast("b"))
            ),
            re.compile(_WORD % b"|".join(re.escape(user.encode(errors="surrogatepass")) for user in users))
            if users
            else None,
            max(map(len, plain), default=0),
        )


def _escaped(value: str, data: bytes) -> Iterator[str]:
    """A value as it stands in texts that are then encoded as a whole."""
    in_json = json.dumps(value)[1:-1]
    yield from (quote(data, safe=""), quote(data), quote(data, safe=_URI_COMPONENT), in_json)
    yield from (in_json.replace("/", "\\/"), value.translate(_HTML), value.translate(_HTML | {39: "&#39;"}))


def _in_base64(data: bytes) -> Iterator[bytes]:
    """A value has three forms, one for each offset; its first and last characters also encode its neighbours."""
    for offset in range(3):
        inner = b64encode(b"\0" * offset + data)[(offset * 8 + 5) // 6 : (offset + len(data)) * 8 // 6]
        if len(inner) >= SHORTEST * 2:
            yield inner


class _Reading:
    """A text with some parts replaced, which still knows where each part of it came from."""

    def __init__(self, data: bytes, source: _Reading | None = None, replaced: str = "") -> None:
        self.data = data
        self._source = source
        self._replaced = replaced

    def resolved(self, kinds: str) -> _Reading:
        """The same with escapes of these kinds resolved, once; itself, if there are none."""
        if not any(kind in kinds for kind in self._kinds):
            return self
        data = resolved(kinds, self.data)
        return self if data == self.data else _Reading(data, self, kinds)

    @functools.cached_property
    def _kinds(self) -> tuple[str, ...]:
        """The kinds of escapes that there may be."""
        return tuple(kind for kind, marks in MARKS.items() if any(mark in self.data for mark in marks))

    def find(self, needles: _Needles, with_users: bool) -> Iterator[tuple[int, int]]:
        """Where secrets stand in the original text."""
        if b"@" in self.data and b"://" in self.data:
            yield from (self._origin(*match.span(1)) for match in pattern_of("user and password").finditer(self.data))
        if not needles.longest:
            return
        if with_users and needles.users:
            yield from (self._origin(*match.span()) for match in needles.users.finditer(self.data))
        yield from self._find(needles.plain, self.data)
        if needles.with_spaces:
            yield from self._find(needles.with_spaces, self.data.replace(b"+", b" "))
        if self._replaced not in ("", ALL, CERTAIN):
            return  # Encodings of whole texts have no escapes that look like anything else.
        # They are wrapped in lines.
        in_one_line = _Reading(self.data.translate(None, _WHITE_SPACE), self, "white space")
        yield from in_one_line._find(needles.base64, in_one_line.data.translate(_STANDARD_BASE64))
        yield from in_one_line._find(needles.decimal, in_one_line.data)
        lower = self.data.lower().replace(b"0x", b"").translate(None, _BETWEEN_BYTES)
        yield from _Reading(lower, self, "between bytes")._find(needles.hexadecimal, lower)

    def _find(self, needles: frozenset[bytes], data: bytes) -> Iterator[tuple[int, int]]:
        for needle in needles:
            place = data.find(needle)
            while place >= 0:
                yield self._origin(place, place + len(needle))
                place = data.find(needle, place + len(needle))

    def _origin(self, start: int, end: int) -> tuple[int, int]:
        """Where a part of this text stands in the original one."""
        if self._source is None:
            return start, end
        first, last = self._before(start), self._before(end - 1)
        return self._source._origin(first[0], last[1])

    def _before(self, place: int) -> tuple[int, int]:
        """Where the source has what stands for the byte at this place: start and end."""
        starts, replacements = self._replacements
        number = bisect_right(starts, place) - 1
        if number < 0:
            return place, place + 1
        end, source_start, source_end = replacements[number]
        if place < end:
            return source_start, source_end
        moved = place - end + source_end
        return moved, moved + 1

    @functools.cached_property
    def _replacements(self) -> tuple[list[int], list[tuple[int, int, int]]]:
        """Where each replacement begins; its end, and start and end of what it replaces. Only asked if one is found."""
        assert self._source is not None
        starts, replacements, moved = [], [], 0
        for match in pattern_of(self._replaced).finditer(self._source.data):
            size = len(meaning(match[0])) if self._replaced not in REMOVED else 0
            start = match.start() - moved
            starts.append(start)
            replacements.append((start + size, match.start(), match.end()))
            moved += match.end() - match.start() - size
        return starts, replacements


def _readings(data: bytes) -> list[_Reading]:
    """A text, and what it may become when escapes in it are resolved.

    What is an escape is not always certain: the end of what stands before a secret may look like one with it. So they
    are resolved all at once, only those that little else looks like, and each kind by itself.
    """
    found = {data: _Reading(data)}
    for kinds in (ALL, CERTAIN):
        reading = found[data]
        for _ in range(DEPTH):
            resolved = reading.resolved(kinds)
            if resolved is reading:
                break
            reading = found.setdefault(resolved.data, resolved)
    readings = list(found.values())
    for reading in readings:
        for kind in MARKS if len(readings) < MOST_READINGS else ():
            resolved = reading.resolved(kind)
            if resolved.data not in found:
                found[resolved.data] = resolved
                readings.append(resolved)
    return readings


def _in_characters(data: bytes, places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Places in UTF-8, in order, as places in the text."""
    found, done, characters = [], 0, 0
    for start, end in places:
        bounds = []
        for bound in (start, end):
            characters += len(data[done:bound].translate(None, _CONTINUATIONS))
            done = bound
            bounds.append(characters)
        found.append((bounds[0], bounds[1]))
    return found
