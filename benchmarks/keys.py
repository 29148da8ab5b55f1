"""Shows that the time to find keys is linear in the length of the text, even of hostile ones.

    python benchmarks/keys.py

The table has a row for each hostile text: the time per million characters, and the ratios at 1, 2, 4 and 8 times the
length. The ratios of a linear scan stay near 1; those of a quadratic one double with each column. The last lines are
for a log of a hundred thousand commits: the speed of finding its keys, relative to `re.findall` with the bare
expression `[A-Z]+-[0-9]+`, and, for comparison, the speeds of the expressions of two common tools.
"""

from __future__ import annotations

import os
import re
import timeit
from collections.abc import Callable

from jira_ci_core import find_keys

LENGTH = 250_000
FACTORS = 1, 2, 4, 8
RUNS = 7
PROJECTS = {"PROJECT=MYT,MY_T,DEMO": ("MYT", "MY_T", "DEMO"), "PROJECT=*": ("*",)}

HOSTILE_TEXTS = {
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
COMMITS = 100_000
MESSAGES = (
    "[MYT-{0}] Let people pay by card\n\nThe till takes cards now, and this is what the bank wants of it.\n",
    "Merge pull request #{0} from acme/feature/MYT-{0}-pay-by-card\n\nMYT-{0}: Let people pay\n",
    "fix(till): round half to even, see RFC-9110 and UTF-8\n\nRefs: MYT-{0}, DEMO-{1}\nAcked-by: A <a@example.com>\n",
    "Bump requests from 2.32.{1} to 2.33.0\n\nBumps [requests](https://github.com/psf/requests).\n",
    "Rename a variable\n",
)
BARE_EXPRESSION = r"[A-Z]+-[0-9]+"
EXPRESSIONS_OF_OTHERS = {
    # action.js of github.com/atlassian/gajira-find-issue-key, the action that Atlassian published for GitHub
    "gajira-find-issue-key": r"([a-zA-Z0-9]+-[0-9]+)",
    # Gitlab::Regex.jira_issue_key_regex, as gitlab.com/gitlab-org/gitlab/-/issues/390887 quotes it, after a word's edge
    "GitLab": r"\b(?!CVE-\d+-\d+)[A-Z][A-Z_0-9]+-\d+",
}


def best_time(scan: Callable[[], object]) -> float:
    """Return the shortest time of several runs, in which other processes disturbed least."""
    return min(timeit.repeat(scan, number=1, repeat=5))


def count_keys(text: str, projects: tuple[str, ...]) -> int:
    """Return the number of keys in a text, without keeping them."""
    return sum(1 for _ in find_keys(text, projects))


def main() -> None:
    for name, projects in PROJECTS.items():
        print(f"{name:<52}{'':>10}" + "".join(f"{factor:>6}×" for factor in FACTORS))
        for title, unit in {**HOSTILE_TEXTS, LONG_NUMBER: ""}.items():
            times = []
            for factor in FACTORS:
                length = LENGTH * factor
                text = unit * (length // len(unit)) if unit else "MYT-" + "1" * length + "a"
                times.append(best_time(lambda text=text: count_keys(text, projects)) / factor)
            first = times[0] * 1e6 / LENGTH * 1000
            print(f"  {title:<50}{first:>7.1f} ms" + "".join(f"{time / times[0]:>7.2f}" for time in times))
    text = "\n".join(MESSAGES[number % len(MESSAGES)].format(number, number % 97) for number in range(COMMITS))
    scans: dict[str, Callable[[], object]] = {
        "bare": lambda: re.findall(BARE_EXPRESSION, text),
        **{name: lambda pattern=pattern: re.findall(pattern, text) for name, pattern in EXPRESSIONS_OF_OTHERS.items()},
        **{name: lambda projects=projects: list(find_keys(text, projects)) for name, projects in PROJECTS.items()},
    }
    # The scans take turns, so that a drift in the machine's speed affects all of them.
    times = dict.fromkeys(scans, float("inf"))
    for _ in range(RUNS):
        for name, scan in scans.items():
            times[name] = min(times[name], timeit.timeit(scan, number=1))
    print(f"a log of {COMMITS:,} commits, {len(text) / 1e6:.0f} MB (load {os.getloadavg()[0]:.1f}):")
    for name, time in times.items():
        print(f"  {name:<24}{time * 1000:>7.0f} ms{times['bare'] / time:>7.2f} × the speed of {BARE_EXPRESSION}")


if __name__ == "__main__":
    main()
