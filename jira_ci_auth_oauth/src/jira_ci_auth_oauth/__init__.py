"""OAuth 2.0 sign-in for jira-ci."""
