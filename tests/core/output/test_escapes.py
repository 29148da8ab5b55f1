"""What each kind of escape stands for."""

from __future__ import annotations

import pytest

from jira_ci_core.output.escapes import ALL, meaning, resolved

MEANINGS = {
    "%2B": "+",
    "%c3%b6": "ö",
    "%F6": "ö",
    "%u20AC": "€",
    "%uD83D%uDE00": "😀",
    "%%": "%",
    "&amp;": "&",
    "&lsquor;": "‚",
    "&#43;": "+",
    "&#43": "+",
    "&#x2b;": "+",
    "&#X2B;": "+",
    "&#x10FFFF;": "\U0010ffff",
    "''": "'",
    '""': '"',
    "'\"'\"'": "'",
    "'\\''": "'",
    "\\u002B": "+",
    "\\uu002B": "+",
    "\\u{2b}": "+",
    "\\x{20ac}": "€",
    "\\U0001F600": "😀",
    "\\ud83d\\ude00": "😀",
    "\\x2b": "+",
    "\\xc3\\xb6": "ö",
    "\\xf6": "ö",
    "\\053": "+",
    "\\/": "/",
    "\\\\": "\\",
    "\\n": "\n",
    "\\e": "\x1b",
    "\\2b ": "+",
    "\\00002B\n": "+",
    "\\2b+": "+",
    "\\f6 ": "ö",
    "\\2b": "+",
    "\\c3\\b6": "ö",
    "\\f6": "ö",
    "`$": "$",
    "^&": "&",
    "=3D": "=",
    "=\r\n": "",
    # What stands for nothing is left alone.
    "&nosuch;": "&nosuch;",
    "&#x110000;": "&#x110000;",
    "\\u{ffffff}": "\\u{ffffff}",
}


@pytest.mark.parametrize("escape", MEANINGS)
def test_the_meaning_of(escape):
    assert meaning(escape.encode()).decode() == MEANINGS[escape]


def test_half_a_surrogate_pair():
    assert meaning(b"\\ud800") == "\ud800".encode(errors="surrogatepass")


def test_in_a_text_each_is_resolved_once():
    text = b"a%2Bb &amp;amp; \\u00e4 it''s \\n %zz `$"
    assert resolved(ALL, text) == "a+b &amp; ä it's \n %zz `$".encode()
    assert resolved("percent", text) == text.replace(b"%2B", b"+")
