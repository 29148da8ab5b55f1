"""The log of a worker, as one JSON object a line if `QUEUE_LOG` is json."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from jira_ci_delivery_celery.options import Options

EXTRA_FIELDS = ("site", "reports")


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
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
    """Set the format of a worker's log that `QUEUE_LOG` names."""
    if options.queue_log == "json":
        for handler in logger.handlers:
            handler.setFormatter(JsonFormatter())
