"""Reading commits and the parts of their messages, compared with what git reads."""

from __future__ import annotations

import io
import shutil

import pytest
from hypothesis import example, given, settings, strategies as st

from jira_ci_core import find_keys
from jira_ci_keys_git.commits import (
    LOG_ARGUMENTS,
    merged_branches,
    read_commits,
    read_fields,
    read_message,
    reverted_commit,
)

ID = "8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b"


def read_all(repository, *arguments):
    """All messages, oldest first, as the plugin reads them."""
    with repository.reader.stream(*LOG_ARGUMENTS, "--reverse", *arguments, "main", "--") as stream:
        commits = list(read_commits(stream))
    assert [commit.sha for commit in commits] == repository.git("rev-list", "--reverse", "main").split()
    return [commit.message for commit in commits]


def planted(repository, messages, encoding=b""):
    shutil.rmtree(repository.folder / ".git")
    repository.git("init", "-q", "-b", "main")
    repository.plant(messages, encoding)
    return repository


IMITATIONS = [
    b"",
    b"\n",
    b"\n\n\n",
    b"MYT-1\x00%s\x00MYT-2\x00" % ID.encode(),
    f"{ID}\n\nMYT-1".encode(),
    b"%H%x00%B%n",
    b"commit " + ID.encode(),
    b"\xff\xfe\x00M",
    "\ufeffMYT-1 \u2028 \U0001f600".encode(),
    b"\x1b[31mMYT-1\r\n::error::",
]


@settings(max_examples=40)
@given(
    st.lists(st.one_of(st.text().map(str.encode), st.binary(), st.sampled_from(IMITATIONS)), min_size=1, max_size=20)
)
@example(IMITATIONS)
def test_any_message_comes_back_exactly_up_to_a_nul(repository, messages):
    """Git shows a message up to its first NUL."""
    expected = [message.split(b"\0")[0].decode(errors="replace") for message in messages]
    assert read_all(planted(repository, messages)) == expected


@settings(max_examples=25)
@given(
    st.sampled_from(["UTF-7", "UTF-16", "UTF-16LE", "ISO-8859-1", "SHIFT-JIS", "EBCDIC-US", "no such", "-x", "%x00"]),
    st.lists(
        st.one_of(st.binary(), st.sampled_from([b"+AAA-MYT-1", b"M\0Y\0T\0", b"\x00\x00"])), min_size=1, max_size=8
    ),
)
def test_whatever_a_message_says_its_encoding_is_it_stays_one_message(repository, encoding, messages):
    assert len(read_all(planted(repository, messages, encoding.encode()))) == len(messages)


def test_a_message_in_another_encoding_is_readable(repository):
    repository.plant(["[MYT-3] café".encode("latin-1")], b"ISO-8859-1")
    assert read_all(repository) == ["[MYT-3] café"]


def test_what_the_repository_configures_does_not_change_what_is_read(repository):
    repository.plant([b"MYT-1 one", b"MYT-2 two"])
    for name, value in {
        "log.showSignature": "true",
        "log.decorate": "full",
        "log.diffMerges": "on",
        "log.follow": "true",
        "format.pretty": "oneline",
        "i18n.logOutputEncoding": "UTF-16",
        "color.ui": "always",
        "color.diff": "always",
        "notes.displayRef": "*",
        "core.quotePath": "false",
    }.items():
        repository.git("config", name, value)
    repository.git("notes", "add", "-m", "MYT-99", "main")
    assert read_all(repository) == ["MYT-1 one", "MYT-2 two"]


class Chunks(io.RawIOBase):
    """A stream that hands out what it holds in pieces."""

    def __init__(self, pieces):
        self.pieces = list(pieces)

    def read(self, size=-1):
        return self.pieces.pop(0) if self.pieces else b""


@given(st.lists(st.binary(max_size=30).map(lambda text: text.replace(b"\0", b"\1"))), st.data())
def test_fields_are_the_same_however_they_arrive(fields, data):
    whole = b"".join(field + b"\0" for field in fields)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert list(read_fields(Chunks(filter(None, pieces)))) == fields
    assert list(read_fields(Chunks(filter(None, pieces)), max_bytes=5)) == [field[:5] for field in fields]


def test_a_field_that_was_not_ended_is_none():
    assert list(read_fields(io.BytesIO(b"one\0tw"))) == [b"one"]


LINES = st.one_of(
    st.sampled_from(
        [
            *("", " ", "\t", "text", "Refs: MYT-1", "Fixes:MYT-2", "  continued MYT-3", "\ttoo", "# comment", "#"),
            *("Signed-off-by: A <a@x>", "(cherry picked from commit 8a7b6c5)", "Signed-off-by:", "Closes #12"),
            *(
                "two words: no",
                "Refs : MYT-4",
                "Refs  \t : MYT-5",
                ": none",
                "-x: MYT-6",
                "a_b: no",
                "é: no",
                " Refs: x",
            ),
            *("Mail: x MYT-7", "MYT-8", "# MYT-9", "https://example.com", "key: a: b", "---", "Refs:"),
        ]
    ),
    st.text("aA:- \t#é1", max_size=8),
)


@settings(max_examples=60)
@given(st.lists(st.lists(LINES, max_size=8).map("\n".join), min_size=1, max_size=8))
@example(["one\n\nSigned-off-by: A\ntext\ntext\ntext", "one\n\nSigned-off-by: A\ntext\ntext\ntext\ntext"])
@example(["one\n\nRefs: MYT-1\n\n\n", "\n\none\n\nRefs: MYT-1\n two\n three", "Refs: MYT-1", "one\nRefs: MYT-1"])
def test_trailers_are_those_that_git_takes_for_some(repository, messages):
    planted(repository, [message.encode() for message in messages])
    theirs = []
    with repository.reader.stream(
        "log", "-z", "--reverse", "--format=tformat:%(trailers:only,unfold,key_value_separator=%x09)", "main", "--"
    ) as stream:
        for field in read_fields(stream):
            pairs = (line.split("\t", 1) for line in field.decode().split("\n") if line)
            theirs.append([(name, value.split()) for name, value in pairs])
    ours = [[(name, value.split()) for name, value in read_message(message).trailers] for message in messages]
    assert ours == theirs


@settings(max_examples=60)
@given(st.lists(st.lists(LINES, max_size=8).map("\n".join), min_size=1, max_size=8))
def test_the_subject_is_what_git_takes_for_it(repository, messages):
    planted(repository, [message.encode() for message in messages])
    with repository.reader.stream("log", "-z", "--reverse", "--format=tformat:%s", "main", "--") as stream:
        theirs = [field.decode() for field in read_fields(stream)]
    assert [read_message(message).subject.split() for message in messages] == [subject.split() for subject in theirs]


@given(st.lists(LINES).map("\n".join))
@example("one\n\nSigned-off-by: A\nMYT-1\n# MYT-2\n")
def test_no_key_gets_lost_between_the_parts_of_a_message(text):
    message = read_message(text)
    parts = [message.subject, message.body, *(value for _, value in message.trailers)]
    found = [key for part in parts for key in find_keys(part, ["MYT"])]
    assert sorted(found) == sorted(find_keys(text, ["MYT"]))


@pytest.mark.parametrize(
    ("subject", "branches"),
    [
        ("Merge branch 'feature/MYT-1'", ["feature/MYT-1"]),
        ("Merge branch 'feature/MYT-1' into 'main'", ["feature/MYT-1"]),
        ("Merge branch 'x' of https://git.example/a/b into main", ["x"]),
        ("Merge remote-tracking branch 'origin/MYT-2' into main", ["origin/MYT-2"]),
        ("Merge branches 'MYT-1' and 'MYT-2'", ["MYT-1", "MYT-2"]),
        ("Merge pull request #12 from acme/MYT-3-pay", ["acme/MYT-3-pay"]),
        ("Merge pull request 12 from MYT-3 into main", ["MYT-3"]),
        ("Merge pull request #12 in SHOP/web from MYT-4 to main", ["MYT-4"]),
        ("Merged in MYT-5-x (pull request #7)", ["MYT-5-x"]),
        ("Merge the two ways of 'paying'", []),
        ("Fix: Merge branch 'MYT-1'", []),
        ("Revert \"Merge branch 'MYT-1'\"", []),
        ("Merge branch '", []),
    ],
)
def test_the_branches_a_merge_brings_in_are_read_from_its_subject(subject, branches):
    assert merged_branches(subject) == branches


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f'Revert "x"\n\nThis reverts commit {ID}.', ID),
        ('Revert "x"\n\nThis reverts commit 8a7b6c5 (x, 2026-01-01).', "8a7b6c5"),
        ("This reverts commit 8a7b6c.", None),
        (f"> This reverts commit {ID}.", None),
        ("x", None),
    ],
)
def test_a_revert_says_what_it_takes_back(message, expected):
    assert reverted_commit(message) == expected
