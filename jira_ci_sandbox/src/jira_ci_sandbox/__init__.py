"""A local Jira to try, demonstrate and test a client against.

`jira_ci_sandbox.client.Sandbox` starts one from Python, `python -P -m jira_ci_sandbox` from a shell.
"""

__version__ = "0.1.0"
