"""Which folders are imported from: none that the change under test can write to.

A change can put a file into the checkout, and such a file must not become a plugin or a module of this process. What is
installed is trusted, wherever it lies: a virtual environment inside the checkout is usual.

Like `__main__`, this imports only what the interpreter has loaded already.
"""

import os
import site
import sys

# Where CIs say that the checkout is: the sources of `workspace` in `ci/`.
WORKSPACES = (
    "APPVEYOR_BUILD_FOLDER",
    "BITBUCKET_CLONE_DIR",
    "BITRISE_SOURCE_DIR",
    "BUILDKITE_BUILD_CHECKOUT_PATH",
    "BUILD_REPOSITORY_LOCALPATH",
    "BUILD_SOURCESDIRECTORY",
    "CF_VOLUME_PATH",
    "CIRCLE_WORKING_DIRECTORY",
    "CIRRUS_WORKING_DIR",
    "CI_PRIMARY_REPOSITORY_PATH",
    "CI_PROJECT_DIR",
    "CI_WORKSPACE",
    "CM_BUILD_DIR",
    "CODEBUILD_SRC_DIR",
    "DRONE_WORKSPACE",
    "GITHUB_WORKSPACE",
    "HARNESS_WORKSPACE",
    "SD_SOURCE_DIR",
    "TF_VAR_spacelift_workspace_root",
    "TRAVIS_BUILD_DIR",
    "VELA_BUILD_WORKSPACE",
    "VELA_WORKSPACE",
    "WORKSPACE",
    "bamboo_build_working_directory",
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec


def trusted_path() -> "list[str]":
    """Return the entries of `sys.path` that plugins may come from.

    These are the folders of Python and its packages, the folder that core is installed in, and what lies outside of the
    checkout. An entry is inside if either its name or the folder that a link leads to is.
    """
    untrusted = _untrusted(sys.path)
    return [entry for entry in sys.path if entry not in untrusted]


def restrict() -> None:
    """Import from trusted folders alone, for the rest of this process.

    What is left out still serves the packages that an installed distribution is named after or has an entry point in:
    an editable installation adds its source folder to `sys.path`.
    """
    left_out = _untrusted(sys.path)
    if left_out:
        sys.path[:] = [entry for entry in sys.path if entry not in left_out]
        sys.meta_path.append(_Editable(left_out))


def folders_left_out() -> "list[str]":
    """Return the folders that no plugin comes from, though Python was told to import from them."""
    finders = [finder for finder in sys.meta_path if isinstance(finder, _Editable)]
    return [*_untrusted(sys.path), *(folder for finder in finders for folder in finder.folders)]


class _Editable:
    """Finds the modules of editable installations in folders that are not on `sys.path`; comes last in `meta_path`."""

    def __init__(self, folders: "Sequence[str]") -> None:
        self.folders = folders
        self._names: frozenset[str] | None = None

    def find_spec(self, name: str, path: "Sequence[str] | None" = None, target: object = None) -> "ModuleSpec | None":
        """https://docs.python.org/3/library/importlib.html#importlib.abc.MetaPathFinder.find_spec"""
        if path is not None or "." in name:
            return None
        if self._names is None:
            self._names = frozenset(_installed_names())
        if name not in self._names:
            return None
        from importlib.machinery import PathFinder

        return PathFinder.find_spec(name, self.folders)


def _untrusted(entries: "Sequence[str]") -> "list[str]":
    folders = [entry for entry in entries if not _is_hook(entry)]
    try:
        around = checkouts()
    except OSError:  # the working directory was removed, and nothing says any more where the checkout is
        return [entry for entry in folders if not os.path.isabs(entry) or not _is_installed(entry, [])]  # noqa: PTH117
    return [entry for entry in folders if _is_suspect(entry, around) and not _is_installed(entry, around)]


def _is_hook(entry: str) -> bool:
    """https://setuptools.pypa.io/en/latest/userguide/development_mode.html"""
    return os.sep not in entry and entry.endswith(".__path_hook__") and not os.path.lexists(entry)


def checkouts() -> "list[str]":
    """Return the folders that hold the change: those around the working directory and the workspace that the CI names.

    Each is the outermost repository around it, since a submodule is part of a change to the one around; without any,
    the folder itself. Raises OSError where the working directory was removed.
    """
    named = [os.path.expanduser(os.environ.get(name, "")) for name in WORKSPACES]  # noqa: PTH111
    workspaces = [os.path.realpath(path) for path in named if os.path.isabs(path)]  # noqa: PTH117
    here = os.getcwd()  # noqa: PTH109 (pathlib is not loaded yet)
    return [_outermost(here), *(_outermost(path) for path in workspaces if path != os.sep)]


def _outermost(folder: str) -> str:
    top = above = folder
    while above != os.path.dirname(above):  # noqa: PTH120
        if os.path.lexists(os.path.join(above, ".git")):  # noqa: PTH118
            top = above
        above = os.path.dirname(above)  # noqa: PTH120
    return top


def _is_suspect(entry: str, checkouts: "Sequence[str]") -> bool:
    path, target = os.path.abspath(entry), os.path.realpath(entry)  # noqa: PTH100
    paths = [path, target]
    # A link on the way may lead into the checkout, and one in there out of it.
    while path not in (target, os.path.dirname(path)):  # noqa: PTH120
        path = os.path.dirname(path)  # noqa: PTH120
        paths.append(os.path.realpath(path))
    return any(_is_inside(path, checkout) for path in paths for checkout in checkouts)


def _is_installed(entry: str, checkouts: "Sequence[str]") -> bool:
    path = os.path.realpath(entry)
    for folder in map(os.path.realpath, _installed_folders()):
        if path == folder:
            return True
        if _is_inside(path, folder) and not any(_is_inside(checkout, folder) for checkout in checkouts):
            return True
    return False


def _is_inside(path: str, folder: str) -> bool:
    """Whether a path is a folder or in it. Nothing but itself is in the root, which is no checkout."""
    return path == folder or path.startswith(f"{folder}{os.sep}")


def _installed_folders() -> "Iterator[str]":
    """The folders of the standard library, of the packages of this interpreter, and of core's own installation."""
    library = os.path.dirname(os.__file__)  # noqa: PTH120
    yield library
    yield from site.getsitepackages()
    if site.ENABLE_USER_SITE and site.USER_SITE:
        yield site.USER_SITE
    # `pip install --target`, and a single file that was unpacked. The source folder of an editable one has no metadata.
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    if any(name.startswith("jira_ci_core-") and name.endswith(".dist-info") for name in _names_in(own)):
        yield own


def _installed_names() -> "Iterator[str]":
    """The names of the top-level packages that the installed distributions tell of, as far as they do."""
    for folder in sys.path:
        for info in _names_in(folder):
            if info.endswith(".dist-info"):
                yield info.partition("-")[0]
                yield from _lines_of(f"{folder}/{info}/top_level.txt")
                for line in _lines_of(f"{folder}/{info}/entry_points.txt"):
                    target = line.partition("=")[2].strip()
                    yield target.partition(":")[0].partition(".")[0].strip()


def _names_in(folder: str) -> "list[str]":
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def _lines_of(path: str) -> "list[str]":
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read().splitlines()
    except OSError:
        return []
