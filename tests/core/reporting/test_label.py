"""The label: a tag, a version, a commit, or any text."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from jira_ci_core import Pipeline
from jira_ci_core.reporting.label import make_label

RUN = {"tag": "shop/v1.2.3-rc.1", "version": "2024.05", "sha": "8a7b6c5d4e3f"}


@pytest.mark.parametrize(
    ("facts", "wanted", "label"),
    [
        (RUN, None, "shop/v1.2.3-rc.1"),
        ({"version": "2"}, None, "2"),
        ({}, None, None),
        (RUN, "tag", "shop/v1.2.3-rc.1"),
        ({"version": "2"}, "tag", None),
        (RUN, "SemVer", "1.2.3-rc.1"),
        (RUN, "calver", "2024.05"),
        (RUN, "sha", "8a7b6c5"),
        ({}, "sha", None),
        ({}, "semver", None),
        (RUN, "Release of May", "Release of May"),
    ],
)
def test_is_what_is_asked_for(facts, wanted, label):
    assert make_label(Pipeline(ci="Drone", **facts), wanted) == label


@pytest.mark.parametrize(
    ("tag", "label"),
    [
        ("1.2.3", "1.2.3"),
        ("v1.2.3", "1.2.3"),
        ("@acme/shop@0.10.0+build.5", "0.10.0+build.5"),
        ("app2-1.2.3", "1.2.3"),
        ("1.2.3-4.5.6", "1.2.3-4.5.6"),
        ("release-v2.0.0-alpha-1.b", "2.0.0-alpha-1.b"),
        ("1.2", None),
        ("1.2.3.4", None),
        ("01.2.3", None),
        ("nightly", None),
    ],
)
def test_a_semantic_version_is_found_in_a_tag(tag, label):
    assert make_label(Pipeline(ci="Drone", tag=tag), "semver") == label


@pytest.mark.parametrize(
    ("tag", "label"),
    [
        ("2024.05", "2024.05"),
        ("v24.04.1", "24.04.1"),
        ("shop-2024.5.17", "2024.5.17"),
        ("2024-05-17", "2024-05-17"),
        ("20240517.2", "20240517.2"),
        ("2024.05.17-rc1", "2024.05.17-rc1"),
        ("2024.13", None),
        ("1.2.3", None),
        ("nightly", None),
    ],
)
def test_a_calendar_version_is_found_in_a_tag(tag, label):
    assert make_label(Pipeline(ci="Drone", tag=tag), "calver") == label


@given(tag=st.text(alphabet="v19.-+/a", min_size=1, max_size=200), kind=st.sampled_from(["semver", "calver"]))
def test_a_version_is_always_the_end_of_the_tag(tag, kind):
    label = make_label(Pipeline(ci="Drone", tag=tag), kind)
    assert label is None or tag.endswith(label)
