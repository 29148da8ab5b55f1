"""The type of an environment, by its name."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("name", "type"),
    [
        ("production", "production"),
        ("PROD", "production"),
        ("eu-production", "production"),
        ("live2", "production"),
        ("pre-prod", "staging"),
        ("pre_production", "staging"),
        ("preprod", "staging"),
        ("uat", "staging"),
        ("qa_2", "testing"),
        ("integration test", "testing"),
        ("dev", "development"),
        ("blue", None),
        ("non-prod", None),
        ("not production", None),
        ("prod-test", None),
        ("product", None),
        ("pre", None),
        ("", None),
    ],
)
def test_the_type_of_an_environment_is_known_from_names_in_common_use(started, settings_of, name, type):
    answer = started(plugins="none").map_environment(name=name, settings=settings_of())
    assert (answer.type if answer else None) == type
    assert answer is None or answer.id is None
