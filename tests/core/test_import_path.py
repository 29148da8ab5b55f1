"""Which entries of `sys.path` are trusted."""

from __future__ import annotations

import re
import site
import sys
from importlib import import_module

import pytest

from jira_ci_core import import_path
from jira_ci_core.import_path import folders_left_out, restrict, trusted_path
from jira_ci_core.plugins.catalog import CIS


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    return tmp_path / "work"


@pytest.fixture
def trusts(folder, monkeypatch):
    def ask(entry):
        monkeypatch.setattr(sys, "path", [str(entry)])
        return trusted_path() == [str(entry)]

    return ask


@pytest.mark.parametrize("entry", ["", ".", "lib", "../work", "lib/x.zip", "{folder}", "{folder}/lib", "{folder}/"])
def test_none_in_the_working_directory(trusts, folder, entry):
    assert not trusts(entry.format(folder=folder))


@pytest.mark.parametrize("entry", ["{folder}/..", "{folder}-more", "/opt/x", "..", "/"])
def test_any_outside_of_it(trusts, folder, entry):
    assert trusts(entry.format(folder=folder))


@pytest.mark.parametrize("place", ["", "deep/down"])
def test_none_in_the_checkout_that_the_working_directory_is_in(trusts, folder, monkeypatch, place):
    (folder / ".git").write_text("gitdir: elsewhere")
    (folder / place).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder / place)
    assert not trusts(folder / "lib")
    assert trusts(folder.parent / "lib")


def test_links_are_followed_and_count_as_well(trusts, folder, tmp_path):
    (tmp_path / "inside").symlink_to(folder)
    (folder / "outside").symlink_to(tmp_path)
    assert not trusts(tmp_path / "inside")
    assert not trusts(folder / "outside")


def test_the_root_is_no_checkout(trusts, monkeypatch):
    monkeypatch.chdir("/")
    assert trusts("/opt/x")
    assert not trusts("")


@pytest.mark.parametrize("place", ["", "win32"])
def test_the_packages_of_the_interpreter_wherever_they_are(trusts, folder, monkeypatch, place):
    packages = folder / ".venv/lib/site-packages"
    assert not trusts(packages / place)
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(packages)])
    assert trusts(packages / place)
    assert not trusts(folder / ".venv")


def test_packages_around_the_checkout_make_nothing_in_it_trusted(trusts, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(tmp_path)])
    assert not trusts(folder / "lib")


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_users_own_packages_where_python_uses_them(trusts, folder, monkeypatch, is_enabled):
    monkeypatch.setattr(site, "USER_SITE", str(folder / ".local"))
    monkeypatch.setattr(site, "ENABLE_USER_SITE", is_enabled)
    assert trusts(folder / ".local") is is_enabled


def test_the_standard_library_wherever_it_is(trusts, folder, monkeypatch):
    monkeypatch.setattr(import_path.os, "__file__", str(folder / "python/lib/os.py"))
    assert trusts(folder / "python/lib")
    assert trusts(folder / "python/lib/lib-dynload")
    assert not trusts(folder / "python")


def test_the_folder_that_core_is_installed_in_but_no_source_folder(trusts, folder, monkeypatch):
    monkeypatch.setattr(import_path, "__file__", str(folder / "lib/jira_ci_core/import_path.py"))
    assert not trusts(folder / "lib")
    (folder / "lib/jira_ci_core-0.1.0.dist-info").mkdir(parents=True)
    assert trusts(folder / "lib")


def test_what_only_looks_like_a_folder_until_there_is_one(trusts, folder):
    hook = "__editable__.acme-1.0.finder.__path_hook__"
    assert trusts(hook)
    (folder / hook).mkdir()
    assert not trusts(hook)


def test_without_a_working_directory_only_what_is_installed(trusts, folder, monkeypatch, tmp_path):
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(tmp_path / "packages")])
    folder.rmdir()
    assert trusts(tmp_path / "packages")
    assert trusts(tmp_path / "packages/win32")
    assert trusts("__editable__.acme-1.0.finder.__path_hook__")
    for entry in ("", ".", "..", "packages", "../packages", folder / "lib", "/opt/x", "/"):
        assert not trusts(entry)


@pytest.mark.parametrize("inner", ["file", "folder"])
def test_none_in_the_outermost_repository(trusts, folder, monkeypatch, tmp_path, inner):
    (tmp_path / ".git").mkdir()
    (folder / "submodule/.git").mkdir(parents=True)
    if inner == "file":
        (folder / "submodule/.git").rmdir()
        (folder / "submodule/.git").write_text("gitdir: ../../.git/modules/submodule")
    monkeypatch.chdir(folder / "submodule")
    assert not trusts(tmp_path / "lib")
    assert trusts(tmp_path.parent / "lib")


def test_workspaces_are_those_of_the_tables():
    tables = [import_module(f"jira_ci_core.ci.{name}").TABLE for name in CIS]
    sources = [source for table in tables for source in table.get("workspace", ())]
    first_names = {re.search(r"[\w.]+", getattr(source, "variable", source))[0] for source in sources}
    # TeamCity's is in a file.
    assert sorted(name for name in first_names if "." not in name) == sorted(import_path.WORKSPACES)


@pytest.mark.parametrize("variable", import_path.WORKSPACES)
def test_none_in_the_workspace_that_the_ci_names(trusts, monkeypatch, tmp_path, variable):
    monkeypatch.setenv(variable, str(tmp_path / "workspace"))
    assert not trusts(tmp_path / "workspace/lib")
    assert trusts(tmp_path / "lib")


def test_none_around_a_workspace_that_is_a_link_to_a_submodule(trusts, monkeypatch, tmp_path):
    (tmp_path / "repository/.git").mkdir(parents=True)
    (tmp_path / "repository/submodule").mkdir()
    (tmp_path / "repository/submodule/link").symlink_to(tmp_path / "outside")
    (tmp_path / "workspace").symlink_to("repository/submodule")
    monkeypatch.setenv("WORKSPACE", str(tmp_path / "workspace"))
    for path in ("repository/lib", "workspace/../lib", "workspace/link", "workspace/link/lib", "workspace"):
        assert not trusts(tmp_path / path)
    assert trusts(tmp_path / "outside")


def test_a_workspace_may_begin_with_home(trusts, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CIRCLE_WORKING_DIRECTORY", "~/project")
    assert not trusts(tmp_path / "project/lib")
    assert trusts(tmp_path / "lib")


@pytest.mark.parametrize("workspace", ["/", "relative", "", "~no-user-of-this-name/x", "/nowhere"])
def test_a_workspace_that_is_none_leaves_nothing_out(trusts, monkeypatch, workspace):
    monkeypatch.setenv("WORKSPACE", workspace)
    assert trusts("/opt/x")


class TestRestrict:
    def test_leaves_a_path_alone_that_is_all_trusted(self, folder, monkeypatch):
        monkeypatch.setattr(sys, "path", ["/opt/x"])
        finders = list(sys.meta_path)
        restrict()
        assert (sys.path, sys.meta_path, folders_left_out()) == (["/opt/x"], finders, [])

    def test_finds_in_the_rest_only_what_an_installed_distribution_names(self, folder, tmp_path, monkeypatch):
        installed = tmp_path / "packages"
        for info, files in {
            "acme_named-1.0.dist-info": {},
            "other-1.0.dist-info": {"entry_points.txt": "[x]\ny = acme_pointed.at : it\n"},
            "third-1.0.dist-info": {"top_level.txt": "acme_listed\n"},
            "acme_old-1.0.egg-info": {},
        }.items():
            (installed / info).mkdir(parents=True)
            for name, text in files.items():
                (installed / info / name).write_text(text)
        names = "acme_named", "acme_pointed", "acme_listed", "acme_old", "other_one"
        for name in names:
            (folder / f"{name}.py").write_text("")
        monkeypatch.setattr(sys, "path", [str(folder), str(installed)])
        restrict()
        assert (sys.path, folders_left_out()) == ([str(installed)], [str(folder)])
        finder = sys.meta_path[-1]
        assert [name for name in names if finder.find_spec(name)] == ["acme_named", "acme_pointed", "acme_listed"]
        assert finder.find_spec("acme_named.more") is None
        assert finder.find_spec("acme_named", [str(folder)]) is None
