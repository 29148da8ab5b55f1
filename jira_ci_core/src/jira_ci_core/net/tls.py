"""The TLS context of all connections."""

from __future__ import annotations

import ssl
from pathlib import Path

from jira_ci_core.errors import SettingsError
from jira_ci_core.problem import Problem

SYSTEM = "system"


def tls_context(bundle: str | None) -> ssl.SSLContext:
    """A context for TLS 1.2 or newer that checks certificates and host names.

    `bundle` is CA_BUNDLE: a file, a folder, "system", or None for the authorities that Mozilla trusts (`certifi`).
    Raises SettingsError if it cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    authorities = _place(bundle)
    try:
        if authorities.is_dir():
            context.load_verify_locations(capath=authorities)
        else:
            context.load_verify_locations(authorities)
    except FileNotFoundError:
        raise _unusable(bundle, f"there is no file or folder {authorities}") from None
    except OSError as error:  # which `ssl.SSLError` is
        raise _unusable(bundle, f"it holds no certificate that can be read ({error.strerror})") from None
    return context


def _place(bundle: str | None) -> Path:
    if bundle is None:
        import certifi

        return Path(certifi.where())
    if bundle.lower() != SYSTEM:
        return Path(bundle)
    paths = ssl.get_default_verify_paths()
    found = paths.cafile or paths.capath
    if found is None:
        raise _unusable(bundle, "Python's TLS library knows no place where this system keeps its authorities")
    return Path(found)


def _unusable(bundle: str | None, why: str) -> SettingsError:
    remedy = "correct CA_BUNDLE (or REQUESTS_CA_BUNDLE, SSL_CERT_FILE), or leave it out"
    return SettingsError(Problem(f"CA_BUNDLE cannot be {bundle!r}", why, remedy))
