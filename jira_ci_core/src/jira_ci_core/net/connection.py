"""How to sign in at one site, and how to deliver to it once signed in. Imports no library for HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests
    from requests.auth import AuthBase

    from jira_ci_core.net.client import Http


@dataclass(frozen=True)
class Connection:
    """How to deliver to one site, once signed in. Never stored, never serialised."""

    builds_url: str
    """The address that takes builds in bulk."""
    deployments_url: str
    """The address that takes deployments in bulk."""
    auth: AuthBase = field(repr=False)
    """Signs each request."""
    renew: Callable[[], None] = field(repr=False)
    """Makes `auth` obtain a new token; `request` calls it once, after a 401."""

    def request(self, http: Http, method: str, url: str, **arguments: Any) -> requests.Response:
        """Send a request with these credentials; after a 401 once more, with a renewed token.

        `arguments` are those of `Http.request`. Returns the response, whatever its status. Raises DeliveryError if the
        host cannot be reached, and SignInError or PluginError if signing or renewing fails.
        """
        response = http.request(method, url, auth=self.auth, **arguments)
        if response.status_code == 401:
            self.renew()
            response = http.request(method, url, auth=self.auth, **arguments)
        return response


@dataclass(frozen=True)
class SignIn:
    """One way to sign in that has at least part of its settings. Made without touching the network."""

    kind: str
    """Its name in `AUTH`: "oauth", "connect"."""
    connect: Callable[[Http], Connection] = field(repr=False)
    hosts: tuple[str, ...] = ()
    """The origins that credentials and tokens will be sent to (`https://api.atlassian.com`); no other is."""
    missing: tuple[str, ...] = ()
    """The settings that are still needed; if there are any, `connect` is not called."""
    plugin: str = ""
    """The plugin that offers it; core fills this in."""
