"""The log of a worker: one JSON object a line, where `QUEUE_LOG` is json."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from jira_ci_delivery_celery.options import Options

EXTRA_FIELDS = ("site", "reports")


class JsonFormatter(logging.Formatter):
    """One line a record: when, how grave, who, what, and what more is known."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
            **{name: getattr(record, name) for name in EXTRA_FIELDS if hasattr(record, name)},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure_logs(logger: logging.Logger, options: Options) -> None:
    """Have a worker's log written as the settings say."""
    if options.queue_log == "json":
        for handler in logger.handlers:
            handler.setFormatter(JsonFormatter())
