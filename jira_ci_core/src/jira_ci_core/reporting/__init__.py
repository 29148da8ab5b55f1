"""A report from start to end, and its steps."""
