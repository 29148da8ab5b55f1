"""The network as core and plugins use it: one session, few hosts, no redirects, and errors in three parts."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import requests
from requests.auth import AuthBase
from requests.utils import select_proxy, should_bypass_proxies

from jira_ci_core.errors import DeliveryError, SettingsError, SignInError
from jira_ci_core.jira import error_message, is_html, moved
from jira_ci_core.secrets import Secrets
from jira_ci_core.settings import NetworkSettings
from jira_ci_core.urls import origin

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5
READ_SECONDS = 20
USER_AGENT = "jira-ci"


class BearerAuth(AuthBase):
    """Puts `Authorization: Bearer …` on each request, with a token that is fetched when first needed."""

    def __init__(self, fetch: Callable[[], str]) -> None:
        self._fetch = fetch
        self._token: str | None = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign one request."""
        if self._token is None:
            self._token = self._fetch()
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def renew(self) -> None:
        """Forget the token, so that the next request fetches a new one."""
        self._token = None


class GuardedAuth(AuthBase):
    """Signs each request by a function that may do more than sign."""

    def __init__(self, sign: Callable[[requests.PreparedRequest], requests.PreparedRequest]) -> None:
        self._sign = sign

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign one request."""
        return self._sign(request)


class Http:
    """What plugins are given to reach the network with.

    Only hosts that were declared are reached, `.netrc` is never read, redirects are never followed, certificates
    are always checked.
    """

    def __init__(self, network: NetworkSettings, secrets: Secrets, hosts: Iterable[str]) -> None:
        """Raises SettingsError where the file of certificate authorities cannot be used. Opens no connection."""
        # Closures, not values: what a plugin is handed shows no credential however it is looked at.
        self._hide = secrets.add
        self._hosts = frozenset(filter(None, map(origin, hosts)))
        proxies = {
            scheme: _with_scheme(proxy.get_secret_value())
            for scheme, proxy in (("https", network.https_proxy), ("http", network.http_proxy))
            if proxy
        }

        def proxy_for(url: str) -> dict[str, str]:
            if not proxies or should_bypass_proxies(url, network.no_proxy or ""):
                return {}
            proxy = select_proxy(url, proxies)
            return {"http": proxy, "https": proxy} if proxy else {}

        self._proxy_for = proxy_for
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["User-Agent"] = USER_AGENT
        if network.ca_bundle:
            unusable = _why_no_authorities(Path(network.ca_bundle))
            if unusable:
                raise SettingsError(
                    f"CA_BUNDLE cannot be {network.ca_bundle!r}",
                    unusable,
                    "correct CA_BUNDLE (or REQUESTS_CA_BUNDLE, SSL_CERT_FILE), or leave it out",
                )
            self._session.verify = network.ca_bundle

    def secret(self, value: str) -> str:
        """Have a value that was obtained, such as a token, removed from everything printed from now on."""
        self._hide(value)
        return value

    def request(self, method: str, url: str, **arguments: Any) -> requests.Response:
        """Send one request; `arguments` are those of `requests.request`. Answers the response, whatever its status.

        Raises DeliveryError where the host is none of those declared, or cannot be reached.
        """
        if origin(url) not in self._hosts:
            raise DeliveryError(
                f"{origin(url) or url} was not asked",
                "credentials go only to hosts that the settings name, and this is none of them",
                "check INSTANCE, API_URL and CONNECT_HOSTNAME; a plugin names its hosts in its SignIn",
            )
        arguments.setdefault("timeout", (CONNECT_SECONDS, READ_SECONDS))
        arguments["allow_redirects"] = False
        try:
            response = self._session.request(method, url, proxies=self._proxy_for(url), **arguments)
        except requests.RequestException as error:
            raise _unreachable(url, error) from None
        # Without the body: it may hold a token that nobody has called a secret yet.
        log.debug("%s %s answered %d", method, url, response.status_code)
        return response


def answer_error(
    wanted: str, response: requests.Response, remedies: Mapping[int, str], remedy: str, why: str = ""
) -> SignInError:
    """The error for an answer that holds not what was `wanted`: "a token", "the site's cloud id".

    `remedies` say what to do by status, `remedy` says it for all others; `why` tells what is wrong where the
    status is not. What a host answers is told only as far as it is a message, since the rest might be a secret.
    """
    host = origin(response.url) or response.url
    status = response.status_code
    if 300 <= status < 400:
        problem = moved(host, response.headers.get("Location", ""))
        return SignInError(problem.what, problem.why, problem.remedy)
    detail = f", and {why}" if why else error_message(response.headers, response.text)
    if is_html(response.headers, response.text):
        detail = " with an HTML page, such as the login form of a proxy"
    elif status >= 500:
        remedy = "try again later; see status.atlassian.com"
    return SignInError(f"{host} did not give {wanted}", f"it answered {status}{detail}", remedies.get(status, remedy))


def json_answer(wanted: str, response: requests.Response, remedy: str) -> dict[str, Any]:
    """The JSON object that a host answered. Raises SignInError where it is none."""
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise answer_error(wanted, response, {}, remedy, "it is not a JSON object")
    return answer


def _with_scheme(proxy: str) -> str:
    """A proxy's address, which people write as `proxy:3128`, too: `proxy` would be taken for its scheme."""
    return proxy if "://" in proxy else f"http://{proxy}"


def _why_no_authorities(path: Path) -> str:
    """Why a file or folder holds no certificate authority; empty where it does, as far as that can be seen."""
    if not path.exists():
        return "there is no such file or folder"
    try:
        if path.is_file():
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:  # what ssl raises is one, too
        return f"it holds no certificate that can be read ({error.strerror})"
    return ""


def _unreachable(url: str, error: requests.RequestException) -> DeliveryError:
    host = origin(url) or url
    if isinstance(error, requests.exceptions.SSLError):
        remedy = (
            "where your company checks traffic, name its certificate authority with CA_BUNDLE "
            "(or REQUESTS_CA_BUNDLE); verification is never switched off"
        )
        return DeliveryError(f"{host} could not be reached safely", _cause(error), remedy)
    if isinstance(error, requests.exceptions.ProxyError | requests.exceptions.InvalidProxyURL):
        return DeliveryError(
            f"{host} could not be reached through the proxy", _cause(error), "check HTTPS_PROXY and NO_PROXY"
        )
    if isinstance(error, requests.Timeout):
        why = f"no answer within {READ_SECONDS} seconds (connecting: {CONNECT_SECONDS})"
        return DeliveryError(f"{host} did not answer in time", why, "try again later; check the network and proxy")
    return DeliveryError(
        f"{host} could not be reached",
        _cause(error),
        "check the name (INSTANCE, API_URL, CONNECT_HOSTNAME), the network, and HTTPS_PROXY where you need a proxy",
    )


def _cause(error: BaseException) -> str:
    """The innermost reason, in the words of the system: `Connection refused`."""
    seen = error
    while True:
        inner = getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            inner = (
                seen.__cause__
                or seen.__context__
                or next((argument for argument in seen.args if isinstance(argument, BaseException)), None)
            )
        if not isinstance(inner, BaseException) or inner is seen:
            break
        seen = inner
    text = getattr(seen, "verify_message", "") or getattr(seen, "strerror", "") or str(seen)
    return str(text).strip() or type(seen).__name__
