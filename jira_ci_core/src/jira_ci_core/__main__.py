"""`python -m jira_ci_core` is `jira-ci`."""

from jira_ci_core.cli import main

main()
