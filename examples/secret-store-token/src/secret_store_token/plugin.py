"""Signs in with an access token that a secret store's agent keeps in a file."""

from __future__ import annotations

import re
from pathlib import Path

from jira_ci_core import (
    BearerAuth,
    Connection,
    Http,
    HttpsUrl,
    PluginSettings,
    Problem,
    SignIn,
    SignInError,
    Site,
    hookimpl,
    origin,
    setting,
)
from secret_store_token.hosts import API

KIND = "secret-store"

_TOKEN = re.compile(r"[\x21-\x7e]+")


class SecretStoreToken:
    """Reads the token when a request is signed, and again after Jira has refused it."""

    CONTRACT = 1

    class Settings(PluginSettings):
        store_token_path: str | None = setting(None, help="the file in which the secret store keeps an access token")
        store_api_url: HttpsUrl = setting(API, help="Atlassian's API, or a gateway to it")

    def __init__(self, settings: Settings) -> None:
        self._path = settings.store_token_path
        self._api = settings.store_api_url

    @hookimpl
    def jira_ci_authenticate(self, site: Site) -> SignIn | None:
        """Offer this sign-in where a file is set. The file is read only when a request is signed."""
        path = self._path
        if path is None:
            return None
        return SignIn(
            kind=KIND,
            connect=lambda http: self._connect(Path(path), site, http),
            hosts=(origin(self._api) or self._api,),
            missing=() if site.cloud_id else ("CLOUD_ID",),
        )

    def _connect(self, path: Path, site: Site, http: Http) -> Connection:
        auth = BearerAuth(lambda: http.secret(read_token(path)))
        return Connection(
            builds_url=f"{self._api}/jira/builds/0.1/cloud/{site.cloud_id}/bulk",
            deployments_url=f"{self._api}/jira/deployments/0.1/cloud/{site.cloud_id}/bulk",
            auth=auth,
            renew=auth.renew,
        )


def read_token(path: Path) -> str:
    """Return the token in a file. Raises SignInError, which never shows the content of the file."""
    remedy = "check STORE_TOKEN_PATH, and that the secret store's agent runs beside this step"
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SignInError(Problem("the token's file cannot be read", f"{path}: {reason}", remedy)) from None
    if not _TOKEN.fullmatch(token):
        raise SignInError(Problem("the token's file holds no token", f"{path} is empty, or more than one word", remedy))
    return token
