"""An address with a password in it gives no part of it away: not where it is wrong, nor where a server repeats it."""

from __future__ import annotations

import base64
import json
import socket
import socketserver
import threading
from urllib.parse import quote

import pytest

from jira_ci_core import Secrets, SettingsError, read_settings
from jira_ci_delivery_celery.limiter import Limiter
from jira_ci_delivery_celery.options import Options

pytestmark = pytest.mark.usefixtures("in_process")

PROXIES = "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "HARNESS_HTTPS_PROXY", "PLUGIN_HTTP_PROXY"
UNREADABLE = [
    *(
        "http://alice-x:wonder#land@127.0.0.1:9",
        "http://alice-x:wonder/land@127.0.0.1:9",
        "http://alice-x:wonder?land@h",
    ),
    *("alice-x:wonder#land@127.0.0.1:9", "alice-x:wonder/land@127.0.0.1", "http://alice-x:won[der@land@127.0.0.1:9"),
    *(
        "http://alice-x:60317#wonderland@127.0.0.1:9",
        "http://alice-x:60317/wonderland@127.0.0.1:9",
        "https://alice-x:wonder\\land@h",
    ),
    *("http://[alice-x", "http://alice-x:wonderland@", "http://alice-x:wonderland@h:99999"),
]
KEY = "a-key-of-thirty-two-characters-!"


def gives_nothing_away(text):
    for part in ("alice", "wonder", "land", "60317", base64.b64encode(b"alice-x").decode()[:8]):
        assert part not in text


@pytest.mark.parametrize("address", UNREADABLE)
@pytest.mark.parametrize("variable", PROXIES[:2])
def test_a_proxy_that_cannot_be_read_ends_the_step_and_is_not_shown(harness_oauth, jira, failed, variable, address):
    done = harness_oauth("--format", "json", environ={variable: address}, log_level="debug")
    failure = failed(done, 2)
    assert "_PROXY is not valid" in failure.what
    assert "%23 for #" in failure.do
    gives_nothing_away(done.text)
    assert jira.requests() == []


@pytest.mark.parametrize("encoded", ["%0d%0a", "%00", "%1B", "%7f"])
def test_nor_one_that_encodes_control_characters(harness_oauth, jira, failed, encoded):
    """RFC 7617 forbids them, and what a proxy repeats of them is read as several lines."""
    done = harness_oauth(environ={"HTTP_PROXY": f"http://alice-x:wonder{encoded}land@127.0.0.1:9"})
    failure = failed(done, 2)
    assert "HTTP_PROXY is not valid" in failure.what
    assert "control character" in failure.why
    gives_nothing_away(done.text)
    assert jira.requests() == []


def test_one_that_does_not_speak_http_is_not_passed_by(harness_oauth, jira, failed):
    done = harness_oauth(environ={"HTTP_PROXY": "socks5://alice-x:wonderland@127.0.0.1:9"})
    assert "http:// or https://" in failed(done, 1).why
    gives_nothing_away(done.text)
    assert jira.requests() == []


@pytest.mark.parametrize("variable", PROXIES)
def test_in_any_spelling_of_the_setting(harness_oauth, failed, variable):
    done = harness_oauth(environ={variable: UNREADABLE[0]})
    gives_nothing_away(failed(done, 2).what + done.text)


@pytest.mark.parametrize(
    "command", [["doctor"], ["explain"], ["plugins"], ["report", "--dry-run"], ["outbox", "flush"], ["show"]]
)
def test_by_any_command(harness_oauth, command):
    done = harness_oauth.run(*command, environ={"HTTPS_PROXY": UNREADABLE[0]}, outbox="kept")
    assert "Traceback" not in done.text
    gives_nothing_away(done.text)


@pytest.mark.parametrize("name", ["instance", "api_url", "connect_hostname", "link"])
@pytest.mark.parametrize("address", UNREADABLE[:6] + ["https://alice-x:wonderland@jira.example"])
def test_any_other_address(harness_oauth, jira, name, address):
    done = harness_oauth("--format", "json", log_level="debug", **{name: address})
    gives_nothing_away(done.text)
    if name != "link":
        assert done.code == 2
        assert jira.requests() == []


@pytest.mark.parametrize(
    "address",
    [
        "amqp://alice-x:wonder/land@127.0.0.1:9//",
        "redis://:wonder#land@h/0",
        "amqp://alice-x:[wonderland@h",
        "redis://alice-x:wonderland@h:x/0",
        "amqp://alice-x:wonder;land@h",
    ],
)
@pytest.mark.parametrize("command", [["report"], ["worker"], ["queue", "status"]])
def test_a_broker_that_cannot_be_read(harness_oauth, failed, command, address):
    done = harness_oauth.run(*command, delivery="celery", queue_key=KEY, broker_url=address)
    assert "BROKER_URL is not valid" in failed(done, 2).what
    gives_nothing_away(done.text)


REFUSED_OPTIONS = [
    *("redis://h/wonderland", "redis://:wonder@h/land?heartbeat=60", "redis://h/0?heartbeat=wonder"),
    *("redis://h/0?password=wonderland", "redis://h/0?ssl_cert_reqs=wonder", "rediss://h/0?ssl_land=wonder"),
    *("redis://h/0?credential_provider=wonder.land", "redis://h/0?wonderland=1", "redis://h/0?ssl=wonder"),
    *("amqp://alice-x:wonderland@h?heartbeat=wonder", "amqp://h?heartbeat=nan", "amqp://h?heartbeat=-1"),
    *("amqp://h?login_method=wonder", "amqp://h?connect_timeout=wonder", "amqps://h?ssl_cert_reqs=none"),
    *("amqp://h/" + "wonder" * 50, "amqp://h?heartbeat=1e9", "amqp://h?heartbeat=inf", "amqps://h?ssl=land"),
    *("amqp://h?wonder=land", "amqp://h?transport=wonder", "amqp://h//;amqp://alice-x:wonderland@g?heartbeat=land"),
]
USABLE = [
    *(
        "redis://h",
        "redis://:p%2Fw@h:1/7",
        "rediss://u:p@[::1]:9/0?ssl_ca_certs=/etc/ca.pem",
        "redis://h/0?heartbeat=60",
    ),
    *("amqp:///", "amqp://u:p@h:5672//", "amqps://u:p@h/a%2Fb?heartbeat=30&login_method=PLAIN", "amqp://h;amqp://g"),
    *("rediss://h/0?ssl_cert_reqs=CERT_REQUIRED", "redis://:p@h/0;redis://:p@g/0"),
]


@pytest.mark.parametrize("address", REFUSED_OPTIONS)
def test_options_of_a_broker_that_its_client_would_fail_at_are_refused(address, caplog):
    with pytest.raises(SettingsError) as caught:
        read_settings(Options, "celery", {"JIRA_CI_BROKER_URL": address})
    [problem] = caught.value.problems
    assert "BROKER_URL is not valid" in problem.what
    assert "behind the `?`" in problem.why
    gives_nothing_away(f"{problem} {caplog.text}")


@pytest.mark.parametrize("address", USABLE)
def test_those_that_it_takes_are_not_and_are_not_warned_of(address, caplog):
    assert read_settings(Options, "celery", {"JIRA_CI_BROKER_URL": address}).broker == address
    assert caplog.text == ""


@pytest.mark.parametrize("command", [["report"], ["worker"], ["queue", "status"]])
def test_any_command_refuses_them_before_it_connects(harness_oauth, failed, command):
    with socket.create_server(("127.0.0.1", 0)) as broker:
        broker.setblocking(False)
        address = f"redis://:wonderland@127.0.0.1:{broker.getsockname()[1]}/land?password=wonder"
        done = harness_oauth.run(*command, delivery="celery", queue_key=KEY, broker_url=address)
        with pytest.raises(BlockingIOError):
            broker.accept()
    assert "BROKER_URL is not valid" in failed(done, 2).what
    gives_nothing_away(done.text)


def test_a_worker_that_cannot_share_its_rate_through_the_broker_does_not_start():
    """kombu takes the option, and redis-py, which shares the rate, does not."""
    address = "redis://:wonderland@127.0.0.1:1/0?heartbeat=60"
    options = read_settings(Options, "celery", {"JIRA_CI_BROKER_URL": address})
    with pytest.raises(SettingsError) as caught:
        Limiter(options)
    [problem] = caught.value.problems
    assert "BROKER_URL cannot be used to share QUEUE_RATE" in problem.what
    gives_nothing_away(str(problem))


def test_a_worker_that_cannot_start_does_not_exit_with_success(started_step, harness_oauth):
    environ = {**harness_oauth.environ, "JIRA_CI_BROKER_URL": "redis://:wonderland@127.0.0.1:1/0"}
    done = started_step.run("worker", "--pidfile", "/no/such/folder/pid", environ=environ, queue_key=KEY)
    assert done.code == 1
    assert "/no/such/folder/pid" in done.text
    gives_nothing_away(done.text)


def test_a_password_among_the_options_of_an_address_is_masked_alone():
    secrets = Secrets()
    secrets.add("redis://h/0?ssl_cert_reqs=required&password=wonder%2Fland+7&ssl_keyfile=/etc/key&api_key=60317-land")
    told = secrets.redact("wonder%2Fland+7 wonder/land 7 60317-land required /etc/key")
    assert told == "[secret] [secret] [secret] required /etc/key"


ECHOES = [
    lambda user, password: f"{user}:{password}",
    lambda user, password: f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}",
    lambda user, password: quote(f"user {user}, password {password}", safe=""),
    lambda user, password: json.dumps({"name": user, "word": password}),
    lambda user, password: f"{quote(user, safe='')} {quote(password, safe='').lower()}",
    lambda user, password: f"http://{quote(user, safe='')}:{quote(password, safe='')}@proxy:3128",
]


@pytest.mark.parametrize("echo", ECHOES, ids=range(len(ECHOES)))
@pytest.mark.parametrize("scheme", ["http://", ""])
@pytest.mark.parametrize("where", ["body", "header"])
def test_a_proxy_that_repeats_what_it_was_sent(harness_oauth, listen, echo, scheme, where):
    user, password = "alice@x", "wonder#land/7"
    text = echo(user, password)

    def answer(received):
        assert (
            received.headers["Proxy-Authorization"]
            == f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
        )
        headers = {"Location": text, "Retry-After": text} if where == "header" else {}
        return 302 if where == "header" else 407, headers, text.encode()

    proxy = listen(answer)
    address = f"{scheme}{quote(user, safe='')}:{quote(password, safe='')}@{proxy.url.removeprefix('http://')}"
    done = harness_oauth("--format", "json", log_level="debug", environ={"HTTP_PROXY": address}, deadline="0.9")
    assert proxy.received
    assert done.code == 1
    for part in (user, password, quote(user, safe=""), quote(password, safe=""), "wonder"):
        assert part not in done.text
    assert base64.b64encode(f"{user}:{password}".encode()).decode()[:16] not in done.text


BYTES = {
    "wonder%E2%82%AC:won%ffland": b"wonder\xe2\x82\xac:won\xffland",
    "w%C3%A9nder:l%E9nd-x": b"w\xc3\xa9nder:l\xe9nd-x",
    "wonder%land%zz%e9:wonder%25": b"wonder%land%zz\xe9:wonder%",
    "wonder%25%32:wonder%252Fland": b"wonder%2:wonder%2Fland",
    "wonderland": b"wonderland:",
    ":wonderland": b":wonderland",
}


@pytest.mark.parametrize("encoded", BYTES)
def test_a_proxy_gets_the_bytes_that_its_address_encodes_as_from_curl(harness_oauth, listen, encoded):
    sent = BYTES[encoded]
    packed = base64.b64encode(sent).decode()

    def answer(received):
        return 407, {"Retry-After": sent.decode("latin-1")}, sent + f" {packed} ".encode() + sent.hex().encode()

    proxy = listen(answer)
    address = proxy.url.replace("http://", f"http://{encoded}@")
    done = harness_oauth("--format", "json", log_level="debug", environ={"HTTP_PROXY": address}, deadline="0.9")
    assert {received.headers.get("Proxy-Authorization") for received in proxy.received} == {f"Basic {packed}"}
    assert done.code == 1
    for part in ("wonder", "land", "nder", packed[:16], sent.hex()):
        assert part not in done.text


def test_the_reason_of_a_proxy_that_refuses(harness, connect):
    """Such as `HTTP/1.1 407 not with Basic YWxp…`, which is all that is read of its answer to a CONNECT."""
    sent = []

    class Proxy(socketserver.StreamRequestHandler):
        def handle(self):
            lines = list(iter(lambda: self.rfile.readline().strip().decode(), ""))
            sent.extend(line.partition(": ")[2] for line in lines if line.startswith("Proxy-Authorization"))
            self.wfile.write(f"HTTP/1.1 407 not with {sent[-1]} of alice-x, wonderland\r\n\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True).start()
        environ = {**connect, "HTTPS_PROXY": f"http://alice-x:wonderland@127.0.0.1:{proxy.server_address[1]}"}
        site = "https://jira.example"
        done = harness(environ=environ, log_level="debug", deadline="0.9", instance=site, connect_hostname=site)
        proxy.shutdown()
    assert done.code == 1
    assert "407 not with Basic [secret]" in done.text
    assert set(sent) == {"Basic " + base64.b64encode(b"alice-x:wonderland").decode()}
    gives_nothing_away(done.text)


def test_a_user_is_no_part_of_a_longer_name_and_stays_in_what_is_reported(harness_oauth, jira, passing_on):
    proxy = passing_on().url.replace("http://", "http://acme:wonderland@")
    done = harness_oauth(
        environ={"HTTP_PROXY": proxy, "DRONE_REPO": "acme/acme-shop"}, pipeline="acme/acme-shop", outbox="kept"
    )
    assert done.code == 0, done.text
    assert jira.builds()[0]["pipelineId"] == "acme/acme-shop"
    assert "acme-shop" in done.text
    assert "acme/" not in done.text


def test_the_password_of_a_repository(harness_oauth, jira):
    url = "https://ci-token:wonder-land-1@git.example/acme/shop.git"
    environ = {
        "CI_REPOSITORY_URL": url,
        "DRONE_REPO_LINK": url,
        "DRONE_COMMIT_MESSAGE": f"MYT-1 wonder-land-1 {url} https://x:y-z@h/",
    }
    done = harness_oauth("--dry-run", environ=environ)
    assert done.code == 0, done.text
    assert "wonder-land" not in done.text
    assert "y-z" not in done.text
