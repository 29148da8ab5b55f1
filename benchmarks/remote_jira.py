"""A Jira with the latency of a remote one, which the benchmarks report to.

`with remote_jira(seconds) as jira:` starts a server that gives canned answers over TLS (or uses the local Jira), and
proxies in front of it. They make every round trip take that long, those of the TCP and TLS handshakes included. Server
and proxies are processes of their own, so their work does not delay the measured one. `jira.api`, `jira.site` and
`jira.app` are three hosts, as in reality, so that a connection to one cannot serve another.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import re
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import trustme

CLOUD_ID = "11223344-5566-7788-99aa-bbccddeeff00"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqaXJhLWNpIn0.c2lnbmF0dXJl"


@dataclass(frozen=True)
class RemoteJira:
    """The addresses of the three hosts, and the file of the certificate authority to trust."""

    api: str
    site: str
    app: str
    authority: str


@contextlib.contextmanager
def remote_jira(round_trip: float, behind: tuple[str, int] | None = None, authority: str = "") -> Iterator[RemoteJira]:
    """Start a remote Jira with a round trip in seconds. `behind` is a TLS server to use in place of canned answers."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        if behind is None:
            authority = _make_certificates(Path(folder))
            behind = "127.0.0.1", stack.enter_context(_run_server(_serve_canned_answers, folder))
        ports = [stack.enter_context(_run_server(_serve_proxy, behind, round_trip)) for _ in range(3)]
        yield RemoteJira(*(f"https://127.0.0.1:{port}" for port in ports), authority=authority)


@contextlib.contextmanager
def _run_server(serve: object, *arguments: object) -> Iterator[int]:
    """Run a server in a process of its own, and yield its port."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(*arguments, sender), daemon=True)
    process.start()
    sender.close()  # else `recv` below would not notice that the server could not start
    try:
        yield receiver.recv()
    finally:
        process.terminate()
        process.join()


def _make_certificates(folder: Path) -> str:
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    leaf.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    return str(folder / "ca.pem")


def _serve_canned_answers(folder: str, port_pipe: Connection) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(folder) / "server.pem")

    async def serve() -> None:
        server = await asyncio.start_server(_answer_canned, "127.0.0.1", 0, ssl=context, limit=2**26)
        port_pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


async def _answer_canned(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = re.search(r"content-length: *([0-9]+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1])) if length else b""
            status, kind, answer = _canned_answer(head.split(" ", 2)[1], body)
            writer.write(
                f"HTTP/1.1 {status} OK\r\nContent-Type: {kind}\r\nContent-Length: {len(answer)}\r\n\r\n".encode()
                + answer
            )
            await writer.drain()
    writer.close()


def _canned_answer(path: str, body: bytes) -> tuple[int, str, bytes]:
    if path == "/token":
        return 200, "text/plain", JWT.encode()
    if path == "/oauth/token":
        return 200, "application/json", json.dumps({"access_token": JWT, "expires_in": 900}).encode()
    if path.endswith("tenant_info"):
        return 200, "application/json", json.dumps({"cloudId": CLOUD_ID}).encode()
    entities = json.loads(body)
    kind = "Builds" if "builds" in entities else "Deployments"
    keys = [_key(entity) for entity in entities[kind.lower()]]
    return 202, "application/json", json.dumps({f"accepted{kind}": keys, f"rejected{kind}": []}).encode()


def _key(entity: dict) -> dict:
    if "buildNumber" in entity:
        return {name: entity[name] for name in ("pipelineId", "buildNumber")}
    return {
        "pipelineId": entity["pipeline"]["id"],
        "environmentId": entity["environment"]["id"],
        "deploymentSequenceNumber": entity["deploymentSequenceNumber"],
    }


def _serve_proxy(behind: tuple[str, int], round_trip: float, port_pipe: Connection) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*behind)
        # On loopback the TCP handshake takes no time, so the first data waits for a round trip in its place.
        await asyncio.gather(
            _forward(reader, far_writer, round_trip / 2, round_trip), _forward(far_reader, writer, round_trip / 2, 0)
        )

    async def serve() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port_pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, handshake: float) -> None:
    """Forward data in order, each piece after `delay` seconds; any number of pieces may be in transit."""
    loop = asyncio.get_running_loop()
    in_transit: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    not_before = loop.time() + handshake

    async def receive() -> None:
        data = b"-"
        while data:
            try:
                data = await reader.read(2**16)
            except ConnectionError:
                data = b""
            in_transit.put_nowait((max(loop.time(), not_before) + delay, data))

    async def send() -> None:
        data = b"-"
        while data:
            due, data = await in_transit.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            with contextlib.suppress(ConnectionError):
                if data:
                    writer.write(data)
                    await writer.drain()
        writer.close()

    await asyncio.gather(receive(), send())
