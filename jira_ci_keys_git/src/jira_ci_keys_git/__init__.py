"""Issue keys from all commits of a change, for jira-ci."""
