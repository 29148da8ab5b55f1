"""The HTTP client that core and plugins share: one session, few hosts, no redirects, and errors in three parts."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import logging
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.utils import mktime_tz, parsedate_tz
from typing import Any, Generic, Self, TypeVar

import requests
from requests.utils import select_proxy, should_bypass_proxies
from urllib3.exceptions import DecodeError, HTTPError, InvalidHeader
from urllib3.util import Retry

from jira_ci_core.clock import moment_of
from jira_ci_core.config.settings import NetworkSettings
from jira_ci_core.errors import DeliveryError
from jira_ci_core.net.adapter import DeadlineAdapter
from jira_ci_core.net.deadline import Deadline
from jira_ci_core.net.preconnect import CONNECT_SECONDS, Preconnections
from jira_ci_core.output.redaction import LONGEST_TEXT, Secrets
from jira_ci_core.problem import Problem
from jira_ci_core.urls import origin

log = logging.getLogger(__name__)

T = TypeVar("T")

READ_SECONDS = 20
FIRST_WAIT = 0.2
LONGEST_BODY = 4 * 2**20
"""In bytes, as received and as decoded. Jira's answers to the largest calls are a tenth of it."""
PIECE = 2**14
"""How many bytes are received or decoded at a time; the deadline is looked at in between."""
MAX_CLOCK_SKEW = 60
"""Seconds that this machine's clock may be behind a server's without a warning."""
USER_AGENT = "jira-ci"

# As often as the deadline allows, and for every method: whatever is sent may be sent twice.
RETRY = Retry(
    total=None,
    allowed_methods=None,
    status_forcelist=(408, 425, 429, 500, 502, 503, 504),
    backoff_factor=0.5,
    backoff_jitter=0.5,
    backoff_max=10,
)
SHOWN_HEADERS = frozenset(
    {"atl-traceid", "content-length", "content-type", "date", "ratelimit-reason", "retry-after", "x-ratelimit-reset"}
)
# Asked for are no others. https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1
ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
# Either header is recognised. https://docs.python.org/3/library/zlib.html#zlib.decompress
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32

_REFUSED_BY_PROXY = re.compile("Tunnel connection failed: 4[0-9][0-9]")


class Http:
    """The HTTP client that plugins are given.

    It reaches only hosts that were declared, never reads `.netrc`, never follows redirects and always checks
    certificates. What may succeed later is tried again until the deadline, which begins with the first request; sending
    a report twice is harmless.
    """

    def __init__(
        self,
        network: NetworkSettings,
        secrets: Secrets,
        hosts: Iterable[str],
        preconnections: Preconnections | None = None,
        on_rate_limit: Callable[[float], None] | None = None,
        *,
        retries: bool = True,
    ) -> None:
        """`preconnections` are being opened already. Opens none itself.

        `on_rate_limit` is for callers that pause all their senders together: it is called for each 429 with the seconds
        to wait, 0 if the answer names none, and the answer is returned at once. Raises SettingsError if CA_BUNDLE
        cannot be used.
        """
        self._network = network
        self._secrets = secrets
        self._hosts = frozenset(filter(None, map(origin, hosts)))
        self._deadline = Deadline(network.deadline)
        self._on_rate_limit = on_rate_limit
        self._retries = retries
        self._clock_was_checked = False
        self._adapter = DeadlineAdapter(self._deadline, preconnections or Preconnections(network.ca_bundle))
        self._session = _Session()
        self._session.trust_env = False
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"})
        self._session.mount("https://", self._adapter)
        self._session.mount("http://", self._adapter)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. Requests in other threads end with an error and are not tried again."""
        self._deadline.expire()
        self._session.close()

    def gather(self, *calls: Callable[[], T]) -> list[T]:
        """Make calls that send requests at the same time, and return their results in the same order.

        Raises the error of the first call that failed, as if they had been made one after the other.
        """
        self._deadline.remaining()  # starts it, before there are threads
        running = [_Call(call) for call in calls[1:]]
        for call in running:
            call.start()
        results = [calls[0]()]
        for call in running:
            call.join()
            results.append(call.result())
        return results

    def restart(self, within: float | None = None) -> None:
        """Let the deadline begin with the next request, for callers that send one batch after the other.

        It is then DEADLINE, or so many seconds if that is sooner.
        """
        seconds = self._network.deadline
        self._deadline.restart(seconds if within is None else min(within, seconds))
        self._adapter.restart()

    def secret(self, value: str) -> str:
        """Have a value that was obtained, such as a token, removed from everything printed from now on."""
        self._secrets.add(value)
        return value

    def shorten(self, text: str, limit: int = LONGEST_TEXT) -> str:
        """The beginning of a text, without secrets: the way to cut what a server says, which may repeat them."""
        return self._secrets.shorten(text, limit)

    def request(
        self, method: str, url: str, *, retries_server_errors: bool = True, **arguments: Any
    ) -> requests.Response:
        """Send one request; `arguments` are those of `requests.request`. Returns the response, whatever its status.

        Tried again until the deadline: a connection that fails or breaks, and a status in `RETRY`, those from 500 on
        only with `retries_server_errors`. Raises DeliveryError if the host was not declared, or cannot be reached.
        """
        if origin(url) not in self._hosts:
            why = "credentials go only to hosts that the settings name, and this is not one of them"
            remedy = "check INSTANCE, API_URL and CONNECT_HOSTNAME; a plugin names its hosts in its SignIn"
            raise DeliveryError(Problem(f"{origin(url) or url} was not asked", why, remedy))
        retry = RETRY
        if self._deadline.remaining() <= 0:
            raise _late(url, f"DEADLINE, {self._deadline.seconds:g} seconds, was over before it could be asked")
        while True:
            try:
                response = self._send(method, url, arguments)
            except (requests.RequestException, HTTPError) as error:
                if not self._retries or not _may_pass(error) or self._deadline.remaining() <= 0:
                    raise _unreachable(url, error, self._deadline, len(retry.history) + 1) from None
                retry = retry.increment(method, url, error=error)
                failure, wait = self.shorten(_cause(error), 200), retry.get_backoff_time()
                if wait >= self._deadline.remaining():
                    raise _unreachable(url, error, self._deadline, len(retry.history)) from None
            else:
                may_retry = self._retries and (retries_server_errors or response.status_code < 500)
                is_final = not (may_retry and retry.is_retry(method, response.status_code))
                if is_final or self._caller_waits(response):
                    return response
                retry = retry.increment(method, url)
                failure, wait = f"it answered {response.status_code}", _wait_before_retry(response, retry)
                if wait >= self._deadline.remaining():
                    return response
            log.info("%s: %s; trying again%s", origin(url), failure, f" in {wait:.1f} s" if wait else "")
            time.sleep(wait)

    def remaining(self) -> float:
        """The seconds until the deadline, which begins now if it has not begun."""
        return self._deadline.remaining()

    def waits(self) -> Iterator[float]:
        """How long to wait before each further look at something that is going to change, until the deadline."""
        retry = RETRY
        while True:
            retry = retry.increment()
            wait = retry.get_backoff_time() or FIRST_WAIT
            if wait >= self._deadline.remaining():
                return
            yield wait

    def _caller_waits(self, response: requests.Response) -> bool:
        """Report a rate limit to the caller, if it wants to wait for the end of one itself."""
        if self._on_rate_limit is None or response.status_code != 429:
            return False
        self._on_rate_limit(_wait_before_retry(response, RETRY))
        return True

    def _send(self, method: str, url: str, arguments: Mapping[str, Any]) -> requests.Response:
        remaining = self._deadline.remaining()
        fixed = {
            "timeout": (min(CONNECT_SECONDS, remaining), min(READ_SECONDS, remaining)),
            "allow_redirects": False,
            "stream": True,
            "proxies": self._proxies(url),
        }
        response = self._session.request(method, url, **{**arguments, **fixed})
        # Read here and not later, so that a body that breaks off counts as an answer that did not come.
        try:
            response.raw = io.BytesIO(body := self._read(response))
        except BaseException:
            response.close()
            raise
        # Jira's JSON is in UTF-8. Guessing takes long, and a server may name an encoding that does not exist. UTF-16 is
        # told by its first bytes; if it was read as UTF-8, no secret in it would be recognised.
        response.encoding = json.detect_encoding(body)
        self._check_clock(url, response)
        # Without the body: it may hold a token that is not known as a secret yet.
        headers = {name: value for name, value in response.headers.items() if name.lower() in SHOWN_HEADERS}
        shown = {name: self.shorten(value, 200) for name, value in headers.items()}
        log.debug("%s %s answered %d %s", method, url, response.status_code, shown)
        return response

    def _read(self, response: requests.Response) -> bytes:
        """The decoded body. Neither its size, as received or decoded, nor the time for it is left to the server."""
        body = bytearray()
        pieces = iter(functools.partial(response.raw.read, PIECE, decode_content=False), b"")
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        for decoded in _decoded(pieces) if encoding in ENCODINGS else pieces:
            body += decoded
            if max(response.raw.tell(), len(body)) > LONGEST_BODY:
                raise _TooLongError(f"its answer is longer than {LONGEST_BODY // 2**20} MiB")
            if self._deadline.remaining() <= 0:
                raise requests.Timeout
        return bytes(body)

    def _proxies(self, url: str) -> dict[str, str]:
        if not self._network.proxies or should_bypass_proxies(url, self._network.no_proxy or ""):
            return {}
        proxy = select_proxy(url, self._network.proxies)
        return {"http": proxy, "https": proxy} if proxy else {}

    def _check_clock(self, url: str, response: requests.Response) -> None:
        """Warn if this machine's clock is behind: Jira drops an update that seems older than the one it has."""
        sent = parsedate_tz(response.headers.get("Date", ""))
        if self._clock_was_checked or sent is None:
            return
        self._clock_was_checked = True
        with contextlib.suppress(ValueError, OverflowError):
            behind = mktime_tz(sent) - time.time()
            if behind > MAX_CLOCK_SKEW:
                consequence = "Jira drops an update that seems older than one it has: set the clock right"
                message = "the clock of this machine is %.0f seconds behind that of %s; %s"
                log.warning(message, behind, origin(url), consequence)


class _Call(threading.Thread, Generic[T]):
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], T]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._results: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._results.append(self._call())
        except BaseException as error:
            self._error = error

    def result(self) -> T:
        """The result of the call; raises the error that it raised."""
        if self._error is not None:
            raise self._error
        return self._results[0]


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Do not even look where a redirect leads: it is not followed, and may hold no valid address."""


def _decoded(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Decode gzip, also of several members, or zlib, at most a piece at a time, which may be empty.

    urllib3 gives the deadline no chance: it decodes all empty members of a body before it returns, and before 2.6 all
    that came of a piece. https://urllib3.readthedocs.io/en/stable/changelog.html
    """
    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        for piece in pieces:
            while piece:
                if decoder.eof:
                    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
                yield decoder.decompress(piece, PIECE)
                piece = decoder.unconsumed_tail or decoder.unused_data
        yield decoder.flush()
    except zlib.error as error:
        raise DecodeError(f"it is not what its Content-Encoding says: {error}") from None


class _TooLongError(requests.RequestException):
    """A response that is longer than any from Jira."""


def retry_after(response: requests.Response) -> float:
    """How many seconds an answer asks to wait before the next try; 0 if it does not.

    Without a `Retry-After` it is the time until the limit is reset: `2026-03-26T16:00Z`, of the server's clock.
    https://developer.atlassian.com/cloud/jira/platform/rate-limiting/
    """
    with contextlib.suppress(KeyError, InvalidHeader, ValueError, OverflowError):
        return RETRY.parse_retry_after(response.headers["Retry-After"])
    reset = moment_of(response.headers.get("X-RateLimit-Reset", "").strip()) if response.status_code == 429 else None
    if reset is not None:
        with contextlib.suppress(ValueError, OverflowError):
            sent = parsedate_tz(response.headers.get("Date", ""))
            return max(reset.timestamp() - (mktime_tz(sent) if sent else time.time()), 0.0)
    return 0.0


def _wait_before_retry(response: requests.Response, retry: Retry) -> float:
    """How many seconds to wait before the next try: what the answer asks for, else the growing wait of `retry`."""
    # An answer that asks for 0 seconds would otherwise be asked again without a pause until the deadline.
    return retry_after(response) or retry.get_backoff_time()


def _may_pass(error: Exception) -> bool:
    """Whether the same request may succeed in a moment."""
    cause = _innermost(error)
    if isinstance(error, (_TooLongError, ValueError, DecodeError)):
        return False  # a ValueError is an address or a header that cannot be used
    if isinstance(cause, ssl.SSLError):
        return isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
    if isinstance(cause, socket.gaierror):
        return cause.errno != socket.EAI_NONAME
    return not _REFUSED_BY_PROXY.search(str(cause))


def _unreachable(url: str, error: Exception, deadline: Deadline, tries: int) -> DeliveryError:
    host = origin(url) or url
    cause = _cause(error)
    why = cause if tries == 1 else f"{cause} (tried {tries} times within DEADLINE, {deadline.seconds:g} seconds)"
    if isinstance(error, requests.exceptions.SSLError):
        remedy = (
            "if your company inspects traffic, name its certificate authority with CA_BUNDLE "
            "(or REQUESTS_CA_BUNDLE); verification is never switched off"
        )
        return DeliveryError(Problem(f"{host} could not be reached safely", why, remedy))
    if isinstance(error, requests.exceptions.ProxyError | requests.exceptions.InvalidProxyURL):
        remedy = "check HTTPS_PROXY and NO_PROXY"
        return DeliveryError(Problem(f"{host} could not be reached through the proxy", why, remedy))
    if isinstance(error, (DecodeError, _TooLongError)):
        remedy = "look for a proxy or gateway between this machine and it that answers in its place"
        return DeliveryError(Problem(f"the answer of {host} cannot be read", why, remedy))
    is_over = deadline.remaining() <= 0
    if is_over or isinstance(error, (requests.Timeout, TimeoutError)):
        seconds = deadline.seconds if is_over else min(READ_SECONDS, deadline.seconds)
        tried = "" if tries == 1 else f" (tried {tries} times)"
        return _late(url, f"there was no whole answer within {seconds:g} seconds{tried}")
    remedy = "check the name (INSTANCE, API_URL, CONNECT_HOSTNAME), the network, and HTTPS_PROXY if you need a proxy"
    return DeliveryError(Problem(f"{host} could not be reached", why, remedy))


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
