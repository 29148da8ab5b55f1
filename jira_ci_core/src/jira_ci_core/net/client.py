"""The network as core and plugins use it: one session, few hosts, no redirects, and errors in three parts."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.utils import mktime_tz, parsedate_tz
from typing import Any, Generic, Self, TypeVar

import requests
from requests.auth import AuthBase
from requests.utils import select_proxy, should_bypass_proxies
from urllib3.exceptions import DecodeError, HTTPError, InvalidHeader
from urllib3.util import Retry

from jira_ci_core.clock import Deadline
from jira_ci_core.config.settings import NetworkSettings
from jira_ci_core.errors import DeliveryError, SignInError
from jira_ci_core.jira_api import error_message, is_html, moved
from jira_ci_core.net.adapter import Connections
from jira_ci_core.net.early import CONNECT_SECONDS, EarlyConnections
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.problem import Problem
from jira_ci_core.urls import origin

log = logging.getLogger(__name__)

T = TypeVar("T")

READ_SECONDS = 20
FIRST_WAIT = 0.2
LONGEST_BODY = 16 * 2**20
CLOCK_MAY_BE_BEHIND = 60
USER_AGENT = "jira-ci"

# As often as the deadline allows; no method is left out, since all that is sent may be sent twice.
RETRY = Retry(
    total=None,
    allowed_methods=None,
    status_forcelist=(408, 425, 429, 500, 502, 503, 504),
    backoff_factor=0.5,
    backoff_jitter=0.5,
    backoff_max=10,
)
SHOWN_HEADERS = frozenset({"atl-traceid", "content-length", "content-type", "date", "retry-after"})

_REFUSED_BY_PROXY = re.compile("Tunnel connection failed: 4[0-9][0-9]")


class BearerAuth(AuthBase):
    """Puts `Authorization: Bearer …` on each request, with a token that is fetched when first needed."""

    def __init__(self, fetch: Callable[[], str]) -> None:
        self._fetch = fetch
        self._token: str | None = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign one request."""
        self.obtain()
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def obtain(self) -> None:
        """Fetch the token now, unless there is one."""
        if self._token is None:
            self._token = self._fetch()

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
    are always checked. What fails for the moment is tried again until the deadline, which begins with the first
    request; sending a report twice is harmless.
    """

    def __init__(
        self,
        network: NetworkSettings,
        secrets: Secrets,
        hosts: Iterable[str],
        early: EarlyConnections | None = None,
        on_rate_limit: Callable[[float], None] | None = None,
        *,
        once: bool = False,
    ) -> None:
        """`early` are connections that are being opened already; `once`: what fails is not tried again.

        `on_rate_limit` is told of each 429, with the seconds that it asks to wait or 0, and has it answered at once:
        for those who hold up all their senders together. Raises SettingsError where CA_BUNDLE cannot be used. Opens no
        connection.
        """
        # Closures, not values: what a plugin is handed shows no credential however it is looked at. A bound method
        # would show whose it is, and connections keep the addresses of proxies.
        self._hide: Callable[[str], None] = lambda value: secrets.add(value)
        self._hosts = frozenset(filter(None, map(origin, hosts)))
        self._deadline = Deadline(network.deadline)
        self._once_only = once
        self._clock_was_checked = False
        self._on_rate_limit = on_rate_limit
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

        session = _Session()
        session.trust_env = False
        session.headers["User-Agent"] = USER_AGENT
        connections = Connections(self._deadline, early or EarlyConnections(network.ca_bundle))
        session.mount("https://", connections)
        session.mount("http://", connections)

        def send(method: str, url: str, **arguments: Any) -> requests.Response:
            return session.request(method, url, proxies=proxy_for(url), **arguments)

        self._send = send
        self._close: Callable[[], None] = lambda: session.close()
        self._watch_anew: Callable[[], None] = lambda: connections.restart()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections, and have those who still ask in a thread of their own try no more."""
        self._deadline.end()
        self._close()

    def gather(self, *calls: Callable[[], T]) -> list[T]:
        """Make calls at the same time that send requests, and answer what they answer, in their order.

        Raises what the first one that failed raised, as if they had been made one after the other.
        """
        self._deadline.remaining()
        running = [_Call(call) for call in calls[1:]]
        for call in running:
            call.start()
        answers = [calls[0]()]
        for call in running:
            call.join()
            answers.append(call.answer())
        return answers

    def restart(self) -> None:
        """Let the deadline begin with the next request: for those who send one batch after the other."""
        self._deadline.restart()
        self._watch_anew()

    def secret(self, value: str) -> str:
        """Have a value that was obtained, such as a token, removed from everything printed from now on."""
        self._hide(value)
        return value

    def request(self, method: str, url: str, **arguments: Any) -> requests.Response:
        """Send one request; `arguments` are those of `requests.request`. Answers the response, whatever its status.

        Tried again until the deadline: a connection that fails or breaks, and a status of `RETRY`. Raises
        DeliveryError where the host is none of those declared, or cannot be reached.
        """
        if origin(url) not in self._hosts:
            raise DeliveryError(
                Problem(
                    f"{origin(url) or url} was not asked",
                    "credentials go only to hosts that the settings name, and this is none of them",
                    "check INSTANCE, API_URL and CONNECT_HOSTNAME; a plugin names its hosts in its SignIn",
                )
            )
        retry = RETRY
        if self._deadline.remaining() <= 0:
            raise _late(url, f"DEADLINE, {self._deadline.seconds:g} seconds, was over before it could be asked")
        while True:
            try:
                response = self._once(method, url, arguments)
            except (requests.RequestException, HTTPError) as error:
                if self._once_only or not _may_pass(error) or self._deadline.remaining() <= 0:
                    raise _unreachable(url, error, self._deadline, len(retry.history) + 1) from None
                retry = retry.increment(method, url, error=error)
                failure, wait = _cause(error), retry.get_backoff_time()
                if wait >= self._deadline.remaining():
                    raise _unreachable(url, error, self._deadline, len(retry.history)) from None
            else:
                if (
                    self._once_only
                    or not retry.is_retry(method, response.status_code)
                    or self._is_left_to_others(response)
                ):
                    return response
                retry = retry.increment(method, url)
                failure, wait = f"it answered {response.status_code}", _asked_wait(response, retry)
                if wait >= self._deadline.remaining():
                    return response
            log.info("%s: %s; trying again%s", origin(url), failure, f" in {wait:.1f} s" if wait else "")
            time.sleep(wait)

    def remaining(self) -> float:
        """The seconds that are left until the deadline, which begins with this where it has not begun."""
        return self._deadline.remaining()

    def waits(self) -> Iterator[float]:
        """How long to wait before each further look at something that will change, until the deadline."""
        retry = RETRY
        while True:
            retry = retry.increment()
            wait = retry.get_backoff_time() or FIRST_WAIT
            if wait >= self._deadline.remaining():
                return
            yield wait

    def _is_left_to_others(self, response: requests.Response) -> bool:
        """Whether somebody else waits for the end of a rate limit, who is told of it here."""
        if self._on_rate_limit is None or response.status_code != 429:
            return False
        self._on_rate_limit(_asked_wait(response, RETRY))
        return True

    def _once(self, method: str, url: str, arguments: Mapping[str, Any]) -> requests.Response:
        left = self._deadline.remaining()
        fixed = {
            "timeout": (min(CONNECT_SECONDS, left), min(READ_SECONDS, left)),
            "allow_redirects": False,
            "stream": True,
        }
        response = self._send(method, url, **{**arguments, **fixed})
        # Read here and not later, so that a body that breaks off counts as an answer that did not come.
        body = response.raw.read(LONGEST_BODY + 1, decode_content=True)
        if len(body) > LONGEST_BODY:
            response.close()
            raise _TooLongError(f"its answer is longer than {LONGEST_BODY // 2**20} MiB")
        response.raw = io.BytesIO(body)
        # Jira's JSON is in UTF-8; to guess would take long, and a made-up name may be one that cannot be used.
        response.encoding = "utf-8"
        self._check_clock(url, response)
        # Without the body: it may hold a token that nobody has called a secret yet.
        shown = {name: value for name, value in response.headers.items() if name.lower() in SHOWN_HEADERS}
        log.debug("%s %s answered %d %s", method, url, response.status_code, shown)
        return response

    def _check_clock(self, url: str, response: requests.Response) -> None:
        """Warn where this machine's clock is behind: Jira drops an update that seems older than the one it has."""
        sent = parsedate_tz(response.headers.get("Date", ""))
        if self._clock_was_checked or sent is None:
            return
        self._clock_was_checked = True
        with contextlib.suppress(ValueError, OverflowError):
            behind = mktime_tz(sent) - time.time()
            if behind > CLOCK_MAY_BE_BEHIND:
                log.warning(
                    "the clock of this machine is %.0f seconds behind that of %s; Jira drops an update that seems "
                    "older than one it has: set the clock right",
                    behind,
                    origin(url),
                )


class _Call(threading.Thread, Generic[T]):
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], T]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._answer: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._answer.append(self._call())
        except BaseException as error:
            self._error = error

    def answer(self) -> T:
        """What the call answered; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._answer[0]


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Not even look where a redirect leads: it is not followed, and may be no address at all."""


class _TooLongError(requests.RequestException):
    """An answer that is longer than any that Jira gives."""


def retry_after(response: requests.Response) -> float:
    """How many seconds an answer asks to wait before the next try; 0 where it does not."""
    with contextlib.suppress(KeyError, InvalidHeader, ValueError, OverflowError):
        return RETRY.parse_retry_after(response.headers["Retry-After"])
    return 0.0


def _asked_wait(response: requests.Response, retry: Retry) -> float:
    """How long to wait before the next try: as long as the answer asks for, else ever longer."""
    # What asks for no wait at all would otherwise be asked without a pause until the deadline.
    return retry_after(response) or retry.get_backoff_time()


def _may_pass(error: Exception) -> bool:
    """Whether the same request may fare better in a moment."""
    cause = _innermost(error)
    if isinstance(error, (_TooLongError, ValueError, requests.exceptions.ContentDecodingError, DecodeError)):
        return False  # a ValueError is an address or a header that cannot be used
    if isinstance(cause, ssl.SSLError):
        return isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
    if isinstance(cause, socket.gaierror):
        return cause.errno != socket.EAI_NONAME
    return not _REFUSED_BY_PROXY.search(str(cause))


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
        return SignInError(problem)
    detail = f", and {why}" if why else error_message(response.headers, response.text)
    if is_html(response.headers, response.text):
        detail = " with an HTML page, such as the login form of a proxy"
    elif status >= 500:
        remedy = "try again later; see status.atlassian.com"
    return SignInError(
        Problem(f"{host} did not give {wanted}", f"it answered {status}{detail}", remedies.get(status, remedy))
    )


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


def _unreachable(url: str, error: Exception, deadline: Deadline, tries: int) -> DeliveryError:
    host = origin(url) or url
    cause = _cause(error)
    why = cause if tries == 1 else f"{cause} (tried {tries} times within DEADLINE, {deadline.seconds:g} seconds)"
    if isinstance(error, requests.exceptions.SSLError):
        remedy = (
            "where your company checks traffic, name its certificate authority with CA_BUNDLE "
            "(or REQUESTS_CA_BUNDLE); verification is never switched off"
        )
        return DeliveryError(Problem(f"{host} could not be reached safely", why, remedy))
    if isinstance(error, requests.exceptions.ProxyError | requests.exceptions.InvalidProxyURL):
        return DeliveryError(
            Problem(f"{host} could not be reached through the proxy", why, "check HTTPS_PROXY and NO_PROXY")
        )
    if isinstance(error, (requests.exceptions.ContentDecodingError, DecodeError, _TooLongError)):
        return DeliveryError(
            Problem(
                f"the answer of {host} cannot be read",
                why,
                "look for a proxy or gateway between this machine and it that answers in its place",
            )
        )
    if deadline.remaining() <= 0 or isinstance(error, (requests.Timeout, TimeoutError)):
        tried = "" if tries == 1 else f" (tried {tries} times)"
        return _late(url, f"there was no whole answer within {min(READ_SECONDS, deadline.seconds):g} seconds{tried}")
    return DeliveryError(
        Problem(
            f"{host} could not be reached",
            why,
            "check the name (INSTANCE, API_URL, CONNECT_HOSTNAME), the network, and HTTPS_PROXY where you need a proxy",
        )
    )


def _late(url: str, why: str) -> DeliveryError:
    remedy = "try again later, or allow more with DEADLINE; check the network"
    return DeliveryError(Problem(f"{origin(url) or url} did not answer in time", why, remedy))


def _cause(error: BaseException) -> str:
    """The innermost reason, in the words of the system: `Connection refused`."""
    seen = _innermost(error)
    text = getattr(seen, "verify_message", "") or getattr(seen, "strerror", "") or str(seen)
    return str(text).strip() or type(seen).__name__


def _innermost(error: BaseException) -> BaseException:
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
            return seen
        seen = inner
