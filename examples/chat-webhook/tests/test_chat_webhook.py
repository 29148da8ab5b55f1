import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import chat_webhook
from chat_webhook import ChatWebhook
from jira_ci_core.testing import ReportedContract

SECRET = "T0000-hunter2222"


@pytest.fixture
def chat():
    """A chat on loopback that records its messages and answers with `chat.status`; with None, it does not answer."""

    class Chat(ThreadingHTTPServer):
        daemon_threads = True
        messages: list[str] = []
        status: int | None = 200
        closing = threading.Event()

        @property
        def webhook(self):
            return f"http://127.0.0.1:{self.server_port}/services/{SECRET}"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.messages.append(json.loads(body)["text"])
            if self.server.status is None:
                self.server.closing.wait()
                return
            self.send_response(self.server.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with Chat(("127.0.0.1", 0), Handler) as server:
        server.messages = []
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.closing.set()
        server.shutdown()


class TestContract(ReportedContract):
    plugin = ChatWebhook

    @pytest.fixture(autouse=True)
    def _chat(self, chat):
        self.settings = {"CHAT_WEBHOOK": chat.webhook}


def test_the_chat_is_told_what_was_reported(jira_ci, chat):
    assert jira_ci.report(CHAT_WEBHOOK=chat.webhook).code == 0
    assert chat.messages == ["build 42 of checkout (successful) for MYT-1: accepted"]


def test_the_address_may_come_from_a_file(jira_ci, chat):
    (jira_ci.folder / "webhook").write_text(chat.webhook)
    assert jira_ci.report(CHAT_WEBHOOK_FILE="webhook").code == 0
    assert len(chat.messages) == 1


def test_a_run_without_reports_posts_nothing(jira_ci, chat):
    assert jira_ci.report(CHAT_WEBHOOK=chat.webhook, environ={"DRONE_COMMIT_MESSAGE": "none"}).code == 0
    assert chat.messages == []


def test_a_chat_that_refuses_is_a_warning_without_the_address(jira_ci, chat):
    chat.status = 404
    done = jira_ci.report(CHAT_WEBHOOK=chat.webhook, LOG_LEVEL="debug")
    assert done.code == 0
    assert "was not told: it answered 404" in done.err
    assert SECRET not in done.text


def test_a_chat_that_cannot_be_reached_is_a_warning_without_the_address(jira_ci, chat):
    webhook = chat.webhook
    chat.shutdown()
    chat.server_close()
    done = jira_ci.report(CHAT_WEBHOOK=webhook, LOG_LEVEL="debug")
    assert done.code == 0
    assert "was not told: ConnectionError" in done.err
    assert SECRET not in done.text


def test_a_chat_that_does_not_answer_costs_a_bounded_time(chat, monkeypatch, caplog, jira_ci_plugins):
    from datetime import UTC, datetime

    from jira_ci_core import Build, PipelineIdentity, Receipt, Report, Result, Site

    monkeypatch.setattr(chat_webhook, "SECONDS", 0.2)
    monkeypatch.setattr(chat_webhook, "post", lambda url, text: chat.closing.wait())
    url = "https://ci.example/1"
    build = Build(
        number=1,
        sequence=1,
        name="x",
        url=url,
        state="failed",
        last_updated=datetime.now(UTC),
        issue_keys=("MYT-1",),
        pipeline=PipelineIdentity(id="x", name="x", url=url),
    )
    reports = [Report(site=Site(url="https://acme.atlassian.net"), entity=build)]
    receipt = Receipt.for_all(reports, Result.ACCEPTED)
    plugins = jira_ci_plugins(ChatWebhook, chat_webhook=chat.webhook)
    plugins.reported(pipeline=None, reports=reports, receipt=receipt, settings=None)
    assert "no answer within 0.2 seconds" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("webhook", ["http://chat.example/T0000-hunter2222", "T0000-hunter2222", "ftp://chat.example"])
def test_an_address_without_https_is_refused(jira_ci, webhook):
    done = jira_ci.report(CHAT_WEBHOOK=webhook)
    assert done.code == 2
    assert "CHAT_WEBHOOK" in done.err
    assert SECRET not in done.text
