"""The share of the local Jira, and of the proxy with its canned answers, in the figures of the other benchmarks.

    python benchmarks/sandbox_share.py [--round-trip 0.08] [--runs 9]

The other benchmarks use canned answers. Here, a report and a backfill of ten thousand lines are timed with canned
answers and with the local Jira behind the same proxy. The overhead of the proxy and the canned answers is measured with
a bare client: its connection and one call are three round trips, and any time beyond them is overhead.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import ssl
import statistics
import tempfile
import time
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from backfill import measure, report_lines
from remote_jira import RemoteJira, remote_jira
from report import REPORT, step_environ, time_command

from jira_ci_sandbox.client import Sandbox

LINES = 10_000
ROUND_TRIPS = 3  # TCP, TLS, the call


def call_once(jira: RemoteJira) -> float:
    """Open a connection, make one call, and return the seconds."""
    place = urlsplit(jira.app)
    context = ssl.create_default_context(cafile=jira.authority)
    started = time.perf_counter()
    with contextlib.closing(HTTPSConnection(place.hostname or "", place.port, context=context)) as connection:
        connection.request("GET", "/token")
        connection.getresponse().read()
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--round-trip", type=float, default=0.08)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    with Sandbox.start("MYT", tls=True) as sandbox:
        place = urlsplit(sandbox.url)
        behind = place.hostname or "", place.port or 443
        credentials_by_kind = {
            "OAuth": {"PLUGIN_CLIENT_ID": sandbox.client_id, "PLUGIN_CLIENT_SECRET": sandbox.client_secret},
            "Connect": {"PLUGIN_CONNECT_KEY": sandbox.connect_key},
        }
        with (
            remote_jira(options.round_trip, behind, sandbox.ca_file or "") as local,
            remote_jira(options.round_trip) as canned,
        ):
            for kind, credentials in credentials_by_kind.items():
                environs = {**step_environ(local, kind), **credentials}, step_environ(canned, kind)
                runs = [[time_command(REPORT, environ) for environ in environs] for _ in range(options.runs + 1)][1:]
                share = statistics.median(1 - with_canned / with_local for with_local, with_canned in runs)
                print(f"{kind:8} report: the local Jira would take {share:.1%} (load {os.getloadavg()[0]:.1f})")
            took = min(call_once(canned) for _ in range(options.runs + 1))
            beyond = took - ROUND_TRIPS * options.round_trip
            print(f"proxy and canned answers: {beyond * 1000:.1f} ms beyond the round trips, {beyond / took:.1%}")
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "lines.jsonl"
                with file.open("w") as writing:
                    writing.writelines(report_lines(LINES))
                local_environ = {**step_environ(local, "OAuth"), **credentials_by_kind["OAuth"]}
                environs = local_environ, step_environ(canned, "OAuth")
                runs = [[measure(file, environ)[0] for environ in environs] for _ in range(options.runs)]
                share = statistics.median(1 - with_canned / with_local for with_local, with_canned in runs)
                print(f"backfill: the local Jira would take {share:.1%} (load {os.getloadavg()[0]:.1f})")


if __name__ == "__main__":
    main()
