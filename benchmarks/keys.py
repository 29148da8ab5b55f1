"""Shows that finding keys takes time linear in the length of the text, whatever the text.

Run: python benchmarks/keys.py

For each hostile text: the time per million characters at 1, 2, 4 and 8 times its length, as ratios to the first. A
scan that is linear stays near 1; a quadratic one doubles with each column. The last line compares ordinary text with
the bare expression `[A-Z]+-[0-9]+`.
"""

from __future__ import annotations

import re
import timeit
from collections.abc import Callable

from jira_ci_core import find_keys

LENGTH = 250_000
FACTORS = 1, 2, 4, 8
PROJECTS = {"PROJECT=MYT,MY_T,DEMO": ("MYT", "MY_T", "DEMO"), "PROJECT=*": ("*",)}

HOSTILE = {
    "letters": "A",
    "the project's letters": "MYT",
    "digits": "1",
    "hyphens": "-",
    "letters and hyphens": "A-",
    "keys run together": "MYT-1",
    "keys with endless zeros": "MYT-0",
    "underscores": "MY_T_",
}
LONG_NUMBER = "one key with an endless number, spoilt at its end"
ORDINARY = "Merge pull request #4211 from acme/feature/MYT-1234-pay-by-card\n\n[MYT-1234] Let people pay, see UTF-8\n"


def seconds(scan: Callable[[], object]) -> float:
    """The best of several runs: what the machine can do when nothing else wants it."""
    return min(timeit.repeat(scan, number=1, repeat=5))


def count(text: str, projects: tuple[str, ...]) -> int:
    """How many keys there are; counting keeps nothing."""
    return sum(1 for _ in find_keys(text, projects))


def main() -> None:
    """Print the table."""
    for name, projects in PROJECTS.items():
        print(f"{name:<52}{'':>10}" + "".join(f"{factor:>6}×" for factor in FACTORS))
        for title, unit in {**HOSTILE, LONG_NUMBER: ""}.items():
            times = []
            for factor in FACTORS:
                length = LENGTH * factor
                text = unit * (length // len(unit)) if unit else "MYT-" + "1" * length + "a"
                times.append(seconds(lambda text=text: count(text, projects)) / factor)
            first = times[0] * 1e6 / LENGTH * 1000
            print(f"  {title:<50}{first:>7.1f} ms" + "".join(f"{time / times[0]:>7.2f}" for time in times))
    text = ORDINARY * (4 * LENGTH // len(ORDINARY))
    bare = seconds(lambda: sum(1 for _ in re.finditer(r"[A-Z]+-[0-9]+", text)))
    for name, projects in PROJECTS.items():
        ours = seconds(lambda projects=projects: count(text, projects))
        print(f"ordinary text, {name}: {ours / bare:.2f} × the time of [A-Z]+-[0-9]+")


if __name__ == "__main__":
    main()
