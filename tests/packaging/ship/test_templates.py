"""`examples/ci/`: each file is valid by its vendor's schema, and its commands end in a report that Jira accepts."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
import yaml

from jira_ci_core.testing.recorded import recorded_runs

from ..conftest import ROOT, run

pytestmark = pytest.mark.packaging

FOLDER = ROOT / "examples" / "ci"
SCHEMAS = {
    "github/action.yml": "vendor.github-actions",
    "gitlab/templates/report.yml": "vendor.gitlab-ci",
    "circleci/orb.yml": "vendor.circle-ci",
    "azure/report.yml": "vendor.azure-pipelines",
    "drone/drone.yml": "vendor.drone-ci",
}
WITHOUT_SCHEMA = "jenkins/vars/jiraCi.groovy", "harness/step.yaml"
GIVEN = {"project": "MYT", "packages": "jira-ci-core[oauth]", "stage": "test", "run-number": "42"}


def documents(name):
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def filled(value, jira):
    """Return a value with its expressions replaced, as the CI does."""
    if isinstance(value, dict):
        return {key: filled(one, jira) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, jira) for one in value]
    if not isinstance(value, str):
        return value
    known = GIVEN | {"instance": jira.url, "job.status": "success"}
    secrets = {"jiraClientId": jira.client_id, "jiraClientSecret": jira.client_secret}
    value = re.sub(r"\$\((\w+)\)", lambda match: secrets[match[1]], value)

    def answer(match):
        names = [re.sub(r"^(inputs|parameters)\.", "", name) for name in match[1].split(" || ")]
        return next((known[name] for name in names if known.get(name)), "")

    value = re.sub(r"(?:\$\{\{|<<|\$\[\[) *([\w.|\- ]+?) *(?:\}\}|>>|\]\])", answer, value)
    return value.replace('<+secrets.getValue("jira_connect_key")>', jira.connect_key)


def github(jira):
    steps = documents("github/action.yml")[0]["runs"]["steps"]
    return [("successful", [(filled(one["run"], jira), filled(one["env"], jira)) for one in steps])]


def gitlab(jira):
    _, jobs = filled(documents("gitlab/templates/report.yml"), jira)
    common = jobs[".jira-ci"]
    return [
        (state, [("\n".join(common["script"]), common["variables"] | jobs[job].get("variables", {}))])
        for job, state in {"jira-ci-success": "successful", "jira-ci-failure": "failed"}.items()
    ]


def circleci(jira):
    install, success, failure = [
        (one["run"]["command"], one["run"].get("environment", {}))
        for one in filled(documents("circleci/orb.yml")[0]["commands"]["report"]["steps"], jira)
    ]
    return [("successful", [install, success]), ("failed", [install, failure])]


def jenkins(jira):
    source = (FOLDER / "jenkins/vars/jiraCi.groovy").read_text()
    [script] = re.findall(r"sh '''(.*?)'''", source, re.DOTALL)
    names = dict(re.findall(r'"(JIRA_CI_\w+)=\$\{settings\.(\w+)', source))
    credentials = re.findall(r"(?:username|password)Variable: '(\w+)'", source)
    values = {"project": "MYT", "instance": jira.url, "environmentName": "", "state": "failed"}
    environ = {name: values[setting] for name, setting in names.items()}
    secrets = dict(zip(credentials, (jira.client_id, jira.client_secret), strict=True))
    return [("failed", [(script, environ | secrets)])]


def azure(jira):
    [step] = filled(documents("azure/report.yml")[0]["steps"], jira)
    return [("successful", [(step["script"], step["env"])])]


def harness(jira):
    settings = filled(documents("harness/step.yaml")[0]["step"]["spec"]["settings"], jira)
    return [("successful", [image(settings, jira)])]


def drone(jira):
    [step] = documents("drone/drone.yml")[0]["steps"]
    settings = step["settings"] | {"connect_key": jira.connect_key}
    return [("successful", [image(settings, jira)])]


def image(settings, jira):
    """Return the image's command and variables; Harness and Drone pass settings in the same way."""
    environ = {f"PLUGIN_{name.upper()}": value for name, value in settings.items()}
    return "jira-ci report", environ | {"PLUGIN_INSTANCE": jira.url}


TEMPLATES = {one.__name__: one for one in (github, gitlab, circleci, jenkins, azure, harness, drone)}


@pytest.mark.parametrize("ci", TEMPLATES)
def test_its_commands_end_in_a_report(ci, jira, tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    # These stand in for venv and pip, since the packages are installed already.
    real = Path(sys.executable).parent
    (programs / "pip").write_text('#!/bin/sh\ncase "$*" in *jira-ci-core*) ;; *) exit 9 ;; esac\n')
    made = f'mkdir -p "$3/bin"; ln -sf {programs}/pip {real}/jira-ci "$3/bin/"'
    (programs / "python3").write_text(f'#!/bin/sh\ntest "$1 $2" = "-m venv" || exit 9\n{made}\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    recorded = next(one for one in recorded_runs() if (one.reader, one.run) == (ci, "push"))
    common = {
        **recorded.variables(tmp_path),
        "PATH": f"{programs}{os.pathsep}{real}{os.pathsep}/usr/bin:/bin",
        "HOME": str(tmp_path),
        "RUNNER_TEMP": str(tmp_path),
        "AGENT_TEMPDIRECTORY": str(tmp_path),
        "JIRA_CI_API_URL": jira.url,
        "JIRA_CI_CONNECT_HOSTNAME": jira.url,
        "JIRA_CI_ISSUEKEYS": "MYT-1",
    }
    if ci in ("github", "gitlab", "circleci"):
        # These come from the CI's secrets.
        common |= {"JIRA_CI_CLIENT_ID": jira.client_id, "JIRA_CI_CLIENT_SECRET": jira.client_secret}
    for state, steps in TEMPLATES[ci](jira):
        for script, environ in steps:
            said = run("sh", "-euc", script, folder=tmp_path, environ=common | environ)
        assert "accepted build" in said
        [build] = jira.builds()
        assert (build["state"], build["pipelineId"]) == (state, recorded.pipeline_id)


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_is_what_the_schema_of_its_vendor_asks_for(name, tmp_path):
    for place, document in enumerate(documents(name)):
        (tmp_path / f"{place}.yml").write_text(yaml.safe_dump(document))
    run("check-jsonschema", "--builtin-schema", SCHEMAS[name], *sorted(tmp_path.iterdir()))


def test_every_file_is_checked():
    files = {str(file.relative_to(FOLDER)) for file in FOLDER.rglob("*") if file.is_file()} - {"README.md"}
    assert files == {*SCHEMAS, *WITHOUT_SCHEMA}
    assert [file for file in files if f"({file})" not in (FOLDER / "README.md").read_text()] == []
