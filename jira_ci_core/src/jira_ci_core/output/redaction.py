"""Masks secret values, in their usual encodings, in everything that is printed."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus, urlsplit

MASK = "[secret]"
_CUT = " …"
# Masking a shorter value would hit ordinary words.
SHORTEST = 4
LONGEST_TEXT = 1000
"""The most characters that are shown of a text that others write."""


class Secrets:
    """The credentials and tokens of one process, by value."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._longest = 0
        """The length of the longest text that the pattern matches."""
        # One thread may obtain a token while another one prints.
        self._lock = threading.Lock()

    def add(self, value: str) -> None:
        """Mask a value and its usual encodings in everything that is printed from now on."""
        values = {value, value.strip()}
        if "://" in value:
            # The password of an address, and its path and query: a webhook's secret, which may be logged alone.
            with contextlib.suppress(ValueError):
                parts = urlsplit(value)
                values |= {parts.password or "", parts._replace(scheme="", netloc="", fragment="").geturl()}
        with self._lock:
            self._forms.update(*(_encodings(plain) for plain in values if len(plain) >= SHORTEST))
            self._pattern = None

    def redact(self, text: str) -> str:
        pattern = self._compiled()
        return pattern.sub(MASK, text) if pattern else text

    def shorten(self, text: str, limit: int = LONGEST_TEXT) -> str:
        """The beginning of a text without its secrets, of at most `limit` characters; `…` stands for the rest.

        This is the way to cut any text that may hold a secret: one that is cut before it is masked may end in the
        beginning of a secret, which is not recognised. The time that it takes does not grow with the text.
        """
        if len(text) <= limit:
            return self.redact(text)[:limit]
        end = max(0, limit - len(_CUT))
        shown, place = "", 0
        if pattern := self._compiled():
            # Whatever begins before the end is looked at as a whole.
            for match in pattern.finditer(text[: end + self._longest]):
                if match.start() >= end:
                    break
                shown += text[place : match.start()] + MASK
                place = match.end()
        return f"{shown}{text[place:end]}"[:end].rstrip() + _CUT[:limit]

    def _compiled(self) -> re.Pattern[str] | None:
        with self._lock:
            if self._pattern is None and self._forms:
                # Longest first: one secret may contain another.
                longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
                self._pattern = re.compile("|".join(map(_form_pattern, longest_first)))
                self._longest = max(len(form) + 7 * form.count("\\") for form in self._forms)
            return self._pattern


def _form_pattern(form: str) -> str:
    """Return a pattern for an encoded value that also matches in nested JSON, where each level doubles backslashes."""
    return re.escape(form).replace(r"\\", r"\\{1,8}")


def _encodings(value: str) -> set[str]:
    data = value.encode()
    percent = {quote(value, safe=""), quote(value), quote_plus(value)}
    lower = {re.sub("%..", lambda match: match[0].lower(), form) for form in percent}
    in_json = {json.dumps(value, ensure_ascii=ascii)[1:-1] for ascii in (True, False)}
    # PHP and Java's Gson escape more characters in JSON than necessary.
    escaped = {re.sub("[<>&'=]", lambda match: f"\\u{ord(match[0]):04x}", form) for form in in_json}
    slashes = {form.replace("/", "\\/") for form in in_json | escaped}
    forms = {value, repr(value)[1:-1], data.hex(), data.hex().upper(), *percent, *lower, *in_json, *escaped, *slashes}
    # In base64 a value has three forms, one for each offset; its first and last characters also encode its neighbours.
    for offset in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            encoded = encode(b"\0" * offset + data).decode().rstrip("=")
            inner = encoded[(offset * 8 + 5) // 6 : (offset + len(data)) * 8 // 6]
            if len(inner) >= SHORTEST * 2:
                forms.add(inner)
    return forms
