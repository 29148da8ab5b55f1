"""How environment variables spell settings, and which of them count as set."""

from __future__ import annotations

import re

PREFIXES = "PLUGIN_", "JIRA_CI_"

# Variables of other tools that settings of the network read as well, in this order.
HTTPS_PROXIES = "HTTPS_PROXY", "https_proxy", "HARNESS_HTTPS_PROXY"
HTTP_PROXIES = "http_proxy", "HTTP_PROXY", "HARNESS_HTTP_PROXY"
CA_BUNDLES = "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"

# Harness passes on an expression that it could not resolve: <+pipeline.variables.x>
UNRESOLVED = re.compile(r"<\+[^<>]*(?:<\+[^<>]*>[^<>]*)*>")


def is_set(value: object) -> bool:
    """Whether a value counts as set; an empty text and `null` do not."""
    return value is not None and not (isinstance(value, str) and value.strip() in ("", "null"))


def words(text: str) -> list[str]:
    """The words in a text, separated by commas, spaces or vertical bars; one empty word for an empty text."""
    return re.split(r"[\s,|]+", text.strip(" \t\n,|"))
