"""GitHub, GitLab and Jenkins, by the variables that their documentation names."""

import json

import pytest

from jira_ci_core.builtin import github, gitlab, jenkins

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_RUN_NUMBER": "7",
    "GITHUB_RUN_ID": "99",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_WORKFLOW": "CI",
    "GITHUB_REF_NAME": "main",
    "GITHUB_REF_TYPE": "branch",
    "GITHUB_SHA": "a" * 40,
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_PIPELINE_IID": "12",
    "CI_PIPELINE_URL": "https://gitlab.example/acme/shop/-/pipelines/1200",
    "CI_JOB_STATUS": "failed",
    "CI_PROJECT_PATH": "acme/shop",
    "CI_PROJECT_URL": "https://gitlab.example/acme/shop",
    "CI_COMMIT_REF_NAME": "main",
    "CI_COMMIT_SHA": "a" * 40,
    "CI_COMMIT_BEFORE_SHA": "0" * 40,
    "CI_COMMIT_MESSAGE": "MYT-1",
}
JENKINS = {
    "JENKINS_URL": "https://jenkins.example/",
    "BUILD_NUMBER": "3",
    "BUILD_URL": "https://jenkins.example/job/shop/3/",
    "JOB_NAME": "shop",
    "BRANCH_NAME": "main",
    "GIT_COMMIT": "a" * 40,
    "GIT_URL": "https://token@git.example/acme/shop.git",
}


@pytest.mark.parametrize("reader", [github, gitlab, jenkins])
def test_another_machine_is_none_of_theirs(reader):
    assert reader.jira_ci_read_pipeline({"PATH": "/bin"}) is None


class TestGitHub:
    def event(self, tmp_path, event):
        path = tmp_path / "event.json"
        path.write_text(json.dumps(event))
        return GITHUB | {"GITHUB_EVENT_PATH": str(path)}

    def test_a_push(self, tmp_path):
        event = {"before": "b" * 40, "head_commit": {"message": "[MYT-1] Pay"}}
        run = github.jira_ci_read_pipeline(self.event(tmp_path, event))
        assert (run.number, run.branch, run.id, run.message) == ("7", "main", "acme/shop/CI", "[MYT-1] Pay")
        assert run.url == "https://github.com/acme/shop/actions/runs/99"
        assert run.commit_before == "b" * 40
        assert not run.publishes_status
        assert run.origins["message"] == "head_commit.message of the event"

    def test_the_first_push_of_a_branch_has_no_commit_before(self, tmp_path):
        assert github.jira_ci_read_pipeline(self.event(tmp_path, {"before": "0" * 40})).commit_before is None

    def test_a_pull_request_is_of_its_head_and_not_of_the_merge_commit(self, tmp_path):
        event = {"pull_request": {"number": 4, "title": "MYT-2", "head": {"sha": "c" * 40}}}
        environ = self.event(tmp_path, event) | {"GITHUB_HEAD_REF": "feature/x", "GITHUB_BASE_REF": "main"}
        run = github.jira_ci_read_pipeline(environ)
        assert (run.sha, run.branch, run.target_branch) == ("c" * 40, "feature/x", "main")
        assert (run.pull_request, run.pull_request_title) == ("4", "MYT-2")

    def test_a_tag_is_no_branch(self):
        run = github.jira_ci_read_pipeline(GITHUB | {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v1"})
        assert (run.tag, run.branch) == ("v1", None)

    @pytest.mark.parametrize("content", [b"", b"[", b"\xff", b"[]", b'{"pull_request": 1}'])
    def test_an_event_that_says_nothing_takes_nothing_away(self, tmp_path, content):
        path = tmp_path / "event.json"
        path.write_bytes(content)
        assert github.jira_ci_read_pipeline(GITHUB | {"GITHUB_EVENT_PATH": str(path)}).branch == "main"


class TestGitLab:
    def test_a_push(self):
        run = gitlab.jira_ci_read_pipeline(GITLAB)
        assert (run.number, run.id, run.branch, run.status) == ("12", "acme/shop", "main", "failed")
        assert run.publishes_status
        assert run.commit_before is None
        assert run.commit_url == f"https://gitlab.example/acme/shop/-/commit/{'a' * 40}"

    def test_a_merge_request(self):
        extra = {
            "CI_MERGE_REQUEST_IID": "5",
            "CI_MERGE_REQUEST_TITLE": "MYT-3",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature/x",
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": "d" * 40,
        }
        run = gitlab.jira_ci_read_pipeline(GITLAB | extra)
        assert (run.branch, run.target_branch, run.pull_request_title) == ("feature/x", "main", "MYT-3")
        assert run.commit_before == "d" * 40

    def test_a_tag_is_no_branch(self):
        run = gitlab.jira_ci_read_pipeline(GITLAB | {"CI_COMMIT_TAG": "v1", "CI_COMMIT_REF_NAME": "v1"})
        assert (run.tag, run.branch) == ("v1", None)

    @pytest.mark.parametrize(("action", "environment"), [("start", "prod"), ("", "prod"), ("stop", None)])
    def test_only_a_job_that_starts_an_environment_deploys_to_it(self, action, environment):
        environ = GITLAB | {"CI_ENVIRONMENT_NAME": "prod", "CI_ENVIRONMENT_ACTION": action}
        assert gitlab.jira_ci_read_pipeline(environ).environment == environment


class TestJenkins:
    def test_a_branch(self):
        run = jenkins.jira_ci_read_pipeline(JENKINS | {"GIT_PREVIOUS_COMMIT": "null"})
        assert (run.number, run.id, run.branch, run.commit_before) == ("3", "shop", "main", None)
        assert run.repository_url == "https://git.example/acme/shop"
        assert "token" not in repr(run)

    def test_a_pull_request(self):
        extra = {"CHANGE_ID": "24", "CHANGE_BRANCH": "x", "CHANGE_TARGET": "main", "CHANGE_TITLE": "MYT-9"}
        run = jenkins.jira_ci_read_pipeline(JENKINS | extra | {"BRANCH_NAME": "PR-24"})
        assert (run.branch, run.target_branch, run.pull_request_title) == ("x", "main", "MYT-9")

    def test_the_last_successful_commit_is_the_one_before(self):
        extra = {"GIT_PREVIOUS_SUCCESSFUL_COMMIT": "b" * 40, "GIT_PREVIOUS_COMMIT": "c" * 40}
        assert jenkins.jira_ci_read_pipeline(JENKINS | extra).commit_before == "b" * 40

    def test_a_tag_is_no_branch_and_a_remote_is_no_part_of_one(self):
        assert jenkins.jira_ci_read_pipeline(JENKINS | {"TAG_NAME": "v1"}).branch is None
        environ = {name: value for name, value in JENKINS.items() if name != "BRANCH_NAME"}
        assert jenkins.jira_ci_read_pipeline(environ | {"GIT_BRANCH": "origin/main"}).branch == "main"
