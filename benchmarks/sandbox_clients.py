"""The number of reports that the local Jira takes from many clients at once, and a check that it loses none.

    python benchmarks/sandbox_clients.py [--clients 50] [--seconds 60] [--data FILE]

Each client signs in, then reports its own builds, one call after the other, over one connection. In the end, every
build that was answered with 202 must be readable, and no call may have been answered with a 5xx.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import requests

from jira_ci_sandbox.client import Sandbox


def build(client: int, number: int) -> dict[str, object]:
    """Return a build of a client."""
    return {
        "pipelineId": f"client-{client}",
        "buildNumber": number,
        "updateSequenceNumber": 1,
        "displayName": f"client-{client} #{number}",
        "url": "https://ci.example.com",
        "state": "successful",
        "lastUpdated": "2026-01-01T12:00:00Z",
        "issueKeys": [f"DEMO-{client + 1}"],
    }


def report(sandbox: Sandbox, client: int, until: float, answers: Counter[int], sent: set[tuple[str, int]]) -> None:
    """Report builds until a time, and record the answers and the accepted builds."""
    with requests.Session() as session:
        session.trust_env = False
        signed_in = session.post(
            f"{sandbox.url}/oauth/token",
            json={
                "audience": "api.atlassian.com",
                "grant_type": "client_credentials",
                "client_id": sandbox.client_id,
                "client_secret": sandbox.client_secret,
            },
            timeout=60,
        )
        session.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"
        bulk = f"{sandbox.url}/jira/builds/0.1/cloud/{sandbox.cloud_id}/bulk"
        number = 0
        while time.monotonic() < until:
            answer = session.post(bulk, json={"builds": [build(client, number)]}, timeout=60)
            answers[answer.status_code] += 1
            if answer.status_code == 202 and answer.json()["acceptedBuilds"]:
                sent.add((f"client-{client}", number))
            number += 1


def main() -> int:
    """Run the clients, print the figures, and return 1 where a build was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--data", type=Path, help="an SQLite file; without it, everything is kept in memory")
    options = parser.parse_args()
    with Sandbox.start("DEMO", data=options.data) as sandbox:
        started = time.monotonic()
        answers = [Counter[int]() for _ in range(options.clients)]
        sent: list[set[tuple[str, int]]] = [set() for _ in range(options.clients)]
        threads = [
            threading.Thread(
                target=report, args=(sandbox, client, started + options.seconds, answers[client], sent[client])
            )
            for client in range(options.clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - started
        statuses = sum(answers, Counter[int]())
        stored = {(one["pipelineId"], one["buildNumber"]) for one in sandbox.builds()}
    accepted = set().union(*sent)
    lost = accepted - stored
    print(f"{options.clients} clients, {took:.1f} s: {statuses.total()} calls, {statuses.total() / took:.0f} a second")
    print(
        f"answers: {dict(sorted(statuses.items()))}; accepted {len(accepted)}, stored {len(stored)}, lost {len(lost)}"
    )
    return 1 if lost or len(accepted) != statuses.total() or any(status >= 500 for status in statuses) else 0


if __name__ == "__main__":
    sys.exit(main())
