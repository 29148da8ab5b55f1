"""Cutting texts to the limits that Jira has for them."""

from __future__ import annotations

import re
import unicodedata

from jira_ci_core.models import LONGEST_TEXT

ZERO_WIDTH_JOINER = "\u200d"
# Characters that belong to the one before, though not accents by category: joiners, a vowel of Thai and of Lao, the
# vowels and finals of a Korean syllable, half-width voicing marks, skin tones, the letters in the flags of regions.
_JOINED = "[\u200c\u200d\u0e33\u0eb3\u1160-\u11ff\ud7b0-\ud7ff\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
# Two of them are a flag.
_FLAG_LETTERS = "".join(map(chr, range(0x1F1E6, 0x1F200)))


def cut(text: str, limit: int = LONGEST_TEXT) -> str:
    """The beginning of a text, at most `limit` characters, and none of them without its accents or joiners."""
    if len(text) <= limit:
        return text
    end = limit
    while end > 0 and _is_inside(text, end):
        end -= 1
    return text[: end or limit]


def _is_inside(text: str, place: int) -> bool:
    """Whether a place is inside a character: before an accent, within a joined or coloured emoji, half a flag."""
    before, after = text[place - 1], text[place]
    letters_before = place - len(text[:place].rstrip(_FLAG_LETTERS))
    return (
        unicodedata.category(after) in ("Mn", "Me", "Mc")
        or before == ZERO_WIDTH_JOINER
        or re.match(_JOINED, after) is not None
        or (after in _FLAG_LETTERS and letters_before % 2 == 1)
    )
