"""Deliver reports: sessions, credentials, the outbox, and the delivery over HTTP."""
