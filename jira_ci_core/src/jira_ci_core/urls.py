"""Checks and conversions of addresses: of web pages, of hosts that get credentials, of Jira sites, of git remotes."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, quote, urlsplit

from jira_ci_core.errors import InvalidValueError

# The characters that an address may contain (RFC 3986), with those of percent-encoding; all others are encoded.
_ALLOWED = "".join(map(chr, range(0x21, 0x7F))).translate(str.maketrans("", "", '"<>\\^`{|}'))
_SCP_LIKE = r"(?:[^@/:]+@)?(?P<host>[A-Za-z0-9.-]+):(?P<path>(?!//)[^:]+)"
_HOST_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*\.?")
# A name that a resolver can be asked for, or an IPv6 address, which alone has a colon and maybe a zone after `%`.
_READABLE_HOST = r"[A-Za-z0-9_~-]{1,63}(?:\.[A-Za-z0-9_~-]{1,63})*\.?|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?"

LONGEST_URL = 2000


def web_url(text: str) -> str:
    """Return the absolute http or https address in `text`, percent-encoded if necessary.

    Raises ValueError if there is none, or it is longer than Jira accepts (2000 characters).
    """
    url = quote(text.strip(), safe=_ALLOWED)
    if origin(url) is None:
        raise ValueError("it is not an absolute http:// or https:// address")
    if len(url) > LONGEST_URL:
        raise ValueError(f"it is longer than {LONGEST_URL} characters")
    return url


def web_url_or_none(text: str | None) -> str | None:
    """Return `web_url(text)`, or None if there is no such address."""
    try:
        return web_url(text) if text else None
    except ValueError:
        return None


def origin(url: str) -> str | None:
    """Return scheme, host and port of an http(s) address, in lower case, without a default port; None for others."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not (_ip_address(host) or _HOST_NAME.fullmatch(host)) or port == 0:
        return None
    shown = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{shown}" if port in (None, default) else f"{parts.scheme}://{shown}:{port}"


def https_url(text: str) -> str:
    """Return an address that credentials may be sent to: https, or http on loopback; a host alone means https.

    Raises InvalidValueError if `text` is not such an address.
    """
    try:
        url = web_url(text if "://" in text else f"https://{text}").rstrip("/")
    except ValueError as error:
        raise InvalidValueError(str(error), "write it in full, such as https://jira.example.com") from None
    if "@" in url or "?" in url or "#" in url:
        why = "it holds more than scheme, host and path"
        raise InvalidValueError(why, "write it without a user, a query and a fragment")
    if url.lower().startswith("http:") and not is_loopback(url):
        why = "credentials are sent there, and plain http would show them to everyone on the way"
        raise InvalidValueError(why, "write https:// (http:// is for this machine only)")
    return url


def site_url(text: str) -> str:
    """Return the origin of the Jira site that INSTANCE names. Raises InvalidValueError if it names none."""
    text = text.strip()
    if "://" not in text:
        host = text.lower().rstrip("/").removesuffix(".atlassian.net")
        if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", host):
            remedy = "write `myorg` for myorg.atlassian.net, or the full address of a custom domain, https://…"
            raise InvalidValueError("it is neither the name of a site at atlassian.net nor an address", remedy)
        text = f"https://{host}.atlassian.net"
    site = origin(https_url(text))
    assert site is not None
    return site


def check_address(text: str, *, with_path: bool = False) -> None:
    """Raise InvalidValueError, which shows nothing of it, unless an address can be read, and in one way only.

    Without a scheme it is a host, with or without a port and a user. A `/`, `?` or `#` in a password ends the host for
    every parser, and the rest of it is taken for a path (https://www.rfc-editor.org/rfc/rfc3986#section-3.2).
    `with_path`: the path means something, and may hold an `@`.
    """
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = SplitResult("", "", "", "", ""), "", 0
    user = parts.netloc.rpartition("@")[0]
    rest = f"{parts.path}{parts.query}{parts.fragment}"
    is_host = re.fullmatch(_READABLE_HOST, host) or (with_path and not host)
    if not is_host or port == 0 or re.search(r"[\[\]\\]", user) or ("@" in rest and not (with_path and user)):
        raise InvalidValueError(
            "it cannot be read as an address; it is not shown, since it may hold a password",
            # Without words that may themselves be the user or the password, and so be masked.
            "percent-encode what stands before the host: %23 for #, %2F for /, %3F for ?, %40 for @, %5B for [",
        )


def may_hold_password(text: str) -> bool:
    """Whether a value that is not valid may be an address with a credential in it, so that no part of it is shown."""
    try:
        return "@" in text or urlsplit(text).port == 0
    except ValueError:
        return True


def is_loopback(url: str) -> bool:
    """Return whether the host of an address is this machine."""
    host = urlsplit(url).hostname or ""
    address = _ip_address(host)
    return address.is_loopback if address else f".{host}".endswith(".localhost")


def browsable(remote: str) -> str | None:
    """Return the web address of a git remote, without credentials; None if it has none.

    `git@host:org/repo.git` and `ssh://git@host/org/repo` become `https://host/org/repo`.
    """
    remote = remote.strip()
    try:
        parts = urlsplit(remote) if "://" in remote else None
    except ValueError:
        return None
    if parts is None:
        match = re.fullmatch(_SCP_LIKE, remote)
        host, path, scheme = (match["host"], match["path"], "https") if match else ("", "", "")
    elif parts.scheme in ("http", "https"):
        host, path, scheme = parts.netloc.rpartition("@")[2], parts.path, parts.scheme
    elif parts.scheme in ("ssh", "git+ssh", "git"):
        host, path, scheme = parts.hostname or "", parts.path, "https"
    else:
        return None
    path = path.strip("/").removesuffix(".git")
    if "@" in host + path or (parts and "@" in parts.query + parts.fragment):
        return None  # what stands before it may be the rest of a password, which ended the host for the parser
    return web_url_or_none(f"{scheme}://{host}/{path}") if host and path else None


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
