"""Images and containers without a daemon or a registry: made by buildah, on a base image of Debian packages."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..conftest import ROOT, run

# The image that the Dockerfile builds on. Debian 13 stands in for it, as it has the same minor version of Python.
BASE = "docker.io/library/python:3.13-slim"
MAKE_BASE = [
    "mmdebstrap",
    "--quiet",
    "--variant=minbase",
    "--include=python3,python3-pip,ca-certificates",
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")),
    '--customize-hook=ln -s /usr/bin/python3 "$1/usr/local/bin/python"',
    "trixie",
]
# Hold a mount namespace open until standard input ends. The store is kept in memory there, so that nothing is left on
# the machine and the copies that the driver vfs makes are quick. Buildah has a cache in /var/lib.
HOLD = """
mount -t tmpfs tmpfs "$1"
mount -t tmpfs tmpfs /var/lib
echo "$$"
read -r end
"""
# Mount what `docker run` mounts in a root file system: a checkout, /dev and /proc. $2 becomes the same root read-only.
MOUNT = """
mkdir "$1/work" "$2"
mount --bind "$3" "$1/work"
mount -o remount,bind,ro "$1/work"
mount --rbind /dev "$1/dev"
mount --rbind /proc "$1/proc"
mount --rbind "$1" "$2"
mount -o remount,bind,ro "$2"
"""


def missing() -> list[str]:
    """Return the programs that are not installed."""
    return [program for program in ("buildah", "mmdebstrap") if shutil.which(program) is None]


def base_tarball(folder: Path) -> Path:
    """Return the base image's file system from `folder`; making it takes a minute the first time."""
    recipe = hashlib.sha256(repr(MAKE_BASE).encode()).hexdigest()
    tarball = folder / f"{recipe[:12]}.tar"
    if not tarball.exists():
        unfinished = folder / f"{recipe[:12]}.{os.getpid()}.tar"
        run(*MAKE_BASE, unfinished)
        unfinished.rename(tarball)
    return tarball


def package_sources(folder: Path) -> list[str]:
    """Return build options that give pip this machine's indexes, proxy and certificates."""
    listed = run(sys.executable, "-m", "pip", "config", "list")
    settings = dict(re.findall(r"^[\w:-]+\.((?:extra-)?index-url|trusted-host|proxy)='(.*)'$", listed, re.MULTILINE))
    lines = [f"{name} = {value}\n" for name, value in settings.items() if "file:" not in value]
    (folder / "pip.conf").write_text("".join(["[global]\n", *lines]))
    options = ["--volume", f"{folder}/pip.conf:/etc/pip.conf:ro"]
    certificates = ssl.get_default_verify_paths().cafile
    if certificates:
        options += ["--volume", f"{Path(certificates).resolve()}:/etc/ssl/certs/ca-certificates.crt:ro"]
    return options


class Store:
    """Images and containers below a folder, in a mount namespace of their own.

    For an ordinary user there is a user namespace too, made by buildah, in which that user is root.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        root = os.getuid() == 0
        make = ["unshare", "--mount"] if root else ["buildah", "unshare"]
        hold = [*make, "sh", "-euc", HOLD, "sh", str(folder)]
        self.holder = subprocess.Popen(hold, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        pid = self.holder.stdout.readline().strip()
        assert pid, "no mount namespace could be made"
        self.enter = ["nsenter", f"--target={pid}", "--mount", *([] if root else ["--user", "--preserve-credentials"])]

    def close(self) -> None:
        """End the namespace, and the store with it."""
        self.holder.communicate(timeout=60)

    def run(self, *command: object, environ: dict[str, str] | None = None, code: int = 0) -> str:
        """Run a command in the namespace, and return its output."""
        return run(*self.enter, *command, environ=environ, code=code)

    def buildah(self, *words: object, code: int = 0) -> str:
        """Run buildah, and return its output."""
        # This driver and this isolation work without root, and inside a container.
        where = ["--root", self.folder / "images", "--runroot", self.folder / "run", "--storage-driver", "vfs"]
        environ = {"BUILDAH_ISOLATION": "chroot", "TMPDIR": str(self.folder)}
        return self.run("buildah", *where, *words, environ=environ, code=code)

    def inspect(self, image: str) -> dict[str, Any]:
        """Return what buildah knows about an image."""
        return json.loads(self.buildah("inspect", "--type", "image", image))

    def import_base(self, tarball: Path) -> str:
        """Import the base image, and return its digest."""
        self.buildah("from", "--name", "base", "scratch")
        self.buildah("add", "--quiet", "base", tarball, "/")
        self.buildah("commit", "--quiet", "--rm", "base", BASE)
        return self.inspect(BASE)["FromImageDigest"]

    def build(self, *options: object, code: int = 0) -> str:
        """Build docker/Dockerfile from local images alone, and return the log."""
        file = ROOT / "docker" / "Dockerfile"
        return self.buildah("build", "--pull-never", "--file", file, *options, ROOT, code=code)

    def container(self, image: str, checkout: Path) -> Container:
        """Create a container of an image."""
        self.buildah("from", "--pull-never", "--name", "container", image)
        root = self.buildah("mount", "container").strip()
        read_only = f"{self.folder}/read-only"
        self.run("sh", "-euc", MOUNT, "sh", root, read_only, checkout)
        return Container(self, self.inspect(image)["OCIv1"]["config"], root, read_only)


@dataclass(frozen=True)
class Container:
    """A container of an image, as `docker run --workdir /work --network host` starts it.

    Buildah does not run the commands: with its isolation chroot it may end before it has copied all of their output.
    """

    store: Store
    config: Mapping[str, Any]
    root: str
    read_only: str

    def files(self) -> set[str]:
        """Return the paths of the image's files and folders, without those in mounted ones."""
        return set(self.store.run("find", self.root, "-xdev", "-mindepth", "1", "-printf", r"/%P\n").splitlines())

    def remove(self, *paths: str) -> None:
        """Remove files."""
        self.store.run("rm", *(self.root + path for path in paths))

    def run(
        self,
        *command: str,
        environ: Mapping[str, str] = {},
        user: str = "",
        writable: bool = False,
        code: int = 0,
    ) -> str:
        """Run a command, by default the entrypoint, with the image's user and environment, and return its output."""
        variables = ["HOME=/", *self.config["Env"], *(f"{name}={value}" for name, value in environ.items())]
        uid, gid = (user or self.config["User"]).split(":")
        where = [f"--root={self.root if writable else self.read_only}", "--wd=/work"]
        # Without an option for a namespace, unshare only changes root, working directory and user.
        become = [shutil.which("unshare"), *where, f"--setgid={gid}", f"--setuid={uid}", "--"]
        return self.store.run("env", "-i", *variables, *become, *(command or self.config["Entrypoint"]), code=code)
