"""The attacks are tried on the same steps as the end-to-end tests."""

from ..e2e.conftest import clean, failed, in_process, install, secrets

__all__ = ["clean", "failed", "in_process", "install", "secrets"]
