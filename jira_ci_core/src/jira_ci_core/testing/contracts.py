"""The contract as tests: for each hook a class to inherit from.

    class TestMine(ExtractorContract):
        plugin = MyExtractor             # as the entry point names it: a class or a module
        settings = {"MY_SETTING": "x"}   # the plugin's own settings, if it has any

A setting that is only known when the test runs (a file, an address) is set in a fixture:

        @pytest.fixture(autouse=True)
        def _file(self, tmp_path):
            self.settings = {"MY_FILE": str(tmp_path / "x")}

Every test runs in an empty folder, `tmp_path`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

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
    Retraction,
    Site,
    SkipReason,
    State,
    is_issue_id,
)
from jira_ci_core.net.client import Http
from jira_ci_core.net.connection import Connection, SignIn
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.problem import Problem
from jira_ci_core.testing.harness import load_plugin
from jira_ci_core.testing.recorded import RECORDED
from jira_ci_core.testing.strategies import pipelines, receipts, reports
from jira_ci_core.urls import is_loopback, origin

SITE = Site(url="https://acme.atlassian.net", cloud_id="11111111-2222-3333-4444-555555555555")
SETTINGS = Settings(project=("MYT", "DEMO"), instance=SITE.url, cloud_id=SITE.cloud_id)

_examples = settings(
    deadline=None,
    # Explaining a failure takes many times as long as finding and shrinking it.
    phases=[phase for phase in Phase if phase is not Phase.explain],
    # All examples may share the fixtures, and one test runs for several subclasses.
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
    ],
)
_fewer_examples = settings(_examples, max_examples=20)


class PluginContract:
    """The contract of every plugin."""

    plugin: ClassVar[Any]
    """The plugin under test: a class or a module."""
    settings: Mapping[str, str] = {}
    """The plugin's own settings, by name."""
    hook: ClassVar[str]
    """The hook of this contract, without its prefix."""

    @pytest.fixture(autouse=True)
    def _in_an_empty_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    @pytest.fixture
    def plugins(self) -> Plugins:
        """The plugin under test alone, started."""
        return load_plugin(self.plugin, **self.settings)

    def test_core_loads_it(self, plugins: Plugins) -> None:
        """It can be imported and constructed, and implements the hook."""
        assert plugins.implementers(self.hook), f"it has no jira_ci_{self.hook}"

    def test_its_settings_are_explained(self, plugins: Plugins) -> None:
        """`jira-ci report --help` shows a help text for each."""
        assert [setting.variable for setting in plugins.settings if not setting.help.strip()] == []


class ExtractorContract(PluginContract):
    """The contract of `jira_ci_extract_issue_keys`."""

    hook = "extract_issue_keys"

    def find(self, plugins: Plugins, pipeline: Pipeline) -> list[FoundKey | Retraction]:
        return plugins.extract_issue_keys(pipeline, {}, SETTINGS)

    @_examples
    @given(pipeline=pipelines())
    def test_it_finds_keys_or_nothing_whatever_the_run(self, plugins: Plugins, pipeline: Pipeline) -> None:
        """It never fails, and everything it finds is an issue key with a source in words."""
        for found in self.find(plugins, pipeline):
            assert found.key is None or is_issue_key(found.key) or is_issue_id(found.key)
            assert found.source.strip()
            assert "\n" not in found.source

    @_examples
    @given(pipeline=pipelines())
    def test_one_run_has_the_same_keys_every_time(self, plugins: Plugins, pipeline: Pipeline) -> None:
        """All steps of a run update the same issues."""
        assert self.find(plugins, pipeline) == self.find(plugins, pipeline)

    def test_it_runs_on_every_ci(self, plugins: Plugins, jira_ci_pipeline: Pipeline) -> None:
        """The recorded runs of all CIs, as core reads them."""
        self.find(plugins, jira_ci_pipeline)

    def test_it_accepts_a_run_without_any_facts(self, plugins: Plugins) -> None:
        """Core calls extractors on every machine, even outside a CI."""
        self.find(plugins, Pipeline(ci="none"))


class StateMapContract(PluginContract):
    """The contract of `jira_ci_map_state`."""

    hook = "map_state"

    def state_of(self, plugins: Plugins, word: str, kind: Kind, pipeline: Pipeline) -> State | SkipReason | None:
        return plugins.map_state(word, kind, pipeline, SETTINGS)

    @_examples
    @given(word=st.text(max_size=30), kind=st.sampled_from(Kind), pipeline=pipelines())
    def test_a_word_has_one_meaning_or_none(self, plugins: Plugins, word: str, kind: Kind, pipeline: Pipeline) -> None:
        """It never fails, and a word means the same every time."""
        state = self.state_of(plugins, word, kind, pipeline)
        assert self.state_of(plugins, word, kind, pipeline) is state

    @pytest.mark.parametrize("kind", list(Kind))
    def test_an_unknown_word_is_left_to_other_plugins(self, plugins: Plugins, kind: Kind) -> None:
        """Otherwise a misspelt STATE would be shown as a state."""
        assert self.state_of(plugins, "a word that is unknown 7f3a", kind, Pipeline(ci="none")) is None


class EnvironmentMapContract(PluginContract):
    """The contract of `jira_ci_map_environment`."""

    hook = "map_environment"

    def environment_of(self, plugins: Plugins, name: str) -> MappedEnvironment | None:
        return plugins.map_environment(name, SETTINGS)

    @_examples
    @given(name=st.text(min_size=1, max_size=30))
    def test_one_name_is_one_environment(self, plugins: Plugins, name: str) -> None:
        """It never fails, and an id stays the same: otherwise Jira would show one environment as two."""
        assert self.environment_of(plugins, name) == self.environment_of(plugins, name)

    def test_an_id_is_the_same_in_another_process(self, plugins: Plugins) -> None:
        """Each deployment is reported by a process of its own."""
        reloaded = load_plugin(self.plugin, **self.settings)
        for name in ("production", "qa-2", "blue"):
            assert self.environment_of(plugins, name) == self.environment_of(reloaded, name)


class ReaderContract(PluginContract):
    """The contract of `jira_ci_read_pipeline`."""

    hook = "read_pipeline"

    environ: ClassVar[Mapping[str, str]]
    """The variables of a real run on this CI."""
    mistaken_for: ClassVar[Collection[str]] = ()
    """CIs in `RECORDED` that look like this one, and whose readers are called first."""
    has_number: ClassVar[bool] = True
    """Whether this CI numbers its runs; if not, a report needs RUN_NUMBER."""

    def read(self, plugins: Plugins, environ: Mapping[str, str]) -> Pipeline | None:
        return plugins.read_pipeline(dict(environ))

    def test_it_reads_a_run_of_its_own_ci(self, plugins: Plugins) -> None:
        """The run has a number, if there are any, and an id, and a status only if this CI publishes one."""
        pipeline = self.read(plugins, self.environ)
        assert pipeline is not None
        assert bool(pipeline.number) is self.has_number
        assert pipeline.id
        assert pipeline.publishes_status or pipeline.status is None
        assert not (pipeline.branch or "").startswith("refs/")

    def test_it_leaves_other_machines_to_other_readers(self, plugins: Plugins) -> None:
        """The first answer wins, so a wrong one would hide the right one."""
        own = self.read(plugins, self.environ)
        assert own is not None
        assert self.read(plugins, {}) is None
        assert self.read(plugins, {"CI": "true"}) is None
        for ci, environ in RECORDED.items():
            if ci != own.ci and ci not in self.mistaken_for:
                assert self.read(plugins, environ) is None, f"it recognises {ci} as {own.ci}"

    @_examples
    @given(data=st.data())
    def test_it_accepts_any_values_of_its_variables(self, plugins: Plugins, data: st.DataObject) -> None:
        """Each of them may be missing, empty, unresolved, or any text."""
        odd = st.sampled_from(["", "null", "<+pipeline.x>", "0", "0" * 40, "refs/heads/x", "refs/tags/v1"])
        text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
        values = {name: st.just(value) | odd | text for name, value in self.environ.items()}
        pipeline = self.read(plugins, data.draw(st.fixed_dictionaries({}, optional=values)))
        if pipeline is not None:
            assert [name for name in pipeline.origins if getattr(pipeline, name) is None] == []
            before = pipeline.commit_before
            assert before is None or (before.strip("0") and before != pipeline.sha)


class AuthenticationContract(PluginContract):
    """The contract of `jira_ci_authenticate`. `settings` must be complete, and connecting with them must work."""

    hook = "authenticate"

    site: Site = SITE
    """The site to sign in to; that of a sandbox if connecting needs one."""

    def offer(self, plugins: Plugins) -> SignIn | None:
        """Return the plugin's offer; using the network for it is an error."""
        settings = SETTINGS.model_copy(update={"instance": self.site.url, "cloud_id": self.site.cloud_id})
        with _no_network():
            offers = plugins.authenticate(self.site, settings)
        return offers[0] if offers else None

    @pytest.fixture
    def credentials(self, plugins: Plugins) -> list[str]:
        """The values that must not show anywhere."""
        secret = {name for setting in plugins.settings if setting.secret for name in setting.names}
        return [value for name, value in self.settings.items() if name.lower() in secret]

    def test_with_all_its_settings_the_offer_is_complete(self, plugins: Plugins) -> None:
        """Nothing is missing, and credentials may be sent to its hosts."""
        offer = self.offer(plugins)
        assert offer is not None
        assert offer.missing == ()
        assert offer.kind == offer.kind.strip().lower()
        for host in offer.hosts:
            assert origin(host) is not None, f"{host} is not a web address"
            assert host.startswith("https:") or is_loopback(host), f"credentials would be sent to {host} in the clear"

    def test_without_any_setting_it_offers_nothing(self) -> None:
        """Core must know whether credentials of this kind are set."""
        assert self.offer(load_plugin(self.plugin)) is None

    def test_it_names_the_settings_that_are_missing(self, plugins: Plugins) -> None:
        """Core's error tells people to set them."""
        known = {setting.variable for setting in plugins.settings} | {"INSTANCE", "CLOUD_ID"}
        for left_out in self.settings:
            rest = {name: value for name, value in self.settings.items() if name != left_out}
            offer = self.offer(load_plugin(self.plugin, **rest))
            assert offer is None or known.issuperset(offer.missing)

    def test_it_connects_and_signs(self, plugins: Plugins, credentials: list[str]) -> None:
        """Its addresses belong to its hosts, each request is signed, and the connection is usable after renewing."""
        offer = self.offer(plugins)
        assert offer is not None
        connection = plugins.connect(offer, Http(NetworkSettings(), Secrets(), offer.hosts))
        for url in (connection.builds_url, connection.deployments_url):
            assert origin(url) in map(origin, offer.hosts), f"{url} is at none of its hosts"
            for _ in range(2):
                request = requests.Request("POST", url, json={}).prepare()
                before = request.url, request.body, dict(request.headers)
                signed = connection.auth(request)
                assert (signed.url, signed.body, dict(signed.headers)) != before, "the request is not signed"
                connection.renew()
            assert _shown(url, credentials) == []

    def test_no_credential_shows(self, plugins: Plugins, credentials: list[str]) -> None:
        """Core and other plugins may print the offer."""
        assert _shown(repr(self.offer(plugins)), credentials) == []


class DeliveryContract(PluginContract):
    """The contract of `jira_ci_deliver`."""

    hook = "deliver"

    site: Site = SITE
    """The site that the reports are for."""

    def connect(self) -> Connection:
        """Sign in, for the plugin; fails unless overridden."""
        raise DeliveryError(Problem("there is no connection", "this test has none", "override `connect`"))

    def http(self) -> Http:
        """Return the plugin's access to the network: to no host unless overridden."""
        return Http(NetworkSettings(), Secrets(), ())

    def deliver(
        self, plugins: Plugins, delivered: Sequence[Report], connect: Callable[[], Connection] | None = None
    ) -> Receipt | None:
        settings = SETTINGS.model_copy(update={"instance": self.site.url, "cloud_id": self.site.cloud_id})
        return plugins.deliver(tuple(delivered), connect or self.connect, self.http(), settings)

    @_fewer_examples
    @given(data=st.data())
    def test_each_report_has_an_outcome(self, plugins: Plugins, data: st.DataObject) -> None:
        """In their order, so that core knows the outcome of each."""
        delivered = data.draw(st.lists(reports(self.site), min_size=1, max_size=3))
        receipt = self.deliver(plugins, delivered)
        assert receipt is None or len(receipt.outcomes) == len(delivered)

    @_fewer_examples
    @given(data=st.data())
    def test_delivering_twice_is_harmless(self, plugins: Plugins, data: st.DataObject) -> None:
        """A report is delivered again if the first result was lost."""
        delivered = data.draw(st.lists(reports(self.site), min_size=1, max_size=3))
        first, second = self.deliver(plugins, delivered), self.deliver(plugins, delivered)
        assert _results(first) == _results(second)

    @_fewer_examples
    @given(data=st.data())
    def test_without_a_connection_nothing_counts_as_accepted(self, plugins: Plugins, data: st.DataObject) -> None:
        """And a plugin with `NEEDS_SIGN_IN = False` does not call `connect`."""
        calls = []

        def connect() -> Connection:
            calls.append("connect")
            raise DeliveryError(Problem("there is no connection", "the network is down", "try again"))

        delivered = data.draw(st.lists(reports(self.site), min_size=1, max_size=3))
        try:
            receipt = self.deliver(plugins, delivered, connect)
        except JiraCiError:
            receipt = None
        assert Result.ACCEPTED not in _results(receipt)
        needs_sign_in = all(
            plugins.delivery_constant(name, "NEEDS_SIGN_IN") for name in plugins.implementers(self.hook)
        )
        assert needs_sign_in or not calls, "it says NEEDS_SIGN_IN = False, and calls connect"


class ReportedContract(PluginContract):
    """The contract of `jira_ci_reported`. Core only warns of a failure there, so it is easily overlooked."""

    hook = "reported"

    @_fewer_examples
    @given(pipeline=pipelines(), delivered=st.lists(reports(SITE), max_size=2), data=st.data())
    def test_it_accepts_every_result(
        self,
        plugins: Plugins,
        caplog: pytest.LogCaptureFixture,
        pipeline: Pipeline,
        delivered: list[Report],
        data: st.DataObject,
    ) -> None:
        """Accepted, rejected, queued or not delivered; or skipped, and then there is no report."""
        caplog.clear()
        receipt = data.draw(receipts(delivered))
        plugins.reported(pipeline, tuple(delivered), receipt, SETTINGS)
        assert [message for message in caplog.messages if " failed in jira_ci_reported" in message] == []


@contextmanager
def _no_network() -> Iterator[None]:
    def refuse(*arguments: object, **keywords: object) -> Any:
        raise AssertionError("it uses the network, which only `connect` may")

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((socket.socket, "connect"), (socket, "getaddrinfo"), (socket, "create_connection")):
            patch.setattr(owner, name, refuse)
        yield


def _results(receipt: Receipt | None) -> list[Result]:
    return [] if receipt is None else [outcome.result for outcome in receipt.outcomes]


def _shown(text: str, credentials: list[str]) -> list[str]:
    return [f"…{value[-2:]}" for value in credentials if value in text]
