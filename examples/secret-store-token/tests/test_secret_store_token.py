import pytest

from jira_ci_core.testing import AuthenticationContract
from secret_store_token.hosts import hosts
from secret_store_token.plugin import SecretStoreToken


class TestContract(AuthenticationContract):
    plugin = SecretStoreToken

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path):
        (tmp_path / "token").write_text("a-token\n")
        self.settings = {"STORE_TOKEN_PATH": str(tmp_path / "token")}


@pytest.fixture
def file(jira_ci, jira_ci_sandbox):
    """The secret store's file, for a step that has no other credential."""
    path = jira_ci.folder / "token"
    settings = {"STORE_TOKEN_PATH": path, "STORE_API_URL": jira_ci_sandbox.url, "CLOUD_ID": jira_ci_sandbox.cloud_id}
    jira_ci.environ |= {f"PLUGIN_{name}": str(value) for name, value in settings.items()}
    for name in ("PLUGIN_CLIENT_ID", "PLUGIN_CLIENT_SECRET"):
        del jira_ci.environ[name]
    return path


def test_a_report_is_signed_with_the_token(jira_ci, jira_ci_sandbox, file):
    token = jira_ci_sandbox.token()
    file.write_text(f"{token}\n")
    done = jira_ci.report(LOG_LEVEL="debug")
    assert done.code == 0, done.text
    assert len(done.builds) == 1
    assert token not in done.text


@pytest.mark.parametrize("settings", [{}, {"store_api_url": "https://gateway.example"}])
def test_the_host_that_is_connected_early_is_that_of_the_sign_in(jira_ci_plugins, settings):
    from jira_ci_core import Settings, Site

    given = {"store_token_path": "token", **settings}
    plugins = jira_ci_plugins(SecretStoreToken, **given)
    site = Site(cloud_id="1" * 32)
    [offer] = plugins.authenticate(site=site, settings=Settings(project=("MYT",), cloud_id=site.cloud_id))
    assert hosts(given.__contains__, lambda name: given.get(name, ""), "") == offer.hosts
    assert hosts({}.__contains__, lambda name: "", "") == ()


def test_a_replaced_token_is_read_when_the_connection_is_renewed(tmp_path, jira_ci_plugins):
    import requests

    from jira_ci_core import Settings, Site

    (tmp_path / "token").write_text("old")
    plugins = jira_ci_plugins(SecretStoreToken, store_token_path=str(tmp_path / "token"))
    settings = Settings(project=("MYT",), cloud_id="1" * 32)
    [offer] = plugins.authenticate(site=Site(cloud_id=settings.cloud_id), settings=settings)

    class NoHttp:
        def secret(self, value):
            return value

    connection = offer.connect(NoHttp())

    def authorization():
        request = connection.auth(requests.Request("POST", connection.builds_url).prepare())
        return request.headers["Authorization"]

    assert authorization() == "Bearer old"
    (tmp_path / "token").write_text("new")
    assert authorization() == "Bearer old"
    connection.renew()
    assert authorization() == "Bearer new"


def test_an_expired_token_fails_the_step(jira_ci, jira_ci_sandbox, file):
    file.write_text(jira_ci_sandbox.token())
    jira_ci_sandbox.expire_tokens()
    assert jira_ci.report().code == 1


@pytest.mark.parametrize("content", [None, b"", b"two words", b"\xff\xfe"])
def test_a_file_without_a_token_is_an_error_that_names_it(jira_ci, file, content):
    if content is not None:
        file.write_bytes(content)
    done = jira_ci.report()
    assert done.code == 1
    assert "STORE_TOKEN_PATH" in done.err
    assert "words" not in done.err


def test_without_the_cloud_id_it_is_asked_for(jira_ci, file):
    file.write_text("token")
    assert "CLOUD_ID is not set" in jira_ci.report(CLOUD_ID=None).err
