"""`docs/ci.md` describes each CI as its reader reads it."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from jira_ci_core.ci.reader import alternatives
from jira_ci_core.plugins.catalog import CIS

PAGE = (Path(__file__).parents[3] / "docs" / "ci.md").read_text(encoding="utf-8")
READERS = {name: import_module(f"jira_ci_core.ci.{name}") for name in CIS}


def names(sources):
    """The variables of sources; of several for one thing, that of the first which is not of a classic release."""
    usual = [[one for one in alternatives(source) if "RELEASE_" not in str(one)] for source in sources]
    first = [sources[0] for sources in usual if sources]
    texts = [source if isinstance(source, str) else source.variable for source in first]
    return [name for text in texts for name in re.findall(r"{(\w+)}", text) or [text]]


def test_its_table_has_the_readers_in_their_order():
    rows = re.findall(r"^\| ([^|]+) \| `(\w+)` \| (.+?) \| (.+?) \| (none|`[\w.]+`) \| (.+?) \|$", PAGE, re.MULTILINE)
    assert [plugin for _, plugin, *_ in rows] == list(READERS)
    for ci, plugin, recognised_by, identity, number, status in rows:
        table, reader = READERS[plugin].TABLE, READERS[plugin].jira_ci_read_pipeline
        assert ci == reader.ci
        assert recognised_by.replace("`", "") == " or ".join(reader.recognised_by)
        # What is made of several variables, such as Semaphore's, is described by the one that decides.
        assert identity.startswith(f"{plugin}/")
        assert re.findall(r"`([\w.]+)`", identity) == list(dict.fromkeys(names(reader.identity)))
        assert number.strip("`") == names([table.get("number", ("none",))])[0]
        assert (status == "none") == ("status" not in table)


def test_each_ci_has_a_section_with_a_step_the_known_facts_and_a_recipe_for_several_jobs():
    sections = dict(re.findall(r"^## (.+?)\n(.+?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
    for module in READERS.values():
        ci = module.jira_ci_read_pipeline.ci
        section = sections[ci]
        assert "```" in section
        assert "jira-ci report" in section
        assert re.search("Known|is known", section), ci
        assert "PIPELINE" in section or "stage name" in section or "--pipeline" in section, ci
        if "status" not in module.TABLE:
            assert re.search(r"JIRA_CI_STATE|--state", section), ci


def test_the_reader_of_its_last_section_works():
    [code] = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
    plugin = {}
    exec(code, plugin)
    environ = {"ACME_RUN": "7", "ACME_SERVER": "https://ci.example", "ACME_EXIT_CODE": "2", "ACME_PROJECT": "shop"}
    run = plugin["jira_ci_read_pipeline"](environ)
    assert (run.number, run.url, run.status, run.id) == ("7", "https://ci.example/runs/7", "failed", "shop")
