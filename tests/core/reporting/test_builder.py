"""Making the builds and deployments that are reported, and choosing the keys that are sent."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given, strategies as st

from jira_ci_core import Build, Deployment, FoundKey, KeyPlace, Kind, SettingsError, State
from jira_ci_core.clock import Clock
from jira_ci_core.jira_api.bulk import entity_payload
from jira_ci_core.reporting.builder import hint_at_deployment, kind_of, make_reports
from jira_ci_core.reporting.ranking import MOST_KEYS, cut_at_most, find_issue_keys, rank
from jira_ci_sandbox import contract

FACTS = {
    "number": "42",
    "url": "https://ci.example/42",
    "id": "acme/shop/build",
    "name": "shop",
    "branch": "main",
    "sha": "8a7b6c5",
    "message": "[MYT-1] Pay\n\nbody",
    "repository_url": "https://git.example/acme/shop",
}


@pytest.fixture
def make(started, settings_of, pipeline_of):
    """The entities that are reported of a run with these facts and settings."""
    plugins = started()

    def reports(facts=FACTS, *, state=State.SUCCESSFUL, keys=("MYT-1",), **settings):
        clock = Clock(lambda: 1_700_000_000_123_000_000)
        made = make_reports(plugins, pipeline_of(**facts), keys, state, settings_of(**settings), clock)
        for report in made:
            check = contract.build_problems if isinstance(report.entity, Build) else contract.deployment_problems
            assert check(entity_payload(report.entity)) == []
        return [report.entity for report in made]

    return reports


class TestABuild:
    def test_is_what_is_reported_without_an_environment(self, make):
        [build] = make()
        assert isinstance(build, Build)
        assert (build.number, build.sequence) == (42, 1_700_000_000_123)
        assert (build.name, build.description) == ("shop #42", "[MYT-1] Pay")
        assert build.url == build.pipeline.url == "https://ci.example/42"

    def test_is_not_turned_into_a_deployment_by_what_ci_knows(self, make):
        [build] = make(FACTS | {"environment": "prod"})
        assert isinstance(build, Build)

    def test_refers_to_its_commit_and_branch(self, make):
        [build] = make()
        [reference] = build.references
        assert reference.commit == "8a7b6c5"
        assert reference.repository_url == "https://git.example/acme/shop"
        assert (reference.branch, reference.branch_url) == ("main", "https://git.example/acme/shop/tree/main")

    @pytest.mark.parametrize(
        ("without", "commit", "branch"),
        [("sha", None, "main"), ("branch", "8a7b6c5", None)],
    )
    def test_refers_to_what_is_known(self, make, without, commit, branch):
        [build] = make({name: fact for name, fact in FACTS.items() if name != without})
        [reference] = build.references
        assert (reference.commit, reference.branch) == (commit, branch)

    @pytest.mark.parametrize("address", ["", "/srv/git", "https://[broken", "https://a℀b/c", "not an address"])
    def test_refers_to_nothing_without_the_address_of_a_repository(self, make, address):
        assert make(FACTS | {"repository_url": address})[0].references == ()

    def test_refers_to_no_branch_whose_address_is_too_long(self, make):
        [build] = make(FACTS | {"branch": "b" * 3000})
        assert build.references[0].branch is None

    def test_refers_to_a_repository_that_is_named_as_git_names_it(self, make):
        [build] = make(FACTS | {"repository_url": "git@git.example:acme/shop.git"})
        assert build.references[0].repository_url == "https://git.example/acme/shop"

    @pytest.mark.parametrize(
        ("facts", "label"),
        [({}, None), ({"tag": "v1"}, "v1"), ({"version": "1.0"}, "1.0"), ({"tag": "v1", "version": "1.0"}, "v1")],
    )
    def test_is_labelled_with_its_tag_or_version(self, make, facts, label):
        assert make(FACTS | facts)[0].label == label

    def test_is_described_by_the_title_of_its_pull_request_first(self, make):
        assert make(FACTS | {"pull_request_title": "Pay at last"})[0].description == "Pay at last"
        assert make({**FACTS, "message": "\n\n  Title \nbody"})[0].description == "Title"

    def test_is_called_by_its_number(self, make):
        assert make(FACTS | {"number": "0042"})[0].name == "shop #42"
        assert make(FACTS, run_number="7")[0].name == "shop #7"


class TestADeployment:
    def test_is_what_is_reported_with_an_environment(self, make):
        [deployment] = make(environment_name="Prod EU")
        assert isinstance(deployment, Deployment)
        environment = deployment.environment
        assert (environment.id, environment.name, environment.type) == ("prod eu", "Prod EU", "production")

    def test_to_an_unknown_environment_keeps_its_name_and_a_stable_id_with_type_unmapped(self, make):
        environment = make(environment_name="Blue")[0].environment
        assert (environment.id, environment.name, environment.type) == ("blue", "Blue", "unmapped")

    def test_to_several_environments_is_one_for_each(self, make):
        made = make(environment_name="prod, qa, Prod")
        assert [entity.environment.name for entity in made] == ["prod", "qa"]
        assert len({entity.sequence for entity in made}) == 1

    def test_has_the_id_and_type_that_are_set(self, make):
        environment = make(environment_name="Blue", environment_id="env-1", environment_type="testing")[0].environment
        assert (environment.id, environment.name, environment.type) == ("env-1", "Blue", "testing")

    @pytest.mark.parametrize(
        ("settings", "id", "type"),
        [
            ({"environment_id": "e"}, "e", "production"),
            ({"environment_type": "staging"}, "prod", "staging"),
            ({"environment_id": "e" * 300}, None, "production"),
        ],
    )
    def test_has_the_rest_from_its_name(self, make, settings, id, type):
        environment = make(environment_name="Prod", **settings)[0].environment
        assert environment.type == type
        assert environment.id == id or (id is None and len(environment.id) == 255)

    @pytest.mark.parametrize(
        ("settings", "type"),
        [
            ({"environment_name": "blue"}, "production"),
            ({"environment_name": "Blue"}, "production"),
            ({"environment_name": "blue", "environment_id": "e"}, "production"),
            ({"environment_name": "blue", "environment_type": "testing"}, "testing"),
            ({"environment_name": "staging"}, "staging"),
            ({"environment_name": "green"}, "unmapped"),
        ],
    )
    def test_to_the_environment_that_ci_names_is_of_the_type_that_ci_says(self, make, settings, type):
        [deployment] = make(FACTS | {"environment": "blue", "environment_type": "production"}, **settings)
        assert deployment.environment.type == type

    @pytest.mark.parametrize(
        ("name", "type"), [("uat-2", "testing"), ("blue", "unmapped"), ("review/x", "development")]
    )
    def test_is_of_the_type_that_its_name_says_where_ci_does_not_know(self, make, name, type):
        facts = FACTS | {"environment": name, "environment_type": "unmapped"}
        assert make(facts, environment_name=name)[0].environment.type == type

    def test_is_called_by_the_number_that_settings_give_it(self, make):
        assert make(FACTS | {"number": "5034460f-c7c4"}, run_number="57")[0].name == "shop #57"

    @pytest.mark.parametrize(
        ("settings", "facts", "type"),
        [
            ({"environments": "prod-*=production,pr-*=development"}, {}, "development"),
            ({"environments": "PR-?=Staging"}, {}, "staging"),
            ({"environments": "*=testing, pr-7=production"}, {}, "testing"),
            ({"environments": {"pr [0-9]": "production", "pr-[0-9]": "unmapped"}}, {}, "unmapped"),
            ({"environments": "other=production"}, {}, "unmapped"),
            ({"environments": "pr-*=development", "environment_type": "staging"}, {}, "staging"),
            (
                {"environments": "pr-*=development"},
                {"environment": "pr-7", "environment_type": "production"},
                "development",
            ),
        ],
    )
    def test_to_an_environment_in_the_table_is_of_the_type_it_says(self, make, settings, facts, type):
        [deployment] = make(FACTS | facts, environment_name="pr-7", **settings)
        assert (deployment.environment.type, deployment.environment.id) == (type, "pr-7")

    def test_to_several_environments_finds_each_in_the_table_or_among_the_usual_names(self, make):
        made = make(environment_name="prod-eu,blue,qa", environments="blue=production,prod-*=staging")
        assert [entity.environment.type for entity in made] == ["staging", "production", "testing"]

    @pytest.mark.parametrize(
        ("settings", "facts", "state", "duration"),
        [
            ({}, {}, "successful", None),
            ({"duration": "90"}, {}, "successful", 90),
            ({"duration": 0}, {"started": "1700000000"}, "in_progress", 0),
            # The clock of these tests says 1700000000.123.
            ({}, {"started": "1699999900"}, "successful", 100),
            ({}, {"started": "1699999990123"}, "failed", 10),
            ({}, {"started": "2023-11-14T22:13:10Z"}, "rolled_back", 10),
            ({}, {"started": "2023-11-14 23:13:10+01:00"}, "cancelled", 10),
            ({}, {"started": "1699999900"}, "in_progress", None),
            ({}, {"started": "1800000000"}, "successful", None),
            ({}, {"started": "2023-11-14 22:13:10"}, "successful", None),
            ({}, {"started": "soon"}, "successful", None),
        ],
    )
    def test_took_as_long_as_is_said_or_since_the_start(self, make, settings, facts, state, duration):
        [deployment] = make(FACTS | facts, state=State(state), environment_name="prod", **settings)
        assert deployment.duration == duration

    def test_is_of_its_services(self, make):
        [deployment] = make(environment_name="prod", service_ids=("b:one", "b:two"))
        assert entity_payload(deployment)["associations"] == [
            {"associationType": "issueIdOrKeys", "values": ["MYT-1"]},
            {"associationType": "serviceIdOrKeys", "values": ["b:one", "b:two"]},
        ]

    def test_drops_the_issue_keys_that_jira_does_not_take_beside_the_services(self, make, caplog):
        keys = tuple(f"MYT-{number}" for number in range(1, 501))
        [deployment] = make(keys=keys, environment_name="prod", service_ids="a,b")
        assert deployment.issue_keys == keys[:498]
        assert "the last 2 issue keys are dropped" in caplog.text
        [build] = make(keys=keys, service_ids="a,b")
        assert build.issue_keys == keys

    def test_is_of_services_alone(self, make):
        [deployment] = make(keys=(), environment_name="prod", service_ids="b:one")
        assert entity_payload(deployment)["associations"] == [
            {"associationType": "serviceIdOrKeys", "values": ["b:one"]}
        ]

    def test_brings_its_commits_from_their_repository(self, make):
        one, two = "8A7B6C5", "1" * 40
        [deployment] = make(environment_name="prod", repository_id="gh 7", commits=f"{one} {two},{one}")
        assert entity_payload(deployment)["associations"][1:] == [
            {
                "associationType": "commit",
                "values": [{"commitHash": hash, "repositoryId": "gh 7"} for hash in (one.lower(), two)],
            },
            {"associationType": "repository", "values": [{"repositoryId": "gh 7"}]},
        ]
        [deployment] = make(environment_name="prod", repository_id=7)
        assert entity_payload(deployment)["associations"][1:] == [
            {"associationType": "repository", "values": [{"repositoryId": "7"}]}
        ]

    @pytest.mark.parametrize(
        ("keys", "services", "commits", "left", "dropped"),
        [
            (490, 8, 20, (490, 8, 1), ["the last 19 commits"]),
            (500, 8, 20, (491, 8, 0), ["the last 9 issue keys", "the last 20 commits"]),
            (0, 499, 1, (0, 499, 0), ["the last 1 commits"]),
            (1, 499, 0, (0, 499, 0), ["the last 1 issue keys"]),
            (490, 8, 1, (490, 8, 1), []),
        ],
    )
    def test_drops_commits_before_issue_keys(self, make, caplog, keys, services, commits, left, dropped):
        [deployment] = make(
            keys=tuple(f"MYT-{number}" for number in range(1, keys + 1)),
            environment_name="prod",
            service_ids=",".join(f"s{number}" for number in range(services)),
            commits=",".join(f"{number:040x}" for number in range(commits)),
            repository_id="7",
        )
        assert (len(deployment.issue_keys), len(deployment.service_ids), len(deployment.commits)) == left
        assert [
            f"the last {line.rpartition('the last ')[2].removesuffix(' are dropped')}" for line in caplog.messages
        ] == dropped

    def test_cannot_have_one_id_for_several_environments(self, make):
        with pytest.raises(SettingsError, match="ENVIRONMENT_ID cannot be set here"):
            make(environment_name="a,b", environment_id="e")

    def test_has_the_same_identity_in_all_its_updates(self, make):
        first, second = (make(state=state, environment_name="prod")[0] for state in ("in_progress", "successful"))
        assert (first.pipeline.id, first.environment.id, first.number) == (
            second.pipeline.id,
            second.environment.id,
            second.number,
        )

    def test_may_have_its_environment_from_a_plugin(self, install, started, settings_of, pipeline_of):
        install(
            "regions",
            """
            from jira_ci_core import MappedEnvironment, hookimpl

            @hookimpl
            def jira_ci_map_environment(name):
                return MappedEnvironment(type="staging", id="region-" + name) if name == "blue" else None
            """,
        )
        made = make_reports(
            started(),
            pipeline_of(**FACTS),
            ("MYT-1",),
            State.FAILED,
            settings_of(environment_name="blue,prod"),
            Clock(),
        )
        environments = [report.entity.environment for report in made]
        assert [(one.id, one.type) for one in environments] == [("region-blue", "staging"), ("prod", "production")]


class TestTheKind:
    def test_is_a_build_until_an_environment_is_named(self, settings_of):
        assert kind_of(settings_of()) is Kind.BUILD
        assert kind_of(settings_of(environment_name="prod")) is Kind.DEPLOYMENT

    def test_a_hint_says_how_to_report_a_deployment(self, settings_of, pipeline_of, caplog):
        caplog.set_level(logging.INFO)
        hint_at_deployment(pipeline_of(environment="prod"), settings_of(environment_name="prod"))
        hint_at_deployment(pipeline_of(), settings_of())
        assert not caplog.records
        hint_at_deployment(pipeline_of(environment="prod"), settings_of())
        assert "ENVIRONMENT_NAME=prod" in caplog.text


PLACES = {
    "pull request title": KeyPlace.TITLE,
    "commit message": KeyPlace.MESSAGE,
    "branch": KeyPlace.BRANCH,
}


def found(key, source, plugin=""):
    return FoundKey(key=key, source=source, place=PLACES.get(source, KeyPlace.OTHER), plugin=plugin)


class TestTheKeysThatAreSent:
    def test_they_are_in_the_order_of_their_sources_then_of_the_plugins_names(self):
        keys = [
            found("MYT-1", "tags", "zebra"),
            found("MYT-2", "branch"),
            found("MYT-3", "fragments", "ant"),
            found("MYT-4", "commit message"),
            found("MYT-5", "pull request title"),
            found("MYT-6", "commit message"),
        ]
        assert [key.key[-1] for key in rank(keys)] == ["5", "4", "6", "2", "3", "1"]

    @given(
        st.lists(
            st.builds(
                found,
                st.sampled_from(["MYT-1", "myt-1", "A1-2", "B_-3"]),
                st.sampled_from(["branch", "commit message", "x"]),
                st.sampled_from("ab"),
            )
        )
    )
    def test_ranking_twice_is_ranking_once_and_no_key_is_there_twice(self, keys):
        ranked = rank(keys)
        assert rank(ranked) == ranked
        assert sorted({key.key for key in keys}) == sorted(key.key for key in ranked)

    def test_a_stranger_s_words_do_not_make_its_keys_rank_as_those_of_core(self):
        words = FoundKey(key="MYT-1", source="pull request title", plugin="zebra")
        assert [key.key for key in rank([words, found("MYT-2", "branch")])] == ["MYT-2", "MYT-1"]

    def test_a_key_is_kept_where_it_ranks_highest(self):
        [key] = rank([found("MYT-1", "branch"), found("myt-1", "pull request title")])
        assert (key.key, key.source) == ("MYT-1", "pull request title")

    def test_issuekeys_replaces_the_search_and_project_does_not_filter_it(self, started, settings_of, pipeline_of):
        keys = find_issue_keys(started(), pipeline_of(message="MYT-1"), {}, settings_of(issuekeys="other-9,myt-2")).keys
        assert [(key.key, key.source) for key in keys] == [("OTHER-9", "ISSUEKEYS"), ("MYT-2", "ISSUEKEYS")]

    def test_a_plugin_s_key_of_another_project_is_dropped(self, started, settings_of, pipeline_of, install):
        install(
            "files",
            """
            from jira_ci_core import FoundKey, hookimpl

            @hookimpl
            def jira_ci_extract_issue_keys():
                return [FoundKey(key=key, source="a file") for key in ("other-1", "myt-9", "MY_T-1")]
            """,
        )
        plugins, run = started(), pipeline_of(message="MYT-1")
        search = find_issue_keys(plugins, run, {}, settings_of())
        assert [key.key for key in search.keys] == ["MYT-1", "MYT-9"]
        assert search.others == ("OTHER-1", "MY_T-1")
        every = find_issue_keys(plugins, run, {}, settings_of(project="*")).keys
        assert [key.key for key in every] == ["MYT-1", "OTHER-1", "MYT-9", "MY_T-1"]
        assert every[1].plugin == "files"

    @pytest.mark.parametrize(
        ("retraction", "left"),
        [
            ("key='myt-1'", ["MYT-2", "MYT-3", "MYT-4"]),
            ("key='OLD-1'", ["MYT-2", "MYT-3", "MYT-4"]),
            ("key='MYT-1', place=KeyPlace.BRANCH", ["MYT-1", "MYT-2", "MYT-3", "MYT-4"]),
            ("place=KeyPlace.MESSAGE", ["MYT-3", "MYT-4"]),
            ("place=KeyPlace.OTHER", ["MYT-1", "MYT-2", "MYT-3", "MYT-4"]),
            ("key='MYT-4'", ["MYT-1", "MYT-2", "MYT-3", "MYT-4"]),
            ("", ["MYT-4"]),
        ],
    )
    def test_a_stranger_may_take_keys_back_from_the_texts_of_the_change(
        self, started, settings_of, pipeline_of, install, retraction, left
    ):
        install(
            "files",
            f"""
            from jira_ci_core import FoundKey, KeyPlace, Retraction, hookimpl

            @hookimpl
            def jira_ci_extract_issue_keys():
                yield Retraction({retraction}{", " if retraction else ""}source="a revert")
                yield FoundKey(key="MYT-4", source="a file")
            """,
        )
        run = pipeline_of(message="MYT-1 MYT-2", branch="MYT-3 MYT-4")
        search = find_issue_keys(started(), run, {}, settings_of(key_aliases="OLD=MYT"))
        assert [found.key for found in search.keys] == left
        if retraction == "place=KeyPlace.MESSAGE":
            assert [(one.key, one.source, one.plugin) for one in search.retractions] == [
                ("MYT-1", "a revert", "files"),
                ("MYT-2", "a revert", "files"),
            ]

    def test_more_than_jira_takes_are_cut_with_a_warning_that_says_how_many(self, caplog):
        keys = [found(f"MYT-{number}", "branch") for number in range(1, MOST_KEYS + 8)]
        assert len(cut_at_most(keys)) == MOST_KEYS
        assert "507 issue keys were found and Jira takes 500: the last 7 are dropped" in caplog.text

    def test_as_many_as_jira_takes_are_not_cut(self, caplog):
        assert len(cut_at_most(found(f"MYT-{number}", "x") for number in range(1, MOST_KEYS + 1))) == MOST_KEYS
        assert not caplog.records
