"""A change brings a file of settings that hangs the step, fills its memory, or speaks for another pipeline."""

from __future__ import annotations

import os
import time

import pytest

from ..conftest import inherited

KEY = ".".join(["a"] * 30_000)
SECONDS = 20


@pytest.fixture
def report(harness_oauth, fork_server):
    """Runs the step, which must end soon and say little; its memory is limited, so that a failure harms no machine."""
    if fork_server is None:
        pytest.skip("the limit needs Linux")

    def run(*arguments, **settings):
        environ = {**inherited(), **harness_oauth.variables(None, settings)}
        started = time.monotonic()
        done = fork_server.run(
            ["report", *arguments],
            folder=harness_oauth.folder,
            environ=environ,
            timeout=60,
            limits={"AS": 1_000_000 * 1024},
        )
        assert time.monotonic() - started < SECONDS
        result = harness_oauth.result(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert len(result.text) < 10_000
        assert "Traceback" not in result.text
        return result

    return run


def link_to_zero(path):
    path.symlink_to("/dev/zero")


def link_to_a_good_file(path):
    path.with_name("good.toml").write_text('[tool.jira-ci]\nlabel = "linked"\n')
    path.symlink_to("good.toml")


def pipe(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()


def huge(path):
    path.write_bytes(b"# jira-ci")
    os.truncate(path, 2**40)


class TestInPlaceOfTheFile:
    @pytest.mark.parametrize("put", [link_to_zero, link_to_a_good_file, pipe, folder, huge])
    def test_is_an_error_in_jira_ci_toml(self, harness_oauth, jira, report, put):
        put(harness_oauth.folder / "jira-ci.toml")
        done = report()
        assert done.code == 2, done.text
        assert "error: jira-ci.toml " in done.err
        assert jira.requests() == []

    @pytest.mark.parametrize("put", [link_to_zero, link_to_a_good_file, pipe, huge])
    def test_is_a_warning_in_pyproject(self, harness_oauth, jira, report, put):
        put(harness_oauth.folder / "pyproject.toml")
        done = report()
        assert done.code == 0, done.text
        assert "warning: pyproject.toml is left out: " in done.err
        assert [build.get("label") for build in jira.builds()] == [None]

    def test_a_dangling_link_is_an_error(self, harness_oauth, report):
        (harness_oauth.folder / "jira-ci.toml").symlink_to("nowhere")
        assert report().code == 2


class TestAKeyOfManyParts:
    KEYS = {
        "bare": f"{KEY} = 1",
        "table": f"[{KEY}]",
        "tables": f"[[{KEY}]]",
        "inline": f"x = {{ {KEY} = 1 }}",
        "in an array": f'x = ["""a"""", {{ {KEY} = 1 }}]',
        "quoted": " . ".join(["'a'", '"b"'] * 5_000) + " = 1",
        "seventeen": ".".join(["a"] * 17) + " = 1",
    }

    @pytest.mark.parametrize("spelt", KEYS)
    @pytest.mark.parametrize("name", ["jira-ci.toml", "pyproject.toml"])
    @pytest.mark.usefixtures("jira")
    def test_is_refused_before_it_is_parsed(self, harness_oauth, name, spelt):
        (harness_oauth.folder / name).write_text(f"# jira-ci\n{self.KEYS[spelt]}\n")
        started = time.monotonic()
        done = harness_oauth()
        assert time.monotonic() - started < SECONDS
        assert "the key in line 2 has more than 16 parts" in done.err
        assert done.code == (2 if name == "jira-ci.toml" else 0), done.text

    def test_looks_like_a_text_or_a_comment_and_is_none(self, harness_oauth, jira):
        (harness_oauth.folder / "jira-ci.toml").write_text(
            f"# {KEY[:1000]}\nlabel = '''\na''''\nkey-patterns = [\"\"\"\\\n{KEY[:1000]}\"\"\"]\ntest-results = '{KEY[:99]}'\n"
        )
        done = harness_oauth(key_patterns="(?P<key>x)")
        assert done.code == 0, done.text
        assert [build["label"] for build in jira.builds()] == ["a'"]


@pytest.mark.parametrize(
    "content",
    [
        b"jira-ci",
        b"[tool.jira-ci]\nlabel = \n",
        b"[tool.jira-ci]\nlabel = 1\nlabel = 2\n",
        b"# jira-ci \xff\n",
        b"\xef\xbb\xbf# jira-ci",
        b"# jira-ci\n<<<<<<< HEAD\n",
        b"x = [\n# jira-ci\n" + b"[" * 100_000,
        b"x = 1" + b"0" * 10_000 + b" # jira-ci",
        b"x = {" + b"k" * 60_000 + b" = 1, " + b"k" * 60_000 + b" = 2} # jira-ci",
        b"\0jira-ci",
    ],
    ids=["word", "value", "twice", "bytes", "mark", "conflict", "deep", "number", "long", "zero"],
)
def test_a_pyproject_that_is_no_toml_is_left_out(harness_oauth, jira, content):
    """Another program may have its own mind about what is wrong with it."""
    (harness_oauth.folder / "pyproject.toml").write_bytes(content)
    done = harness_oauth()
    assert done.code == 0, done.text
    assert done.err.count("warning: pyproject.toml is left out: ") == 1
    assert len(done.err) < 4000
    assert len(jira.builds()) == 1


def test_thousands_of_unknown_names_are_counted(harness_oauth, jira, report):
    (harness_oauth.folder / "jira-ci.toml").write_text("".join(f"n{number}=1\n" for number in range(7_000)))
    done = report()
    assert done.code == 2, done.text
    assert done.err.count("error: ") == 11
    assert "error: n9 in jira-ci.toml is not known" in done.err
    assert "error: 6990 more names in jira-ci.toml are not known" in done.err
    assert jira.requests() == []


def test_a_number_of_thousands_of_digits_is_refused(harness_oauth, report):
    (harness_oauth.folder / "jira-ci.toml").write_text(f"project = 0x{'f' * 60_000}\n")
    done = report()
    assert (done.code, "error: jira-ci.toml is not valid TOML" in done.err) == (2, True), done.text


def test_a_file_of_64_kib_is_read_and_a_larger_one_is_not(harness_oauth, jira):
    text = f'label = "whole"\nkey-aliases = "{"AB=CD," * 10_000}"\n'
    (harness_oauth.folder / "jira-ci.toml").write_text(text.ljust(2**16, "#"))
    assert harness_oauth().code == 0
    assert [build["label"] for build in jira.builds()] == ["whole"]
    (harness_oauth.folder / "jira-ci.toml").write_text(text.ljust(2**16 + 1, "#"))
    assert harness_oauth().code == 2


def test_a_pyproject_of_a_mebibyte_with_keys_of_16_parts_is_read(harness_oauth, jira):
    text = f'[tool.jira-ci]\nlabel = "whole"\n[tool.other]\n{".".join(["a"] * 16)} = 1\n'
    (harness_oauth.folder / "pyproject.toml").write_text(text.ljust(2**20, "#"))
    assert harness_oauth().code == 0
    assert [build["label"] for build in jira.builds()] == ["whole"]


class TestSpeakingForAnotherPipeline:
    LINES = 'pipeline = "acme/prod-deploy"\n', 'environments = "preview=production"\n', 'service-ids = "b:payments"\n'

    @pytest.mark.parametrize("line", LINES)
    @pytest.mark.parametrize("name", ["jira-ci.toml", "pyproject.toml"])
    def test_is_refused(self, harness_oauth, jira, name, line):
        (harness_oauth.folder / name).write_text(line if name == "jira-ci.toml" else f"[tool.jira-ci]\n{line}")
        done = harness_oauth(environment_name="preview")
        assert (done.code, "may not be set in" in done.err) == (2, True), done.text
        assert jira.requests() == []

    def test_is_for_a_file_that_is_named(self, harness_oauth, jira):
        (harness_oauth.folder / "jira-ci.toml").write_text("".join(self.LINES[:2]))
        done = harness_oauth("--config", "jira-ci.toml", environment_name="preview")
        assert done.code == 0, done.text
        [deployment] = jira.deployments()
        assert deployment["pipeline"]["id"] == "acme/prod-deploy"
        assert deployment["environment"]["type"] == "production"
