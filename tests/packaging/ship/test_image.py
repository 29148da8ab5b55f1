"""The image of docker/Dockerfile builds, and its step reports to the local Jira with nothing writable."""

from __future__ import annotations

import os
import re

import pytest

from ..conftest import ROOT, run
from .buildah import BASE, Store, base_tarball, missing, package_sources

pytestmark = pytest.mark.packaging

DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
IMAGE = "localhost/jira-ci:test"
# "Testing" in the README of plugins/jira.
RUN = {
    "DRONE_COMMIT_SHA": "8f51ad7884c5eb69c11d260a31da7a745e6b78e2",
    "DRONE_COMMIT_BRANCH": "master",
    "DRONE_COMMIT_MESSAGE": "MYT-42 updated the readme",
    "DRONE_BUILD_NUMBER": "43",
    "DRONE_BUILD_STATUS": "success",
    "DRONE_BUILD_LINK": "https://cloud.drone.io",
    "PLUGIN_PROJECT": "MYT",
    "PLUGIN_PIPELINE": "drone",
    "PLUGIN_ENVIRONMENT": "production",
}
# What docker/install.py prints last.
SUM = re.compile(r"^ *([\d.]+) MB  copied into the image$", re.MULTILINE)
# Lists what the user of the process can write to in the image's own file system.
LIST_WRITABLE = """
import os
print("user", os.getuid())
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/dev", "/proc", "/sys")]
    for name in (".", *files):
        path = os.path.join(folder, name)
        if os.access(path, os.W_OK) and not os.path.islink(path):
            print("writable", path)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """An empty store of images. Without buildah and mmdebstrap, tests fail in CI and are skipped elsewhere."""
    if missing():
        end = pytest.fail if os.environ.get("CI", "").lower() in ("true", "1") else pytest.skip
        end(f"THE IMAGE WAS NOT BUILT: apt-get install {' '.join(missing())}")
    made = Store(tmp_path_factory.mktemp("store"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def digest(store, request, tmp_path_factory):
    """The digest of the base image, which pytest's cache keeps for the next run."""
    cache = getattr(request.config, "cache", None)
    return store.import_base(base_tarball(cache.mkdir("base-image") if cache else tmp_path_factory.mktemp("base")))


@pytest.fixture(scope="module")
def log(store, digest, tmp_path_factory):
    """What building the image prints."""
    arguments = f"--build-arg=DIGEST={digest}", "--build-arg=REVISION=abc"
    sources = package_sources(tmp_path_factory.mktemp("pip"))
    for _ in range(2):
        printed = store.build("--tag", IMAGE, *arguments, *sources)
        # Buildah may end a step before it has copied the last lines that the step printed.
        if SUM.search(printed):
            break
    return printed


@pytest.fixture(scope="module")
def container(store, log, tmp_path_factory):
    """A container of the image, without its base's shells, in a checkout with a module planted by an attacker."""
    checkout = tmp_path_factory.mktemp("checkout")
    checkout.chmod(0o755)
    (checkout / "click.py").write_text("raise SystemExit('imported from the checkout')")
    made = store.container(IMAGE, checkout)
    made.remove("/usr/bin/bash", "/usr/bin/dash", "/usr/bin/rbash", "/usr/bin/sh")
    return made


def settings(jira):
    """The settings of a step for each kind of sign-in."""
    common = RUN | {"PLUGIN_INSTANCE": jira.url, "PLUGIN_API_URL": jira.url, "PLUGIN_CONNECT_HOSTNAME": jira.url}
    return (
        common | {"PLUGIN_CONNECT_KEY": jira.connect_key},
        common | {"PLUGIN_CLIENT_ID": jira.client_id, "PLUGIN_CLIENT_SECRET": jira.client_secret},
    )


def test_hadolint_finds_nothing():
    run("hadolint", ROOT / "docker" / "Dockerfile")


def test_the_sum_of_what_is_copied_in_is_printed_and_small(log):
    [total] = SUM.findall(log)
    assert 5 < float(total) < 25


def test_it_reports_read_only_as_its_user_without_a_shell(container, jira):
    for environ in settings(jira):
        known = len(jira.updates())
        assert "accepted deployment 43 of drone" in container.run(environ=environ)
        assert len(jira.updates()) == known + 1
    [deployment] = jira.deployments()
    assert deployment["environment"]["type"] == "production"


def test_it_leaves_no_file_behind_where_it_could(container, jira):
    before = container.files()
    assert "/opt/jira-ci/jira_ci_core/__init__.py" in before
    for environ in settings(jira):
        assert "accepted deployment 43 of drone" in container.run(environ=environ, writable=True)
    assert container.files() == before


def test_its_user_can_write_nothing(container):
    assert container.run("python", "-c", LIST_WRITABLE).splitlines() == ["user 65532"]
    # The read-only root protects /tmp; permissions protect the rest even where the root is writable.
    said = container.run("python", "-c", "open('/tmp/file', 'w')", user="0:0", code=1)
    assert "Read-only file system" in said
    said = container.run("python", "-c", LIST_WRITABLE, writable=True)
    assert set(said.splitlines()[1:]) <= {f"writable {path}/." for path in ("/run/lock", "/tmp", "/var/tmp")}


def test_nothing_is_imported_from_the_checkout(container):
    command = "python", "-m", "jira_ci_core", "--version"
    assert "jira-ci, version" in container.run(*command)
    said = container.run(*command, environ={"PYTHONSAFEPATH": ""}, code=2)
    assert "python -m imports from the working directory" in said


def test_it_holds_the_program_and_nothing_to_build_it_with(container):
    files = container.files()
    assert [file for file in files if file.startswith("/opt/jira-ci/bin/")] == ["/opt/jira-ci/bin/jira-ci"]
    assert "/opt/jira-ci/jira_ci_core/__pycache__" in files
    assert not [file for file in files if file.startswith("/opt/jira-ci/") and file.endswith(".c")]
    assert "/src" not in files


def test_it_is_started_as_the_dockerfile_says(container):
    config = container.config
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["jira-ci", "report"], "the form without brackets needs a shell"
    assert dict(pair.split("=", 1) for pair in config["Env"]) == {
        "PATH": "/opt/jira-ci/bin:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": "/opt/jira-ci",
        "PYTHONSAFEPATH": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def test_it_has_labels(container, digest):
    labels = container.config["Labels"]
    assert labels["org.opencontainers.image.base.name"] == BASE
    assert labels["org.opencontainers.image.base.digest"] == digest
    assert labels["org.opencontainers.image.revision"] == "abc"
    assert labels["org.opencontainers.image.version"] in (ROOT / "CHANGELOG.md").read_text()


def test_its_base_is_pinned(store, digest):
    assert [line for line in DOCKERFILE.splitlines() if line.startswith("FROM") and "@${DIGEST}" not in line] == []
    assert "image not known" in store.build(f"--build-arg=DIGEST=sha256:{'0' * 64}", code=125)
    assert "invalid reference format" in store.build(code=125)
