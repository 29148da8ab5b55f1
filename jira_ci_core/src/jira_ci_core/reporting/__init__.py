"""The story of a report, and its steps."""
