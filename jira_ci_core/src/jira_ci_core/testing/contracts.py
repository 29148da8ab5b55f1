"""What core relies on, as tests: a class to inherit from for each kind of plugin.

    class TestMine(ExtractorContract):
        plugin = MyExtractor             # what the entry point names: a class or a module
        settings = {"MY_SETTING": "x"}   # its own settings, where it has any

Where a setting is known only when the test runs (a file, an address), set it in a fixture:

        @pytest.fixture(autouse=True)
        def _file(self, tmp_path):
            self.settings = {"MY_FILE": str(tmp_path / "x")}

Every test runs in an empty folder, `tmp_path`.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from jira_ci_core.config.settings import NetworkSettings, Settings
from jira_ci_core.errors import DeliveryError, JiraCiError
from jira_ci_core.issue_keys import is_issue_key
from jira_ci_core.models import (
    FoundKey,
    Kind,
    MappedEnvironment,
    Pipeline,
    Receipt,
    Report,
    Result,
    Site,
    State,
)
from jira_ci_core.net.client import Http
from jira_ci_core.net.connection import Connection, SignIn
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.problem import Problem
from jira_ci_core.testing.harness import load_plugin
from jira_ci_core.testing.recorded import RECORDED
from jira_ci_core.testing.strategies import pipelines, receipts_of, reports
from jira_ci_core.urls import is_loopback, origin

T = TypeVar("T")

SITE = Site(url="https://acme.atlassian.net", cloud_id="11111111-2222-3333-4444-555555555555")
SETTINGS = Settings(project=("MYT", "DEMO"), instance=SITE.url, cloud_id=SITE.cloud_id)

# The fixtures of these tests are the same for all examples, and a class for each plugin is what they are made for.
_ordinary = settings(
    deadline=None,
    # A smaller example says it all; explaining it takes many times as long.
    phases=[phase for phase in Phase if phase is not Phase.explain],
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
    ],
)
_few = settings(_ordinary, max_examples=20)


class PluginContract:
    """What holds for every plugin."""

    plugin: ClassVar[Any]
    """The plugin under test: a class or a module."""
    settings: Mapping[str, str] = {}
    """Its own settings, by name."""
    hook: ClassVar[str]
    """The hook of this contract, without its prefix."""

    @pytest.fixture(autouse=True)
    def _in_an_empty_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    @pytest.fixture
    def held(self) -> Plugins:
        """The plugin under test, started, and no other."""
        return load_plugin(self.plugin, **self.settings)

    def test_core_takes_it_in(self, held: Plugins) -> None:
        """It imports, constructs, and implements the hook."""
        assert held.implementers(self.hook), f"it has no jira_ci_{self.hook}"

    def test_its_settings_are_explained(self, held: Plugins) -> None:
        """`jira-ci report --help` shows them."""
        assert [setting.variable for setting in held.settings if not setting.help.strip()] == []


class ExtractorContract(PluginContract):
    """For `jira_ci_extract_issue_keys`."""

    hook = "extract_issue_keys"

    def find(self, held: Plugins, pipeline: Pipeline) -> list[FoundKey]:
        """What the plugin finds."""
        return held.extract_issue_keys(pipeline, {}, SETTINGS)

    @_ordinary
    @given(pipeline=pipelines())
    def test_it_finds_keys_or_nothing_whatever_the_run(self, held: Plugins, pipeline: Pipeline) -> None:
        """It never fails, and what it finds is a key with a source in words."""
        for found in self.find(held, pipeline):
            assert is_issue_key(found.key)
            assert found.source.strip()
            assert "\n" not in found.source

    @_ordinary
    @given(pipeline=pipelines())
    def test_one_run_has_the_same_keys_every_time(self, held: Plugins, pipeline: Pipeline) -> None:
        """The steps of a run update the same issues."""
        assert self.find(held, pipeline) == self.find(held, pipeline)

    def test_it_runs_on_every_ci(self, held: Plugins, jira_ci_pipeline: Pipeline) -> None:
        """Recorded runs, as core reads them."""
        self.find(held, jira_ci_pipeline)

    def test_a_run_of_which_nothing_is_known_is_no_failure(self, held: Plugins) -> None:
        """Core asks extractors on every machine."""
        self.find(held, Pipeline(ci="none"))


class StateMapContract(PluginContract):
    """For `jira_ci_map_state`."""

    hook = "map_state"

    def state_of(self, held: Plugins, word: str, kind: Kind, pipeline: Pipeline) -> State | None:
        """What the plugin takes the word for."""
        return held.map_state(word, kind, pipeline, SETTINGS)

    @_ordinary
    @given(word=st.text(max_size=30), kind=st.sampled_from(Kind), pipeline=pipelines())
    def test_a_word_is_a_state_or_unknown(self, held: Plugins, word: str, kind: Kind, pipeline: Pipeline) -> None:
        """It never fails, and the same word means the same every time."""
        state = self.state_of(held, word, kind, pipeline)
        assert self.state_of(held, word, kind, pipeline) is state

    @pytest.mark.parametrize("kind", list(Kind))
    def test_a_word_that_nobody_uses_is_left_to_others(self, held: Plugins, kind: Kind) -> None:
        """Otherwise a misspelt STATE would be shown as something."""
        assert self.state_of(held, "a word that nobody uses 7f3a", kind, Pipeline(ci="none")) is None


class EnvironmentMapContract(PluginContract):
    """For `jira_ci_map_environment`."""

    hook = "map_environment"

    def environment_of(self, held: Plugins, name: str) -> MappedEnvironment | None:
        """What the plugin takes the environment for."""
        return held.map_environment(name, SETTINGS)

    @_ordinary
    @given(name=st.text(min_size=1, max_size=30))
    def test_one_name_is_one_environment(self, held: Plugins, name: str) -> None:
        """It never fails, and an id stays the same, or Jira shows one environment as two."""
        assert self.environment_of(held, name) == self.environment_of(held, name)

    def test_a_new_start_changes_no_id(self, held: Plugins) -> None:
        """Each deployment is a process of its own."""
        again = load_plugin(self.plugin, **self.settings)
        for name in ("production", "qa-2", "blue"):
            assert self.environment_of(held, name) == self.environment_of(again, name)


class ReaderContract(PluginContract):
    """For `jira_ci_read_pipeline`."""

    hook = "read_pipeline"

    environ: ClassVar[Mapping[str, str]]
    """The variables of a real run on this CI."""
    mistaken_for: ClassVar[Collection[str]] = ()
    """CIs of `RECORDED` that look like this one, and are asked before it."""

    def read(self, held: Plugins, environ: Mapping[str, str]) -> Pipeline | None:
        """What the plugin reads."""
        return held.read_pipeline(dict(environ))

    def test_it_knows_its_own_run(self, held: Plugins) -> None:
        """With a number, and a status only where it says that this CI publishes one."""
        pipeline = self.read(held, self.environ)
        assert pipeline is not None
        assert pipeline.number
        assert pipeline.id
        assert pipeline.publishes_status or pipeline.status is None
        assert not (pipeline.branch or "").startswith("refs/")

    def test_it_leaves_other_machines_to_others(self, held: Plugins) -> None:
        """The first answer wins, so one that is too many hides the right one."""
        own = self.read(held, self.environ)
        assert own is not None
        assert self.read(held, {}) is None
        assert self.read(held, {"CI": "true"}) is None
        for ci, environ in RECORDED.items():
            if ci != own.ci and ci not in self.mistaken_for:
                assert self.read(held, environ) is None, f"it takes {ci} for {own.ci}"

    @_ordinary
    @given(data=st.data())
    def test_it_takes_whatever_its_variables_hold(self, held: Plugins, data: st.DataObject) -> None:
        """Any of them may be missing, empty, unresolved, or hold any text."""
        odd = st.sampled_from(["", "null", "<+pipeline.x>", "0", "0" * 40, "refs/heads/x", "refs/tags/v1"])
        text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
        values = {name: st.just(value) | odd | text for name, value in self.environ.items()}
        pipeline = self.read(held, data.draw(st.fixed_dictionaries({}, optional=values)))
        if pipeline is not None:
            assert [name for name in pipeline.origins if getattr(pipeline, name) is None] == []
            before = pipeline.commit_before
            assert before is None or (before.strip("0") and before != pipeline.sha)


class AuthenticationContract(PluginContract):
    """For `jira_ci_authenticate`. `settings` are complete, and connecting with them works."""

    hook = "authenticate"

    site: Site = SITE
    """The site to sign in to; a sandbox's, where connecting needs one."""

    def offer(self, held: Plugins) -> SignIn | None:
        """What the plugin offers, without touching the network."""
        settings = SETTINGS.model_copy(update={"instance": self.site.url, "cloud_id": self.site.cloud_id})
        with _no_network():
            offers = held.authenticate(self.site, settings)
        return offers[0] if offers else None

    @pytest.fixture
    def credentials(self, held: Plugins) -> list[str]:
        """The values that no one may see."""
        secret = {name for setting in held.settings if setting.secret for name in setting.names}
        return [value for name, value in self.settings.items() if name.lower() in secret]

    def test_with_all_its_settings_it_is_complete(self, held: Plugins) -> None:
        """Nothing is missing, and the hosts are addresses that credentials may be sent to."""
        offer = self.offer(held)
        assert offer is not None
        assert offer.missing == ()
        assert offer.kind == offer.kind.strip().lower()
        for host in offer.hosts:
            assert origin(host) is not None, f"{host} is not an address"
            assert host.startswith("https:") or is_loopback(host), f"credentials would be sent to {host} in the clear"

    def test_without_any_setting_it_offers_nothing(self) -> None:
        """Core must know whether this kind of credentials is there."""
        assert self.offer(load_plugin(self.plugin)) is None

    def test_what_is_missing_is_named_as_its_setting(self, held: Plugins) -> None:
        """Core tells people to set it."""
        known = {setting.variable for setting in held.settings} | {"INSTANCE", "CLOUD_ID"}
        for left_out in self.settings:
            rest = {name: value for name, value in self.settings.items() if name != left_out}
            offer = self.offer(load_plugin(self.plugin, **rest))
            assert offer is None or known.issuperset(offer.missing)

    def test_it_connects_and_signs(self, held: Plugins, credentials: list[str]) -> None:
        """Its addresses belong to its hosts, each request is signed, and renewing leaves it usable."""
        offer = self.offer(held)
        assert offer is not None
        connection = held.connect(offer, Http(NetworkSettings(), Secrets(), offer.hosts))
        for url in (connection.builds_url, connection.deployments_url):
            assert origin(url) in map(origin, offer.hosts), f"{url} is at none of its hosts"
            for _ in range(2):
                request = requests.Request("POST", url, json={}).prepare()
                before = request.url, request.body, dict(request.headers)
                signed = connection.auth(request)
                assert (signed.url, signed.body, dict(signed.headers)) != before, "the request is not signed"
                connection.renew()
            assert _shown(url, credentials) == []

    def test_no_credential_shows(self, held: Plugins, credentials: list[str]) -> None:
        """What core and other plugins see of it."""
        offer = self.offer(held)
        assert _shown(repr(offer), credentials) == []


class DeliveryContract(PluginContract):
    """For `jira_ci_deliver`."""

    hook = "deliver"

    site: Site = SITE
    """The site that the reports are for."""

    def connect(self) -> Connection:
        """Called by the plugin to sign in; fails, unless a subclass does better."""
        raise DeliveryError(Problem("there is no connection", "this test has none", "override `connect`"))

    def http(self) -> Http:
        """The network as the plugin sees it; without any host, unless a subclass does better."""
        return Http(NetworkSettings(), Secrets(), ())

    def deliver(
        self, held: Plugins, delivered: Sequence[Report], connect: Callable[[], Connection] | None = None
    ) -> Receipt | None:
        """What the plugin answers."""
        settings = SETTINGS.model_copy(update={"instance": self.site.url, "cloud_id": self.site.cloud_id})
        return held.deliver(tuple(delivered), connect or self.connect, self.http(), settings)

    @_few
    @given(data=st.data())
    def test_each_report_has_an_outcome(self, held: Plugins, data: st.DataObject) -> None:
        """In their order, so that core can say what became of which."""
        delivered = data.draw(st.lists(reports(self.site), min_size=1, max_size=3))
        receipt = self.deliver(held, delivered)
        assert receipt is None or len(receipt.outcomes) == len(delivered)

    @_few
    @given(data=st.data())
    def test_delivering_twice_is_harmless(self, held: Plugins, data: st.DataObject) -> None:
        """A report may be delivered again by whoever does not know that it was."""
        delivered = data.draw(st.lists(reports(self.site), min_size=1, max_size=3))
        first, second = self.deliver(held, delivered), self.deliver(held, delivered)
        assert _results(first) == _results(second)

    @_few
    @given(data=st.data())
    def test_without_a_connection_nothing_counts_as_accepted(self, held: Plugins, data: st.DataObject) -> None:
        """And a plugin that says that it needs no sign-in asks for none."""
        asked = []

        def connect() -> Connection:
            asked.append(True)
            raise DeliveryError(Problem("there is no connection", "the network is down", "try again"))

        delivered = data.draw(st.lists(reports(self.site), min_size=1, max_size=3))
        try:
            receipt = self.deliver(held, delivered, connect)
        except JiraCiError:
            receipt = None
        assert Result.ACCEPTED not in _results(receipt)
        needs_sign_in = all(held.delivery_constant(name, "NEEDS_SIGN_IN") for name in held.implementers(self.hook))
        assert needs_sign_in or not asked, "it says NEEDS_SIGN_IN = False, and asks for a connection"


class ReportedContract(PluginContract):
    """For `jira_ci_reported`. A failure there is only a warning, so nobody would notice it."""

    hook = "reported"

    @_few
    @given(pipeline=pipelines(), delivered=st.lists(reports(SITE), max_size=2), data=st.data())
    def test_it_takes_every_end(
        self, held: Plugins, pipeline: Pipeline, delivered: list[Report], data: st.DataObject
    ) -> None:
        """Delivered, refused, queued, or left out; then there is no report."""
        receipt = data.draw(receipts_of(delivered))
        with _warnings() as warned:
            held.reported(pipeline, tuple(delivered), receipt, SETTINGS)
        assert [warning for warning in warned if " failed in jira_ci_reported" in warning] == []


@contextmanager
def _no_network() -> Iterator[None]:
    def refuse(*arguments: object, **keywords: object) -> Any:
        raise AssertionError("it touches the network; only `connect` may")

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((socket.socket, "connect"), (socket, "getaddrinfo"), (socket, "create_connection")):
            patch.setattr(owner, name, refuse)
        yield


@contextmanager
def _warnings() -> Iterator[list[str]]:
    told: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        yield told
    finally:
        logging.getLogger().removeHandler(handler)


def _results(receipt: Receipt | None) -> list[Result]:
    return [] if receipt is None else [outcome.result for outcome in receipt.outcomes]


def _shown(text: str, credentials: list[str]) -> list[str]:
    return [f"…{value[-2:]}" for value in credentials if value in text]
