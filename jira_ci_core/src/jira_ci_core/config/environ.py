"""How the variables of a step spell settings, and which of them count as set."""

from __future__ import annotations

import re

PREFIXES = "PLUGIN_", "JIRA_CI_"

# What settings of the network read besides, in this order.
HTTPS_PROXIES = "HTTPS_PROXY", "https_proxy", "HARNESS_HTTPS_PROXY"
HTTP_PROXIES = "http_proxy", "HTTP_PROXY", "HARNESS_HTTP_PROXY"
CA_BUNDLES = "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"

# Harness passes an expression that it could not resolve as it stands: <+pipeline.variables.x>
UNRESOLVED = re.compile(r"<\+[^<>]*(?:<\+[^<>]*>[^<>]*)*>")


def is_set(value: object) -> bool:
    """Whether a value is one: empty and `null` are none."""
    return value is not None and not (isinstance(value, str) and value.strip() in ("", "null"))


def words(text: str) -> list[str]:
    """The words in a text, separated by commas, spaces or vertical bars; an empty one where there is none."""
    return re.split(r"[\s,|]+", text.strip(" \t\n,|"))
