"""Maps the words that CI systems and people use for the state of a run to Jira's states."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from jira_ci_core import Pipeline, SkipReason, State, hookimpl

SUCCESSFUL, FAILED, CANCELLED = State.SUCCESSFUL, State.FAILED, State.CANCELLED
IN_PROGRESS, PENDING, UNKNOWN = State.IN_PROGRESS, State.PENDING, State.UNKNOWN
NOTHING = SkipReason.NOTHING_HAPPENED

Meaning = State | SkipReason

WORDS: Mapping[Meaning, tuple[str, ...]] = {
    SUCCESSFUL: ("successful", "success", "succeeded", "passed", "ok", "neutral"),
    FAILED: ("failed", "failure", "error", "errored", "unstable", "timeout", "timed_out", "broken"),
    CANCELLED: ("cancelled", "canceled", "killed", "aborted", "stopped", "terminated", "not_built", "expired"),
    IN_PROGRESS: ("in_progress", "running", "started", "building"),
    PENDING: ("pending", "waiting", "queued", "scheduled", "blocked", "created", "preparing"),
    State.ROLLED_BACK: ("rolled_back", "rollback"),
    UNKNOWN: ("unknown",),
    NOTHING: ("skipped", "not_run"),
}
"""What a word means where the CI is not known, or has no such word. Others mean there what they mean on all CIs."""

# https://github.com/go-gitea/gitea/blob/main/models/actions/status.go
GITEA: Mapping[Meaning, str] = {
    SUCCESSFUL: "success",
    FAILED: "failure running_with_failure",
    CANCELLED: "cancelled",
    IN_PROGRESS: "running",
    PENDING: "waiting blocked",
    UNKNOWN: "unknown",
    NOTHING: "skipped",
}

# They set no variable that a run could be recognised by, so their tables are for a STATE where no CI is known.
UNRECOGNISED = "Octopus Deploy", "AWS CodePipeline", "Argo Workflows", "Tekton"

# What a run, a job or a stage may be said to be. A word of a run that is being cancelled, or is bound to fail, means
# what it will be; one that leaves the result open (`completed`) is unknown.
OF_CI: Mapping[str, Mapping[Meaning, str]] = {
    # https://apidocs.harness.io/tag/Pipeline-Execution-Details (status); StatusUtils.java in
    # https://github.com/harness/harness-core says which are positive and which are broken
    "Harness": {
        SUCCESSFUL: "success succeeded ignore_failed",
        FAILED: "failure failed error errored expired approval_rejected freeze_failed aborted_by_freeze",
        CANCELLED: "aborted discontinuing",
        IN_PROGRESS: "running async_waiting task_waiting timed_waiting wait_step_running pausing",
        PENDING: "not_started queued queued_license_limit_reached queued_execution_concurrency_reached"
        " queued_global_infra_capacity_reached paused waiting resource_waiting intervention_waiting approval_waiting"
        " input_waiting upload_waiting",
        NOTHING: "skipped suspended",
    },
    # https://github.com/woodpecker-ci/woodpecker/blob/main/server/model/const.go
    "Woodpecker": {
        SUCCESSFUL: "success",
        FAILED: "failure error",
        CANCELLED: "killed canceled declined",
        IN_PROGRESS: "running",
        PENDING: "pending blocked created",
        NOTHING: "skipped",
    },
    # https://github.com/harness/harness/blob/drone/core/status.go
    "Drone": {
        SUCCESSFUL: "success",
        FAILED: "failure error",
        CANCELLED: "killed declined",
        IN_PROGRESS: "running",
        PENDING: "pending blocked waiting_on_dependencies",
        NOTHING: "skipped",
    },
    # https://docs.github.com/en/rest/actions/workflow-runs https://docs.github.com/en/rest/checks/runs
    # https://docs.github.com/en/rest/deployments/statuses; Atlassian's own app takes neutral and stale as here:
    # https://github.com/atlassian/github-for-jira/blob/main/src/transforms/transform-workflow.ts
    "GitHub Actions": {
        SUCCESSFUL: "success neutral",
        FAILED: "failure error timed_out startup_failure",
        CANCELLED: "cancelled stale",
        IN_PROGRESS: "in_progress",
        PENDING: "queued requested waiting pending action_required",
        UNKNOWN: "completed inactive",
        NOTHING: "skipped",
    },
    # https://docs.gitlab.com/api/pipelines/ https://docs.gitlab.com/api/jobs/ https://docs.gitlab.com/api/deployments/
    "GitLab": {
        SUCCESSFUL: "success",
        FAILED: "failed",
        CANCELLED: "canceled canceling",
        IN_PROGRESS: "running",
        PENDING: "created waiting_for_resource waiting_for_callback preparing pending manual scheduled blocked",
        NOTHING: "skipped",
    },
    # https://learn.microsoft.com/en-us/azure/devops/pipelines/build/variables (Agent.JobStatus)
    # https://learn.microsoft.com/en-us/rest/api/azure/devops/build/builds/get (BuildResult, BuildStatus, TaskResult)
    # https://learn.microsoft.com/en-us/javascript/api/azure-devops-extension-api/environmentstatus (classic releases)
    "Azure Pipelines": {
        SUCCESSFUL: "succeeded succeeded_with_issues partially_succeeded",
        FAILED: "failed rejected",
        CANCELLED: "canceled cancelling abandoned",
        IN_PROGRESS: "in_progress",
        PENDING: "not_started postponed queued scheduled pending not_deployed",
        UNKNOWN: "none undefined completed",
        NOTHING: "skipped",
    },
    # https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pipelines/
    # https://jira.atlassian.com/browse/BCLOUD-21254 (which words are a group)
    "Bitbucket Pipelines": {
        SUCCESSFUL: "successful passed success",
        FAILED: "failed error",
        CANCELLED: "stopped expired",
        IN_PROGRESS: "in_progress running building",
        PENDING: "pending ready paused halted parsing",
        UNKNOWN: "completed",
        NOTHING: "skipped not_run",
    },
    # https://buildkite.com/docs/apis/graphql/schemas/enum/buildstates and …/jobstates: a broken job cannot be run
    # https://buildkite.com/docs/pipelines/configure/conditionals (build.state, step.state, step.outcome);
    # https://buildkite.com/docs/pipelines/configure/soft-fail: the step is marked as passed
    "Buildkite": {
        SUCCESSFUL: "passed soft_failed",
        FAILED: "failed failing started_failing hard_failed errored timed_out timing_out",
        CANCELLED: "canceled canceling expired",
        IN_PROGRESS: "running started",
        PENDING: "creating scheduled blocked unblocked pending waiting limited limiting platform_limited"
        " platform_limiting assigned accepted waiting_for_dependencies ready",
        UNKNOWN: "finished neutral",
        NOTHING: "skipped not_run broken waiting_failed blocked_failed unblocked_failed ignored",
    },
    # https://circleci.com/docs/api/v2/ https://circleci.com/docs/api/v1/
    "CircleCI": {
        SUCCESSFUL: "success fixed",
        FAILED: "failed failing error errored infrastructure_fail timedout unauthorized",
        CANCELLED: "canceled",
        IN_PROGRESS: "running",
        PENDING: "queued scheduled not_running on_hold blocked pending created setup_pending setup",
        UNKNOWN: "finished retried no_tests terminated_unknown",
        NOTHING: "not_run",
    },
    # https://developer.travis-ci.com/resource/build https://docs.travis-ci.com/user/notifications/
    "Travis CI": {
        SUCCESSFUL: "passed fixed",
        FAILED: "failed errored broken still_failing",
        CANCELLED: "canceled",
        IN_PROGRESS: "started",
        PENDING: "created received queued pending",
    },
    # https://www.appveyor.com/docs/api/projects-builds/
    "AppVeyor": {
        SUCCESSFUL: "success",
        FAILED: "failed",
        CANCELLED: "cancelled cancelling",
        IN_PROGRESS: "running starting",
        PENDING: "queued",
    },
    # https://docs.aws.amazon.com/codebuild/latest/APIReference/API_Build.html and …/API_BuildPhase.html
    "AWS CodeBuild": {
        SUCCESSFUL: "succeeded",
        FAILED: "failed fault timed_out client_error",
        CANCELLED: "stopped",
        IN_PROGRESS: "in_progress",
        PENDING: "queued pending",
    },
    # https://www.jetbrains.com/help/teamcity/rest/build.html
    "TeamCity": {
        SUCCESSFUL: "success normal",
        FAILED: "failure error",
        IN_PROGRESS: "running",
        PENDING: "queued",
        UNKNOWN: "unknown finished",
    },
    # https://javadoc.jenkins.io/hudson/model/Result.html
    # https://javadoc.jenkins.io/plugin/blueocean-rest/io/jenkins/blueocean/rest/model/BlueRun.BlueRunState.html
    # https://github.com/jenkinsci/pipeline-stage-view-plugin: StatusExt.java
    "Jenkins": {
        SUCCESSFUL: "success",
        FAILED: "failure failed unstable",
        CANCELLED: "aborted not_built",
        IN_PROGRESS: "running in_progress building",
        PENDING: "queued paused paused_pending_input",
        UNKNOWN: "unknown finished",
        NOTHING: "skipped not_executed",
    },
    # https://cloud.google.com/build/docs/api/reference/rest/v1/projects.builds#Build.Status: an expired one never ran
    "Google Cloud Build": {
        SUCCESSFUL: "success",
        FAILED: "failure internal_error timeout",
        CANCELLED: "cancelled expired",
        IN_PROGRESS: "working",
        PENDING: "pending queued",
        UNKNOWN: "status_unknown",
    },
    # https://developer.atlassian.com/server/bamboo/rest/ (state and lifeCycleState)
    "Bamboo": {
        SUCCESSFUL: "successful",
        FAILED: "failed",
        CANCELLED: "not_built",
        IN_PROGRESS: "in_progress",
        PENDING: "pending queued",
        UNKNOWN: "unknown finished",
    },
    # https://devcenter.bitrise.io/en/builds/build-statuses.html
    "Bitrise": {
        SUCCESSFUL: "success aborted_with_success",
        FAILED: "failed error",
        CANCELLED: "aborted aborted_with_failure",
        IN_PROGRESS: "running in_progress",
        PENDING: "on_hold starting",
    },
    # https://buddy.works/docs/api/pipelines/executions
    "Buddy": {
        SUCCESSFUL: "successful",
        FAILED: "failed",
        CANCELLED: "terminated",
        IN_PROGRESS: "in_progress",
        PENDING: "enqueued initial",
        NOTHING: "skipped not_executed",
    },
    # https://github.com/cirruslabs/cirrus-ci-web/blob/master/schema.graphql (BuildStatus, TaskStatus)
    "Cirrus CI": {
        SUCCESSFUL: "completed",
        FAILED: "failed errored",
        CANCELLED: "aborted",
        IN_PROGRESS: "executing",
        PENDING: "created triggered scheduled paused needs_approval",
        NOTHING: "skipped",
    },
    # https://codefresh.io/docs/docs/pipelines/monitoring-pipelines/
    "Codefresh": {
        SUCCESSFUL: "success approved",
        FAILED: "error failed denied",
        CANCELLED: "terminated terminating",
        IN_PROGRESS: "running",
        PENDING: "pending elected delayed pending_approval",
        NOTHING: "skipped",
    },
    # https://docs.codemagic.io/flutter-running-builds/build-statuses.md
    "Codemagic": {
        SUCCESSFUL: "finished warning",
        FAILED: "failed timeout",
        CANCELLED: "canceled",
        IN_PROGRESS: "fetching testing building publishing finishing",
        PENDING: "initializing queued waiting preparing",
        NOTHING: "skipped",
    },
    # https://github.com/concourse/concourse/blob/master/atc/build.go
    "Concourse": {
        SUCCESSFUL: "succeeded",
        FAILED: "failed errored",
        CANCELLED: "aborted",
        IN_PROGRESS: "started",
        PENDING: "pending",
    },
    # https://api.gocd.org/current/#the-stage-object https://api.gocd.org/current/#the-job-object
    "GoCD": {
        SUCCESSFUL: "passed",
        FAILED: "failed failing",
        CANCELLED: "cancelled discontinued",
        IN_PROGRESS: "building completing",
        PENDING: "scheduled rescheduled assigned preparing paused waiting",
        UNKNOWN: "unknown completed",
    },
    # https://github.com/screwdriver-cd/data-schema/blob/master/models/build.js
    "Screwdriver": {
        SUCCESSFUL: "success",
        FAILED: "failure unstable",
        CANCELLED: "aborted collapsed",
        IN_PROGRESS: "running",
        PENDING: "created queued blocked frozen",
    },
    # https://docs.semaphoreci.com/reference/env-vars (SEMAPHORE_JOB_RESULT: `none` has not yet finished)
    "Semaphore": {
        SUCCESSFUL: "passed",
        FAILED: "failed",
        CANCELLED: "stopped stopping canceled",
        IN_PROGRESS: "running none",
        PENDING: "initializing pending queuing enqueued",
        UNKNOWN: "done finished",
    },
    # https://github.com/go-vela/server/blob/main/constants/status.go
    "Vela": {
        SUCCESSFUL: "success",
        FAILED: "failure error",
        CANCELLED: "killed canceled",
        IN_PROGRESS: "running",
        PENDING: "pending pending_approval",
        NOTHING: "skipped",
    },
    # https://developer.apple.com/documentation/appstoreconnectapi/cicompletionstatus and …/ciexecutionprogress
    "Xcode Cloud": {
        SUCCESSFUL: "succeeded",
        FAILED: "failed errored",
        CANCELLED: "canceled",
        IN_PROGRESS: "running",
        PENDING: "pending",
        UNKNOWN: "complete",
        NOTHING: "skipped",
    },
    # https://vercel.com/docs/rest-api/reference/endpoints/deployments (readyState)
    "Vercel": {
        SUCCESSFUL: "ready",
        FAILED: "error",
        CANCELLED: "canceled deleted",
        IN_PROGRESS: "building initializing",
        PENDING: "queued blocked",
    },
    # https://open-api.netlify.com/#tag/deploy (state)
    "Netlify": {
        SUCCESSFUL: "ready",
        FAILED: "error",
        CANCELLED: "rejected",
        IN_PROGRESS: "building uploading uploaded preparing prepared processing processed retrying",
        PENDING: "new enqueued pending_review accepted",
        NOTHING: "skipped",
    },
    # https://octopus.com/docs/octopus-rest-api/ (the state of a server task)
    "Octopus Deploy": {
        SUCCESSFUL: "success",
        FAILED: "failed timed_out",
        CANCELLED: "canceled cancelling",
        IN_PROGRESS: "executing",
        PENDING: "queued",
    },
    # https://docs.spacelift.io/concepts/run (run states)
    "Spacelift": {
        SUCCESSFUL: "finished",
        FAILED: "failed",
        CANCELLED: "canceled stopped discarded",
        IN_PROGRESS: "initializing preparing preparing_apply preparing_replan planning confirmed applying performing"
        " destroying",
        PENDING: "queued ready pending pending_review replan_requested unconfirmed",
        UNKNOWN: "none unknown",
        NOTHING: "skipped",
    },
    # https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecution.html, …/API_ActionExecution
    # and …/API_StageConditionsExecution.html: a condition may be overridden, so that its stage goes on
    "AWS CodePipeline": {
        SUCCESSFUL: "succeeded overridden",
        FAILED: "failed errored",
        CANCELLED: "stopped stopping cancelled superseded abandoned",
        IN_PROGRESS: "in_progress",
    },
    # https://argo-workflows.readthedocs.io/en/latest/variables/ (workflow.status, tasks.NAME.status)
    "Argo Workflows": {
        SUCCESSFUL: "succeeded",
        FAILED: "failed error",
        IN_PROGRESS: "running daemoned",
        PENDING: "pending",
        NOTHING: "skipped omitted",
    },
    # https://tekton.dev/docs/pipelines/pipelines/#using-aggregate-execution-status-of-all-tasks
    # `Completed` is a success with tasks that were skipped, `None` a task that was not run
    "Tekton": {
        SUCCESSFUL: "succeeded completed",
        FAILED: "failed pipeline_run_timeout task_run_timeout",
        CANCELLED: "cancelled task_run_cancelled cancelled_run_finally stopped_run_finally",
        IN_PROGRESS: "running started",
        PENDING: "pending pipeline_run_pending task_run_pending",
        NOTHING: "none skipped",
    },
    "Gitea": GITEA,
    "Forgejo": GITEA,
}


@functools.cache
def _words_of(ci: str) -> dict[str, Meaning]:
    return {word.replace("_", ""): meaning for meaning, words in OF_CI.get(ci, {}).items() for word in words.split()}


@functools.cache
def _common_words(*cis: str) -> dict[str, Meaning]:
    """WORDS, and the words that say something, and the same, in all tables of these that have them."""
    common, ambiguous = dict[str, Meaning](), set()
    for ci in cis:
        for word, meaning in _words_of(ci).items():
            if common.setdefault(word, meaning) is not meaning or meaning is UNKNOWN:
                ambiguous.add(word)
    common = {word: common[word] for word in common.keys() - ambiguous}
    return common | {word.replace("_", ""): meaning for meaning, words in WORDS.items() for word in words}


_JOINTS = str.maketrans("", "", "_- ")


@hookimpl(trylast=True)
def jira_ci_map_state(status: str, pipeline: Pipeline) -> Meaning | None:
    """Return what a word means on this CI, in any case, with its parts joined by `_`, `-`, a space or nothing."""
    word = status.strip().lower().translate(_JOINTS)
    own = _words_of(pipeline.ci) if pipeline.is_of_ci else _common_words(*UNRECOGNISED)
    return own.get(word) or _common_words(*OF_CI).get(word)


# An error about an unknown STATE lists the `words` of every plugin that has them, and these of the CI.
vars(jira_ci_map_state).update(
    words=tuple(word for words in WORDS.values() for word in words),
    words_of_ci={ci: " ".join(words.values()).split() for ci, words in OF_CI.items()},
)
