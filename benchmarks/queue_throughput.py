"""The throughput of the queue, and the number of its bulk calls compared with the least possible.

    python benchmarks/queue_throughput.py [redis | rabbitmq] [--reports 20000] [--producers 50] [--workers 4]

`--rate 10/second` sets QUEUE_RATE. The broker of the system (apt-get install redis-server rabbitmq-server), a local
Jira and the workers run on loopback, and are started and ended by this script.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
import brokers

from jira_ci_core import Build, PipelineIdentity, Report, Site, State, read_settings
from jira_ci_delivery_celery.broker import open_broker
from jira_ci_delivery_celery.message import sign
from jira_ci_delivery_celery.options import Options
from jira_ci_sandbox.client import Sandbox

BATCH = 100


def report(site: str, number: int) -> Report:
    """Return a report of a build."""
    pipeline = PipelineIdentity(id="acme/shop", name="shop", url="https://ci.example/shop")
    build = Build(
        number=number,
        sequence=1,
        name=f"shop #{number}",
        url=f"https://ci.example/shop/{number}",
        state=State.SUCCESSFUL,
        last_updated=datetime.now(UTC),
        issue_keys=("MYT-1",),
        pipeline=pipeline,
    )
    return Report(site=Site(url=site), entity=build)


def main() -> None:
    """Start broker, local Jira and workers, and print the figures of one run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("broker", nargs="?", default="redis", choices=["redis", "rabbitmq"])
    parser.add_argument("--reports", type=int, default=20_000)
    parser.add_argument("--producers", type=int, default=50)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rate", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Sandbox.start("MYT") as jira:
        server: Any = (brokers.Redis if given.broker == "redis" else brokers.RabbitMq)(Path(folder, "broker"))
        limits = brokers.Redis(Path(folder, "limits"))
        workers: list[subprocess.Popen[bytes]] = []
        try:
            server.fsync = "everysec"
            server.start()
            limits.start()
            print(json.dumps(measure(given, server.url, limits.url, jira, Path(folder), workers)))
        finally:
            for worker in workers:
                brokers.end(worker, signal.SIGKILL)
            limits.stop()
            server.stop()


def measure(
    given: argparse.Namespace,
    url: str,
    limits: str,
    jira: Sandbox,
    folder: Path,
    workers: list[subprocess.Popen[bytes]],
) -> dict[str, object]:
    """Publish the reports, wait until Jira has them, and return the figures."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "JIRA_CI_BROKER_URL": url,
        "JIRA_CI_QUEUE_KEY": "a-key-for-the-benchmark",
        "JIRA_CI_QUEUE_LIMITER": limits,
        "JIRA_CI_QUEUE_RATE": given.rate,
        "JIRA_CI_INSTANCE": jira.url,
        "JIRA_CI_API_URL": jira.url,
        "JIRA_CI_CLIENT_ID": jira.client_id,
        "JIRA_CI_CLIENT_SECRET": jira.client_secret,
    }
    options = read_settings(Options, "celery", environ)
    command = [sys.executable, "-P", "-m", "jira_ci_core", "worker", "--concurrency", "1", "-l", "warning"]
    with (folder / "workers.log").open("wb") as log:
        for number in range(given.workers):
            workers.append(
                subprocess.Popen(
                    [*command, "-n", f"bench{number}@localhost"],
                    env=environ,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def produce(first: int) -> None:
        with open_broker(options) as broker:
            for number in range(first, given.reports, given.producers):
                broker.publish(broker.names.reports, sign(report(jira.url, number), options.keys[0], time.time()))

    began = time.monotonic()
    with ThreadPoolExecutor(given.producers) as pool:
        list(pool.map(produce, range(given.producers)))
    published = time.monotonic() - began
    with open_broker(options) as broker:
        while broker.count(broker.names.reports):
            time.sleep(0.1)
    while len(jira.builds()) < given.reports:
        time.sleep(1)
    took = time.monotonic() - began
    calls = jira.requests("/bulk")
    least = math.ceil(given.reports / BATCH)
    return {
        **vars(given),
        "published per second": round(given.reports / published),
        "delivered per second": round(given.reports / took),
        "seconds": round(took, 1),
        "calls": len(calls),
        "least": least,
        "ratio": round(len(calls) / least, 2),
        "answers": sorted({call["status"] for call in calls}),
    }


if __name__ == "__main__":
    main()
