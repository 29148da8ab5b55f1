import pytest

import company_words
from jira_ci_core.testing import StateMapContract


class TestContract(StateMapContract):
    plugin = company_words


@pytest.mark.parametrize(
    ("word", "state"), [("shipped", "successful"), ("ON_HOLD", "pending"), ("Called off", "cancelled")]
)
def test_words_of_the_company_are_mapped(jira_ci, word, state):
    [build] = jira_ci.report(STATE=word).builds
    assert build["state"] == state


def test_only_a_deployment_is_taken_back(jira_ci):
    [deployment] = jira_ci.report(STATE="taken back", ENVIRONMENT_NAME="prod").deployments
    assert deployment["state"] == "rolled_back"
    assert jira_ci.report(STATE="taken back").code == 2


def test_a_red_run_is_not_shown_as_shipped(jira_ci):
    done = jira_ci.report(STATE="shipped", environ={"DRONE_BUILD_STATUS": "red"})
    assert (done.code, done.builds) == (0, [])


def test_the_usual_words_still_work(jira_ci):
    [build] = jira_ci.report(STATE="success").builds
    assert build["state"] == "successful"
