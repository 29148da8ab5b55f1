"""Commands that `jira-ci report` does not load; each is imported when it is called."""
