"""Several sites in one step: all attempted, each reported, and none learns of another's secrets."""

from __future__ import annotations

import json

import pytest

from jira_ci_core import SettingsError, run

pytestmark = pytest.mark.usefixtures("in_process")


def is_said(secret, listener):
    """Whether a server was told a secret, in whatever header or body."""
    return any(secret in f"{dict(one.headers)}{one.target}{one.body.decode()}" for one in listener.received)


@pytest.fixture
def one(passing_on):
    return passing_on()


@pytest.fixture
def two(passing_on):
    return passing_on()


@pytest.fixture
def sites(harness, jira, one, two):
    """A step that reports to two sites: the one signs in with OAuth, the other with a token in a file."""
    (harness.folder / "token").write_text(jira.connect_key)
    sections = {
        "one": {
            "instance": one.url,
            "api-url": one.url,
            "client-id": jira.client_id,
            "client-secret": jira.client_secret,
            "pipeline": "shop for one",
        },
        "two": {"instance": two.url, "connect-hostname": two.url, "connect-key-file": "token", "project": "DEMO"},
    }

    def write(**changes):
        for name, section in changes.items():
            sections[name] = {**sections.get(name, {}), **section}
        lines = ['environment-name = "prod"']
        for name, section in sections.items():
            lines += [f"[sites.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items() if value)]
        (harness.folder / "sites.toml").write_text("\n".join(lines))

    for name in ("INSTANCE", "API_URL", "CONNECT_HOSTNAME"):
        del harness.environ[f"PLUGIN_{name}"]
    harness.environ |= {"PLUGIN_CONFIG": "sites.toml", "PLUGIN_SITES": "one,two"}
    harness.environ["DRONE_COMMIT_MESSAGE"] = "MYT-1 and DEMO-1"
    harness.write = write
    write()
    return harness


def test_each_site_is_told_with_its_own_settings_and_those_that_all_share(sites, jira, clean):
    done = clean(sites())
    assert done.code == 0, done.text
    sent = [(one["pipeline"]["displayName"], one["issueKeys"], one["environment"]["id"]) for one in jira.deployments()]
    assert sent == [("shop for one", ["MYT-1"], "prod"), ("checkout", ["DEMO-1"], "prod")]
    first, second = done.err.index("site one:"), done.err.index("site two:")
    assert first < done.err.index("accepted deployment 42 of shop for one") < second
    assert second < done.err.index("accepted deployment 42 of checkout to prod")
    assert "not known" not in done.err


def test_no_site_learns_of_the_secrets_of_another(sites, jira, one, two):
    assert sites().code == 0
    assert is_said(jira.client_secret, one)
    assert is_said(jira.connect_key, two)
    assert not is_said(jira.connect_key, one)
    assert not is_said(jira.client_secret, two)
    assert not is_said(jira.client_id, two)


def test_what_is_a_sites_own_is_not_taken_from_elsewhere(sites, jira, one, two, clean, failed):
    sites.write(two={"connect-key-file": None})
    done = clean(sites(environ={"PLUGIN_CONNECT_KEY": jira.connect_key, "JIRA_CI_INSTANCE": one.url}))
    failure = failed(done, 2)
    assert "there are no credentials" in failure.what
    assert "warning: CONNECT_KEY is set outside of [sites.two] of sites.toml and not used" in done.err
    assert "warning: INSTANCE is set outside of [sites.one] of sites.toml and not used" in done.err
    assert not is_said(jira.connect_key, one)
    assert two.received == []


def test_a_site_that_fails_keeps_no_other_from_being_told_and_the_worst_exit_code_stands(sites, jira, failed, two):
    sites.write(one={"client-secret": "not-the-right-one"})
    failure = failed(sites(), 1)
    assert failure.count == 1
    assert [one["issueKeys"] for one in jira.deployments()] == [["DEMO-1"]]
    sites.write(one={"instance": "no site"})
    assert "INSTANCE cannot be 'no site' (from instance in [sites.one] of sites.toml)" in failed(sites(), 2).what
    assert len(jira.updates()) == 2


def test_json_has_the_ending_of_each_site_and_the_worst_as_a_whole(sites, jira):
    done = sites("--format", "json")
    assert done.code == 0, done.text
    assert (done.json["ending"], done.json["exit_code"], done.json["problems"]) == ("delivered", 0, [])
    assert list(done.json["sites"]) == ["one", "two"]
    assert [one["keys"][0]["key"] for one in done.json["sites"].values()] == ["MYT-1", "DEMO-1"]
    sites.write(two={"instance": "no site"})
    answer = sites("--format", "json").json
    assert (answer["ending"], answer["exit_code"]) == ("error", 2)
    assert [answer["sites"][name]["ending"] for name in ("one", "two")] == ["delivered", "error"]
    assert answer["problems"] == answer["sites"]["two"]["problems"] != []


def test_a_dry_run_shows_what_each_would_be_sent_and_sends_nothing(sites, one, two):
    done = sites("--dry-run")
    assert done.code == 0, done.text
    assert done.err.count("and nothing is (dry run)") == 2
    assert one.received == two.received == []


def test_a_bug_at_one_site_keeps_no_other_from_being_told(sites, jira, failed, monkeypatch):
    from jira_ci_core.reporting import run

    right = run.report

    def report(loaded, **more):
        if loaded.settings.pipeline:
            raise RuntimeError("a bug")
        return right(loaded, **more)

    monkeypatch.setattr(run, "report", report)
    assert "jira-ci itself failed" in failed(sites(), 1).what
    assert [one["issueKeys"] for one in jira.deployments()] == [["DEMO-1"]]


@pytest.mark.parametrize(
    ("settings", "what", "why"),
    [
        ({"sites": "one,three"}, "SITES names three", "sites.toml has no section of that name, only one, two"),
        ({"config": None, "sites": "one"}, "SITES names one", "CONFIG is not set"),
        (
            {"config": "other.toml", "sites": "one"},
            "SITES names one",
            "other.toml has no section of that name, nor any other",
        ),
    ],
)
def test_a_site_without_a_section_is_an_error(sites, failed, settings, what, why):
    (sites.folder / "other.toml").write_text("project = 'MYT'")
    failure = failed(sites(**settings), 2)
    assert what in failure.what
    assert why in failure.why


def test_one_name_is_that_site_for_every_command(sites, jira, failed, two):
    assert sites("--sites", "two").code == 0
    assert [one["issueKeys"] for one in jira.deployments()] == [["DEMO-1"]]
    done = sites.run("doctor", "--sites", "two")
    assert f"site: {two.url.removeprefix('http://')}" in done.err
    assert "--sites one" in failed(sites.run("outbox", "flush", "--outbox", "kept"), 2).do


def test_an_unknown_setting_is_told_of_with_its_section(sites):
    sites.write(two={"conect-key": "x", "sites": "y"})
    assert "conect-key in [sites.two] of sites.toml is not known; did you mean connect-key?" in sites().err


def test_sites_cannot_be_chosen_by_the_project_itself(sites, failed, one):
    (sites.folder / "jira-ci.toml").write_text(f'[sites.one]\ninstance = "{one.url}"\n')
    assert "sites may not be set in jira-ci.toml" in failed(sites(), 2).what
    assert one.received == []


def test_a_program_asks_for_one_site_at_a_time(sites, jira, monkeypatch):
    monkeypatch.chdir(sites.folder)
    with pytest.raises(SettingsError, match="SITES names 2 sites"):
        run(sites.environ)
    assert run(sites.environ, {"sites": "two"}).exit_code == 0
    assert [one["issueKeys"] for one in jira.deployments()] == [["DEMO-1"]]


def test_a_summary_has_a_part_for_each_site_and_outputs_end_with_those_of_the_last(sites, one, two):
    files = {name: sites.folder / name for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    assert sites(environ={name: str(file) for name, file in files.items()}).code == 0
    summary, outputs = (file.read_text() for file in files.values())
    assert [site.url.removeprefix("http://") in summary for site in (one, two)] == [True, True]
    assert [line for line in outputs.splitlines() if "KEYS" in line] == [
        "JIRA_ISSUE_KEYS=MYT-1",
        "JIRA_ISSUE_KEYS=DEMO-1",
    ]
