"""Prints the JSON schema of the queue's messages, from core's models, for `message.schema.json`."""

from __future__ import annotations

import json

from jira_ci_core import Report
from jira_ci_delivery_celery.message import VERSION

SIGNATURE = (
    'HMAC-SHA256 with QUEUE_KEY over the line "jira-ci queue message" and the message without its signature as '
    "canonical JSON: names sorted, no spaces, ASCII"
)


def schema() -> dict[str, object]:
    report = Report.model_json_schema(mode="serialization")
    definitions = report.pop("$defs")
    published = {"type": "integer", "description": "When the step published it, in milliseconds since the epoch"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A message of the queue, version {VERSION}",
        "type": "object",
        "additionalProperties": False,
        "required": ["published", "report", "signature", "version"],
        "properties": {
            "version": {"const": VERSION},
            "published": published,
            "report": report,
            "signature": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": SIGNATURE},
        },
        "$defs": definitions,
    }


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
