"""Cutting texts to the limits that Jira has for them."""

from __future__ import annotations

import re
import unicodedata

LONGEST_TEXT = 255

ZERO_WIDTH_JOINER = "\u200d"
# What belongs to the character before it and is no accent by its category: joiners, a vowel of Thai and of Lao, the
# vowels and finals of a Korean syllable, half-width voicing marks, skin tones, the letters in the flags of regions.
_JOINED = "[\u200c\u200d\u0e33\u0eb3\u1160-\u11ff\ud7b0-\ud7ff\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"


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
    return (
        unicodedata.category(after) in ("Mn", "Me", "Mc")
        or before == ZERO_WIDTH_JOINER
        or re.match(_JOINED, after) is not None
        or ("\U0001f1e6" <= after <= "\U0001f1ff" and _half_flags_before(text, place) % 2 == 1)
    )


def _half_flags_before(text: str, place: int) -> int:
    """How many letters of flags stand right before a place; two of them are a flag."""
    count = 0
    while count < place and "\U0001f1e6" <= text[place - count - 1] <= "\U0001f1ff":
        count += 1
    return count
