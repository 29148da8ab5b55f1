"""Posts the result of a step to a chat, by an incoming webhook (`{"text": …}`, as Slack and Mattermost accept it)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr, field_validator

from jira_ci_core import InvalidValueError, PluginSettings, Receipt, Report, Secret, hookimpl, origin, setting

log = logging.getLogger(__name__)

SECONDS = 10.0


class ChatWebhook:
    """Posts one line for each report. The webhook's address is a secret, since posting needs nothing else."""

    CONTRACT = 1

    class Settings(PluginSettings):
        chat_webhook: Secret | None = setting(None, help="the address of the chat's incoming webhook, https://…")

        @field_validator("chat_webhook")
        @classmethod
        def _is_safe(cls, webhook: SecretStr | None) -> SecretStr | None:
            if webhook is not None:
                url = webhook.get_secret_value()
                local = urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
                if origin(url) is None or not (url.lower().startswith("https:") or local):
                    raise InvalidValueError(
                        "it is no https:// address", "copy the address again from the chat's settings"
                    )
            return webhook

    def __init__(self, settings: Settings) -> None:
        self._webhook = settings.chat_webhook

    @hookimpl
    def jira_ci_reported(self, reports: Sequence[Report], receipt: Receipt) -> None:
        """Post the lines, and return after at most `SECONDS` even if the chat does not answer."""
        if self._webhook is None or not reports:
            return
        lines = [
            f"{report.title} ({report.entity.state}) for {', '.join(report.entity.issue_keys)}: {outcome.result}"
            for report, outcome in zip(reports, receipt.outcomes, strict=True)
        ]
        url = self._webhook.get_secret_value()
        # A timeout of requests applies to each read of a response. Leaving a thread behind bounds the call as a whole.
        thread = threading.Thread(target=post, args=(url, "\n".join(lines)), daemon=True)
        thread.start()
        thread.join(SECONDS)
        if thread.is_alive():
            log.warning("the chat at %s was not told: no answer within %g seconds", origin(url), SECONDS)


def post(url: str, text: str) -> None:
    """Post a text. A failure is a warning that shows the origin of the address only, since the address is a secret."""
    try:
        # Without an `auth`, requests would take a credential from `.netrc`.
        response = requests.post(
            url, json={"text": text}, timeout=SECONDS / 2, allow_redirects=False, auth=lambda request: request
        )
    except requests.RequestException as error:
        log.warning("the chat at %s was not told: %s", origin(url), type(error).__name__)
    else:
        if response.status_code >= 300:
            log.warning("the chat at %s was not told: it answered %d", origin(url), response.status_code)
