"""`python -m jira_ci_sandbox`: the sandbox command if jira-ci is not installed."""

from jira_ci_sandbox.commands import sandbox

if __name__ == "__main__":
    sandbox(prog_name="python -m jira_ci_sandbox")
