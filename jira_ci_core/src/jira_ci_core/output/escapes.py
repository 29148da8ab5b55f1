"""What escapes in a text stand for: those of URLs, HTML, JSON, shells and other languages."""

from __future__ import annotations

import functools
import re
import sys

_HEX = "[0-9A-Fa-f]"

# One character in UTF-8, or else one byte, of which each is written in hexadecimal digits after a mark, here {0}.
_MORE = f"(?:{{0}}[89ABab]{_HEX})"
_BYTES = (
    f"{{0}}(?:[Cc][2-9A-Fa-f]|[Dd]{_HEX}){_MORE}|{{0}}[Ee]{_HEX}{_MORE}{_MORE}|{{0}}[Ff][0-4]{_MORE}{_MORE}{_MORE}"
    f"|{{0}}{_HEX}{_HEX}"
)
_SURROGATES = f"u[Dd][89ABab]{_HEX}{{2}}{{0}}u[Dd][C-Fc-f]{_HEX}{{2}}|u{_HEX}{{4}}"
_PATTERNS = {
    # https://url.spec.whatwg.org/#percent-encoded-bytes, and %uXXXX of JavaScript's escape()
    "percent": f"%(?:{_SURROGATES.replace('{0}', '%')})|{_BYTES.replace('{0}', '%')}",
    # https://html.spec.whatwg.org/multipage/syntax.html#character-references
    "entity": f"&(?:#(?:0{{0,8}}[0-9]{{1,7}}|[Xx]0{{0,8}}{_HEX}{{1,6}});?|[A-Za-z][A-Za-z0-9]{{1,31}};)",
    # 'it'"'"'s' and 'it'\''s' of shells; and '' and "", as they stand in SQL, YAML, PowerShell and CSV
    "quotes": "'\"'\"'|'\\\\''|''|\"\"",
    # JSON, JavaScript, Python, C, shells
    "backslash and number": rf"\\(?:{_SURROGATES.replace('{0}', chr(92) * 2)}|u+{_HEX}{{4}}|[ux]\{{{_HEX}{{1,6}}\}}"
    rf"|U{_HEX}{{8}}|[0-3][0-7]{{2}})|{_BYTES.replace('{0}', chr(92) * 2 + 'x')}",
    "backslash": r"\\(?:[abefnrtv0]|[^A-Za-z0-9])",
    # \2B of CSS, with the space that may end it (a plus sign in forms), and of LDAP, which escapes bytes
    # https://www.w3.org/TR/css-syntax-3/#consume-escaped-code-point, https://www.rfc-editor.org/rfc/rfc4514#section-2.4
    "backslash and hexadecimal": rf"\\0{{0,4}}{_HEX}{{2}}[ \t\r\n\f+]|{_BYTES.replace('{0}', chr(92) * 2)}",
    # PowerShell and cmd
    "accent or caret": "[`^][^A-Za-z0-9]|%%",
    "quoted-printable": "=(?:[0-9A-F]{2}|\r?\n)",
    # In any address, also of those that are no settings, but for the ones in the remedies of errors.
    # https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1
    "user and password": r""":/{1,2}(?!(?:user)?:password@)([^\s/?#@"'<>\\:]*:[^\s/?#@"'<>\\]+|[\w-]{16,})@""",
    "white space": "[ \t\r\n\v\f]+",
    "between bytes": "0[xX]|[ \t\r\n\v\f:,-]+",
}
CERTAIN = "percent|entity|backslash and number"
ALL = f"{CERTAIN}|quotes|backslash"
REMOVED = "white space", "between bytes"
# What any escape of a kind begins with.
MARKS = {
    "percent": (b"%",),
    "entity": (b"&",),
    "quotes": (b"''", b'""', b"'\""),
    "backslash and number": (b"\\",),
    "backslash": (b"\\",),
    "backslash and hexadecimal": (b"\\",),
    "accent or caret": (b"`", b"^", b"%%"),
    "quoted-printable": (b"=",),
}
_LETTERS = bytes.maketrans(b"abefnrtv0", b"\a\b\x1b\f\n\r\t\v\0")


def pattern_of(kinds: str) -> re.Pattern[bytes]:
    """What escapes of these kinds look like, as bytes; kinds are separated by vertical bars."""
    return re.compile("|".join(_PATTERNS[kind] for kind in kinds.split("|")).encode())


def resolved(kinds: str, text: bytes) -> bytes:
    """A text with escapes of these kinds resolved, once."""
    known = functools.lru_cache(1000)(meaning)
    return pattern_of(kinds).sub(lambda match: known(match[0]), text)


def meaning(escape: bytes) -> bytes:
    """The bytes that an escape stands for; itself, if it stands for nothing."""
    first, rest = escape[:1], escape[1:]
    if first in b"'\"":
        return first
    if first == b"=":
        return bytes.fromhex(rest.decode())  # nothing, for the break of a line
    if first == b"&":
        return _character_reference(rest.removesuffix(b";").decode()) or escape
    kind, digits = rest[:1], rest[1:]
    if kind in (b"u", b"U") or digits.startswith(b"{"):
        if first in digits:  # two halves of one character
            high, low = digits.split(first + b"u")
            return chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF)).encode()
        return _character(int(digits.strip(b"u{}"), 16)) or escape
    if len(rest) == 1:
        return rest.translate(_LETTERS)
    if rest[-1:] in b" \t\r\n\f+":
        return _character(int(rest[:-1], 16))
    if len(rest) == 3 and kind != b"x":
        return bytes([int(rest, 8)])
    data = bytes.fromhex(escape.translate(None, b"%\\x").decode())
    return data if len(data) > 1 or data.isascii() else chr(data[0]).encode()


def _character_reference(name: str) -> bytes:
    if name[:1] == "#":
        return _character(int(name[2:], 16) if name[1] in "xX" else int(name[1:]))
    from html.entities import html5  # large, and seldom needed

    return html5.get(f"{name};", "").encode()


def _character(number: int) -> bytes:
    return chr(number).encode(errors="surrogatepass") if number <= sys.maxunicode else b""
