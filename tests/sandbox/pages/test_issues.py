"""The pages of issues: the list, and one issue with its Development panel and its drawer."""

from __future__ import annotations

from typing import Any

import pytest

from jira_ci_sandbox import queries
from jira_ci_sandbox.contract import ENVIRONMENT_TYPES


def deployment_to(environment: str, type: str, number: int = 1, **changes: Any) -> dict[str, Any]:
    """The fields of a deployment to this environment."""
    where = {"id": environment.lower(), "displayName": environment, "type": type}
    sequence = {"deploymentSequenceNumber": number, "displayName": f"Release {number}", "label": f"1.{number}"}
    return {"environment": where} | sequence | changes


def report_deployments(client: Any, deployment: Any, *changes: dict[str, Any]) -> None:
    for change in changes:
        entity = deployment(**change)
        if entity["state"] != "pending":
            del entity["commands"]
        assert client.bulk("deployments", entity).json()["rejectedDeployments"] == []


# The list


def test_empty_page_says_what_to_do_next(browser: Any) -> None:
    empty = browser.get()
    assert empty.answer.status_code == 200
    assert "Nothing here yet" in empty.text
    assert f"JIRA_CI_INSTANCE={browser.sandbox.url}" in empty.text
    assert "jira-ci report" in empty.text


def test_list_has_issues_with_their_summaries_and_counts(browser: Any, oauth: Any, build: Any, deployment: Any) -> None:
    oauth.bulk("builds", build(issueKeys=["DEMO-1", "DEMO-2"], description="[DEMO-1] Let people pay by card"))
    oauth.bulk("builds", build(buildNumber=2, state="failed"))
    oauth.bulk("deployments", deployment())
    listed = browser.get()
    assert {"/browse/DEMO-1", "/browse/DEMO-2"} <= set(listed.links)
    assert "DEMO-1 Let people pay by card failed 2 builds pending 1 deployment just now" in listed.text
    assert "DEMO-2 Let people pay by card successful 1 build just now" in listed.text
    assert "2 issues have builds or deployments" in listed.text


def test_issue_that_was_updated_last_comes_first(browser: Any, oauth: Any, build: Any) -> None:
    for number in (1, 2):
        oauth.bulk("builds", build(buildNumber=number, issueKeys=[f"DEMO-{number}"]))
    links = browser.get().links
    assert links.index("/browse/DEMO-2") < links.index("/browse/DEMO-1")


def test_list_comes_in_pages(browser: Any, oauth: Any, build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PAGE_SIZE", 2)
    for number in range(1, 6):
        oauth.bulk("builds", build(buildNumber=number, issueKeys=[f"DEMO-{number}"]))
    shown = [browser.get(f"/?page={page}") for page in ("1", "2", "3", "9", "x")]
    found = [sorted(link for link in page.links if link.startswith("/browse/")) for page in shown]
    assert found == [
        ["/browse/DEMO-4", "/browse/DEMO-5"],
        ["/browse/DEMO-2", "/browse/DEMO-3"],
        ["/browse/DEMO-1"],
        ["/browse/DEMO-1"],
        ["/browse/DEMO-4", "/browse/DEMO-5"],
    ]
    assert "Page 2 of 3" in shown[1].text
    assert {"/?page=1", "/?page=3"} <= set(shown[1].links)


def test_search_finds_keys_by_their_beginning_in_any_case(browser: Any, oauth: Any, build: Any) -> None:
    oauth.bulk("builds", build(issueKeys=["DEMO-1", "DEMO-12", "DEMO-2"]))
    links = browser.get("/?search=demo-1").links
    assert {"/browse/DEMO-1", "/browse/DEMO-12"} <= set(links)
    assert "/browse/DEMO-2" not in links


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ("DEMO-9", "DEMO-9 has no builds and no deployments yet"),
        ("FOO-1", "This Jira has no project FOO"),
        ("FOO-1", "jira-ci sandbox --projects 'DEMO,FOO'"),
        ("%%", "No issue has a key that begins with %%"),
    ],
)
def test_search_without_a_result_says_why_and_what_to_do(browser: Any, search: str, words: str) -> None:
    assert words in browser.get(f"/?search={search.replace('%', '%25')}").text


def test_list_of_one_project(browser: Any, oauth: Any, build: Any) -> None:
    oauth.sandbox.configure(projects=["DEMO", "DEMO2", "X*"])
    oauth.bulk("builds", build(issueKeys=["DEMO-1", "DEMO2-1", "XY-1"]))
    shown = browser.get("/?project=DEMO")
    assert [link for link in shown.links if link.startswith("/browse/")] == ["/browse/DEMO-1"]
    assert {"/?project=DEMO2", "/?project=XY", "/projects/XY/deployments"} <= set(shown.links)
    assert "X* every project that fits" in shown.text


def test_added_project_exists_from_then_on(browser: Any, oauth: Any, build: Any) -> None:
    assert oauth.bulk("builds", build(issueKeys=["SHOP-1"])).json()["acceptedBuilds"] == []
    assert browser.get("/browse/SHOP-1").answer.status_code == 404
    added = browser.submit("/browse/SHOP-1", "/projects")
    assert added.answer.url.endswith("/browse/SHOP-1")
    assert len(oauth.bulk("builds", build(issueKeys=["SHOP-1"])).json()["acceptedBuilds"]) == 1
    refused = browser.submit("/", "/projects", project="shop!")
    assert refused.answer.status_code == 400
    assert "capital letters" in refused.text


# One issue


def test_issue_shows_its_builds_with_test_counts_and_links(browser: Any, oauth: Any, build: Any) -> None:
    oauth.bulk("builds", build(buildNumber=7, displayName="Mine"), build(displayName="Other", issueKeys=["DEMO-2"]))
    issue = browser.get("/browse/DEMO-1")
    for words in ("successful Mine Build 7 of pipeline · main", "1 passed, 1 failed, 1 skipped of 3 tests"):
        assert words in issue.text
    assert "Other" not in issue.text
    assert "https://ci.example.com/run/1" in issue.links
    [time] = [given for tag, given in issue.elements if tag == "time"]
    assert time == {"datetime": "2024-05-01T12:30:00Z", "title": "2024-05-01 12:30:00 UTC"}


def test_issue_shows_a_build_that_does_not_say_how_many_tests_were_skipped(
    browser: Any, oauth: Any, build: Any
) -> None:
    oauth.bulk("builds", build(testInfo={"totalNumber": 2, "numberPassed": 2, "numberFailed": 0}))
    assert "2 passed of 2 tests" in browser.get("/browse/DEMO-1").text


def test_deployment_of_a_service_alone_is_shown_with_the_services(browser: Any, oauth: Any, deployment: Any) -> None:
    oauth.sandbox.configure(services=["b:shop"])
    service = {"associationType": "serviceIdOrKeys", "values": ["b:shop"]}
    for number in (1, 2):
        oauth.bulk("deployments", deployment(deploymentSequenceNumber=number, associations=[service]))
    listed = browser.get()
    assert "Services b:shop Release to Production pending 2 deployments" in listed.text
    assert "Nothing here yet" not in listed.text
    assert "b:shop" not in browser.get("/?search=DEMO").text


def test_environments_are_grouped_from_production_to_unmapped(browser: Any, oauth: Any, deployment: Any) -> None:
    changes = [deployment_to(f"Env {name}", name, state="successful") for name in ENVIRONMENT_TYPES]
    report_deployments(oauth, deployment, *changes)
    issue = browser.get("/browse/DEMO-1")
    headings = [given["id"] for tag, given in issue.elements if tag == "h4" and "id" in given]
    assert headings == ["type-production", "type-staging", "type-testing", "type-development", "type-unmapped"]


def test_latest_state_of_each_environment_is_above_the_history(browser: Any, oauth: Any, deployment: Any) -> None:
    first, second = (
        deployment_to("Prod", "production", 1, state="successful"),
        deployment_to("Prod", "production", 2, state="failed"),
    )
    late = first | {"updateSequenceNumber": 2, "state": "rolled_back"}
    report_deployments(oauth, deployment, first, second, late)
    latest, _, history = browser.get("/browse/DEMO-1").text.partition("History")
    assert "Prod failed 1.2 Release 2" in latest
    assert "Release 1" not in latest
    assert "Release 1" in history
    assert "Release 2" in history


def test_issue_without_reports_says_what_to_do_next(browser: Any) -> None:
    issue = browser.get("/browse/DEMO-9")
    assert issue.answer.status_code == 200
    assert "JIRA_CI_ISSUEKEYS=DEMO-9" in issue.text


def test_page_of_an_unknown_issue_is_not_found(browser: Any) -> None:
    issue = browser.get("/browse/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert issue.answer.status_code == 404
    assert "<script>alert(1)</script>" in issue.text
    assert issue.count("script") == 1


def test_summary_entered_by_hand_replaces_the_description(browser: Any, oauth: Any, build: Any) -> None:
    oauth.bulk("builds", build(description="[DEMO-1]: From the change"))
    assert "From the change" in browser.get("/browse/DEMO-1").text
    browser.submit("/browse/DEMO-1", "/browse/DEMO-1/summary", summary=" By hand ")
    assert "DEMO-1 By hand" in browser.get().text
    browser.post("/browse/NO-1/summary", **browser.get("/browse/DEMO-1").forms[-1][1] | {"summary": "x"})
    assert browser.get("/browse/NO-1").answer.status_code == 404


# The drawer


def open_drawer(browser: Any, name: str) -> Any:
    """The issue with the drawer of its first entity open."""
    [link] = [link for link in browser.get(f"/browse/{name}").links if link and "show=" in link][:1]
    return browser.get(link.partition("#")[0])


def test_drawer_shows_what_a_deployment_is_about(browser: Any, oauth: Any, deployment: Any) -> None:
    oauth.sandbox.configure(services=["b:shop"])
    associations = [
        {"associationType": "issueIdOrKeys", "values": ["10001"]},
        {"associationType": "serviceIdOrKeys", "values": ["b:shop"]},
        {"associationType": "commit", "values": [{"commitHash": "8a7b6c5", "repositoryId": "gh-7"}]},
        {"associationType": "repository", "values": [{"repositoryId": "gh-7"}]},
    ]
    oauth.bulk("deployments", deployment(associations=associations))
    assert "Service b:shop Repository gh-7 Commit 8a7b6c5 of repository gh-7" in open_drawer(browser, "DEMO-1").text


def test_drawer_shows_what_was_received_when_and_through_which_credential(browser: Any, oauth: Any, build: Any) -> None:
    body = build(issueKeys=["DEMO-1", "NO-1"], displayName="Mine")
    oauth.bulk("builds", body, properties={"team": "blue"}, providerMetadata={"product": "my CI"})
    drawer = open_drawer(browser, "DEMO-1")
    for words in ("oauth-1, by my CI", "Property team", "blue", '"NO-1"', '"displayName": "Mine"', "unknown here"):
        assert words in drawer.text
    assert "Commit abc" in drawer.text
    assert "https://git.example.com/repo/main" in drawer.links


def test_drawer_has_every_update_in_order_and_says_why_one_was_ignored(browser: Any, oauth: Any, build: Any) -> None:
    for number, state in ((5, "in_progress"), (4, "failed"), (6, "successful")):
        oauth.bulk("builds", build(updateSequenceNumber=number, state=state))
    text = open_drawer(browser, "DEMO-1").text
    assert "3 updates, in the order of arrival" in text
    order = [text.index(words) for words in ("in progress stored", "failed ignored", "successful stored")]
    assert order == sorted(order)
    assert "Ignored: its updateSequenceNumber 4 is lower than the 5 that is stored" in text


def test_drawer_has_only_the_last_of_many_updates(
    browser: Any, oauth: Any, build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MAX_UPDATES", 2)
    oauth.bulk("builds", *(build(updateSequenceNumber=number) for number in range(1, 5)))
    drawer = open_drawer(browser, "DEMO-1")
    assert "4 updates" in drawer.text
    assert "The last 2 are listed" in drawer.text
    assert drawer.text.count('"updateSequenceNumber"') == 2


@pytest.mark.parametrize("show", ["999999", "x", "-1", ""])
def test_drawer_of_an_unknown_update_stays_closed(browser: Any, show: str) -> None:
    assert browser.get(f"/browse/DEMO-1?show={show}").count("aside", id="drawer") == 0


def test_update_of_another_issue_is_not_shown(browser: Any, oauth: Any, build: Any) -> None:
    oauth.bulk("builds", build())
    [update] = oauth.sandbox.updates()
    assert browser.get(f"/browse/DEMO-1?show={update['id']}").count("aside", id="drawer") == 1
    assert browser.get(f"/browse/DEMO-2?show={update['id']}").count("aside", id="drawer") == 0


# Many entities


def test_ten_thousand_deployments_are_shown_in_pages_of_a_bounded_length(
    browser: Any, oauth: Any, deployment: Any
) -> None:
    for start in range(0, 10_000, 1000):
        batch = [
            deployment(
                deploymentSequenceNumber=number,
                environment={"id": f"env-{number % 500}", "displayName": f"Env {number % 500}", "type": "testing"},
            )
            for number in range(start, start + 1000)
        ]
        assert len(oauth.bulk("deployments", *batch).json()["acceptedDeployments"]) == 1000
    for path in ("/", "/browse/DEMO-1", "/projects/DEMO/deployments", "/requests"):
        page = browser.get(path)
        assert page.answer.status_code == 200
        assert len(page.answer.content) < 300_000, path
        assert page.count("li") < 200, path
    issue = browser.get("/browse/DEMO-1?deployments=400")
    assert "Page 400 of 400" in issue.text
    assert "440 more environments are in the history only" in issue.text
    assert browser.get("/projects/DEMO/deployments").count("circle", r="10") == queries.TIMELINE_PAGE_SIZE + 1
