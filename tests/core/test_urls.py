"""Web addresses, origins, loopback, and the web address of a git remote."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from jira_ci_core.errors import InvalidValueError
from jira_ci_core.urls import LONGEST_URL, browsable, check_address, is_loopback, origin, web_url
from jira_ci_sandbox import contract

anything = st.one_of(
    st.text(),
    st.text(alphabet="htps:/@[]?#%.a1 \n\\é℀"),
    st.text().map("https://".__add__),
    st.text().map("git@".__add__),
)


@given(anything)
def test_jira_accepts_every_web_address(text):
    try:
        url = web_url(text)
    except ValueError:
        return
    assert list(contract.url("url", url)) == []
    assert url.isascii()


@given(anything)
def test_making_a_web_address_twice_is_making_it_once(text):
    try:
        url = web_url(text)
    except ValueError:
        return
    assert web_url(url) == url


@given(anything)
def test_a_remote_becomes_a_web_address_or_none(text):
    shown = browsable(text)
    assert shown is None or web_url(shown) == shown


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (" https://ci.example/run/1 \n", "https://ci.example/run/1"),
        ("https://ci.example/größe?a=b c#d", "https://ci.example/gr%C3%B6%C3%9Fe?a=b%20c#d"),
        ("https://ci.example/%20", "https://ci.example/%20"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
    ],
)
def test_a_web_address_is_percent_encoded_where_necessary(text, url):
    assert web_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ci.example/run",
        "/run/1",
        "ftp://ci.example",
        "javascript:alert(1)",
        "https://",
        "https://:80/",
        "https://a:99999",
        "https://a:0",
        "https://a:b",
        "https://[::1",
        "https://-a.example",
        "https://a b/",
        "https://a_b.example/",
    ],
)
def test_it_is_no_web_address(text):
    with pytest.raises(ValueError, match="not an absolute"):
        web_url(text)


def test_an_address_longer_than_jira_accepts_is_refused():
    longest = "https://a.example/".ljust(LONGEST_URL, "x")
    assert web_url(longest) == longest
    with pytest.raises(ValueError, match="longer than 2000"):
        web_url(longest + "x")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("HTTPS://Acme.Example:443/x?y#z", "https://acme.example"),
        ("http://acme.example:80", "http://acme.example"),
        ("https://acme.example:8443/", "https://acme.example:8443"),
        ("https://user:pass@acme.example/", "https://acme.example"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("ssh://acme.example", None),
        ("acme.example", None),
        ("https://[::1", None),
    ],
)
def test_the_origin_of_an_address_is(url, found):
    assert origin(url) == found


@pytest.mark.parametrize(
    "url", ["http://localhost:1", "http://127.0.0.1", "http://127.8.9.1/x", "http://[::1]/", "http://a.localhost"]
)
def test_this_machine_is_loopback(url):
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    ["http://localhost.example", "http://127.0.0.1.example", "http://10.0.0.1", "http://notlocalhost", "mailto:x"],
)
def test_another_machine_is_not_loopback(url):
    assert not is_loopback(url)


@pytest.mark.parametrize(
    ("remote", "shown"),
    [
        ("git@host.example:org/repo.git", "https://host.example/org/repo"),
        ("host.example:org/repo", "https://host.example/org/repo"),
        ("ssh://git@host.example/org/repo", "https://host.example/org/repo"),
        ("ssh://git@host.example:2222/org/repo.git", "https://host.example/org/repo"),
        ("git+ssh://host.example/org/repo", "https://host.example/org/repo"),
        ("git://host.example/org/repo.git/", "https://host.example/org/repo"),
        ("https://user:token@host.example/org/repo.git", "https://host.example/org/repo"),
        ("http://host.example:3000/org/repo", "http://host.example:3000/org/repo"),
        ("/srv/git/repo.git", None),
        ("../repo", None),
        ("file:///srv/repo", None),
        ("https://host.example", None),
        ("https://[broken/org/repo", None),
        ("https://a℀b.example/org/repo", None),
        # A part of the password would be shown.
        ("https://user:12/34@host.example/org/repo", None),
        ("https://user:12/3#4@host.example/org/repo", None),
        ("https://user:12?34@host.example/org/repo", None),
        ("user:pass@host.example:org/repo", None),
        ("user:pass@host.example/org/repo", None),
        ("", None),
    ],
)
def test_a_remote_becomes_a_web_address_without_credentials(remote, shown):
    assert browsable(remote) == shown


READABLE = [
    *(
        "proxy",
        "proxy:3128",
        "http://proxy:3128/",
        "user:pw@proxy:3128",
        "http://user:p%23w@proxy:3128",
        "http://:pw@h",
    ),
    *(
        "http://us%40er:pw@proxy",
        "http://u:p@ss@proxy:1",
        "http://u:p@[::1]:3128",
        "https://a_b.c-d:443",
        "http://tok@h",
    ),
    *(f"http://u:p@{'h' * 63}.x.:1", "http://u:p@[fe80::1%25eth0]:1"),
    *("http://u:p\"<>^`{|}$&'()*+,;=!~x@h:1", "socks5h://u:p@h:1"),
]
UNREADABLE = [
    *("http://user:pa#ss@proxy:3128", "user:pa#ss@p:1", "http://user:pa/ss@p", "http://user:pa?ss@p", "user:pa/ss@p"),
    *(
        "http://user:12#34@p:1",
        "http://user:12/34@p:1",
        "http://user:1?2@h:1",
        "http://[",
        "[",
        "http://u:[p@h",
        "u:p://x@h",
    ),
    *(
        "http://u:[p]@h",
        "http://u:p\\w@h",
        "http://u:p@",
        "http://u:p@:80",
        "http://",
        "://x",
        "http://p:99999",
        "//u:p@h",
    ),
    *(
        "http://u:p@h:x",
        "http://u:p@h:80:90",
        "http://u:p%40h:80",
        "http://tok%40h",
        "http://f00d%40h:80",
        "http://h%20x",
    ),
    *(f"http://u:p@{'h' * 64}:1", "http://u:p@h..x", "http://u:p@.h", "http://u:p@a..b"),
]


@pytest.mark.parametrize("address", READABLE)
def test_an_address_with_a_password_that_can_be_read_in_one_way_is_taken(address):
    check_address(address)


@pytest.mark.parametrize("address", UNREADABLE)
def test_one_that_cannot_is_refused_without_showing_it(address):
    with pytest.raises(InvalidValueError) as caught:
        check_address(address)
    assert len(address) < 3 or address not in f"{caught.value} {caught.value.remedy}"


@pytest.mark.parametrize("address", ["amqp:///v", "redis://:p@h/0", "amqp://u:p@h/v@x", "amqp://u:p@/v", "redis://h"])
def test_the_path_of_a_broker_may_hold_anything(address):
    check_address(address, with_path=True)


@pytest.mark.parametrize("address", ["redis://:pa/ss@h/0", "amqp://u:1/2@h", "amqp://u:p#s@h", "redis://:[@h"])
def test_but_not_the_rest_of_a_password(address):
    with pytest.raises(InvalidValueError):
        check_address(address, with_path=True)
