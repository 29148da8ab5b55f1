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
    rows = [
        line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line and "shown by" not in line
    ]
    assert len(rows) >= 15
    assert [row for row in rows if "`tests/" not in row.split("|")[3]] == []
