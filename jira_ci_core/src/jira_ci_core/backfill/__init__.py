"""Deliver many builds and deployments from a file: in bulk, several calls at a time, resumable."""
