"""`python -P -m jira_ci_sandbox`: the sandbox command if jira-ci is not installed as a command."""

from jira_ci_core.import_path import restrict

if __name__ == "__main__":
    restrict()
    from jira_ci_sandbox.commands import sandbox

    sandbox(prog_name="python -P -m jira_ci_sandbox")
