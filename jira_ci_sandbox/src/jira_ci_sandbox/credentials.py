"""Credentials and tokens: how they are generated, and the hashes that are stored in their place.

They are long and random, so a plain SHA-256 protects them: no search through likely values can find one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any
from uuid import uuid4

from jira_ci_sandbox.records import Credential
from jira_ci_sandbox.store import Store

TOKEN_LIFETIME = 900  # seconds


def new_secret(prefix: str) -> str:
    """Return a random credential or token. The prefix says which of them it is."""
    return f"{prefix}-{secrets.token_urlsafe(32)}"


def digest(secret: str) -> str:
    """Return the hash that is stored in place of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def signed_jwt(claims: dict[str, Any], key: bytes) -> str:
    """Return a JSON Web Token, signed with HMAC-SHA-256."""
    signing_input = f"{_encode_json({'alg': 'HS256', 'typ': 'JWT'})}.{_encode_json(claims)}"
    signature = hmac.new(key, signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{_base64url(signature)}"


def mint_credential(
    store: Store, kind: str, name: str, permission: bool = True, initial: bool = False, owner: str = "administrator"
) -> dict[str, Any]:
    """Create a credential, and return it with its secret, of which only a hash is stored.

    Creating a Connect key also installs the app. An `initial` credential survives a reset. Raises ValueError if the
    name is taken.
    """
    secret = new_secret("client-secret" if kind == "oauth" else "connect-key")
    client_id = f"client-{uuid4().hex}" if kind == "oauth" else None
    credential = Credential(name, kind, permission, client_id=client_id, owner=owner)
    store.add_credential(credential, digest(secret), initial)
    shown = {"client_id": client_id, "client_secret": secret} if kind == "oauth" else {"connect_key": secret}
    return {"name": name, "kind": kind, "permission": permission} | shown


def _encode_json(value: dict[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
