"""Files that a change brings, in the hope that a step with credentials imports them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from importlib.metadata import packages_distributions
from pathlib import Path

import pydantic
import pytest

import jira_ci_core

from ..conftest import inherited

COMMAND = "-P", "-c", "from jira_ci_core.__main__ import main; main()"
# What libraries import only where it is there.
OPTIONAL = [
    "simplejson",
    "brotli",
    "brotlicffi",
    "zstandard",
    "socks",
    "chardet",
    "uvloop",
    "httptools",
    "rich",
    "orjson",
    "h2",
    "celeryconfig",
]
GROUPS = "jira_ci", "jira_ci_hosts", "pydantic"
KEYS = """
from jira_ci_core import FoundKey, hookimpl
from {beside} import KEY

@hookimpl
def jira_ci_extract_issue_keys(pipeline):
    return [FoundKey(key=KEY, source="mine")]
"""


def python(script, *arguments):
    return subprocess.run(
        [sys.executable, "-P", "-c", script, *arguments], env=inherited(), check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(scope="module")
def started():
    """The modules that Python has loaded before a program begins; nobody but its user can say where from."""
    return set(python("import sys; print(*sys.modules)").split())


@pytest.fixture
def run(step):
    """The installed command, in a process of its own."""

    def call(*arguments, executable=sys.executable, prefix=COMMAND, **variables):
        process = subprocess.run(
            [executable, *prefix, *arguments],
            cwd=step.folder,
            env={**inherited(), **step.variables(variables, {})},
            capture_output=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return step.result(process.returncode, process.stdout.decode(), process.stderr.decode())

    return call


@pytest.fixture
def dry_run(run, step, jira, oauth):
    """A report that finds its credentials and everything else, and sends nothing."""
    step.environ |= oauth | {
        "PLUGIN_PROJECT": "MYT",
        "PLUGIN_INSTANCE": jira.url,
        "PLUGIN_API_URL": jira.url,
        "DRONE": "true",
        "DRONE_BUILD_NUMBER": "4",
        "DRONE_BUILD_STATUS": "success",
        "DRONE_BUILD_LINK": "https://ci.example/4",
        "DRONE_COMMIT_MESSAGE": "[MYT-1] Let people pay",
        "DRONE_REPO": "acme/shop",
    }
    return lambda **options: run("report", "--dry-run", "--format", "json", **options)


@pytest.fixture
def imported(tmp_path):
    """The names of the planted modules that were imported."""
    return lambda: sorted(path.name for path in (tmp_path / "imported").iterdir())


@pytest.fixture
def plant(tmp_path, started):
    """Puts into a folder a module of every name that could be imported, and plugins of every group."""
    (tmp_path / "imported").mkdir()

    def distribution(folder, name, groups):
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("".join(f"[{group}]\n{line}\n" for group, line in groups.items()))

    def everything(folder):
        folder.mkdir(parents=True, exist_ok=True)
        names = {*sys.stdlib_module_names, *packages_distributions(), *OPTIONAL, "evil"} - started
        for name in (name for name in names if name.isidentifier()):
            trace = tmp_path / "imported" / name
            (folder / f"{name}.py").write_text(f"open({str(trace)!r}, 'w').close()\nraise ImportError('planted')\n")
        distribution(folder, "evil", dict.fromkeys(GROUPS, "evil = evil:hosts"))

    everything.distribution = distribution
    return everything


def plugins_of(done):
    assert done.code == 0, done.text
    return {plugin["name"]: plugin["state"] for plugin in done.json["plugins"]}


class TestPythonM:
    """`python -m` puts the working directory first, before anything of this project runs."""

    def test_without_a_safe_path_it_ends_and_says_what_to_do(self, run):
        done = run("report", prefix=("-m", "jira_ci_core"))
        assert (done.code, done.out) == (2, "")
        assert [line[:6] for line in done.err.splitlines()] == ["error:", "  why:", "  do: "]
        assert "python -P -m jira_ci_core" in done.err

    @pytest.mark.parametrize(
        ("flags", "variables"),
        [(["-P"], {}), (["-I"], {}), ([], {"PYTHONSAFEPATH": "1"})],
        ids=["-P", "-I", "variable"],
    )
    def test_with_one_it_runs_and_imports_nothing_from_there(self, run, step, plant, imported, flags, variables):
        plant(step.folder)
        assert run("--version", prefix=(*flags, "-m", "jira_ci_core"), **variables).code == 0
        assert imported() == []


class TestPythonPath:
    @pytest.mark.parametrize("value", [":", ".", ":/opt/x", "lib", "{folder}/lib", "{link}", "lib/../lib/."])
    def test_nothing_is_imported_from_an_entry_in_the_working_directory(
        self, dry_run, step, plant, imported, tmp_path, value
    ):
        plant(step.folder if value in (":", ".", ":/opt/x") else step.folder / "lib")
        (tmp_path / "link").symlink_to(step.folder / "lib")
        done = dry_run(PYTHONPATH=value.format(folder=step.folder, link=tmp_path / "link"))
        assert imported() == []
        assert done.code == 0, done.text
        assert "no plugin is loaded from" in done.err

    def test_nor_from_a_link_in_it_that_leads_outside(self, dry_run, step, plant, imported, tmp_path):
        plant(tmp_path / "outside")
        (step.folder / "lib").symlink_to(tmp_path / "outside")
        assert dry_run(PYTHONPATH=str(step.folder / "lib")).code == 0
        assert imported() == []

    def test_nor_from_the_rest_of_the_checkout(self, dry_run, step, plant, imported, tmp_path):
        (tmp_path / ".git").mkdir()
        plant(tmp_path / "other")
        assert dry_run(PYTHONPATH=str(tmp_path / "other")).code == 0
        assert imported() == []

    @pytest.mark.parametrize("sign", [Path.mkdir, lambda path: path.write_text("gitdir: ../.git/modules/step\n")])
    def test_nor_from_the_repository_around_a_submodule(self, dry_run, step, plant, imported, tmp_path, sign):
        sign(step.folder / ".git")
        (tmp_path / ".git").mkdir()
        plant(tmp_path / "lib")
        assert dry_run(PYTHONPATH="../lib").code == 0
        assert imported() == []

    def test_nor_from_the_workspace_that_the_ci_names(self, dry_run, plant, imported, tmp_path):
        plant(tmp_path / "workspace/lib")
        workspace = {"GITHUB_WORKSPACE": str(tmp_path / "workspace")}
        assert dry_run(PYTHONPATH=str(tmp_path / "workspace/lib"), **workspace).code == 0
        assert imported() == []

    @pytest.mark.parametrize("path", ["{folder}/lib", "../../lib:"])
    def test_nor_from_anywhere_once_the_working_directory_is_gone(self, run, plant, imported, tmp_path, path):
        plant(tmp_path / "lib")
        gone = "import os; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone'); " + COMMAND[-1]
        done = run("plugins", prefix=("-P", "-c", gone), PYTHONPATH=path.format(folder=tmp_path))
        assert done.code == 0, done.text
        assert imported() == []

    def test_the_demo_hands_it_to_no_process_of_its_own(self, run, step, plant, imported):
        plant(step.folder)
        done = run("demo", PYTHONPATH=":")
        assert imported() == []
        assert done.code == 0, done.text

    def test_a_plugin_from_elsewhere_is_used(self, dry_run, run, plant, tmp_path):
        folder = tmp_path / "opt"
        plant.distribution(folder, "acme_keys", {"jira_ci": "acme = acme_keys"})
        (folder / "beside.py").write_text('KEY = "MYT-77"')
        (folder / "acme_keys.py").write_text(KEYS.format(beside="beside"))
        done = dry_run(PYTHONPATH=str(folder))
        assert [key["key"] for key in done.json["keys"]] == ["MYT-1", "MYT-77"]
        assert "no plugin is loaded" not in done.err

    def test_a_local_plugin_is_used_with_what_lies_beside_it(self, dry_run, step, plant, imported):
        folder = step.folder / "ci"
        plant(folder)
        (folder / "beside.py").write_text('KEY = "MYT-77"')
        (folder / "my_keys.py").write_text(KEYS.format(beside="beside"))
        done = dry_run(PYTHONPATH="ci", PLUGIN_LOCAL_PLUGINS="ci/my_keys.py")
        assert [key["key"] for key in done.json["keys"]] == ["MYT-1", "MYT-77"]
        assert "evil" not in imported()

    def test_what_was_installed_with_core_is_used_where_that_is_in_the_checkout(self, run, step, plant):
        """`pip install --target`."""
        folder = step.folder / "lib"
        shutil.copytree(Path(jira_ci_core.__file__).parent, folder / "jira_ci_core")
        plant.distribution(folder, "jira_ci_core", {})
        plant.distribution(folder, "acme_keys", {"jira_ci": "acme = acme_keys"})
        (folder / "acme_keys.py").write_text("")
        assert plugins_of(run("plugins", "--format", "json", PYTHONPATH="lib"))["acme"] == "on"

    def test_a_library_that_is_only_there_is_told(self, run, step):
        """Core in one folder, and what it needs in another one."""
        (step.folder / "lib").mkdir()
        packages = Path(pydantic.__file__).parents[1]
        (step.folder / "lib/packages").symlink_to(packages)
        core = Path(jira_ci_core.__file__).parents[1]
        done = run(
            "plugins",
            prefix=("-I", "-S", "-c", f"import sys; sys.path[1:1] = {['lib/packages', str(core)]}; {COMMAND[-1]}"),
        )
        assert done.code == 2
        assert [line[:6] for line in done.err.splitlines()] == ["error:", "  why:", "  do: "]
        assert "leaves out: lib/packages" in done.err


class TestAVirtualEnvironmentInTheCheckout:
    @pytest.fixture
    def python_of(self, step):
        """Makes one, that has what this one has, and these folders by a .pth file, as `pip install -e` leaves it."""

        def make(*folders):
            path = json.loads(python("import json, sys; print(json.dumps(sys.path))"))
            library = Path(os.__file__).parent
            packages = [entry for entry in path if entry != str(library) and not entry.endswith(("dynload", ".zip"))]
            venv.create(step.folder / ".venv", symlinks=True)
            [site] = (step.folder / ".venv").glob("lib/python*/site-packages")
            (site / "editable.pth").write_text("\n".join([*packages, *map(str, folders)]))
            return step.folder / ".venv/bin/python", site

        return make

    def test_what_is_installed_in_it_is_used(self, dry_run, python_of, plant):
        executable, site = python_of()
        plant.distribution(site, "acme_keys", {"jira_ci": "acme = acme_keys"})
        (site / "beside.py").write_text('KEY = "MYT-77"')
        (site / "acme_keys.py").write_text(KEYS.format(beside="beside"))
        done = dry_run(executable=executable)
        assert [key["key"] for key in done.json["keys"]] == ["MYT-1", "MYT-77"]
        assert "no plugin is loaded" not in done.err

    def test_an_editable_plugin_is_used_and_nothing_else_in_its_folder(
        self, dry_run, run, step, python_of, plant, imported
    ):
        source = step.folder / "src"
        executable, site = python_of(source)
        plant(source)
        plant.distribution(site, "acme_keys", {"jira_ci": "acme = acme_keys.hooks"})
        plant.distribution(site, "acme_common", {})
        for package, module, text in (
            ("acme_keys", "__init__", ""),
            ("acme_keys", "hooks", KEYS.format(beside="acme_common")),
            ("acme_common", "__init__", 'KEY = "MYT-77"'),
        ):
            (source / package).mkdir(exist_ok=True)
            (source / package / f"{module}.py").write_text(text)
        done = dry_run(executable=executable)
        assert imported() == []
        assert [key["key"] for key in done.json["keys"]] == ["MYT-1", "MYT-77"]
        assert "evil" not in plugins_of(run("plugins", "--format", "json", executable=executable))
        assert imported() == []
