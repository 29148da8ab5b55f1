"""The fault matrix: what may go wrong with each request of a step, and how the step ends then.

`python tests/faults/test_faults.py` prints the page `docs/faults.md`.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import re
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

import pytest

from jira_ci_core.net.client import RETRY

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


class Fate(StrEnum):
    """The ways that a step may end."""

    DELIVERED = "delivered"
    KEPT = "kept"
    REFUSED = "refused"
    IGNORED = "ignored"


DELIVERED, KEPT, REFUSED, IGNORED = Fate

# How a step ends where something goes wrong once, and where it goes wrong each time.
HARMLESS = DELIVERED, DELIVERED
PASSES = DELIVERED, KEPT
STAYS = KEPT, KEPT
IS_FINAL = REFUSED, REFUSED
IS_DROPPED = IGNORED, IGNORED

ORDER = {"oauth": ("tenant", "token", "bulk"), "connect": ("token", "bulk")}
CALLS = {"token": "signing in", "tenant": "asking for the cloud id", "bulk": "the report"}


# What a server does with a connection on which it was asked something.


def answers(status, caller, ask, body=b'{"message": "no"}', content_type="application/json", **headers):
    send(caller, status, body, {"Content-Type": content_type, **headers})


def send(caller, status, body, headers):
    lines = [f"HTTP/1.1 {status} Said", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    caller.sendall("\r\n".join([*lines, "Connection: close", f"Content-Length: {len(body)}", "", ""]).encode() + body)


def with_body(make, caller, ask, **headers):
    """The true answer, with another body."""
    answer = ask()
    send(caller, answer.status, make(answer.body), {**answer.headers, **headers})


def typed(content_type, caller, ask):
    answer = ask()
    send(caller, answer.status, answer.body, {"Content-Type": content_type})


def says(text, caller, ask):
    caller.sendall(text)


def resets(caller, ask):
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()


def resets_after(share, caller, ask):
    raw = ask().raw()
    caller.sendall(raw[: int(len(raw) * share)])
    resets(caller, ask)


def ends_after(share, caller, ask):
    raw = ask().raw()
    caller.sendall(raw[: int(len(raw) * share)])


def hangs(caller, ask):
    ask()
    caller.recv(1)  # until the other side goes away


def trickles(caller, ask):
    for byte in ask().raw():
        caller.sendall(bytes([byte]))


def trickles_without_end(caller, ask):
    caller.sendall(b"HTTP/1.1 202 Said\r\nX-Slow: ")
    while True:
        caller.sendall(b"x")
        caller.settimeout(0.01)
        with contextlib.suppress(TimeoutError):
            caller.recv(1)


def goes_well(caller, ask):
    caller.sendall(ask().raw())


def of_wrong_types(body):
    """Each value of an answer is a number."""
    try:
        return json.dumps(dict.fromkeys(json.loads(body), 7)).encode()
    except ValueError:
        return b"7"


LOGIN = b"<!doctype html><title>Sign in</title><form>...</form>"
HUGE = b" " * (4 * 2**20 + 1)


@dataclass(frozen=True)
class Fault:
    """One line of the table. `setting` is what goes wrong where it is not an answer."""

    name: str
    act: Callable[..., None] = goes_well
    default: tuple[Fate, Fate] = STAYS
    setting: str = ""
    token: tuple[Fate, Fate] | None = None
    tenant: tuple[Fate, Fate] | None = None
    bulk: tuple[Fate, Fate] | None = None

    def endings(self, call: str) -> tuple[Fate, Fate]:
        """How a step ends where it happens to this call: once, and each time."""
        own: tuple[Fate, Fate] | None = getattr(self, call)
        return own or self.default


TABLE = (
    Fault("status 400", partial(answers, 400), bulk=IS_FINAL),
    Fault("status 401", partial(answers, 401), bulk=PASSES),
    Fault("status 403", partial(answers, 403)),
    Fault("status 404", partial(answers, 404)),
    Fault("status 408", partial(answers, 408), PASSES),
    Fault("status 413", partial(answers, 413), bulk=IS_FINAL),
    Fault("status 425", partial(answers, 425), PASSES),
    Fault("status 429", partial(answers, 429), PASSES),
    Fault("status 429, Retry-After beyond the deadline", partial(answers, 429, Retry_After="3600")),
    Fault("status 500", partial(answers, 500), PASSES),
    Fault("status 502, an HTML page", partial(answers, 502, body=LOGIN, content_type="text/html"), PASSES),
    Fault("status 503", partial(answers, 503), PASSES),
    Fault("status 504", partial(answers, 504), PASSES),
    Fault("redirect to another host", partial(answers, 302, Location="https://elsewhere.example/")),
    Fault("redirect to no address", partial(answers, 308, Location="https://[\xff")),
    Fault("status 200 with another body", partial(answers, 200, body=b"{}")),
    Fault("status 204 without a body", partial(answers, 204, body=b"")),
    Fault("no answer at all", partial(says, b""), PASSES),
    Fault("reset before the answer, nothing was done", resets, PASSES),
    Fault("reset before the answer, all was done", partial(resets_after, 0), PASSES),
    Fault("reset in the body", partial(resets_after, 0.9), PASSES),
    Fault("end in the headers", partial(ends_after, 0.1)),
    Fault("half an answer", partial(ends_after, 0.9), PASSES),
    Fault("slow trickle that ends", trickles, HARMLESS),
    Fault("slow trickle without end", trickles_without_end),
    Fault("hang", hangs, PASSES),
    Fault("not HTTP", partial(says, b"\x00\xff\x1b[31m nothing that is HTTP\r\n\r\n"), PASSES),
    Fault("wrong content type: text/plain", partial(typed, "text/plain"), HARMLESS),
    Fault("wrong content type: made up", partial(typed, "application/json; charset=undefined"), HARMLESS),
    Fault("HTML page with status 200", partial(answers, 200, body=LOGIN, content_type="text/html")),
    Fault("HTML page with status 202", partial(answers, 202, body=LOGIN, content_type="text/html")),
    Fault("wrong JSON", partial(with_body, lambda body: b'{"this is": not JSON')),
    Fault("empty body", partial(with_body, lambda body: b"")),
    Fault("wrong types", partial(with_body, of_wrong_types)),
    Fault("JSON nested too deeply", partial(with_body, lambda body: b"[" * 200_000)),
    Fault("huge body", partial(with_body, lambda body: HUGE)),
    Fault("huge body in a small one", partial(with_body, lambda body: gzip.compress(HUGE), Content_Encoding="gzip")),
    Fault("bad gzip", partial(with_body, lambda body: b"no gzip", Content_Encoding="gzip")),
    Fault("DNS: no such name", setting="dns"),
    Fault("DNS: no answer for the moment", default=PASSES, setting="dns-again"),
    Fault("refused port", default=PASSES, setting="refused"),
    Fault("certificate that has expired", setting="expired"),
    Fault("self-signed certificate", setting="self-signed"),
    Fault("certificate of an unknown authority", setting="unknown"),
    Fault("certificate of another host", setting="another"),
    Fault("clock went back an hour during the step", default=HARMLESS, setting="clock"),
    Fault("clock went back an hour since the last report of the run", default=IS_DROPPED, setting="clock-before"),
)

# These do not come and go.
LASTING = {"clock-before", "dns", "expired", "self-signed", "unknown", "another"}

CASES = [
    pytest.param(fault, kind, call, each_time, id=f"{fault.name}-{kind}-{call}-{'always' if each_time else 'once'}")
    for fault in TABLE
    for kind, calls in ORDER.items()
    for call in calls
    for each_time in (False, True)
    if each_time or fault.setting not in LASTING
]


@pytest.mark.parametrize(("fault", "kind", "call", "each_time"), CASES)
def test_fault(fault, kind, call, each_time, request, jira, front, report, monkeypatch, tmp_path):
    first = ORDER[kind].index(call)
    front.act = fault.act
    front.wrong = (lambda number: number >= first) if each_time else (lambda number: number == first)
    credentials = request.getfixturevalue(kind)
    address = arrange(fault.setting, front, first, each_time, request, monkeypatch)
    monkeypatch.setattr("jira_ci_core.net.client.READ_SECONDS", 0.5 if fault.act is hangs else 20)
    if each_time:
        # The first further try is at once, and the next would be long after the deadline.
        monkeypatch.setattr("jira_ci_core.net.client.RETRY", RETRY.new(backoff_factor=1000, backoff_max=1000))
    else:
        monkeypatch.setattr("jira_ci_core.net.client.time.sleep", lambda seconds: front.open_again())
    deadline = 0.8 if fault.act is trickles_without_end else 60
    settings = dict.fromkeys(["instance", "api_url", "connect_hostname"], address)
    outbox = tmp_path / "outbox"
    if fault.setting == "clock-before":
        assert report(outbox=outbox, state="in_progress", environ=credentials).code == 0
        hour, now = 3600 * 10**9, time.time_ns
        monkeypatch.setattr("jira_ci_core.clock.PROCESS_CLOCK._last", 0)
        monkeypatch.setattr("jira_ci_core.clock.PROCESS_CLOCK._nanoseconds", lambda: now() - hour)
        monkeypatch.setattr(time, "time", lambda: (now() - hour) / 10**9)
    done = report(outbox=outbox, on_failure="keep", deadline=deadline, environ=credentials, **settings)
    check(fault.endings(call)[each_time], done, jira, outbox)
    assert [value for name, value in credentials.items() if name != "PLUGIN_CLIENT_ID" and value in done.text] == []


def arrange(setting, front, first, each_time, request, monkeypatch):
    """Have something go wrong that is not an answer, and say where to reach Jira."""
    if setting.startswith("dns"):
        ask, asked = socket.getaddrinfo, itertools.count()
        problem = socket.EAI_AGAIN if setting == "dns-again" else socket.EAI_NONAME

        def look_up(host, *arguments, **keywords):
            if host == "localhost" and front.wrong(next(asked)):
                raise socket.gaierror(problem, "the name was not found")
            return ask(host, *arguments, **keywords)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return f"http://localhost:{front.port}"
    if setting == "refused":
        front.before = lambda number: front.close() if number == first else None
        front.act = goes_well
        front.before(0)
    elif setting == "clock-before":
        pass
    elif setting == "clock":
        now, shift = time.time, [0]
        monkeypatch.setattr(time, "time", lambda: now() - shift[0])
        front.before = lambda number: shift.__setitem__(0, 3600 if number >= first else 0)
        front.before(0)
    elif setting:
        certificates, authority = request.getfixturevalue("certificates"), request.getfixturevalue("authority")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        front.greet = lambda caller, wrong: certificates[setting if wrong else "good"].wrap_socket(
            caller, server_side=True
        )
        request.getfixturevalue("harness").environ["PLUGIN_CA_BUNDLE"] = str(authority.file)
        return f"https://127.0.0.1:{front.port}"
    return f"http://127.0.0.1:{front.port}"


def check(ending, done, jira, outbox):
    """Hold how a step ended against how it should."""
    problems = re.findall(r"^(?:error|warning): .+\n  why: .+\n  do:  .+$", done.err, re.MULTILINE)
    kept = [str(path) for path in outbox.iterdir()]
    assert "Traceback" not in done.text
    assert "itself failed" not in done.text
    if ending is Fate.DELIVERED:
        assert (done.code, problems, kept) == (0, [], []), done.text
        assert len(jira.builds()) == 1
    elif ending is Fate.KEPT:
        assert done.code == 0, done.text
        assert problems, done.text
        assert [path for path in kept if f"in {path}" in done.err] == kept != [], done.text
    elif ending is Fate.IGNORED:
        assert (done.code, kept) == (0, []), done.text
        assert "warning: the clock of this machine went back: Jira may ignore build 42" in done.err
        assert [build["state"] for build in jira.builds()] == ["in_progress"]
    else:
        assert (done.code, kept) == (1, []), done.text
        assert problems, done.text


HEAD = """# Faults, and how the step ends

The table shows how the step ends for each fault, and with which request it happened. "a → b" means: *a* if the fault
happens once, *b* if it happens each time until the deadline.

- **delivered**: Jira has the report, once. Exit 0.
- **kept**: the report was neither accepted nor refused. With `OUTBOX` it is kept there, a message says where, and
  `ON_FAILURE` decides the exit code. Without `OUTBOX` it is 1, unless `ON_FAILURE` is `ignore`.
- **refused**: Jira read the report and refused it. It would be refused again, so it is not kept. Exit 1.
- **ignored**: Jira says that it accepted the report, and keeps the update that it has, since that seems to be later. Exit 0.
  With `OUTBOX` a warning says that the clock went back. With `VERIFY` the step says what Jira has, and the exit code is 1.

Unless the report was delivered, the step says what happened, why, and what to do.

`python tests/faults/test_faults.py > docs/faults.md` makes this page from the table of the tests: they try each line on
real sockets, with OAuth and with the app's token, with a fault that happens once and with one that happens each time.

"""


def page() -> str:
    """The documentation's page of this table."""
    lines = ["| what goes wrong | " + " | ".join(f"with {words}" for words in CALLS.values()) + " |"]
    lines += ["| --- " * (len(CALLS) + 1) + "|"]
    for fault in TABLE:
        cells = [" → ".join(dict.fromkeys(fault.endings(call))) for call in CALLS]
        lines.append(f"| {fault.name} | {' | '.join(cells)} |")
    return HEAD + "\n".join(lines) + "\n"


def test_the_page_shows_this_table():
    assert PAGE.read_text() == page()


if __name__ == "__main__":
    print(page(), end="")
