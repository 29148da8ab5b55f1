"""Connect sign-in for jira-ci. Nothing is loaded here, so that `hosts` is there before everything else."""
