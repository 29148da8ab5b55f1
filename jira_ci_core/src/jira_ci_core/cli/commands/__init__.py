"""Commands that are not on the way of `jira-ci report`, imported when they are asked for."""
