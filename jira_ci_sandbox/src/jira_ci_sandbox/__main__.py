"""The sandbox command without jira-ci: `python -m jira_ci_sandbox`."""

from jira_ci_sandbox.commands import sandbox

if __name__ == "__main__":
    sandbox(prog_name="python -m jira_ci_sandbox")
