"""Secrets are masked in every spelling that encoders in use give them, and in mixtures; what stands around is shown."""

from __future__ import annotations

import base64
import binascii
import html
import itertools
import json
import quopri
import re
import shlex
import time
from urllib.parse import quote, quote_plus, urlencode
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import example, given, strategies as st

from jira_ci_core.output.redaction import MASK, Secrets

credentials = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=40)
any_secret = st.text(st.characters(codec="utf-8"), min_size=8, max_size=40).filter(lambda text: len(text.strip()) >= 8)
HARD = "p+a/s=s!*()~'\"\\&<w%41\\n&lt;''ö"


def in_lower_case(text):
    return re.sub("%..", lambda match: match[0].lower(), text)


def in_mixed_case(text):
    return "".join(letter.upper() if place % 3 else letter for place, letter in enumerate(text))


def each(spelling):
    """An encoder that spells each character in the same way."""
    return lambda text: "".join(spelling.format(ord(letter)) for letter in text)


def of_javascript(text):
    """escape() of JavaScript."""
    units = [text.encode("utf-16-be")[place : place + 2] for place in range(0, len(text.encode("utf-16-be")), 2)]
    numbers = [int.from_bytes(unit) for unit in units]
    return "".join(f"%{number:02X}" if number < 256 else f"%u{number:04X}" for number in numbers)


def of_dot_net(text):
    """System.Text.Json, which escapes everything but letters, digits and a few others."""
    return "".join(
        c if c.isalnum() or c in " -_." else json.dumps(c)[1:-1] if c in '"\\' else f"\\u{ord(c):04X}" for c in text
    )


# Encoders that spell a text character by character: nothing else than the mask is left of the secret.
EXACT = {
    "itself": str,
    "urllib.parse.quote": quote,
    "all of it": lambda text: quote(text, safe=""),
    "quote_plus": quote_plus,
    "urlencode": lambda text: urlencode({"": text})[1:],
    "encodeURIComponent": lambda text: quote(text, safe="!*'()~-_."),
    "java.net.URLEncoder": lambda text: quote_plus(text, safe="*").replace("~", "%7E"),
    "in lower case": lambda text: in_lower_case(quote(text, safe="")),
    "twice": lambda text: quote(quote(text, safe=""), safe=""),
    "three times": lambda text: quote(quote(quote(text, safe=""), safe=""), safe=""),
    "even letters": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "escape of JavaScript": of_javascript,
    "json.dumps": lambda text: json.dumps(text)[1:-1],
    "json.dumps in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "PHP's slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "Gson": lambda text: re.sub("[<>&'=]", lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text)[1:-1]),
    "nested JSON": lambda text: json.dumps(json.dumps(json.dumps(text)[1:-1])[1:-1])[1:-1],
    "System.Text.Json": lambda text: of_dot_net(text) if max(map(ord, text)) < 0x10000 else json.dumps(text)[1:-1],
    "html.escape": html.escape,
    "html.escape twice": lambda text: html.escape(html.escape(text)),
    "xml.sax": escape,
    "xml.sax, attribute": lambda text: quoteattr(text)[1:-1],
    "decimal entities": each("&#{};"),
    "hexadecimal entities": each("&#x{:X};"),
    "entities with zeros": each("&#x{:08x};"),
    "entities without an end": each("&#{}"),
    "xmlcharrefreplace": lambda text: text.encode("ascii", "xmlcharrefreplace").decode(),
    "repr": lambda text: repr(text)[1:-1],
    "ascii": lambda text: ascii(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "unicode_escape": lambda text: text.encode("unicode_escape").decode(),
    "code points": each("\\u{{{:x}}}"),
    "code points of Perl": each("\\x{{{:x}}}"),
    "code points of Python": each("\\U{:08x}"),
    "octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    "hexadecimal escapes": lambda text: "".join(f"\\x{byte:02X}" for byte in text.encode()),
    "quoted in SQL": lambda text: text.replace("'", "''"),
    "quoted in CSV": lambda text: text.replace('"', '""'),
    "shlex.quote": lambda text: shlex.quote(f" {text}")[2:-1],
    "quoted for sh": lambda text: text.replace("'", "'\\''"),
    "PowerShell's accents": lambda text: re.sub(r"([`$\"'#(){};&|<>@,])", r"`\1", text),
    "carets of cmd": lambda text: re.sub(r"([&|<>^()\"])", r"^\1", text.replace("%", "%%")),
    "escaped for sh": lambda text: re.sub(r"([^A-Za-z0-9_,.:+/@\n-])", r"\\\1", text),
}
# Encoders for which an escape may end in a space, or may be followed by what looks like a part of it.
CSS = {
    "CSS.escape": lambda text: re.sub(r"([^\w-])", r"\\\1", re.sub(r"\A\d", lambda match: f"\\3{match[0]} ", text)),
    "CSS of ESAPI": lambda text: re.sub(r"[^a-zA-Z0-9\x80-\U0010ffff]", lambda match: f"\\{ord(match[0]):x} ", text),
    "CSS, six digits": lambda text: "".join(f"\\{ord(c):06X} " if ord(c) < 0x100 else c for c in text),
    "LDAP": lambda text: "".join(f"\\{ord(c):02x}" if c in '\\*()\0+,;<=>"#/' else c for c in text),
    "LDAP, all": lambda text: "".join(f"\\{byte:02X}" for byte in text.encode()),
}
# Encoders of whole texts.
WHOLE = {
    "hexlify": lambda text: binascii.hexlify(text.encode()).decode(),
    "in upper case": lambda text: text.encode().hex().upper(),
    "in mixed case": lambda text: in_mixed_case(text.encode().hex()),
    "with colons": lambda text: binascii.hexlify(text.encode(), ":").decode(),
    "with spaces": lambda text: text.encode().hex(" "),
    "with 0x": lambda text: ", ".join(f"0x{byte:02x}" for byte in text.encode()),
    "of JSON": lambda text: json.dumps(text)[1:-1].encode().hex(),
    "of HTML": lambda text: html.escape(text).encode().hex(),
    "of a part of an URL": lambda text: quote(text, safe="").encode().hex(),
    "of UTF-16": lambda text: text.encode("utf-16-be").hex(),
    "byte[] of Java": lambda text: str([byte - 256 if byte > 127 else byte for byte in text.encode()]),
    "Buffer of Node": lambda text: json.dumps(list(text.encode())),
    "PowerShell": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "quoted-printable": lambda text: quopri.encodestring(f"{'=' * 30}{text}".encode()).decode(),
}


def masked(secret, text):
    secrets = Secrets()
    secrets.add(secret)
    return secrets.redact(text)


@pytest.mark.parametrize("encoder", EXACT)
def test_by_encoders_of_characters(encoder):
    @given(any_secret)
    @example(HARD)
    @example("correct horse+battery%20staple")
    def is_masked(secret):
        secret = secret.strip()
        assert masked(secret, f"before <{EXACT[encoder](secret)}> after") == f"before <{MASK}> after"

    is_masked()


@pytest.mark.parametrize("encoder", WHOLE)
@pytest.mark.parametrize("secret", [HARD, "gh_0123456789ABCDEFabcdef", "~!@#$%^&*()_+`-={}|[]:;<>?,./"])
def test_by_encoders_of_texts(encoder, secret):
    shown = masked(secret, f"before <{WHOLE[encoder](secret)}> after")
    assert MASK in shown
    assert shown.startswith("before <")
    assert shown.endswith("> after")
    assert len(shown.replace(MASK, "")) <= len("before <[]> after") + (
        4 if encoder == "PowerShell" else 100 if "quoted" in encoder else 0
    )


@pytest.mark.parametrize("encoder", CSS)
def test_by_encoders_with_two_hexadecimal_digits(encoder):
    @given(credentials)
    @example("abc+def=123")
    @example("a-token+of/the=tests-1234")
    def is_masked(secret):
        text = CSS[encoder](secret)
        for spelled in (text, json.dumps(text)[1:-1], quote_plus(text), html.escape(text)):
            shown = masked(secret, f"before <{spelled}> after")
            assert shown == f"before <{MASK}> after"

    is_masked()


BEFORE_BASE64 = {
    "UTF-16": lambda text: text.encode("utf-16-be"),
    "JSON": lambda text: json.dumps(text).encode(),
    "PHP's JSON": lambda text: json.dumps(text).replace("/", "\\/").encode(),
    "html.escape": lambda text: html.escape(text).encode(),
    "HTML of Go": lambda text: html.escape(text).replace("&#x27;", "&#39;").encode(),
    "quote": lambda text: quote(text).encode(),
    "encodeURIComponent": lambda text: quote(text, safe="!*'()~-_.").encode(),
}


@pytest.mark.parametrize("encoder", BEFORE_BASE64)
def test_by_base64_of_what_another_encoder_made(encoder):
    secret = "p+a/s=s!*()~'\"\\&<wö"
    for before in range(3):
        text = base64.b64encode(b"x" * before + BEFORE_BASE64[encoder](secret) + b"yy").decode()
        shown = masked(secret, f"before {text} after")
        assert re.fullmatch(r"before \S{,8}\[secret\]\S{,8} after", shown), shown


@pytest.mark.parametrize("page", ["latin-1", "cp1252"])
@pytest.mark.parametrize("encoder", ["itself", "json.dumps", "all of it", "xmlcharrefreplace"])
def test_by_reading_utf_8_in_another_code_page(page, encoder):
    secret = "pässwört-€"
    spelled = EXACT[encoder](secret.encode().decode(page))
    assert masked(secret, f"before <{spelled}> after") == f"before <{MASK}> after"


@given(
    credentials,
    st.binary(max_size=70),
    st.binary(max_size=70),
    st.sampled_from(["", "\r\n", "\n    ", "\\n", "%0A", "&#10;"]),
)
def test_by_base64_in_lines_of_76_characters(secret, before, after, end):
    encoded = base64.encodebytes(before + secret.encode() + after).decode()
    shown = masked(secret, encoded.replace("\n", end))
    assert MASK in shown
    rest = re.sub(r"\s", "", shown.replace(MASK, "").replace(end or "\n", ""))
    assert len(rest.rstrip("=")) <= (len(before) + len(after) + 2) * 8 / 6 + 4


@pytest.mark.parametrize("first", EXACT)
def test_by_two_encoders_one_after_the_other(first):
    for second, secret in itertools.product(EXACT, ("p+a/s=s!*()~'\"\\&<wö", "a-token+of/the=tests-1234")):
        shown = masked(secret, f"before {EXACT[second](EXACT[first](secret))} after")
        assert shown == f"before {MASK} after", second


@given(credentials, st.data())
def test_by_another_encoder_for_each_character(secret, data):
    by_character = [
        "itself",
        "even letters",
        "decimal entities",
        "entities with zeros",
        "code points",
        "code points of Python",
        "escape of JavaScript",
    ]
    encoders = data.draw(st.lists(st.sampled_from(by_character), min_size=len(secret), max_size=len(secret)))
    text = "".join(EXACT[encoder](letter) for encoder, letter in zip(encoders, secret, strict=True))
    assert masked(secret, f"before {text} after") == f"before {MASK} after"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a%20b 100% &amp; \\d ''", "a%20b 100% &amp; \\d ''"),
        ("%2Fpath%2F{}%2Fmore", f"%2Fpath%2F{MASK}%2Fmore"),
        ("C:\\new\\{}\\x", f"C:\\new\\{MASK}\\x"),
        ('{"a": "x\\n{}\\ty"}', f'{{"a": "x\\n{MASK}\\ty"}}'),
        ("ä&ouml;{}ö😀", f"ä&ouml;{MASK}ö😀"),
        ("DOMAIN\\{}", f"DOMAIN\\{MASK}"),
        ("100%{}%", f"100%{MASK}%"),
    ],
)
def test_what_stands_around_it_stays_as_it_is(text, shown):
    secret = "unix-to/ken+1=x2"
    for spelled in (secret, quote(secret, safe="")):
        assert masked(secret, text.replace("{}", spelled)) == shown


def test_an_escape_that_is_none_is_left_alone():
    text = "%zz %u12 &nosuch; &#xffffffff; &#99999999; \\u{ffffff} \\ud800 \\uZZZZ \\ =x \udc80"
    assert masked("correct-horse", f"{text} correct%2Dhorse") == f"{text} {MASK}"


def test_the_last_character_of_unicode():
    secret = "battery\U0010ffffstaple"
    for text in ("battery&#x10FFFF;staple", "battery\\U0010FFFFstaple", "battery\\udbff\\udfffstaple"):
        assert masked(secret, text) == MASK


SLOW = {
    "percent": "%41",
    "percent of percent": "%25",
    "backslashes": "\\",
    "ampersands": "&amp;",
    "quotes": "''",
    "beginnings": "correct-hors",
    "encoded beginnings": "correct%2Dhors",
    "base64": "Y29ycmVjdC1ob3Jz",
    "hexadecimal": "636f7272656374",
    "white space": " \n",
}


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
def test_the_time_grows_linearly_with_the_text(text):
    secrets = Secrets()
    for number in range(50):
        secrets.add(f"correct-horse-{number}-" + "battery" * 8)

    def seconds(size):
        began = time.process_time()
        secrets.redact(text * (size // len(text)))
        return time.process_time() - began

    seconds(1000)
    # Four times the text; a time that grows with the square would be sixteen times as long.
    assert seconds(200_000) < 10 * max(seconds(50_000), 0.01)
