"""Files that a CI reads: what cannot be written is a warning."""

from __future__ import annotations

from jira_ci_core import write_output


def test_a_full_disk_is_a_warning(caplog):
    write_output("x" * 100_000, "/dev/full", "DOTENV", append=True)
    assert "DOTENV could not be written: /dev/full: No space left on device; check" in caplog.text


def test_a_folder_is_a_warning(caplog, tmp_path):
    write_output("x\n", str(tmp_path), "DOTENV")
    assert f"DOTENV could not be written: {tmp_path}: Is a directory; check" in caplog.text


def test_a_name_that_no_file_can_have_is_a_warning(caplog):
    write_output("x\n", "a\0b", "DOTENV")
    assert "DOTENV could not be written" in caplog.text


def test_a_closed_standard_output_is_a_warning(caplog, monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    write_output("x\n", "/dev/stdout", "the annotations")
    assert "the annotations could not be written: /dev/stdout: it is closed; check" in caplog.text
