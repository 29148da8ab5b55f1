"""A server answers with what is small on the wire and large in memory, or so slowly that the answer never ends."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import time
import zlib

import pytest

from jira_ci_core import DeliveryError
from jira_ci_core.config.settings import NetworkSettings
from jira_ci_core.net.client import LONGEST_BODY, Http
from jira_ci_core.output.redaction import Secrets

from .conftest import measure

DEADLINE = 1.0
BUSY = 30
"""Seconds that any of this may take on a busy machine; without the limits it took minutes, or did not end."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
GZIP = b"Content-Encoding: gzip\r\n"
MEMBER = gzip.compress(b"")
ZEROS = gzip.compress(bytes(200 * 2**20), 1)


@pytest.fixture
def serve():
    """Starts a server that sends bytes to each caller: `serve(head, piece)`; the piece without end, or `times` times."""
    servers, stopped = [], threading.Event()

    def answer(caller, head, piece, times, pause):
        with contextlib.suppress(OSError), caller:
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += caller.recv(2**16) or b"\r\n\r\n"
            caller.sendall(head)
            while times and not stopped.wait(pause):
                caller.sendall(piece)
                times -= 1
            caller.shutdown(socket.SHUT_WR)
            caller.recv(2**16)

    def accept(server, *arguments):
        with contextlib.suppress(OSError):
            while True:
                caller, _ = server.accept()
                threading.Thread(target=answer, args=(caller, *arguments), daemon=True).start()

    def start(head, piece=b"", times=-1, pause=0):
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        threading.Thread(target=accept, args=(server, head, piece, times if piece else 0, pause), daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield start
    stopped.set()
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


@pytest.fixture
def measured(step, harness_oauth):
    """Runs `jira-ci report` against a server; answers the exit code, what was said, the seconds and the mebibytes."""

    def run(url, deadline=DEADLINE):
        variables = step.variables({}, dict.fromkeys(["instance", "api_url"], url) | {"deadline": deadline})
        return measure(step, variables, "report")

    return run


def whole(body, headers=b""):
    return HEAD + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


BOMBS = {
    "empty members of gzip": (whole(MEMBER * (16 * 2**20 // len(MEMBER)), GZIP),),
    "empty members without end": (
        HEAD + GZIP + CHUNKED + b"\r\n",
        b"%x\r\n" % (3000 * len(MEMBER)) + MEMBER * 3000 + b"\r\n",
    ),
    "zeros in gzip": (whole(ZEROS, GZIP),),
    "zeros in deflate": (whole(zlib.compress(bytes(200 * 2**20), 1), b"Content-Encoding: deflate\r\n"),),
    "zeros in gzip in gzip": (whole(gzip.compress(ZEROS), b"Content-Encoding: gzip, gzip\r\n"),),
    "chunks of a byte": (HEAD + CHUNKED + b"\r\n", b"1\r\n \r\n" * 10_000),
    "chunks with long extensions": (HEAD + CHUNKED + b"\r\n", b"1;" + b"x" * 60_000 + b"\r\n \r\n"),
    "a body without a length": (HEAD + b"\r\n", b" " * 2**16),
    "headers full of cookies": (
        HEAD + (b"Set-Cookie: " + b"a;" * 30_000 + b"\r\n") * 90 + b"Content-Length: 2\r\n\r\n{}",
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_takes_neither_time_nor_memory(serve, measured, bomb):
    code, said, seconds, mebibytes = measured(serve(*BOMBS[bomb]))
    assert code == 1, said
    assert "error: " in said
    assert "Traceback" not in said
    assert seconds < BUSY
    assert mebibytes < (150 if "headers" in bomb else 65)


@pytest.mark.parametrize(
    "ending", [b"", b"Connection: close\r\nContent-Length: 100000\r\n", b"Content-Length: 100000\r\n"]
)
@pytest.mark.parametrize("command", [["report"], ["gate", "--environment-name", "prod", "--gate-timeout", "1"]])
def test_a_byte_now_and_then_does_not_outlast_the_deadline(serve, harness_oauth, command, ending):
    url = serve(HEAD + ending + b"\r\n", b" ", pause=0.05)
    began = time.monotonic()
    done = harness_oauth.run(*command, instance=url, api_url=url, deadline=0.5)
    assert time.monotonic() - began < BUSY
    assert done.code != 0
    assert "error: " in done.err


def test_a_server_that_never_says_who_it_is_does_not_outlast_the_deadline(step, harness_oauth):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        done = step(instance=url, api_url=url, deadline=0.5)
        assert time.monotonic() - began < BUSY
    assert "did not answer in time" in done.err


@pytest.fixture
def http():
    """The client, which may reach any server on loopback that `get` asks."""

    def get(url):
        with Http(NetworkSettings(deadline=20), Secrets(), [url], retries=False) as http:
            return http.request("GET", url).text

    return get


TEXT = json.dumps({"message": "Jira says so"} | {str(number): number for number in range(20_000)})


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(TEXT.encode())),
        ("GZIP", gzip.compress(TEXT.encode(), 1)),
        ("x-gzip", gzip.compress(TEXT[:9].encode()) + MEMBER + gzip.compress(TEXT[9:].encode())),
        ("deflate", zlib.compress(TEXT.encode())),
        ("identity", TEXT.encode()),
        ("utf-8", TEXT.encode()),
    ],
)
def test_an_honest_answer_is_read_in_each_encoding(serve, http, encoding, body):
    assert http(serve(whole(body, f"Content-Encoding: {encoding}\r\n".encode()))) == TEXT


def test_an_honest_answer_is_read_in_chunks_of_a_byte(serve, http):
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in gzip.compress(TEXT.encode()))
    assert http(serve(HEAD + GZIP + CHUNKED + b"\r\n" + chunks + b"0\r\n\r\n")) == TEXT


@pytest.mark.parametrize("body", [b" " * LONGEST_BODY, gzip.compress(b" " * LONGEST_BODY)])
def test_the_longest_answer_is_read_and_no_longer_one(serve, http, body):
    headers = GZIP if len(body) < LONGEST_BODY else b""
    assert len(http(serve(whole(body, headers)))) == LONGEST_BODY
    more = body + (gzip.compress(b" ") if headers else b" ")
    with pytest.raises(DeliveryError, match="cannot be read"):
        http(serve(whole(more, headers)))


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"x") + b"no gzip"], ids=["at once", "at the end"])
def test_what_is_no_gzip_is_an_error(serve, http, body):
    with pytest.raises(DeliveryError, match="cannot be read"):
        http(serve(whole(body, GZIP)))


def test_a_gate_of_which_nothing_is_heard_is_waited_for_until_gate_timeout(harness_oauth, jira):
    jira.fault("slow", match="/*gating-status", seconds=300, count=9)
    began = time.monotonic()
    done = harness_oauth.run("gate", environment_name="prod", gate_timeout=1, deadline=60)
    assert time.monotonic() - began < BUSY
    assert done.code == 6, done.text
