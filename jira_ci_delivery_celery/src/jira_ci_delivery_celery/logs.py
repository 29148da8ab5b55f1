"""The log of a worker: without secrets and commands to a terminal or a CI, as JSON if `QUEUE_LOG` is json."""

from __future__ import annotations

import copy
import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType

from jira_ci_core import Secrets, escape_untrusted
from jira_ci_delivery_celery.options import Options

EXTRA_FIELDS = ("site", "reports")
MAX_LENGTH = 8000
"""The most characters of a message or of a traceback, whose end says most."""


class SafeFormatter(logging.Formatter):
    """Masks secrets and shows what others wrote as text: a line for each record, and those of a traceback indented."""

    def __init__(self, secrets: Secrets, inner: logging.Formatter | None = None) -> None:
        super().__init__()
        self._secrets, self._inner = secrets, inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        plain = copy.copy(record)
        plain.msg, plain.args = self.message(record), None
        plain.exc_info = plain.exc_text = plain.stack_info = None
        head = escape_untrusted(self._inner.format(plain))
        return "\n".join((head, *(f"    {line}" for line in self.details(record))))

    def message(self, record: logging.LogRecord) -> str:
        """The message of a record. Masked before it is cut."""
        try:
            text = record.getMessage()
        except Exception:  # logging would print the arguments as they are
            text = str(record.msg)
        return escape_untrusted(self._secrets.redact(text))[:MAX_LENGTH]

    def details(self, record: logging.LogRecord) -> list[str]:
        """The lines of a record's traceback."""
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        parts += [str(record.stack_info)] if record.stack_info else []
        text = self._secrets.redact("\n".join(parts))[-MAX_LENGTH:]
        return [escape_untrusted(line) for line in text.splitlines()]


class JsonFormatter(SafeFormatter):
    """Formats a record as a JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": self.message(record),
            **{name: getattr(record, name) for name in EXTRA_FIELDS if hasattr(record, name)},
        }
        if details := self.details(record):
            line["exception"] = "\n".join(details)
        return json.dumps(line)


def configure_logs(logger: logging.Logger, options: Options, secrets: Secrets) -> None:
    """Let all handlers of a worker's log use the format that `QUEUE_LOG` names."""
    logging.raiseExceptions = False  # where a stream is broken, logging would print records as they are
    for handler in logger.handlers:
        if not isinstance(handler.formatter, SafeFormatter):
            is_json = options.queue_log == "json"
            handler.setFormatter(JsonFormatter(secrets) if is_json else SafeFormatter(secrets, handler.formatter))


def hide_secrets(secrets: Secrets) -> None:
    """Mask what ends the process with a traceback."""

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        text = secrets.redact("".join(traceback.format_exception(kind, error, trace)))
        sys.stderr.write("".join(f"{escape_untrusted(line)}\n" for line in text.splitlines()))

    sys.excepthook = show
