"""Connect sign-in for jira-ci."""
