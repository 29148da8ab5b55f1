"""Metrics for Prometheus, at the address `QUEUE_METRICS`: those of all processes of a worker together."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

# The folder in which the processes of a worker share their metrics. prometheus_client reads the variable on import.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    _folder, _owner = tempfile.mkdtemp(prefix="jira-ci-metrics-"), os.getpid()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = _folder

    @atexit.register
    def _remove() -> None:
        if os.getpid() == _owner:
            shutil.rmtree(_folder, ignore_errors=True)


from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from jira_ci_delivery_celery.broker import open_broker
from jira_ci_delivery_celery.options import Options

REPORTS = Counter(
    "jira_ci_queue_reports", "Reports by result: accepted, rejected, superseded, waiting, dead", ["result"]
)
CALLS = Counter("jira_ci_queue_calls", "Bulk calls to Jira")
UNKNOWN_KEYS = Counter("jira_ci_queue_unknown_keys", "Issue keys that Jira did not know")
RATE_LIMIT_WAITS = Counter("jira_ci_queue_rate_limit_wait_seconds", "Seconds that calls waited for the rate limit")
ACCEPTANCE = Histogram(
    "jira_ci_queue_acceptance_seconds",
    "From the step's publishing to Jira's acceptance",
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400, 259200),
)

__all__ = ["ACCEPTANCE", "CALLS", "RATE_LIMIT_WAITS", "REPORTS", "UNKNOWN_KEYS", "mark_process_dead", "serve"]


class QueueDepthCollector(Collector):
    """Counts the messages in each queue whenever the metrics are scraped."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def collect(self) -> list[GaugeMetricFamily]:
        """Return the depths of the queues, or nothing while the broker cannot be reached."""
        family = GaugeMetricFamily("jira_ci_queue_messages", "Messages that are in each queue", labels=["queue"])
        try:
            with open_broker(self._options) as broker:
                for name in broker.names.all:
                    family.add_metric([name], broker.count(name))
        except Exception:  # metrics do not report errors; `jira-ci queue health` does
            return []
        return [family]


def serve(options: Options, host: str, port: int) -> None:
    """Serve the metrics in a background thread."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(QueueDepthCollector(options))
    start_http_server(port, host, registry)
