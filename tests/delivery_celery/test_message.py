"""The messages of the queue: only those signed with a key are verified, and others are refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from jira_ci_core import Report, Site
from jira_ci_core.testing import reports
from jira_ci_delivery_celery import message
from jira_ci_delivery_celery.message import MAX_BYTES, RefusedMessageError, sign, verify

KEY, OTHER = b"the key of the queue", b"another key altogether"
REPORTS = reports(Site(url="https://acme.atlassian.net"))


@given(report=REPORTS, published=st.integers(0, 2**40))
def test_signed_message_is_verified_with_its_content(report, published):
    read = verify(sign(report, KEY, published).encode(), [OTHER, KEY])
    assert (read.report, read.published) == (report, published)


@given(report=REPORTS)
def test_message_that_was_signed_with_another_key_is_forged(report):
    with pytest.raises(RefusedMessageError, match="forged"):
        verify(sign(report, OTHER, 0).encode(), [KEY])


@given(report=REPORTS, data=st.data())
def test_changed_message_is_forged(report, data):
    content = json.loads(sign(report, KEY, 0))
    entity = content["report"]["entity"]
    field = data.draw(st.sampled_from(sorted(entity)))
    entity[field] = data.draw(st.none() | st.integers() | st.text().filter(lambda text: text != entity[field]))
    if content != json.loads(sign(report, KEY, 0)):
        with pytest.raises(RefusedMessageError, match="forged"):
            verify(json.dumps(content).encode(), [KEY])


@given(
    body=st.binary()
    | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(lambda one: json.dumps(one).encode())
)
def test_whatever_else_comes_is_refused_with_a_reason(body):
    with pytest.raises(RefusedMessageError, match=r"unreadable|unknown version"):
        verify(body, [KEY])


@given(version=st.none() | st.booleans() | st.text() | st.floats() | st.integers().filter(lambda number: number != 1))
def test_unknown_version_is_refused(version):
    with pytest.raises(RefusedMessageError, match="unknown version"):
        verify(json.dumps({"version": version}).encode(), [KEY])


@pytest.mark.parametrize("signature", [None, 7, "", "é", "\ud800", ["a"]])
def test_malformed_signature_is_forged(signature):
    with pytest.raises(RefusedMessageError, match="forged"):
        verify(json.dumps({"version": 1, "signature": signature, "n": "\ud800"}).encode(), [KEY])


def test_deeply_nested_or_invalid_json_is_refused():
    for body in (
        b"[" * 200_000,
        b'{"version": 1, "a": ' + b"[" * 100_000,
        b'{"version": 1, "signature": "a", "n": NaN}',
    ):
        with pytest.raises(RefusedMessageError):
            verify(body, [KEY])


def test_signed_message_without_a_valid_report_is_refused(make_report):
    report = make_report()
    content = json.loads(sign(report, KEY, 0))
    for changed in ({"report": {}}, {"report": None}, {"published": "yesterday"}):
        unsigned = {**content, **changed}
        del unsigned["signature"]
        signed = {**unsigned, "signature": message._signature(unsigned, KEY)}
        with pytest.raises(RefusedMessageError, match="invalid"):
            verify(json.dumps(signed).encode(), [KEY])


def test_size_is_limited_for_steps_and_for_workers(make_report):
    with pytest.raises(RefusedMessageError, match="bytes"):
        sign(make_report(description="x" * MAX_BYTES), KEY, 0)
    with pytest.raises(RefusedMessageError, match="oversized"):
        verify(b" " * (MAX_BYTES + 1), [KEY])


def test_packaged_schema_describes_the_messages():
    """`python tools/queue_schema.py` prints the schema."""
    schema = json.loads(Path(message.__file__).with_name("message.schema.json").read_text())
    report = Report.model_json_schema(mode="serialization")
    assert schema["$defs"] == report["$defs"]
    assert schema["properties"]["report"]["properties"] == report["properties"]
    assert schema["properties"]["version"] == {"const": message.VERSION}
    assert schema["required"] == sorted(json.loads(sign(Report.model_validate(EXAMPLE), KEY, 0)))


EXAMPLE = {
    "site": {"url": "https://acme.atlassian.net"},
    "entity": {
        "kind": "build",
        "number": 1,
        "sequence": 1,
        "name": "shop #1",
        "url": "https://ci.example/1",
        "state": "successful",
        "last_updated": "2026-01-02T00:00:00Z",
        "issue_keys": ["MYT-1"],
        "pipeline": {"id": "shop", "name": "shop", "url": "https://ci.example"},
    },
}
