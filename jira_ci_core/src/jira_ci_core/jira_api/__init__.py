"""Jira's wire format: requests out, answers in. Nothing else in core knows it.

https://developer.atlassian.com/cloud/jira/software/rest/ (builds, deployments)
"""
