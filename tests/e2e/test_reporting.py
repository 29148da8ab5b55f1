"""What is reported beyond the state: tests, environments, durations, labels, services."""

from __future__ import annotations

import json

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
        assert "for the service b:shop" in done.err
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


SERVICE = {"associationType": "serviceIdOrKeys", "values": ["b:shop"]}


class TestServicesAlone:
    """A deployment of services is a whole one, without any issue key."""

    @pytest.fixture
    def step(self, harness_oauth, jira):
        jira.configure(services=["b:shop"])
        harness_oauth.environ |= {"DRONE_COMMIT_MESSAGE": "no key", "PLUGIN_ENVIRONMENT_NAME": "prod"}
        harness_oauth.environ["PLUGIN_SERVICE_IDS"] = "b:shop"
        return harness_oauth

    def test_are_reported(self, step, jira, clean):
        done = clean(step())
        assert done.code == 0, done.text
        assert "accepted deployment 42 of checkout to prod (successful) for the service b:shop" in done.err
        assert "warning" not in done.err
        assert [one["associations"] for one in jira.deployments()] == [[SERVICE]]

    def test_are_a_report_for_programs_too(self, step):
        answer = step("--format", "json").json
        assert (answer["ending"], answer["accepted"], answer["issue_keys"]) == ("delivered", True, [])
        assert answer["services"] == ["b:shop"]

    def test_are_shown_before_they_are_sent(self, step, jira):
        done = step("--dry-run")
        assert "services: b:shop" in done.err
        assert jira.requests() == []

    def test_are_verified_shown_and_deleted(self, step, jira):
        assert step(verify="true").code == 0
        assert json.loads(step.run("show").out)["associations"] == [SERVICE]
        assert step.run("delete").code == 0
        assert jira.deployments() == []

    def test_are_kept_in_the_outbox_and_flushed(self, step, jira, tmp_path):
        step.environ |= {"PLUGIN_OUTBOX": str(tmp_path / "outbox"), "PLUGIN_DEADLINE": "0.2"}
        jira.fault("answer", match="bulk", status=503, count=9, headers={"Retry-After": "60"})
        assert step(on_failure="keep").code == 0
        jira.clear_faults()
        assert step.run("outbox", "flush").code == 0
        assert [one["associations"] for one in jira.deployments()] == [[SERVICE]]

    def test_are_reported_by_run(self, step, jira):
        assert step.run("run", "--", "sh", "-c", "exit 3").code == 3
        assert [update["entity"]["state"] for update in jira.updates()] == ["in_progress", "failed"]

    def test_are_left_out_by_state_in_its_own_words(self, step, jira):
        done = step(state="successful", environ={"DRONE_BUILD_STATUS": "failure"})
        assert (done.code, jira.requests()) == (0, [])
        assert "STATE says successful" in done.err
        assert "no issue key" not in done.err

    def test_that_jira_does_not_know_are_refused_by_it(self, step, failed):
        failure = failed(step(service_ids="b:old"), 1)
        assert failure.what == "Jira knows none of the services of deployment 42 of checkout to prod"
        assert "SERVICE_IDS" in failure.do

    def test_make_no_build(self, step, jira):
        done = step(environment_name=None)
        assert (done.code, jira.requests()) == (0, [])
        assert "no issue key was found" in done.err
        assert "Set ENVIRONMENT_NAME to report a deployment" in done.err

    @pytest.mark.parametrize("command", ["doctor", "explain"])
    def test_are_told_by(self, step, command):
        done = step.run(command)
        assert "services: b:shop" in done.text or "set besides: SERVICE_IDS=b:shop" in done.text


class TestCommits:
    def test_and_their_repository_are_sent_with_a_deployment(self, harness_oauth, jira, clean):
        hashes = "a" * 40, "b" * 40
        done = clean(harness_oauth(environment_name="prod", commits=",".join(hashes), repository_id="gh-7"))
        assert done.code == 0, done.text
        assert jira.deployments()[0]["associations"][1:] == [
            {"associationType": "commit", "values": [{"commitHash": hash, "repositoryId": "gh-7"} for hash in hashes]},
            {"associationType": "repository", "values": [{"repositoryId": "gh-7"}]},
        ]

    def test_of_a_repository_that_jira_does_not_know_are_told(self, harness_oauth, jira):
        jira.configure(repositories=["gh-8"])
        done = harness_oauth(environment_name="prod", commits="abcdef0", repository_id="gh-7")
        assert done.code == 0, done.text
        unknown = "commit abcdef0 of repository gh-7, repository gh-7"
        assert f"warning: Jira does not know these services, commits or repositories: {unknown}" in done.err

    @pytest.mark.parametrize(
        ("settings", "what"),
        [
            ({"commits": "abcdef0"}, "contradict each other"),
            ({"commits": "HEAD", "repository_id": "7"}, "COMMITS cannot be 'HEAD'"),
            ({"commits": "abc", "repository_id": "7"}, "COMMITS cannot be 'abc'"),
            ({"repository_id": "x" * 256}, "REPOSITORY_ID cannot be"),
        ],
    )
    def test_that_name_nothing_are_refused(self, harness_oauth, jira, failed, settings, what):
        assert what in failed(harness_oauth(environment_name="prod", **settings), 2).what
        assert jira.requests() == []

    def test_cannot_be_set_by_a_change(self, harness_oauth, failed):
        (harness_oauth.folder / "jira-ci.toml").write_text('commits = "abcdef0"\nrepository-id = "7"\n')
        assert "may not be set in" in failed(harness_oauth(), 2).what

    def test_are_no_part_of_a_build(self, harness_oauth, jira):
        assert harness_oauth(commits="abcdef0", repository_id="7").code == 0
        assert jira.builds()[0]["issueKeys"] == ["MYT-1"]


class TestIssueIds:
    @pytest.mark.parametrize("environment", [None, "prod"])
    def test_may_stand_for_keys(self, harness_oauth, jira, clean, environment):
        jira.configure(projects=["MYT"])
        done = clean(harness_oauth("--format", "json", issuekeys="MYT-1,10042", environment_name=environment))
        assert done.code == 0, done.text
        [stored] = jira.deployments() or jira.builds()
        assert stored["associations"] == [{"associationType": "issueIdOrKeys", "values": ["MYT-1", "10042"]}]
        assert stored["issueKeys"] == ["MYT-1", "MYT-42"]
        assert done.json["issue_keys"] == ["MYT-1", "10042"]
        assert done.json["urls"] == [f"{jira.url}/browse/MYT-1"]

    def test_that_jira_does_not_know_are_told(self, harness_oauth, failed):
        failure = failed(harness_oauth(issuekeys="7"), 1)
        assert "Jira knows none of the issue keys" in failure.what

    @pytest.mark.parametrize("text", ["0", "007", "-5", "1.5", "9" * 20])
    def test_are_whole_numbers(self, harness_oauth, jira, failed, text):
        assert "ISSUEKEYS cannot be" in failed(harness_oauth(issuekeys=text), 2).what
        assert jira.requests() == []
