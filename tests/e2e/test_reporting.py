"""What is reported beyond the state: tests, environments, durations, labels, services."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.usefixtures("in_process")

REPORT = '<testsuite name="{0}"><testcase name="a"/><testcase name="b"><{1}/></testcase></testsuite>'


@pytest.fixture
def reports(harness_oauth):
    folder = harness_oauth.folder / "reports"
    (folder / "deep").mkdir(parents=True)
    (folder / "1.xml").write_text(REPORT.format("one", "failure"))
    (folder / "deep" / "2.xml").write_text(REPORT.format("two", "skipped"))
    return folder


COUNTS = {"totalNumber": 4, "numberPassed": 2, "numberFailed": 1, "numberSkipped": 1}


class TestTests:
    def test_of_all_files_are_counted_in_the_build(self, harness_oauth, jira, reports):
        done = harness_oauth(test_results="reports/**/*.xml")
        assert done.code == 0, done.text
        assert [build["testInfo"] for build in jira.builds()] == [COUNTS]
        assert "4 tests in 2 files: 2 passed, 1 failed, 1 skipped" in done.err

    def test_may_be_named_by_the_projects_own_file(self, harness_oauth, jira, reports):
        (harness_oauth.folder / "jira-ci.toml").write_text('test-results = ["reports/*.xml", "reports/deep/*.xml"]')
        assert harness_oauth().code == 0
        assert [build["testInfo"] for build in jira.builds()] == [COUNTS]

    def test_are_not_counted_before_the_build_has_ended(self, harness_oauth, jira, reports):
        for state in ("pending", "in_progress"):
            assert harness_oauth(test_results="reports/**/*.xml", state=state).code == 0
        assert [build for build in jira.builds() if "testInfo" in build] == []

    def test_are_no_part_of_a_deployment(self, harness_oauth, jira, reports):
        assert harness_oauth(test_results="reports/**/*.xml", environment_name="prod").code == 0
        assert "testInfo" not in jira.deployments()[0]

    def test_that_cannot_be_counted_are_a_warning_and_the_build_is_reported(self, harness_oauth, jira, reports):
        (reports / "1.xml").write_text('<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite/>')
        done = harness_oauth(test_results="reports/1.xml, other/*.xml")
        assert done.code == 0, done.text
        assert "warning: reports/1.xml is not counted among the test results: it declares a document type" in done.err
        assert "warning: TEST_RESULTS: no file matches other/*.xml" in done.err
        assert "testInfo" not in jira.builds()[0]

    def test_outside_the_working_directory_are_refused(self, harness_oauth, jira, failed):
        (harness_oauth.folder / "jira-ci.toml").write_text('test-results = "../*.xml"')
        failure = failed(harness_oauth(), 2)
        assert "TEST_RESULTS cannot be '../*.xml' (from test-results in jira-ci.toml)" in failure.what
        assert jira.requests() == []

    def test_without_the_package_that_reads_them_are_an_error(self, harness_oauth, jira, failed, reports, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "junitparser", None)
        failure = failed(harness_oauth(test_results="reports/*.xml"), 2)
        assert "pip install 'jira-ci-core[junit]'" in failure.do
        assert jira.updates() == []


class TestDeployments:
    def test_are_of_the_types_in_a_table(self, harness_oauth, jira):
        (harness_oauth.folder / "types.toml").write_text(
            '[environments]\n"EU Prod*" = "production"\n"pr-*" = "development"\n"*" = "unmapped"\n'
        )
        done = harness_oauth(environment_name="eu prod 1, pr-7, staging", config="types.toml")
        assert done.code == 0, done.text
        types = {one["environment"]["id"]: one["environment"]["type"] for one in jira.deployments()}
        assert types == {"eu prod 1": "production", "pr-7": "development", "staging": "unmapped"}

    def test_have_a_duration_a_label_and_services(self, harness_oauth, jira):
        jira.configure(services=["b:shop"])
        settings = {"duration": 90, "label": "semver", "service_ids": "b:shop,b:old"}
        done = harness_oauth(environment_name="prod", environ={"DRONE_TAG": "v1.2.3"}, **settings)
        assert done.code == 0, done.text
        [deployment] = jira.deployments()
        assert (deployment["duration"], deployment["label"]) == (90, "1.2.3")
        assert deployment["associations"] == [
            {"associationType": "issueIdOrKeys", "values": ["MYT-1"]},
            {"associationType": "serviceIdOrKeys", "values": ["b:shop"]},
        ]
        assert "warning: Jira does not know these services: b:old" in done.err

    def test_of_services_alone_are_accepted_and_the_issues_told_of(self, harness_oauth, jira):
        jira.configure(services=["b:shop"])
        done = harness_oauth(environment_name="prod", issuekeys="OTHER-1", service_ids="b:shop")
        assert done.code == 0, done.text
        assert "for no issue" in done.err
        assert "warning: Jira does not know OTHER-1" in done.err

    def test_take_as_long_as_since_the_start_of_the_job(self, step, jira, oauth):
        import time

        from jira_ci_core.testing import RECORDED

        step.environ |= {**RECORDED["Drone"], **oauth, "PLUGIN_PROJECT": "MYT", "PLUGIN_INSTANCE": jira.url}
        step.environ |= {"PLUGIN_API_URL": jira.url, "DRONE_STAGE_STARTED": str(int(time.time()) - 1000)}
        done = step(environment_name="prod")
        assert done.code == 0, done.text
        assert jira.deployments()[0]["duration"] >= 999

    def test_without_what_the_label_asks_for_have_none_and_say_so(self, harness_oauth, jira):
        done = harness_oauth(environment_name="prod", label="calver")
        assert done.code == 0, done.text
        assert "label" not in jira.deployments()[0]
        assert "LABEL is calver, and this run has none" in done.err
