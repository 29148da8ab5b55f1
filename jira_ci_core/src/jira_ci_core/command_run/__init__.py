"""`jira-ci run`: a command between two reports."""
