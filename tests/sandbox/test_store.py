"""The store, and the migration of its files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jira_ci_sandbox import schema as schema_module, store as store_module
from jira_ci_sandbox.errors import SandboxError
from jira_ci_sandbox.faults import fault_from_json
from jira_ci_sandbox.records import AppState, Credential, Update
from jira_ci_sandbox.schema import MIGRATIONS
from jira_ci_sandbox.store import Store

VERSION_1 = Path(__file__).with_name("data") / "version-1.sql"
KEY = {"pipelineId": "pipeline", "buildNumber": 1}


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Iterator[Store]:
    opened = Store(clock=clock)
    yield opened
    opened.close()


LOG_ENTRY = {
    "received_at": 0,
    "method": "GET",
    "path": "/",
    "query": "",
    "status": 200,
    "credential": None,
    "headers": {},
    "body": "null",
}


def update(sequence: int = 1, **changes: Any) -> Update:
    values = {"kind": "builds", "key": KEY, "entity": {"n": sequence}, "issue_keys": ("DEMO-1",), "properties": {}}
    return Update(**(values | {"sequence": sequence} | changes))


def stored_sequence(store: Store) -> Any:
    found = store.entity("builds", KEY)
    return found and found.entity["n"]


def outcomes(store: Store) -> list[str]:
    return [entry.outcome for entry in store.history()]


def test_higher_sequence_replaces_and_lower_or_equal_is_kept_as_stale(store: Store) -> None:
    store.record([update(5), update(5, entity={"n": "again"}), update(4), update(6)])
    assert stored_sequence(store) == 6
    assert outcomes(store) == ["applied", "stale", "stale", "applied"]


def test_stale_update_says_why_it_was_ignored(store: Store) -> None:
    store.record([update(5), update(5), update(4)])
    assert [entry.reason for entry in store.history()] == [
        None,
        "its updateSequenceNumber 5 is the same as the 5 that is stored: only a higher one replaces it",
        "its updateSequenceNumber 4 is lower than the 5 that is stored: only a higher one replaces it",
    ]


def test_update_keeps_what_was_received_and_through_which_credential(store: Store) -> None:
    store.record([update(5, received={"n": 5, "more": True}, credential="mine")])
    [kept] = store.history()
    assert (kept.entity, kept.received, kept.credential) == ({"n": 5}, {"n": 5, "more": True}, "mine")


def test_entities_of_different_kinds_and_keys_do_not_affect_each_other(store: Store) -> None:
    store.record([update(5), update(1, kind="deployments"), update(1, key={**KEY, "buildNumber": 2})])
    assert outcomes(store) == ["applied"] * 3
    assert len(store.entities("builds")) == 2


def test_entity_is_readable_after_its_delay_and_the_one_before_until_then(store: Store, clock: Clock) -> None:
    store.record([update(1)])
    store.record([update(2)], delay=5)
    assert stored_sequence(store) == 1
    clock.now += 4.9
    assert stored_sequence(store) == 1
    clock.now += 0.1
    assert stored_sequence(store) == 2


def test_sequence_counts_before_it_is_readable(store: Store) -> None:
    store.record([update(2)], delay=60)
    store.record([update(1)])
    assert outcomes(store) == ["applied", "stale"]


def test_entities_are_found_by_issue(store: Store) -> None:
    other = update(1, key={**KEY, "buildNumber": 2}, issue_keys=("DEMO-2", "DEMO-3"))
    store.record([update(1), other])
    assert [found.key for found in store.entities("builds", "DEMO-3")] == [other.key]
    assert store.entities("builds", "DEMO-4") == []


def test_deleted_entity_is_gone_and_can_come_back_with_any_sequence(store: Store) -> None:
    store.record([update(7), update(8)])
    store.delete("builds", KEY)
    assert stored_sequence(store) is None
    store.record([update(1)])
    assert stored_sequence(store) == 1
    assert outcomes(store) == ["deleted", "deleted", "applied"]


def test_delete_by_properties_needs_all_of_them_to_match(store: Store) -> None:
    both = update(1, properties={"a": "1", "b": "2"})
    one = update(1, key={**KEY, "buildNumber": 2}, properties={"a": "1"})
    store.record([both, one])
    store.delete_by_properties("builds", {"a": "1", "b": "2"})
    assert [found.key for found in store.entities("builds")] == [one.key]


def test_failed_write_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(TypeError):
        store.record([update(1), update(2, entity={"n": object()})])
    assert store.history() == []


def test_token_ends_when_it_expires_or_its_credential_is_revoked(store: Store, clock: Clock) -> None:
    store.add_credential(Credential("key", "connect"), "secret")
    for token, expires_at in (("short", 1010), ("long", 1020)):
        store.add_token(token, "key", expires_at)
    clock.now = 1010
    assert store.credential_by_token("short") is None
    assert store.credential_by_token("long") == Credential("key", "connect")
    store.revoke("key")
    assert store.credential_by_token("long") is None
    assert store.credential_by_secret("secret") is None


def test_expired_tokens_are_forgotten_when_the_next_is_issued(store: Store, clock: Clock) -> None:
    store.add_credential(Credential("key", "connect"), "secret")
    store.add_token("old", "key", 1001)
    clock.now = 1002
    store.add_token("new", "key", 2000)
    clock.now = 0
    assert store.credential_by_token("old") is None


def test_credential_records_its_owner_its_creation_and_its_last_use(store: Store, clock: Clock) -> None:
    store.add_credential(Credential("key", "connect", owner="member"), "secret")
    [made] = store.credentials()
    assert (made.owner, made.created_at, made.used_at) == ("member", 1000, None)
    store.log_request({**LOG_ENTRY, "received_at": 1005, "credential": "key"})
    assert store.credentials()[0].used_at == 1005


def test_refusal_of_a_secret_or_token_has_a_reason(store: Store, clock: Clock) -> None:
    store.add_credential(Credential("key", "connect"), "secret")
    store.add_token("token", "key", 1001)
    clock.now = 1001
    assert store.refusal_reason("token") == "a token of key has expired"
    store.revoke("key")
    assert store.refusal_reason("token") == store.refusal_reason("secret") == "key was revoked"
    assert store.refusal_reason("other") == "the credential or token is not known here"


def test_app_is_installed_with_its_first_token_and_loses_all_when_it_is_uninstalled(store: Store) -> None:
    assert store.app() == AppState(installed=False, users_may_generate=False)
    store.add_credential(Credential("link", "oauth"), "one")
    assert not store.app().installed
    store.add_credential(Credential("token", "connect"), "two")
    assert store.app().installed
    store.set_app(AppState(installed=False))
    assert {one.name: one.revoked for one in store.credentials()} == {"link": False, "token": True}


def test_name_of_a_credential_is_unique(store: Store) -> None:
    store.add_credential(Credential("key", "connect"), "one")
    with pytest.raises(ValueError, match="named key already"):
        store.add_credential(Credential("key", "connect"), "two")


def test_faults_are_taken_in_order_and_as_often_as_planned(store: Store) -> None:
    store.add_fault(fault_from_json({"action": "html", "match": "token"}))
    store.add_fault(fault_from_json({"action": "empty", "match": "any", "count": 2}))
    taken = [store.take_fault(path) for path in ("/rest/x", "/token", "/token", "/token")]
    assert [fault and fault.action for fault in taken] == ["empty", "html", "empty", None]
    assert store.faults() == []


def test_log_keeps_the_last_requests_only(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "LOG_LENGTH", 2)
    for number in range(4):
        store.log_request({**LOG_ENTRY, "path": str(number)})
    assert [request["path"] for request in store.requests()] == ["2", "3"]


def test_file_keeps_entities_over_a_restart(tmp_path: Path) -> None:
    for sequence in (1, 2):
        opened = Store(tmp_path / "jira.db")
        opened.record([update(sequence)])
        opened.close()
    reopened = Store(tmp_path / "jira.db")
    assert stored_sequence(reopened) == 2
    reopened.close()


def test_secrets_are_not_in_the_file(tmp_path: Path) -> None:
    from jira_ci_sandbox.credentials import mint_credential

    opened = Store(tmp_path / "jira.db")
    secrets = [
        mint_credential(opened, "oauth", "a")["client_secret"],
        mint_credential(opened, "connect", "b")["connect_key"],
    ]
    opened.close()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"connect" in content
    assert not [secret for secret in secrets if secret.encode() in content]


def test_new_file_has_the_newest_schema(tmp_path: Path) -> None:
    Store(tmp_path / "jira.db").close()
    with closing(sqlite3.connect(tmp_path / "jira.db")) as connection, connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_older_file_is_migrated_and_keeps_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Store(tmp_path / "jira.db")
    opened.record([update(1)])
    opened.close()
    steps = (*MIGRATIONS, "CREATE TABLE later (id INTEGER); INSERT INTO later VALUES (1);")
    monkeypatch.setattr(schema_module, "MIGRATIONS", steps)
    for _ in range(2):
        reopened = Store(tmp_path / "jira.db")
        assert stored_sequence(reopened) == 1
        reopened.close()
    with closing(sqlite3.connect(tmp_path / "jira.db")) as connection, connection:
        assert connection.execute("SELECT count(*) FROM later").fetchone() == (1,)


def test_file_of_version_1_is_migrated_with_its_content(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "jira.db")) as connection, connection:
        connection.executescript(VERSION_1.read_text(encoding="utf-8"))
    connection.close()
    opened = Store(tmp_path / "jira.db", clock=lambda: 2e9)
    history = opened.history()
    assert [entry.outcome for entry in history] == ["applied", "stale", "applied", "deleted"]
    assert [entry.reason for entry in history] == [
        None,
        "its updateSequenceNumber is not higher than the one stored before it",
        None,
        "it was deleted through the API",
    ]
    assert [found.key["buildNumber"] for found in opened.entities("builds", "DEMO-1")] == [1]
    assert len(opened.entities("deployments", "DEMO-1")) == 1
    assert [(one.name, one.revoked, one.used_at is not None) for one in opened.credentials()] == [
        ("oauth-1", False, True),
        ("connect-2", False, True),
        ("revoked", True, False),
    ]
    assert opened.app() == AppState(installed=True)
    assert [request["verdict"] for request in opened.requests()] == [None] * 6
    assert opened.faults()[0]["count"] == 3
    assert opened.setting("settings")["projects"] == ["DEMO", "X*"]
    opened.close()


def test_failed_migration_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path / "jira.db").close()
    with monkeypatch.context() as patched:
        patched.setattr(schema_module, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE later (id); nonsense;"))
        with pytest.raises(SandboxError, match="nonsense"):
            Store(tmp_path / "jira.db")
    Store(tmp_path / "jira.db").close()


def test_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "jira.db")) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(SandboxError, match="version 99") as caught:
        Store(tmp_path / "jira.db")
    assert "Upgrade jira-ci-sandbox" in caught.value.remedy


def test_file_in_a_missing_folder_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="cannot be used") as caught:
        Store(tmp_path / "missing" / "jira.db")
    assert "unable to open" in caught.value.why


def test_file_that_is_no_database_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database " * 100)
    with pytest.raises(SandboxError, match="not a database"):
        Store(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "not a database " * 100
