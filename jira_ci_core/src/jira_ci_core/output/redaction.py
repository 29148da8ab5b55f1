"""Values that must never be printed, and how they are taken out of a text."""

from __future__ import annotations

import json
import re
import threading
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus, urlsplit

MASK = "[secret]"
# A shorter value would blot out ordinary words; nothing prints a credential on purpose.
SHORTEST = 4


class Secrets:
    """The credentials and tokens of one process, by value."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        # One thread may obtain a token while another one prints.
        self._lock = threading.Lock()

    def add(self, value: str) -> None:
        """Have a value, and the usual encodings of it, removed from everything that is printed from now on."""
        values = {value, value.strip()}
        if "://" in value:
            values.update(_secret_parts(value))
        with self._lock:
            for plain in values:
                if len(plain) >= SHORTEST:
                    self._forms.update(_encoded(plain))
            self._pattern = None

    def redact(self, text: str) -> str:
        """The text with every secret in it masked."""
        with self._lock:
            if not self._forms:
                return text
            if self._pattern is None:
                # Longest first: a secret may hold another one.
                longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
                self._pattern = re.compile("|".join(map(_anywhere, longest_first)))
            pattern = self._pattern
        return pattern.sub(MASK, text)


def _anywhere(form: str) -> str:
    """The pattern of a form, also where JSON stands in JSON (in JSON …): each time its backslashes are doubled."""
    return re.escape(form).replace(r"\\", r"\\{1,8}")


def _secret_parts(url: str) -> tuple[str, ...]:
    """The password, and what stands behind the host: that is what is secret of a webhook, and logs show it alone."""
    try:
        parts = urlsplit(url)
        return parts.password or "", parts._replace(scheme="", netloc="", fragment="").geturl()
    except ValueError:
        return ()


def _encoded(value: str) -> set[str]:
    data = value.encode()
    percent = {quote(value, safe=""), quote(value), quote_plus(value)}
    lower = {re.sub("%..", lambda match: match[0].lower(), form) for form in percent}
    in_json = {json.dumps(value, ensure_ascii=ascii)[1:-1] for ascii in (True, False)}
    # PHP and Java's Gson write more of JSON by number than they must.
    more = {re.sub("[<>&'=]", lambda match: f"\\u{ord(match[0]):04x}", form) for form in in_json}
    slashes = {form.replace("/", "\\/") for form in in_json | more}
    forms = {value, repr(value)[1:-1], data.hex(), data.hex().upper(), *percent, *lower, *in_json, *more, *slashes}
    # In base64 a value looks different at each of the three offsets; its first and last characters are shared
    # with what stands around it.
    for offset in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            encoded = encode(b"\0" * offset + data).decode().rstrip("=")
            inner = encoded[(offset * 8 + 5) // 6 : (offset + len(data)) * 8 // 6]
            if len(inner) >= SHORTEST * 2:
                forms.add(inner)
    return forms
