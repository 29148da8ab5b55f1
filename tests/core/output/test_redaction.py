"""Secrets are masked in everything that is printed."""

from __future__ import annotations

import json
import re
import time
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given, strategies as st

from jira_ci_core.output.redaction import MASK, Secrets

credentials = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=60)
any_secret = st.text(st.characters(codec="utf-8"), min_size=8, max_size=40).filter(lambda text: len(text.strip()) >= 8)


def secrets_of(*values):
    secrets = Secrets()
    for value in values:
        secrets.add(value)
    return secrets


@given(any_secret, st.text(), st.text())
@example('pa"ss\\word', "", "")
@example("pässwörd", "", "")
@example("two\nlines\tof it", "", "")
def test_a_secret_is_masked_as_it_is_percent_encoded_and_in_json(secret, before, after):
    secrets = secrets_of(secret)
    for form in (
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        re.sub("[<>&'=]", lambda match: f"\\u{ord(match[0]):04x}", json.dumps(secret)[1:-1]),
        re.sub("%..", lambda match: match[0].lower(), quote(secret, safe="")),
        json.dumps({"body": json.dumps({"key": secret})}),
        json.dumps([json.dumps([json.dumps([secret])])]),
        secret.encode().hex(),
        secret.encode().hex().upper(),
        repr(secret)[1:-1],
    ):
        assert form not in secrets.redact(form)
        # Masked in any surroundings, except where they contain it too.
        if form not in before + after:
            assert MASK in secrets.redact(before + form + after)


@given(credentials, st.binary(max_size=5), st.binary(max_size=5), st.sampled_from([b64encode, urlsafe_b64encode]))
def test_a_secret_is_masked_in_base64_at_any_offset(secret, before, after, encode):
    encoded = encode(before + secret.encode() + after).decode()
    redacted = secrets_of(secret).redact(encoded)
    assert MASK in redacted
    # No part of the secret can be decoded from the rest, except what shares a character with its neighbours.
    rest = redacted.replace(MASK, "").rstrip("=")
    assert len(rest) <= (len(before) + len(after) + 2) * 8 / 6 + 4


@given(credentials, credentials)
def test_a_secret_that_holds_another_is_masked_whole(first, second):
    assume(first != second)
    assert secrets_of(first, first + second).redact(f"<{first + second}>") == f"<{MASK}>"


@given(st.text())
def test_a_text_without_a_secret_is_left_alone(text):
    assume("correct-horse" not in text)
    assert Secrets().redact(text) == text
    assert secrets_of("correct-horse-battery").redact("staple") == "staple"


def test_a_value_too_short_to_be_a_credential_is_not_masked():
    assert secrets_of("", "a", "abc").redact("abc of a") == "abc of a"
    assert secrets_of("a-b1").redact("a-b1 of a") == f"{MASK} of a"


def test_bytes_that_are_no_text_are_masked_as_the_environment_has_them():
    secrets = secrets_of("correct\udcffhorse", "http://us\udcffer:hunter22@h")
    assert secrets.redact("correct\udcffhorse of us\udcffer") == f"{MASK} of {MASK}"


def test_the_password_in_an_address_is_a_secret_too():
    secrets = secrets_of("http://user:hunter22@proxy.example:3128")
    assert secrets.redact("user hunter22 at http://user:hunter22@proxy.example:3128") == f"{MASK} {MASK} at {MASK}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("git://u:p@h/x failed", f"git://{MASK}@h/x failed"),
        ("see https://ghp_0123456789abcdef@github.example/a", f"see https://{MASK}@github.example/a"),
        ("http%3A%2F%2Fu%3Apw%40h", f"http%3A%2F%2F{MASK}%40h"),
        ("ssh://git@host.example/a:b@c https://h:80/a@b", "ssh://git@host.example/a:b@c https://h:80/a@b"),
        (
            "write amqp://user:password@host or redis://:password@host",
            "write amqp://user:password@host or redis://:password@host",
        ),
    ],
)
def test_user_and_password_of_an_address_that_is_no_setting(text, shown):
    assert secrets_of("correct-horse").redact(text) == shown


def test_a_user_is_masked_as_a_word_where_something_is_printed_and_not_where_it_is_stored():
    secrets = secrets_of("http://acme:hunter22@proxy.example")
    text = "acme, acme-shop and acme.example of acme.%20acme: hunter22"
    assert secrets.redact(text) == f"{MASK}, acme-shop and acme.example of {MASK}.%20{MASK}: {MASK}"
    assert secrets.redact_stored(text) == f"acme, acme-shop and acme.example of acme.%20acme: {MASK}"


@pytest.mark.parametrize(
    ("address", "hidden"),
    [
        ("http://alice:p%23w%2Fd@h", ["p%23w%2Fd", "p#w/d", "alice:p#w/d", b64encode(b"alice:p#w/d").decode()[:-2]]),
        ("alice:pa#ss@h:1", ["alice", "pa#ss", b64encode(b"alice:pa#ss").decode()[:-2]]),
        ("http://alice:pa@ss/w@h", ["pa@ss/w", "alice"]),
        ("http://al%C3%AFce:p%C3%A4ss@h", ["alïce", b64encode("alïce:päss".encode("latin-1")).decode()[:-2]]),
        (
            "http://al%EFce:p%E4sswort@h",
            ["alïce", "pässwort", b64encode("alïce:pässwort".encode("latin-1")).decode()[:-2]],
        ),
        ("http://tokentoken@h", ["tokentoken", b64encode(b"tokentoken:").decode()[:-2]]),
    ],
)
def test_each_part_of_an_address_as_it_stands_and_decoded(address, hidden):
    for part in hidden:
        assert secrets_of(address).redact(f"<{part}>").startswith(f"<{MASK}")


class TestAddPassword:
    """The address of a repository, say, whose user and host are no secrets."""

    @pytest.mark.parametrize(
        ("address", "text", "shown"),
        [
            ("https://user:hunter22@h/a", "user hunter22 user:hunter22", f"user {MASK} {MASK}"),
            ("https://user:hun%2Fter@h/a", "hun/ter hun%2Fter", f"{MASK} {MASK}"),
            # The path is no part of a password that can be told from it.
            ("https://user:hunter22@h/pa@th", "hunter22@h/pa", f"{MASK}@h/pa"),
            ("https://user:hun@ter@h/pa@th", "hun@ter", MASK),
            ("https://user:pa#ss@h", "pa#ss", MASK),
            ("https://user:99999#ss@h", "99999#ss", MASK),
            ("https://[user:pa/ss@h", "pa/ss", MASK),
            ("https://tokentoken@h", "tokentoken tokentoken:", "tokentoken tokentoken:"),
            ("see https://user:pass or mail a@b", "pass or mail a", "pass or mail a"),
            ("https://us er:hunter22@h", "hunter22", "hunter22"),
        ],
    )
    def test_masks_the_password_alone(self, address, text, shown):
        secrets = Secrets()
        secrets.add_password(address)
        assert secrets.redact(text) == shown


@pytest.mark.parametrize(
    ("secret", "text", "holds"),
    [
        ("wonder,land", "a,wonder,land,b", True),
        ("won-", "won-", True),
        ("a2b4c6d8", "xa2b4c6d8x", True),
        ("a2b4c6d", "xa2b4c6dx", False),
        ("abcdefghijklmnop", "abcdefghijklmnop", True),
        ("abcdefghijklmno", "abcdefghijklmno", False),
        ("abcdefghijklmno", "abcde%66ghijklmno", True),
        ("production", "production,staging", False),
        ("http://acme-shop:hunter22@h", "acme-shop", False),
        ("wonder,land", "land,wonder", False),
    ],
)
def test_a_text_that_holds_a_secret_and_no_common_word(secret, text, holds):
    assert secrets_of(secret).are_in(text) is holds


def test_a_secret_of_six_characters_is_masked_in_base64():
    assert secrets_of("ab/c-d").redact(b64encode(b"ab/c-d").decode()) == MASK
    assert secrets_of("ab/c-").redact(b64encode(b"ab/c-").decode()) == b64encode(b"ab/c-").decode()


def test_base64_for_urls_is_masked_too():
    secret = b"~~~???>>>~~~"
    assert set("-_") & set(urlsafe_b64encode(secret).decode())
    assert secrets_of(secret.decode()).redact(urlsafe_b64encode(secret).decode()) == MASK


def test_the_path_and_query_of_an_address_are_a_secret_too():
    secrets = secrets_of("https://hooks.example/services/T0000?key=hunter22#top")
    assert secrets.redact("POST /services/T0000?key=hunter22 HTTP/1.1") == f"POST {MASK} HTTP/1.1"
    assert secrets.redact("https://hooks.example answered") == "https://hooks.example answered"


@pytest.mark.parametrize("url", ["http://[broken", "http://proxy.example", "://", "http://u:p@x"])
def test_an_address_without_a_password_raises_nothing(url):
    assert secrets_of(url).redact(f"<{url}>") in (f"<{MASK}>", f"<{url}>")


def test_white_space_around_a_secret_does_not_matter():
    assert secrets_of("  hunter2222\n").redact("it is hunter2222.") == f"it is {MASK}."


class TestShortened:
    """A text is masked before it is cut."""

    SECRET = "The-Secret-0123456789-" * 9

    @pytest.mark.parametrize(
        "form", [SECRET, quote(SECRET + "/", safe=""), json.dumps(SECRET + '"'), SECRET.encode().hex()]
    )
    @pytest.mark.parametrize("limit", [1, 9, 40, 150, 400])
    def test_no_part_of_a_secret_is_shown_wherever_the_cut_is(self, form, limit):
        secrets = secrets_of(self.SECRET, self.SECRET + "/", self.SECRET + '"')
        for start in range(0, limit + 2, max(1, limit // 20)):
            text = f"{'x' * start}{form} and more{' and more' * 100}"
            shown = secrets.shorten(text, limit)
            assert len(shown) <= limit
            assert not set("T25") & set(shown)

    def test_a_secret_that_is_spelled_at_length_is_masked_whole(self):
        spelled = "".join(f"&#x{ord(letter):08x};" for letter in self.SECRET)
        assert len(spelled) > 2000
        assert secrets_of(self.SECRET).shorten("x" * 300 + spelled + " and more", 400) == f"{'x' * 300}{MASK} …"
        assert secrets_of(self.SECRET).shorten("x" * 390 + spelled, 400) == f"{'x' * 390}{MASK} …"

    def test_a_user_is_masked_and_white_space_before_the_cut_removed(self):
        secrets = secrets_of("http://acme:hunter22@proxy.example")
        assert secrets.shorten(f"  acme {'x' * 10}            {'y' * 400}", 30) == f"  {MASK} {'x' * 10} …"

    def test_secrets_before_the_cut_bring_no_later_one_into_view(self):
        text = f"{self.SECRET} " * 20
        for limit in range(1, 600, 7):
            assert "The" not in secrets_of(self.SECRET).shorten(text, limit)

    @given(st.text(max_size=60), st.integers(1, 40))
    def test_what_is_shown_is_the_beginning(self, text, limit):
        shown = secrets_of("correct-horse").shorten(text, limit)
        assert len(shown) <= limit
        assert text == shown if len(text) <= limit else text.startswith(shown.rstrip("… "))

    def test_the_time_does_not_grow_with_the_text(self):
        secrets, text = secrets_of(self.SECRET), "a" * 20_000_000
        began = time.process_time()
        assert secrets.shorten(text, 500) == "a" * 498 + " …"
        assert time.process_time() - began < 0.1
