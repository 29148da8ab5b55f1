"""The type of an environment, by its name."""

from __future__ import annotations

import pytest

from jira_ci_core.builtin.environments import jira_ci_map_environment


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
        ("qa_2", "testing"),
        ("integration test", "testing"),
        ("dev", "development"),
        ("blue", None),
        ("non-prod", None),
        ("not production", None),
        ("prod-test", None),
        ("product", None),
        ("pre", None),
        ("preproduction-2", "staging"),
        ("dev2", "development"),
        ("prod_eu_1", "production"),
        ("1prod1", "production"),
        ("Préprod", "staging"),
        ("pré-production", "staging"),
        ("INTÉGRATION", "testing"),
        ("qualite\u0301", None),
        ("ｐｒｏｄ", "production"),
        ("prod-no", "production"),
        ("prod_no_1", "production"),
        ("test-not-eu", "testing"),
        ("no-prod", None),
        ("prod-no-prod", None),
        ("prod-non-prod", None),
        ("eu-non-prod", None),
        ("non-eu-prod", "production"),
        ("non-critical-prod", "production"),
        ("no-oslo-prod", "production"),
        ("nonprod", None),
        ("non-uat", None),
        ("review/prod-fix", "development"),
        ("Review/OPS-1-live", "development"),
        ("réview/x", "development"),
        ("review/non-prod", "development"),
        ("prod/review", "production"),
        ("review", None),
        ("preview", "development"),
        ("preview-prod", None),
        ("pr-7-preview", "development"),
        ("internal-qa", None),
        ("data-model", "staging"),
        ("modelling", None),
        ("", None),
    ],
)
def test_the_type_of_an_environment_is_known_from_names_in_common_use(started, settings_of, name, type):
    answer = started(plugins="none").map_environment(name=name, settings=settings_of())
    assert (answer.type if answer else None) == type
    assert answer is None or answer.id is None


# https://github.com/atlassian/github-for-jira/blob/main/src/transforms/transform-deployment.ts
OF_ATLASSIAN = {
    "development": "development dev trunk develop",
    "testing": "testing test tests tst integration integ intg int acceptance accept acpt qa qc control quality uat sit",
    "staging": "staging stage stg sta preprod model internal",
    "production": "production prod prd live",
}


@pytest.mark.parametrize(("type", "words"), OF_ATLASSIAN.items())
@pytest.mark.parametrize("form", ["{}", "EU-{}", "{}_2", "{}:mary", "a/{}/b"])
def test_each_word_of_atlassians_own_table_says_the_same_here(type, words, form):
    for word in words.split():
        assert jira_ci_map_environment(form.format(word)).type == type
        assert jira_ci_map_environment(form.format(word.upper())).type == type
