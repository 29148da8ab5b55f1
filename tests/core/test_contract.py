"""The contract with plugins, held against a record of it, so that no change of it is an accident.

`python tests/core/test_contract.py > tests/core/contract.txt` records it anew; docs/contract.md says what may change.
"""

from __future__ import annotations

import enum
import inspect
import re
from pathlib import Path

import pydantic

import jira_ci_core
from jira_ci_core import CONTRACT_VERSION, hookspecs
from jira_ci_core.plugins.validation import HOOKS

RECORD = Path(__file__).with_name("contract.txt")
PAGE = Path(__file__).parents[2] / "docs" / "contract.md"


def contract() -> str:
    """Every hook with its promise, and every public name with its fields."""
    lines = [f"contract version {CONTRACT_VERSION}", ""]
    for hook in HOOKS:
        specification = getattr(hookspecs, hook)
        rule = "the first answer wins" if specification.jira_ci_spec["firstresult"] else "all are called"
        lines += [f"{hook}{inspect.signature(specification)}", f"  {rule}", ""]
        lines += [f"  {line}".rstrip() for line in (inspect.getdoc(specification) or "").splitlines()] + [""]
    for name in sorted(jira_ci_core.__all__):
        lines.append(name)
        lines += [f"  {line}" for line in _parts(getattr(jira_ci_core, name))]
    return re.sub(r"<[^<>]+ at 0x[0-9a-f]+>", "...", "\n".join(lines) + "\n")


def _parts(value: object) -> list[str]:
    if inspect.isclass(value) and issubclass(value, enum.Enum):
        return [f"{member.name} = {member.value}" for member in value]
    if inspect.isclass(value) and issubclass(value, pydantic.BaseModel):
        fields = value.model_fields
        return [f"{name}{'' if fields[name].is_required() else ' (optional)'}" for name in fields]
    if inspect.isfunction(value):
        return [str(inspect.signature(value))]
    if inspect.isclass(value):
        return [
            f"{name}{inspect.signature(member)}" for name, member in vars(value).items() if _is_public(name, member)
        ]
    return []


def _is_public(name: str, member: object) -> bool:
    return inspect.isfunction(member) and (not name.startswith("_") or name == "__init__")


def test_it_is_as_recorded():
    assert contract() == RECORD.read_text(), (
        "the contract with plugins changed: see docs/contract.md for what may, and record it anew "
        "(python tests/core/test_contract.py > tests/core/contract.txt)"
    )


def test_each_promise_says_since_when():
    for hook in HOOKS:
        assert re.search(r"Since contract [0-9]+\.$", inspect.getdoc(getattr(hookspecs, hook)) or ""), hook


def test_the_page_tells_of_this_version_and_of_every_hook():
    page = PAGE.read_text()
    assert f"version **{CONTRACT_VERSION}**" in page
    assert re.findall(r"^\| `(jira_ci_\w+)` ", page, re.MULTILINE) == list(HOOKS)


if __name__ == "__main__":
    print(contract(), end="")
