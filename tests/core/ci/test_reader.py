"""Reading a run from a CI's variables, by a table."""

from __future__ import annotations

import pytest

from jira_ci_core import Match, Partial, branch_name, commit_before, read_facts, reader

TABLE = {"number": ("BUILD_ID", "BUILD_NUMBER"), "branch": ("BRANCH",)}


def test_the_first_variable_that_is_set_wins_and_is_named():
    environ = {"BUILD_ID": "1", "BUILD_NUMBER": "2", "BRANCH": " main "}
    assert read_facts(environ, TABLE) == (
        {"number": "1", "branch": "main"},
        {"number": "BUILD_ID", "branch": "BRANCH"},
    )


@pytest.mark.parametrize("empty", ["", " ", "null", "<+pipeline.executionId>", "<+a.<+b>>"])
def test_a_variable_that_is_not_set_is_skipped(empty):
    facts, origins = read_facts({"BUILD_ID": empty, "BUILD_NUMBER": "2", "BRANCH": empty}, TABLE)
    assert facts == {"number": "2"}
    assert origins == {"number": "BUILD_NUMBER"}


def test_a_text_that_only_mentions_an_expression_is_kept():
    assert read_facts({"BRANCH": "fix <+x> again"}, TABLE)[0] == {"branch": "fix <+x> again"}


@pytest.mark.parametrize(
    ("before", "sha", "known"),
    [
        ("1111111", "2222222", "1111111"),
        ("1111111", None, "1111111"),
        (None, "2222222", None),
        ("", "2222222", None),
        ("0" * 40, "2222222", None),
        ("0", "2222222", None),
        ("null", "2222222", None),
        ("2222222", "2222222", None),
        ("2222222333", "2222222", None),
        ("2222222", "2222222333", None),
        ("ABCDEF0", "abcdef0123", None),
    ],
)
def test_the_previous_commit_is_known_only_if_it_is_another_one(before, sha, known):
    assert commit_before(before, sha) == known


@pytest.mark.parametrize(
    ("ref", "branch"),
    [
        ("refs/heads/feature/x", "feature/x"),
        ("feature/x", "feature/x"),
        ("refs/tags/v1", None),
        ("refs/pull/3/head", None),
        ("references", "references"),
        (None, None),
    ],
)
def test_a_branch_loses_its_prefix_and_no_other_ref_is_a_branch(ref, branch):
    assert branch_name(ref) == branch


@pytest.mark.parametrize(
    ("source", "fact", "origin"),
    [
        ("{A}/{B}", "1/2", "A, B"),
        ("{A}/{C}", None, None),
        (Match("A", "[0-9]", "number"), "number", "A"),
        (Match("A", "[a-z]", "letter"), None, None),
        (Match("D", "tag/(.+)"), "V1", "D"),
        (Match("D", "TAG/(.+)"), "V1", "D"),
        (Match("D", "tag/(.*)x?", "{B}-{1}"), "2-V1", "D, B"),
        (Match("A", "1", "{B}"), "2", "B"),
        (Match("C", "(?:start)?", "{B}"), "2", "B"),
        (Match("C", "(.*)"), None, None),
    ],
)
def test_a_source_is_a_variable_or_several_or_a_match(source, fact, origin):
    environ = {"A": "1", "B": "2", "C": "", "D": "tag/V1"}
    assert read_facts(environ, {"branch": (source,)}) == (
        {"branch": fact} if fact else {},
        {"branch": origin} if origin else {},
    )


ACME = reader(
    "Acme CI",
    {"number": ("ACME_RUN",), "status": ("ACME_STATUS",), "branch": ("ACME_BRANCH",), "tag": ("ACME_TAG",)},
    recognised_by=("ACME=yes", "ACME_RUN and ACME_SITE"),
    identity=("ACME_SITE", "ACME_JOB"),
)


@pytest.mark.parametrize(
    ("environ", "variables"),
    [
        ({"ACME": "YES"}, "ACME"),
        ({"ACME_RUN": "1", "ACME_SITE": "x"}, "ACME_RUN, ACME_SITE"),
        ({"ACME": "no", "ACME_RUN": "1"}, None),
        ({"ACME_RUN": "1", "ACME_SITE": "null"}, None),
        ({}, None),
    ],
)
def test_a_ci_is_recognised_by_any_condition_of_which_all_parts_hold(environ, variables):
    run = ACME(environ)
    assert (run and run.origins["ci"]) == variables


def test_a_variable_is_found_on_windows_which_knows_all_names_in_capitals():
    read = reader(
        "Acme CI", {"number": ("acme_buildNumber",)}, recognised_by=("acme_buildKey",), identity=("acme_plan",)
    )
    assert read({"ACME_BUILDKEY": "K", "ACME_BUILDNUMBER": "7"}).number == "7"


def test_a_plugin_may_use_a_reader_as_its_hook(install, started):
    install(
        "acme",
        """
        from jira_ci_core import hookimpl, reader

        jira_ci_read_pipeline = hookimpl(
            reader("Acme CI", {"number": ("ACME_RUN",)}, recognised_by=("ACME_RUN",), identity=("ACME_RUN",))
        )
        """,
    )
    run = started().read_pipeline(environ={"ACME_RUN": "7", "DRONE": "true"})
    assert (run.ci, run.number, run.id, run.publishes_status) == ("Acme CI", "7", "7", False)


def test_the_identity_consists_of_the_parts_that_are_set():
    assert ACME({"ACME": "yes", "ACME_SITE": "a", "ACME_JOB": "b"}).id == "a/b"
    assert ACME({"ACME": "yes", "ACME_SITE": "", "ACME_JOB": "b"}).id == "b"
    assert ACME({"ACME": "yes"}).id is None


@pytest.mark.parametrize(
    ("environ", "branch", "tag"),
    [
        ({"ACME_BRANCH": "refs/heads/x"}, "x", None),
        ({"ACME_BRANCH": "refs/tags/v1"}, None, "v1"),
        ({"ACME_BRANCH": "refs/tags/"}, None, None),
        ({"ACME_BRANCH": "v1", "ACME_TAG": "v1"}, None, "v1"),
        ({"ACME_BRANCH": "main", "ACME_TAG": "v1"}, "main", "v1"),
        ({"ACME_BRANCH": "refs/pull/7/merge"}, None, None),
    ],
)
def test_a_tag_in_place_of_a_branch_is_a_tag(environ, branch, tag):
    run = ACME({"ACME": "yes", **environ})
    assert (run.branch, run.tag) == (branch, tag)


class TestAPartialFact:
    TABLE = {"message": (Partial("TYPED"), "MESSAGE"), "sha": (Partial(Match("SHA", "[0-9a-f]+", "{SHA}")),)}
    read = staticmethod(reader("Acme CI", TABLE, recognised_by=("ACME",), identity=(("ID", "{OWNER}/{NAME}"), "JOB")))

    def test_says_so(self):
        run = self.read({"ACME": "1", "TYPED": "by hand", "SHA": "abcdef0"})
        assert (run.message, run.origins["message"], run.partial) == ("by hand", "TYPED", ("message", "sha"))

    def test_is_one_only_if_that_source_is_taken_and_the_fact_is_kept(self):
        assert self.read({"ACME": "1", "MESSAGE": "whole", "SHA": "abc"}).partial == ()

    @pytest.mark.parametrize(
        ("text", "whole"),
        [
            ("Pay, MYT-1", "Pay, MYT-1"),
            ("Pay well, MYT-12", "Pay well,"),
            ("Pay well, MYT-1...", "Pay well,"),
            ("Pay well, MYT-1…", "Pay well,"),
            ("Pay well, app-1.", "Pay well,"),
            ("(OPS-1,OPS-23,MYT-1", "(OPS-1,OPS-23,"),
            ("MYT-1 lets people pay: ", "MYT-1 lets people pay:"),
            ("OPS-7 für MYT-1", "OPS-7 für"),
            ("A-word-as-long-as-all", None),
        ],
    )
    def test_without_the_word_in_which_it_may_be_cut(self, text, whole):
        table = {"message": (Partial("TYPED", 15),)}
        assert (
            reader("Acme CI", table, recognised_by=("ACME",), identity=())({"ACME": "1", "TYPED": text}).message
            == whole
        )

    @pytest.mark.parametrize(
        ("environ", "id"),
        [
            ({"ID": "1", "OWNER": "a", "NAME": "b", "JOB": "c"}, "1/c"),
            ({"OWNER": "a", "NAME": "b", "JOB": "c"}, "a/b/c"),
            ({"OWNER": "a", "JOB": "c"}, "c"),
            ({"ID": "1"}, "1"),
        ],
    )
    def test_of_a_part_of_an_identity_the_first_that_is_set_counts(self, environ, id):
        assert self.read({"ACME": "1", **environ}).id == id
