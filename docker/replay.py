"""Replays the Dockerfile without a daemon: every step of it in clean folders, and then the step of the image.

`python docker/replay.py FOLDER` builds the file system below FOLDER; `run` runs the entrypoint there as the image's
user, with nothing but the image's environment, everything read-only. It is as strict as the Dockerfile is plain: any
instruction that it does not know, and a RUN or an ENTRYPOINT that needs a shell, is an error. The base image is a
copy of the Python that runs this.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCKERFILE = ROOT / "docker" / "Dockerfile"


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """The instructions of a Dockerfile, without comments, lines that go on joined."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), rest.strip()


@dataclass
class Stage:
    """The file system and the configuration of a stage."""

    root: Path
    base: Path
    """The base image, which all stages share: its Python."""
    arguments: dict[str, str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)

    def path(self, text: str) -> Path:
        """A path of the image, here."""
        return (self.base if text.startswith("/usr/local/") else self.root) / text.lstrip("/")

    def here(self, text: str) -> str:
        """The value of a variable, with the paths of the image as they are here, and without those it has not."""
        if not text.startswith("/"):
            return text
        return ":".join(str(self.path(part)) for part in text.split(":") if self.path(part).exists())


class Replay:
    """A Dockerfile, replayed below a folder."""

    def __init__(self, folder: Path, arguments: Mapping[str, str]) -> None:
        self.folder = folder
        self.given = dict(arguments)
        self.output = ""
        self.stages: list[Stage] = []
        self._names: dict[str, Stage] = {}
        self._global: dict[str, str] = {}
        for word, rest in instructions(DOCKERFILE.read_text()):
            getattr(self, f"_{word.lower()}")(rest)

    @property
    def image(self) -> Stage:
        """The last stage."""
        return self.stages[-1]

    def _from(self, rest: str) -> None:
        base, *named = rest.split()
        assert re.fullmatch(r"python:[\w.-]+@sha256:[0-9a-f]{64}", self._filled(base, self._global)), base
        if not self.stages:
            copy_python(self.folder / "base" / "usr" / "local")
        stage = Stage(self.folder / f"root-{len(self.stages)}", self.folder / "base")
        stage.root.mkdir(parents=True)
        self.stages.append(stage)
        if named:
            self._names[named[1]] = stage

    def _arg(self, rest: str) -> None:
        name, _, default = rest.partition("=")
        value = self.given.get(name, shlex.split(default)[0] if default else self._global.get(name, ""))
        (self.image.arguments if self.stages else self._global)[name] = value

    def _workdir(self, rest: str) -> None:
        self.image.path(rest).mkdir(parents=True, exist_ok=True)

    def _copy(self, rest: str) -> None:
        *options, source, target = rest.split()
        if options:
            stage = self._names[options[0].removeprefix("--from=")]
            shutil.copytree(stage.path(source), self.image.path(target), symlinks=True)
        else:
            copy_context(ROOT / source, self.image.path(target))

    def _run(self, rest: str) -> None:
        program, *words = json.loads(rest)
        # What says where packages come from is the machine's business.
        machine = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("PIP_", "SSL_")) or name.lower().endswith("_proxy")
        }
        stage = self.image
        environ = {"PATH": "/usr/bin:/bin", "HOME": str(stage.root), **libraries(stage.base), **machine}
        done = subprocess.run(
            [
                stage.path(f"/usr/local/bin/{program}"),
                *(str(stage.path(word)) if word.startswith("/") else word for word in words),
            ],
            env=environ | stage.arguments,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.output += done.stdout

    def _env(self, rest: str) -> None:
        for pair in shlex.split(rest):
            name, _, value = pair.partition("=")
            self.image.environ[name] = value

    def _label(self, rest: str) -> None:
        for pair in shlex.split(rest):
            name, _, value = pair.partition("=")
            self.image.labels[name] = self._filled(value, self.image.arguments)

    def _user(self, rest: str) -> None:
        self.image.user = rest

    def _entrypoint(self, rest: str) -> None:
        self.image.entrypoint = json.loads(rest)

    @staticmethod
    def _filled(text: str, arguments: Mapping[str, str]) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], text)


def copy_python(target: Path) -> None:
    """The base image: this Python, with pip and without any other package."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    prefix = Path(sys.base_prefix)
    (target / "bin").mkdir(parents=True)
    shutil.copy2(prefix / "bin" / version, target / "bin" / "python")
    left_out = shutil.ignore_patterns(
        "site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "config-*"
    )
    shutil.copytree(prefix / "lib" / version, target / "lib" / version, ignore=left_out)
    for library in (prefix / "lib").glob("libpython*.so*"):
        shutil.copy2(library, target / "lib")
    command = [target / "bin" / "python", "-m", "ensurepip", "--default-pip"]
    environ = {"PATH": "/usr/bin:/bin", **libraries(target.parents[1])}
    subprocess.run(command, env=environ, check=True, capture_output=True)


def libraries(base: Path) -> dict[str, str]:
    """The variable that a Python needs which is a shared library, and was copied."""
    folder = base / "usr" / "local" / "lib"
    return {"LD_LIBRARY_PATH": str(folder)} if list(folder.glob("libpython*")) else {}


def copy_context(source: Path, target: Path) -> None:
    """Copy what .dockerignore leaves of the repository; the last rule that fits decides."""
    lines = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert all(rule.removeprefix("**/").count("/") == 0 for rule in rules), "a rule that is not understood here"

    def is_taken(name: Path) -> bool:
        taken = True
        for rule in rules:
            parts = name.parts if rule.startswith("**/") else name.parts[:1]
            if any(fnmatch.fnmatchcase(part, rule.removeprefix("!").removeprefix("**/")) for part in parts):
                taken = rule.startswith("!")
        return taken

    for file in source.rglob("*"):
        name = file.relative_to(source)
        if is_taken(name) and file.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target / name)


def make_read_only(folder: Path) -> None:
    """What `docker run --read-only` does."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod((mode | (0o555 if path.is_dir() else 0o444)) & ~0o222)


def run(stage: Stage, environ: Mapping[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the entrypoint in `folder`, with the image's environment and this one and nothing else, as its user.

    Only root can be somebody else; anybody else runs it as himself.
    """
    inner = {name: stage.here(value) for name, value in stage.environ.items()} | libraries(stage.base)
    program, *words = stage.entrypoint
    found = shutil.which(program, path=inner["PATH"])
    assert found is not None, f"no {program} in {inner['PATH']}"
    user, group = map(int, stage.user.split(":"))
    who: dict[str, Any] = {"user": user, "group": group, "extra_groups": []} if os.getuid() == 0 else {}
    return subprocess.run(
        [found, *words, *arguments],
        env={**inner, **environ},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **who,
    )


if __name__ == "__main__":
    replayed = Replay(Path(sys.argv[1]).resolve(), {"DIGEST": "sha256:" + "0" * 64})
    print(replayed.output, end="")
    print(json.dumps(replayed.image.labels, indent=2))
