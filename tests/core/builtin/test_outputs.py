"""The card, the job summary, the outputs and the annotations: untrusted text stays text in each of them."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, strategies as st
from markdown_it import MarkdownIt

from jira_ci_core import (
    Build,
    Outcome,
    Pipeline,
    PipelineIdentity,
    Problem,
    Receipt,
    Report,
    Result,
    Settings,
    Site,
    State,
    Summary,
)
from jira_ci_core.builtin import annotations, card, outputs, summary
from jira_ci_core.testing import load_plugin

SITE = Site(url="https://acme.atlassian.net")
SETTINGS = Settings(project=("MYT",), instance="acme")
TEMPLATE = json.loads(card.TEMPLATE.read_bytes())

HOSTILE_PARTS = [
    *(
        "\n",
        "\r\n",
        "\u2028",
        "\x85",
        "\x1b]0m",
        "\x1b]1338;",
        "`",
        "``",
        "](",
        "|",
        "'",
        "<",
        ">",
        "**",
        "%0A",
        "${what}",
    ),
    *("::error::x", "::stop-commands::x", "##vso[task.complete result=Failed;]x", "##[error]x", "%AZP25", "%5D"),
    *("##teamcity[buildStop comment='x']", "|'", "' status='ERROR", "]", "\nJIRA_STATE=failed", "<<EOF\nx\nEOF\n"),
    *("<script>alert(1)</script>", "<img src=x>", "[x](javascript:alert(1))", "![x](https://evil.example/x.png)"),
    *(
        "https://evil.example",
        "www.evil.example",
        "a@evil.example",
        "@everyone",
        "#12",
        "# x\n",
        "- [ ] x",
        "&#60;b&#62;",
    ),
    *("{{DATE(2026-01-01)}}", "\U0001f4a9", "é", " ", "\t", "\x00"),
]
hostile = (
    st.lists(st.sampled_from(HOSTILE_PARTS) | st.text(max_size=5), min_size=1, max_size=6).map("".join).filter(bool)
)
hostile_problems = st.builds(Problem, what=hostile, why=hostile, remedy=hostile)


def make_report(name="acme/shop", *keys, site=SITE, state=State.SUCCESSFUL):
    identity = PipelineIdentity(id="acme/shop", name=name, url="https://ci.example/42")
    build = Build(
        number=42,
        sequence=1,
        name=name,
        url="https://ci.example/42",
        state=state,
        last_updated=datetime(2026, 1, 2, tzinfo=UTC),
        issue_keys=keys or ("MYT-1", "MYT-2"),
        pipeline=identity,
    )
    return Report(site=site, entity=build)


def make_receipt(result=Result.ACCEPTED, *problems, unknown=()):
    return Receipt(outcomes=(Outcome(result=result, problems=problems),), unknown_issue_keys=unknown)


REFUSED = Problem("Jira refused build 42", "it is too old", "report it anew")


def run_plugin(plugin, reports=(), receipt=None, ci="none", **settings):
    """Call a plugin's `jira_ci_reported`, with these settings of its own."""
    arguments = {"pipeline": Pipeline(ci=ci), "reports": reports, "receipt": receipt or make_receipt()}
    load_plugin(plugin, **settings).reported(**arguments, settings=SETTINGS)


class TestSummary:
    def test_issues_that_jira_does_not_know_are_left_out_and_reported_as_a_problem(self):
        result = Summary.of([make_report()], make_receipt(unknown=("MYT-2",)))
        assert result.issue_keys == ("MYT-1",)
        assert dict(result.links) == {"MYT-1": "https://acme.atlassian.net/browse/MYT-1"}
        assert [problem.what for problem in result.problems] == ["Jira does not know MYT-2"]

    def test_without_the_sites_address_there_are_no_links(self):
        result = Summary.of([make_report(site=Site(cloud_id="x"))], make_receipt())
        assert (result.issue_keys, dict(result.links)) == (("MYT-1", "MYT-2"), {})

    def test_it_is_accepted_only_if_every_report_is(self):
        queued, accepted = Outcome(result=Result.QUEUED), Outcome(result=Result.ACCEPTED)
        assert Summary.of([make_report()] * 2, Receipt(outcomes=(accepted, accepted))).accepted
        assert not Summary.of([make_report()] * 2, Receipt(outcomes=(accepted, queued))).accepted
        assert not Summary.of([], Receipt(skipped="x")).accepted

    def test_a_problem_that_several_reports_share_is_listed_once(self):
        refused = Outcome(result=Result.REJECTED, problems=(REFUSED,))
        assert Summary.of([make_report()] * 2, Receipt(outcomes=(refused, refused))).problems == (REFUSED,)

    def test_a_kept_report_is_listed_by_its_file(self):
        kept = Outcome(result=Result.NOT_DELIVERED, kept="box/1.json")
        assert Summary.of([make_report()], Receipt(outcomes=(kept,))).kept == ("box/1.json",)


class TestOutputs:
    def test_each_file_has_its_own_separator(self):
        run_plugin(outputs, [make_report()], drone_output="drone", github_output="github", dotenv="dotenv")
        site = "https://acme.atlassian.net/browse"
        assert Path("drone").read_text() == (
            "JIRA_ISSUE_KEYS=MYT-1 MYT-2\nJIRA_STATE=successful\nJIRA_ACCEPTED=true\n"
            f"JIRA_URLS={site}/MYT-1 {site}/MYT-2\n"
        )
        assert Path("github").read_text() == Path("dotenv").read_text()
        assert Path("dotenv").read_text() == Path("drone").read_text().replace(" ", ",")

    def test_they_are_empty_if_nothing_was_reported(self):
        run_plugin(outputs, [], Receipt(skipped="x"), dotenv="dotenv")
        assert Path("dotenv").read_text() == "JIRA_ISSUE_KEYS=\nJIRA_STATE=\nJIRA_ACCEPTED=false\nJIRA_URLS=\n"

    @pytest.mark.parametrize("before", ["A=1", "A=1\n"])
    def test_earlier_lines_are_kept(self, before):
        Path("dotenv").write_text(before)
        run_plugin(outputs, [make_report()], dotenv="dotenv")
        assert Path("dotenv").read_text().splitlines()[:2] == ["A=1", "JIRA_ISSUE_KEYS=MYT-1,MYT-2"]

    def test_a_file_that_cannot_be_written_does_not_affect_the_others(self, caplog):
        run_plugin(outputs, [make_report()], drone_output="none/x", github_output="github")
        assert "DRONE_OUTPUT could not be written: none/x: No such file or directory; check" in caplog.text
        assert Path("github").read_text().count("\n") == 4

    @given(name=hostile, key=hostile, site=hostile, problem=hostile_problems)
    def test_no_text_of_others_makes_a_line_or_needs_quotes(self, name, key, site, problem):
        report = make_report(name or "x", site=Site(url=f"https://acme.example{site}"))
        # `model_copy` checks nothing, and plugins may use it.
        report = report.model_copy(update={"entity": report.entity.model_copy(update={"issue_keys": ("MYT-1", key)})})
        lines = outputs.output_lines(Summary.of([report], make_receipt(Result.REJECTED, problem)), ",")
        assert len(re.findall(r"^JIRA_[A-Z_]+=[A-Za-z0-9_.,:/%\[\]-]*\n", lines, re.MULTILINE)) == 4
        assert lines.count("\n") == len(lines.splitlines()) == 4


def markdown_tokens(text):
    """The tokens of a text in GitHub's Markdown, in which a bare address is a link."""
    tokens = MarkdownIt("gfm-like", {"linkify": True}).parse(text)
    return [token for block in tokens for token in [block, *(block.children or [])]]


class TestMarkdown:
    def test_it_says_what_was_reported_for_which_issues(self):
        run_plugin(summary, [make_report()], github_step_summary="summary")
        assert Path("summary").read_text() == (
            "### Jira\n\n"
            "- [` build 42 of acme/shop `](<https://ci.example/42>) (successful): accepted, ` acme.atlassian.net `\n"
            "- issues: [` MYT-1 `](<https://acme.atlassian.net/browse/MYT-1>), "
            "[` MYT-2 `](<https://acme.atlassian.net/browse/MYT-2>)\n\n"
        )

    def test_it_is_added_to_what_other_steps_wrote(self):
        Path("summary").write_text("# Tests\n")
        run_plugin(summary, [], Receipt(skipped="STATE says so"), github_step_summary="summary")
        assert Path("summary").read_text() == "# Tests\n### Jira\n\n- nothing was sent: ` STATE says so `\n\n"

    def test_it_says_what_went_wrong(self):
        text = summary.markdown([make_report()], make_receipt(Result.REJECTED, REFUSED))
        assert "): refused, " in text
        assert "- **` Jira refused build 42 `**\n  - why: ` it is too old `\n  - do: ` report it anew `\n" in text

    @given(name=hostile, site=hostile, problems=st.lists(hostile_problems, max_size=2), skipped=hostile)
    @example(name="`x`", site="``", problems=[], skipped="```")
    @example(name="x", site="", problems=[], skipped="x")
    def test_no_text_of_others_is_markup_or_a_link(self, name, site, problems, skipped):
        name = name.strip() or "x"
        report = make_report(name, site=Site(url=f"https://acme.example/{site}"))
        receipt = make_receipt(Result.REJECTED, *problems).model_copy(update={"skipped": skipped})
        for text in (summary.markdown([report], receipt), summary.markdown([], receipt)):
            tokens = markdown_tokens(text)
            allowed = {"heading", "paragraph", "bullet_list", "list_item", "strong", "link"}
            assert {re.sub("_(open|close)$", "", token.type) for token in tokens} <= allowed | {
                *("inline", "text", "code_inline", "softbreak")
            }
            links = {token.attrs["href"] for token in tokens if token.type == "link_open"}
            # A site with a path is not an address of a site, so it has no links to issues.
            assert links == ({"https://ci.example/42"} if "build 42" in text else set())
            assert text.count("\n") == len(text.splitlines())
            ours = " ".join(token.content for token in tokens if token.type == "text")
            assert re.fullmatch(r"(Jira|issues|nothing was sent|why|do|\(successful\)|refused|[:, ])*", ours), ours

    @pytest.mark.parametrize("url", [None, "javascript:alert(1)", "data:x", "https://a/>(x", "https://a/ b", "//a"])
    def test_only_a_web_address_becomes_a_link(self, url):
        assert summary.link("x", url) == "x"


def parse_as_github(line):
    """Parse a line as the runner does: https://github.com/actions/runner, src/Runner.Common/ActionCommand.cs."""
    match = re.fullmatch(r"::(\w[\w-]*)(?: (.*?))?::(.*)", line, re.DOTALL)
    assert match
    command, properties, data = match.groups()
    pairs = dict(pair.split("=", 1) for pair in (properties or "").split(",") if pair)
    return command, {name: unescape(value, "%3A:%2C,%0D\r%0A\n%25%") for name, value in pairs.items()}, data


def unescape(text, table):
    for code, character in re.findall(r"(%AZP25|%[0-9A-F]{2})(.)", table, re.DOTALL):
        text = text.replace(code, character)
    return text


def parse_as_teamcity(line):
    """Parse a line by https://www.jetbrains.com/help/teamcity/service-messages.html: its name, text and status."""
    value = r"(?:[^|'\[\]\r\n]|\|[|'\[\]nr]|\|0x[0-9a-f]{4})*"
    match = re.fullmatch(rf"##teamcity\[(\w+) text='({value})' status='(\w+)'\]", line)
    assert match, line
    name, text, status = match.groups()
    units = re.sub(r"\|0x([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text)
    whole = units.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")
    return name, re.sub(r"\|(.)", r"\1", whole), status


class TestAnnotations:
    @pytest.mark.parametrize(
        ("ci", "line"),
        [
            ("GitHub Actions", "::warning title=Jira refused build 42::it is too old; report it anew"),
            (
                "Azure Pipelines",
                "##vso[task.logissue type=warning]Jira refused build 42: it is too old%3B report it anew",
            ),
            (
                "TeamCity",
                "##teamcity[message text='Jira refused build 42: it is too old; report it anew' status='WARNING']",
            ),
        ],
    )
    def test_a_problem_is_one_line_in_the_format_of_the_ci(self, capsys, ci, line):
        run_plugin(annotations, [make_report()], make_receipt(Result.REJECTED, REFUSED), ci)
        assert capsys.readouterr() == (f"{line}\n", "")

    @pytest.mark.parametrize("ci", ["none", "GitLab", "Harness", "Drone", "Jenkins"])
    def test_nothing_is_printed_for_other_cis(self, capsys, ci):
        run_plugin(annotations, [make_report()], make_receipt(Result.REJECTED, REFUSED), ci)
        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize("ci", list(annotations.COMMANDS))
    def test_nothing_is_printed_without_a_problem(self, capsys, ci):
        run_plugin(annotations, [make_report()], make_receipt(), ci)
        run_plugin(annotations, [], Receipt(skipped="STATE says so"), ci)
        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize(
        ("ci", "line"),
        [
            ("GitHub Actions", "::warning title=jira-ci::STAT is not known at all"),
            ("Azure Pipelines", "##vso[task.logissue type=warning]jira-ci: STAT is not known at all"),
            ("TeamCity", "##teamcity[message text='jira-ci: STAT is not known at all' status='WARNING']"),
        ],
    )
    def test_a_warning_of_the_step_is_one_after_the_problems(self, capsys, ci, line):
        refused = make_receipt(Result.REJECTED, REFUSED)
        run_plugin(
            annotations, [make_report()], refused.model_copy(update={"warnings": ("STAT is not known\nat all",)}), ci
        )
        [_, shown] = capsys.readouterr().out.splitlines()
        assert shown == line

    def test_gitlab_has_a_link_to_the_site_for_a_warning(self):
        receipt = Receipt(skipped="x", warnings=("STAT is not known",))
        [entry] = json.loads(annotations.gitlab_annotations(Summary.of([], receipt), "https://acme.atlassian.net"))[
            "Jira"
        ]
        assert entry["external_link"]["label"] == "jira-ci: STAT is not known"

    @given(problem=hostile_problems)
    def test_github_obeys_nothing_but_the_warning(self, problem):
        command, properties, data = parse_as_github(annotations.github_command(problem))
        assert (command, properties.keys()) == ("warning", {"title"})
        assert properties["title"] == annotations.escape_untrusted(problem.what)
        assert unescape(data, "%0D\r%0A\n%25%") == annotations.escape_untrusted(f"{problem.why}; {problem.remedy}")
        assert not re.search(r"##\[|[\x00-\x1f\x7f-\x9f\u2028]", annotations.github_command(problem))

    @given(problem=hostile_problems)
    def test_azure_obeys_nothing_but_the_issue(self, problem):
        line = annotations.azure_command(problem)
        before, order, message = line.partition("##vso[task.logissue type=warning]")
        assert (before, order) == ("", "##vso[task.logissue type=warning]")
        assert not re.search(r"##(vso)?\[|[\x00-\x1f\x7f-\x9f\u2028\];]|%(?!AZP25|0D|0A|5D|3B)", message, re.IGNORECASE)
        expected = f"{annotations.escape_untrusted(problem.what)}: {annotations.escape_untrusted(f'{problem.why}; {problem.remedy}')}"
        assert unescape(message, "%0D\r%0A\n%5D]%3B;%AZP25%") == expected

    @given(problem=hostile_problems)
    def test_teamcity_obeys_nothing_but_the_message(self, problem):
        line = annotations.teamcity_command(problem)
        name, text, status = parse_as_teamcity(line)
        assert (name, status) == ("message", "WARNING")
        expected = f"{annotations.escape_untrusted(problem.what)}: {annotations.escape_untrusted(f'{problem.why}; {problem.remedy}')}"
        assert text == expected.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")
        assert line.isascii()
        assert line.isprintable()

    def test_gitlab_has_links_to_the_issues_and_for_each_problem_one_to_the_site(self):
        run_plugin(
            annotations,
            [make_report()],
            make_receipt(unknown=("MYT-2",)),
            "GitLab",
            gitlab_annotations="annotations.json",
        )
        first, second = json.loads(Path("annotations.json").read_text())["Jira"]
        assert first == {"external_link": {"label": "MYT-1", "url": "https://acme.atlassian.net/browse/MYT-1"}}
        assert second["external_link"]["label"].startswith("Jira does not know MYT-2: there is no such issue")
        assert second["external_link"]["url"] == "https://acme.atlassian.net"

    @given(problem=hostile_problems, site=hostile)
    def test_gitlab_gets_short_labels_and_web_addresses_only(self, problem, site):
        text = annotations.gitlab_annotations(
            Summary.of([make_report()], make_receipt(Result.REJECTED, problem)), f"{site}javascript:x"
        )
        for one in json.loads(text)["Jira"]:
            link = one["external_link"]
            assert urlsplit(link["url"]).scheme in ("http", "https")
            assert urlsplit(link["url"]).hostname
            assert len(link["label"]) <= 255
        assert text.count("\n") == 1


def render(template, data):
    """Fill in the template, with the three features that ours uses: `$data` repeats, `$when` omits, `${x}` is a value.

    A name without a value raises KeyError.
    """
    if isinstance(template, list):
        return [one for part in template for one in render_items(part, data)]
    if isinstance(template, dict):
        return {name: render(value, data) for name, value in template.items()}
    return re.sub(r"\$\{(\w+)\}", lambda match: data[match[1]], template)


def render_items(part, data):
    part = dict(part)
    repeated = part.pop("$data", None)
    when = re.fullmatch(r"\$\{(\w+) != ''\}", part.pop("$when", "${_ != ''}"))
    if when[1] != "_" and not data[when[1]]:
        return []
    return [render(part, one) for one in (data[repeated.strip("${}")] if repeated else [data])]


def shown_texts(card):
    """The texts that a card shows, each with the type of its element."""
    if isinstance(card, list):
        return [text for one in card for text in shown_texts(one)]
    if not isinstance(card, dict):
        return []
    own = [(card["type"], card[name]) for name in ("text", "title") if name in card]
    return own + [text for value in card.values() for text in shown_texts(value)]


class TestCard:
    def test_the_file_holds_a_template_and_its_data(self):
        Path("card").write_text("an older and longer card" * 1000)
        run_plugin(card, [make_report()], drone_card_path="card")
        written = json.loads(Path("card").read_text())
        assert written.keys() == {"schema", "data"}
        kind, _, content = written["schema"].partition(",")
        assert kind == "data:application/json;base64"
        assert json.loads(base64.b64decode(content)) == TEMPLATE
        shown = [text for _, text in shown_texts(render(TEMPLATE, written["data"]))]
        assert shown == [
            "Jira",
            "build 42 of acme/shop",
            " (successful): accepted, acme.atlassian.net",
            "issues: MYT-1, MYT-2",
            *("MYT-1", "MYT-2"),
        ]

    def test_on_standard_output_it_is_the_sequence_that_the_runner_cuts_out(self, capsys):
        run_plugin(card, [make_report()], drone_card_path="/dev/stdout")
        match = re.fullmatch(r"\x1b\]1338;([A-Za-z0-9+/=]+)\x1b\]0m\n", capsys.readouterr().out)
        assert json.loads(base64.b64decode(match[1])).keys() == {"schema", "data"}

    def test_card_schema_replaces_the_template(self):
        run_plugin(card, [make_report()], drone_card_path="card", card_schema="https://acme.example/card.json")
        assert json.loads(Path("card").read_text())["schema"] == "https://acme.example/card.json"

    def test_it_says_why_nothing_was_sent(self):
        shown = shown_texts(render(TEMPLATE, card.card_data([], Receipt(skipped="STATE says so"))))
        assert shown == [("TextBlock", "Jira"), ("TextRun", "nothing was sent: STATE says so")]

    def test_all_data_is_shown(self):
        names = set(re.findall(r"\$\{(\w+)", json.dumps(TEMPLATE)))
        data = card.card_data([make_report()], make_receipt(Result.REJECTED, REFUSED))
        inside = {name for value in data.values() if isinstance(value, list) for one in value for name in one}
        assert names == data.keys() | inside

    def test_the_template_uses_only_elements_of_adaptive_cards_1_3(self):
        assert (TEMPLATE["type"], TEMPLATE["version"]) == ("AdaptiveCard", "1.3")
        types = set(re.findall(r'"type": "([\w.]+)"', json.dumps(TEMPLATE)))
        assert types == {"AdaptiveCard", "TextBlock", "RichTextBlock", "TextRun", "Container", "Action.OpenUrl"}

    @given(name=hostile, problem=hostile_problems, skipped=hostile)
    def test_no_text_of_others_stands_where_it_would_be_markdown_or_a_link(self, name, problem, skipped):
        receipt = make_receipt(Result.REJECTED, problem).model_copy(update={"skipped": skipped})
        whole = render(TEMPLATE, card.card_data([make_report(name.strip() or "x")], receipt))
        # Markdown applies in a text block, and not in a text run.
        for kind, text in shown_texts(whole):
            assert kind == "TextRun" or text in ("Jira", "MYT-1", "MYT-2")
            assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028]", text)
        assert {action["url"] for action in whole["actions"]} == {
            f"https://acme.atlassian.net/browse/{key}" for key in ("MYT-1", "MYT-2")
        }
