"""What `jira-ci report` loads: each module is paid for on every CI step, so that a new one has to be meant.

`import_budget.txt` lists them. What is not on it fails here: load it where it is needed, or, where `report` does need it,
add it to the list, and run `python benchmarks/startup.py` to see what it costs. Of Python's own modules the list holds what
3.11 loads; another version has others.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BUDGET = Path(__file__).with_name("import_budget.txt")
OURS = "jira_ci_", "pytest_jira_ci"
PROBE = """
import sys
before = set(sys.modules)
sys.argv = ["jira-ci", "report"]
from jira_ci_core.__main__ import main
try:
    main()
except SystemExit as end:
    code = end.code
# What a compiled package makes up has no origin.
print(code, *sorted(name for name in set(sys.modules) - before if getattr(sys.modules[name], "__spec__", None)))
"""


def counted(module):
    """What a module counts as: ours each by itself, others by their package; None for what does not count."""
    package = module.partition(".")[0]
    if package.startswith(OURS):
        return module
    if package in sys.stdlib_module_names and sys.version_info[:2] != (3, 11):
        return None
    # What measures coverage is here for the tests; some compiled packages have a part whose name is a hash.
    return None if package.startswith("_") or package == "coverage" or package.endswith("__mypyc") else package


@pytest.fixture
def probe(harness, jira):
    """Runs a report, and then a script in the same process."""

    def run(credentials, script):
        environ = harness.variables(credentials, {})
        return subprocess.run(
            [sys.executable, "-P", "-c", script],
            cwd=harness.folder,
            env={"PATH": os.environ["PATH"], **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )

    return run


@pytest.fixture
def loaded(probe, oauth, connect):
    """What a report has loaded at its end, for each kind of credentials."""

    def load(credentials):
        done = probe(credentials, PROBE)
        code, *modules = done.stdout.split()
        assert (code, done.stderr.count("accepted")) == ("0", 1), done.stderr
        return set(filter(None, map(counted, modules)))

    return {kind: load(credentials) for kind, credentials in (("oauth", oauth), ("connect", connect))}


def test_report_loads_nothing_that_is_not_in_the_budget(loaded):
    budget = set(BUDGET.read_text().split())
    everything = set().union(*loaded.values())
    assert everything - budget == set(), "see the first lines of this file"
    never = {one for one in budget if one.startswith(OURS)} - everything - {"jira_ci_core.net.tls"}  # here is no https
    assert never == set(), "no report loads these any more: take them off the list"


def test_each_kind_of_credentials_loads_only_its_own_way_to_sign_in(loaded):
    assert "jira_ci_auth_connect.network" not in loaded["oauth"]
    assert "jira_ci_auth_oauth.network" not in loaded["connect"]


def test_requests_loads_nothing_to_guess_encodings_with_and_a_plugin_still_can(probe, oauth):
    by_a_plugin = "import charset_normalizer; print(charset_normalizer.from_bytes(b'text').best().encoding)"
    done = probe(oauth, f"{PROBE}\n{by_a_plugin}")
    loaded, guessed = done.stdout.splitlines()
    assert "requests.sessions" in loaded
    assert "charset_normalizer" not in loaded
    assert guessed == "ascii"
    assert "character detection" not in done.stderr
