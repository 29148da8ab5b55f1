"""Requests that carry a connection's credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jira_ci_core.net.connection import Connection

if TYPE_CHECKING:
    import requests

    from jira_ci_core.net.client import Http


def send_signed(http: Http, connection: Connection, method: str, url: str, **arguments: Any) -> requests.Response:
    """Send a request with the credentials of a connection; after a 401 once more, with a renewed token.

    `arguments` are those of `Http.request`. Returns the response, whatever its status. Raises DeliveryError if the
    host cannot be reached, and SignInError or PluginError if signing or renewing fails.
    """
    response = http.request(method, url, auth=connection.auth, **arguments)
    if response.status_code == 401:
        connection.renew()
        response = http.request(method, url, auth=connection.auth, **arguments)
    return response
