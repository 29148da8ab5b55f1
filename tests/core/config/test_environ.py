"""What CI should have replaced, and did not."""

from __future__ import annotations

import time

import pytest

from jira_ci_core.config.environ import is_unresolved, unresolved_part


@pytest.mark.parametrize(
    "text",
    [
        # Azure Pipelines
        *("$(Environment.Name)", "$(System.TeamProject)/$(Build.DefinitionName)", "$[variables.x]"),
        *("$[ stageDependencies.A.B.outputs['C.d'] ]", "$(date +%F)"),
        # GitLab, Bitbucket, Jenkins, shells
        *("$CI_ENVIRONMENT_NAME", "${NAME}", "${env.BRANCH_NAME}", "${NAME:-prod}", "$[[ inputs.name ]]", "$A, $B"),
        *("$$NAME", "$_NAME", "$env:NAME"),
        # GitHub, Codefresh, Argo Workflows, Helm
        *(
            "${{ inputs.environment }}",
            "${{ format('{0}', github.ref) }}",
            "${{NAME}}",
            "{{workflow.name}}",
            "{{ .Env }}",
        ),
        # TeamCity, Windows
        *("%env.NAME%", "%build.number%", "%deploy%", "%name%"),
        # Harness
        *("<+env.name>", "<+pipeline.<+x>.y>", "<+secrets.getValue('jira')>", "  <+a>  "),
        # CircleCI, Octopus, CodePipeline, Concourse
        *("<< pipeline.parameters.env >>", "#{Octopus.Environment.Name}", "#{Source.CommitId}", "((vault:jira.key))"),
    ],
)
def test_a_text_that_is_nothing_else(text):
    assert is_unresolved(text)
    assert unresolved_part(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("prod-$(Stage)", "$(Stage)"),
        ("acme/shop/${PYTHON}", "${PYTHON}"),
        ("{{ a }} and {{ b }}", "{{ a }}"),
        ("release %build.number%", "%build.number%"),
        ("prod-%deployTarget%", "%deployTarget%"),
        ("a <+b> c", "<+b>"),
        ("https://$HOST/run", "$HOST"),
    ],
)
def test_a_text_that_holds_more(text, part):
    assert not is_unresolved(text)
    assert unresolved_part(text) == part


@pytest.mark.parametrize(
    "text",
    [
        *("", "prod", "nullable", "<-x>", "a<+b", "<not>", "US$ 5", "$5", "$", "100%", "%", "#12", "C#", "(x)", "$()"),
        *("https://ci.example/M%C3%BCnchen%20x", "http://user:p%40ss%3Aw@proxy", "%2F%41%"),
        *(r"Ticket: (?P<key>[A-Z]+-[0-9]+)$", "((?P<key>OPS-[0-9]+))", "deployed/{environment}/*", "reports/**/*.xml"),
    ],
)
def test_a_text_of_another_kind(text):
    assert not is_unresolved(text)
    assert not unresolved_part(text)


@pytest.mark.parametrize(
    "part", ["$(", "${", "${{", "{{", "{{a}", "<+", "<<", "((", "%a", "$[", "$[a[", "#{", "<+a<+b>", "$A"]
)
def test_a_long_text_costs_no_time(part):
    began = time.process_time()
    is_unresolved(part * 50_000)
    unresolved_part(part * 50_000)
    assert time.process_time() - began < 1
