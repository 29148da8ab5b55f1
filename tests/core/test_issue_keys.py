"""The form of project keys and issue keys, and how issue keys are found in a text."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import example, given, strategies as st

from jira_ci_core import find_keys, is_issue_key, is_project_key
from jira_ci_core.builtin.keys import jira_ci_extract_issue_keys
from jira_ci_core.issue_keys import LOOK_ALIKES, _pattern, project_of

WORD = string.ascii_letters + string.digits


@pytest.fixture(autouse=True)
def nothing_is_remembered():
    """Mutation testing would not notice a change to what an earlier test has left in the cache."""
    _pattern.cache_clear()


project_keys = st.from_regex(r"[A-Z][A-Z0-9_]{1,9}", fullmatch=True)
plain_project_keys = st.from_regex(r"[A-Z][A-Z0-9]{1,9}", fullmatch=True).filter(lambda key: key not in LOOK_ALIKES)
numbers = st.integers(1, 10**10 - 1).map(str)
# Any text before or after a key, in which the nearest character is no ASCII letter or digit; what follows a full stop,
# and what stands before an underscore, has tests of its own.
separated = st.one_of(
    st.just(""),
    st.tuples(st.text(), st.characters(exclude_characters=f"{WORD}._", codec="utf-8")).map("".join),
    st.tuples(
        st.text(),
        st.sampled_from(["-", "/", "[", "(", ":", ",", '"', "'", "🚀", "👩‍💻", "é", "修", "ё", "ſ", "\u212a"]),
    ).map("".join),
)


def mixed_case(draw, text):
    return "".join(draw(st.sampled_from([letter.lower(), letter.upper()])) for letter in text)


@given(st.data(), project_keys, numbers, separated, separated)
def test_a_planted_key_is_found_in_any_surroundings_that_separate_it(data, project, number, before, after):
    key = f"{project}-{number}"
    written = mixed_case(data.draw, key)
    assert key in list(find_keys(before + written + after[::-1], [project]))


@given(plain_project_keys, numbers, separated, separated)
def test_with_any_project_a_planted_upper_case_key_is_found_too(project, number, before, after):
    assert f"{project}-{number}" in list(find_keys(f"{before}{project}-{number}{after[::-1]}", ["*"]))


# Any text that contains no key of its own.
without_key = st.text(st.characters(exclude_characters="-", codec="utf-8"))


@given(
    st.data(),
    project_keys,
    numbers,
    without_key,
    without_key,
    st.sampled_from(WORD),
    st.sampled_from(["before", "after"]),
)
def test_a_planted_key_is_not_found_inside_a_longer_word(data, project, number, before, after, letter, side):
    if side == "before":
        text = f"{before}{letter}{mixed_case(data.draw, project)}-{number}{after}"
    else:
        text = f"{before} {mixed_case(data.draw, project)}-{number}{letter}{after}"
    assert f"{project}-{number}" not in list(find_keys(text, [project]))


@given(plain_project_keys, numbers, without_key, without_key, st.sampled_from(WORD))
def test_nor_is_one_found_there_with_any_project(project, number, before, after, letter):
    assert f"{project}-{number}" not in list(find_keys(f"{before}{letter}{project}-{number}{after}", ["*"]))
    assert f"{project}-{number}" not in list(find_keys(f"{before} {project}-{number}{letter}{after}", ["*"]))


@given(plain_project_keys, numbers, separated, separated)
def test_with_any_project_only_upper_case_is_found(project, number, before, after):
    key = f"{project.lower()}-{number}"
    assert f"{project}-{number}" not in list(find_keys(f"{before}{key}{after[::-1]}", ["*"]))


@given(st.text(alphabet=st.characters(codec="utf-8")))
@example("ſHA-1 mYt-1 MYT-٣ MYT-１")
def test_everything_found_is_a_key_of_a_listed_project(text):
    for key in find_keys(text, ["MYT", "MY_T", "T1"]):
        assert is_issue_key(key)
        assert key == key.upper()
        assert project_of(key) in ("MYT", "MY_T", "T1")
        assert key in text.upper()


@given(st.text(alphabet="MYTmyt_-0123 .X"))
def test_normalising_twice_is_normalising_once(text):
    once = list(find_keys(text, ["MYT", "MY_T"]))
    assert list(find_keys(" ".join(once), ["MYT", "MY_T"])) == once


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("XMYT-1", []),
        ("9MYT-1", []),
        ("MYT-1abc", []),
        ("MYT-0", []),
        ("MYT-01", []),
        ("MYT-", []),
        ("修复MYT-59问题", ["MYT-59"]),
        ("éMYT-1", ["MYT-1"]),
        ("MYT-1é", ["MYT-1"]),
        ("fix-MYT-11", ["MYT-11"]),
        ("fix_MYT-11", ["MYT-11"]),
        ("MYT-11_login", ["MYT-11"]),
        ("feature/myt-42-thing", ["MYT-42"]),
        ("[MYT-1] (MYT-2) 'MYT-3' \"MYT-4\" MYT-5, MYT-6: 🎉MYT-7🎉", [f"MYT-{number}" for number in range(1, 8)]),
        ("MYT-1 MYT-1", ["MYT-1", "MYT-1"]),
        ("MYT-1-2", ["MYT-1"]),
        ("MYT–1", []),
        ("MYT-٣", []),
        ("MYT-1MYT-2", []),
        ("https://acme.atlassian.net/browse/MYT-9?focus=1", ["MYT-9"]),
        ("", []),
    ],
)
def test_which_keys_of_a_listed_project_are_found(text, found):
    assert list(find_keys(text, ["MYT"])) == found


@pytest.mark.parametrize(
    "text",
    ["MYT-1.5", "MYT-1.2.3", "myt-61.2-fix", "MYT-1.0", "MYT-2.x", "myt-2.X", "MYT-2.x-fix", "MYT-2.x.", "MYT-2.x1"]
    + ["fix/MYT-4.18.1", "MYT-2.x_y", "修复myt-2.x版本", "MYT-5.2 and MYT-2.x"],
)
def test_a_version_is_no_key(text):
    assert list(find_keys(text, ["MYT"])) == list(find_keys(text, ["*"])) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Fix MYT-1.", [1]),
        ("MYT-1.\n2. Next", [1]),
        ("MYT-1. 2 more", [1]),
        ("MYT-10..MYT-12", [10, 12]),
        ("MYT-10...MYT-12", [10, 12]),
        ("MYT-10..12", [10]),
        ("MYT-8.patch", [8]),
        ("MYT-8.xml MYT-9.XLSX", [8, 9]),
        ("MYT-1.MYT-2", [1, 2]),
        ("MYT-1.٣", [1]),
        ("MYT-1.x_MYT-2", [2]),
        ("v1.2.MYT-3", [3]),
        ("1.2-MYT-3", [3]),
        ("MYT-1,5 MYT-2:x", [1, 2]),
        ("MYT-1.*", [1]),
    ],
)
def test_a_full_stop_alone_makes_no_version(text, found):
    keys = [f"MYT-{number}" for number in found]
    assert list(find_keys(text, ["MYT"])) == list(find_keys(text, ["*"])) == keys


@given(st.from_regex(r"[A-Z][A-Z0-9_]{0,20}_", fullmatch=True), plain_project_keys, numbers, without_key)
def test_the_end_of_a_longer_constant_is_a_key_only_of_a_listed_project(beginning, project, number, before):
    text = f"{before.rstrip(WORD + '_')}{beginning}{project}-{number}"
    assert list(find_keys(text, ["*"])) == []
    assert f"{project}-{number}" in list(find_keys(text, ["*", project]))


@pytest.mark.parametrize(
    "text",
    ["BIZ_PROJ2-77", "PATH_MAX-1", "#define PATH_MAX-1", "A_B-1 A_OPS-1", "X86_64_ABI-1", "MAX__OPS-7", "C_D_OPS-7"]
    + ["lower-PATH_MAX-1", "MYT_X_Y-2.", "fixA_OPS-7"],
)
def test_with_any_project_the_end_of_a_constant_is_no_key(text):
    assert list(find_keys(text, ["*"])) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("6.0_HHH-10873", ["HHH-10873"]),
        ("branch_OPS-7", ["OPS-7"]),
        ("Branch_OPS-7", ["OPS-7"]),
        ("_OPS-7", ["OPS-7"]),
        ("v2_OPS-7", ["OPS-7"]),
        ("2024_OPS-7", ["OPS-7"]),
        ("OPS-1_OPS-2_ABC-3", ["OPS-1", "OPS-2", "ABC-3"]),
        ("PATH_MAX-1_OPS-2", ["OPS-2"]),
        ("PATH-MAX-1", ["MAX-1"]),
        ("É_OPS-7", ["OPS-7"]),
        ("release_1_OPS-7", ["OPS-7"]),
        ("修复_OPS-7", ["OPS-7"]),
        ("PATH_ OPS-7", ["OPS-7"]),
    ],
)
def test_with_any_project_a_key_may_follow_a_version_or_a_lower_case_word(text, found):
    assert list(find_keys(text, ["*"])) == found


@pytest.mark.parametrize(
    ("text", "projects", "found"),
    [
        ("MY_T-1", ["TT", "MY_T"], ["MY_T-1"]),
        ("MY_TT-1", ["TT"], ["TT-1"]),
        ("MY_TT-1", ["TT", "MY_TT"], ["MY_TT-1"]),
        ("A_MY_T-1", ["MY_T"], ["MY_T-1"]),
        ("my_t-1", ["my_t"], ["MY_T-1"]),
        ("SHA-256", ["SHA"], ["SHA-256"]),
        ("SHA-256", ["*", "sha"], ["SHA-256"]),
        ("ABC-1 abc-2", ["*"], ["ABC-1"]),
        ("MY_T-1", ["*"], []),
        ("A-1", ["*"], []),
        ("MYT-1 abc-2 myt-3", ["*", "MYT"], ["MYT-1", "MYT-3"]),
        ("MYT-1", [], []),
        ("-1 MYT-1 XXXX-1", [""], []),
        ("-1 MYT-1 XXXX-1", ["", "MYT"], ["MYT-1"]),
    ],
)
def test_the_longest_listed_project_wins_and_a_star_finds_only_the_plain_form(text, projects, found):
    assert list(find_keys(text, projects)) == found


@pytest.mark.parametrize(
    "text", ["UTF-8", "SHA-256", "ISO-8601", "RFC-2616", "CVE-2024-1234", "COVID-19", "SHA1-1", "AES-128", "PEP-8"]
)
def test_with_any_project_a_well_known_look_alike_is_no_key(text):
    assert list(find_keys(text, ["*"])) == []


@pytest.mark.parametrize("project", ["MY", "my", "M1", "MY_T", "A_"])
def test_it_is_a_project_key(project):
    assert is_project_key(project)


@pytest.mark.parametrize("project", ["", "M", "1MY", "_MY", "MÝT", "MY-T", "MY T", "MY\n", "*", "\u212aY"])
def test_it_is_no_project_key(project):
    assert not is_project_key(project)


@pytest.mark.parametrize("key", ["", "MYT", "MYT-", "MYT-0", "MYT-01", "M-1", "MYT-1 ", "MYT-1\n", "MYT-1a", "MYT-٣"])
def test_it_is_no_issue_key(key):
    assert not is_issue_key(key)


HOSTILE = {
    "letters": "A" * 200_000,
    "digits": "MYT-" + "1" * 200_000 + "x",
    "hyphens": "MYT-" * 50_000,
    "underscores": "MY_" * 60_000,
    "almost keys": "MYT-1x" * 40_000,
    "versions": "MYT-1.2 " * 25_000,
    "constants": "A_MYT-1" * 28_000,
    "one constant": "A_" * 100_000 + "MYT-1",
}


@pytest.mark.parametrize("projects", [["*"], ["MYT", "MY_T"]], ids=["any", "listed"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_of_two_hundred_thousand_characters_costs_no_time(text, projects):
    began = time.perf_counter()
    list(find_keys(text, projects))
    assert time.perf_counter() - began < 2


def test_title_message_and_branch_are_searched_in_this_order_and_named(settings_of, pipeline_of):
    pipeline = pipeline_of(
        pull_request_title="MYT-3 and MYT-3", message="Pay\n\nbody MYT-2\n\nRefs: MYT-1", branch="myt-4-pay"
    )
    found = [(key.key, key.source) for key in jira_ci_extract_issue_keys(pipeline, settings_of())]
    assert found == [
        ("MYT-3", "pull request title"),
        ("MYT-2", "commit message"),
        ("MYT-1", "commit message"),
        ("MYT-4", "branch"),
    ]


def test_a_run_without_any_text_has_no_key(settings_of, pipeline_of):
    assert jira_ci_extract_issue_keys(pipeline_of(), settings_of()) == []


@pytest.mark.parametrize(
    ("key", "fits"),
    [("MYT-9999999999", True), ("MYT-10000000000", False), (f"{'A' * 255}-1", True), (f"{'A' * 256}-1", False)],
)
def test_a_key_is_at_most_as_long_as_jira_allows(key, fits):
    project = project_of(key)
    assert is_issue_key(key) is fits
    assert is_project_key(project) is (len(project) <= 255)
    assert (key in find_keys(f"[{key}] x", ["*"])) is fits
