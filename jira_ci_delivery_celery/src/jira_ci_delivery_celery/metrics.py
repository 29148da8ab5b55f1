"""What can be watched, in Prometheus' format: of all processes of a worker together, at `QUEUE_METRICS`."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

# Read by the library when it is imported: where the processes of a worker put their figures together.
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
    "jira_ci_queue_reports", "Reports by what became of them: accepted, rejected, superseded, waiting, dead", ["result"]
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
    """How many messages each queue holds, asked when it is looked at."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def collect(self) -> list[GaugeMetricFamily]:
        """The depths; none while the broker cannot be reached."""
        family = GaugeMetricFamily("jira_ci_queue_messages", "Messages that are in each queue", labels=["queue"])
        try:
            with open_broker(self._options) as broker:
                for name in broker.names.all:
                    family.add_metric([name], broker.count(name))
        except Exception:  # whoever looks at figures is not told of errors here; `jira-ci queue health` tells
            return []
        return [family]


def serve(options: Options, host: str, port: int) -> None:
    """Answer Prometheus in a thread of its own."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(QueueDepthCollector(options))
    start_http_server(port, host, registry)
