"""Calling git, and reading the checkout."""
