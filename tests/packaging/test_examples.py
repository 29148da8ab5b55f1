"""Each example passes its own tests, installed from built wheels into a fresh environment."""

from __future__ import annotations

import shutil

import pytest

from .conftest import ROOT, build

pytestmark = pytest.mark.packaging

EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/pyproject.toml"))


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_passes_its_tests_in_a_fresh_environment(example, wheels, fresh_environment, tmp_path):
    wheel = build(ROOT / "examples" / example, tmp_path / "wheels")
    environment = fresh_environment(*wheels, f"{wheel}[test]")
    shutil.copytree(ROOT / "examples" / example / "tests", tmp_path / "tests")
    shown = environment.run(environment.python, "-m", "pytest", "-q", "tests", folder=tmp_path)
    assert " passed" in shown
    assert " skipped" not in shown
