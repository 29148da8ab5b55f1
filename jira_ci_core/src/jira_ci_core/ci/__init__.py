"""Readers of CI systems: `reader` makes one from a table, and each CI has a module with its table."""
