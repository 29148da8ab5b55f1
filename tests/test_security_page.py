"""`SECURITY.md` names a test for each thing that it promises."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "SECURITY.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE)))


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_is_named_is_there(name):
    path, *parts = name.split("::")
    found = ast.parse((ROOT / path).read_text())
    for part in parts:
        [found] = [one for one in found.body if isinstance(one, ast.FunctionDef | ast.ClassDef) and one.name == part]


def test_each_promise_names_one():
    tables = [table for table in PAGE.split("\n\n") if "| shown by |" in table]
    rows = [row for table in tables for row in table.splitlines() if row.startswith("| ")]
    rows = [row for row in rows if "---" not in row and "shown by" not in row]
    assert len(rows) >= 40
    assert [row for row in rows if "`tests/" not in row.split("|")[3]] == []
