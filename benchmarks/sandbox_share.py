"""How much of each figure the local Jira and the proxy take, by putting canned answers in their place.

    python benchmarks/sandbox_share.py [--round-trip 0.08] [--runs 9]

A report in three ways, in turn: through the proxy to the local Jira with TLS; through the proxy to canned answers, as
all figures are measured; and through the proxy without its delay, to canned answers, with the round trips that were
counted added by arithmetic. Then a backfill of ten thousand lines to the local Jira and to canned answers.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from backfill import lines, measure
from far import far
from report import REPORT, environment, seconds

from jira_ci_sandbox.client import Sandbox

LINES = 10_000
# TCP and TLS side by side for both hosts, token and cloud id side by side (OAuth), the report.
ROUND_TRIPS = {"OAuth": 4, "Connect": 4}


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--round-trip", type=float, default=0.08)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    with Sandbox.start("MYT", tls=True) as sandbox:
        place = urlsplit(sandbox.url)
        behind = place.hostname or "", place.port or 443
        own = {
            "OAuth": {"PLUGIN_CLIENT_ID": sandbox.client_id, "PLUGIN_CLIENT_SECRET": sandbox.client_secret},
            "Connect": {"PLUGIN_CONNECT_KEY": sandbox.connect_key},
        }
        with (
            far(options.round_trip, behind, sandbox.ca_file or "") as local,
            far(options.round_trip) as canned,
            far(0) as near,
        ):
            for kind, round_trips in ROUND_TRIPS.items():
                to_local = {**environment(local, kind), **own[kind]}
                to_canned, to_near = environment(canned, kind), environment(near, kind)
                runs = [
                    [seconds(REPORT, environ) for environ in (to_local, to_canned, to_near)]
                    for _ in range(options.runs + 1)
                ][1:]
                sandbox_share = statistics.median((local - canned) / local for local, canned, _ in runs)
                late = [(canned - near - round_trips * options.round_trip) / canned for _, canned, near in runs]
                print(
                    f"{kind:8} report {statistics.median(run[1] for run in runs):.3f} s with canned answers; the local "
                    f"Jira would take {sandbox_share:.1%} of it, the proxy's delay beyond {round_trips} round trips "
                    f"{statistics.median(late):.1%} (load {os.getloadavg()[0]:.1f})"
                )
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "lines.jsonl"
                with file.open("w") as writing:
                    writing.writelines(lines(LINES))
                with_sandbox, _ = measure(file, {**environment(local, "OAuth"), **own["OAuth"]})
                with_canned, _ = measure(file, environment(canned, "OAuth"))
    print(
        f"backfill {with_canned:.1f} s with canned answers, {with_sandbox:.1f} s with the local Jira, which takes "
        f"{1 - with_canned / with_sandbox:.0%} of it (load {os.getloadavg()[0]:.1f})"
    )


if __name__ == "__main__":
    main()
