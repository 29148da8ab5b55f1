"""A server that answers with the credentials it was sent gets none of them into a log, however it spells them."""

from __future__ import annotations

import base64
import json
import re

import pytest

from ..core.output.test_spellings import EXACT, WHOLE

pytestmark = pytest.mark.usefixtures("in_process")

SECRET = "wonder+land/77=!*()~'x&y<z>%41"
# Every one of them is tried in tests/core/output/test_spellings.py.
SOME = (
    *("encodeURIComponent", "java.net.URLEncoder", "twice", "System.Text.Json", "Gson", "nested JSON", "html.escape"),
    *("decimal entities", "hexadecimal entities", "octal", "quoted for sh", "in mixed case", "PowerShell"),
)
SPELLED = {
    **{name: (EXACT | WHOLE)[name] for name in SOME},
    "base64 in lines": lambda text: base64.encodebytes(f"user:{text}:{'x' * 90}".encode()).decode(),
    "base64 in lines, indented": lambda text: (
        base64.encodebytes(f"{text}{'x' * 90}".encode()).decode().replace("\n", "\r\n\t")
    ),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(f"???{text}".encode()).decode(),
    "base64 of an URL": lambda text: base64.b64encode(EXACT["all of it"](text).encode()).decode(),
}


@pytest.mark.parametrize(("status", "body"), [(202, str), (403, lambda text: json.dumps({"message": text}))])
def test_in_its_answer(harness, listen, status, body):
    said = []
    server = listen(lambda received: (status, {"Content-Type": "text/plain"}, body(said[-1]).encode()))
    harness.environ["PLUGIN_CONNECT_KEY"] = SECRET
    for spelling, spell in SPELLED.items():
        said.append(f"before <{spell(SECRET)}> after")
        done = harness("--format", "json", instance=server.url, connect_hostname=server.url, log_level="debug")
        assert done.code == 1
        if status == 403:
            assert re.search(r"before <.{0,8}\[secret\].* after", done.err), (spelling, done.err)
            assert all(json.loads(done.out)["problems"][0].values())
        assert said[-1][8:-7] not in done.text, spelling
        assert "wonder" not in done.text, spelling


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_in_an_answer_in_another_encoding(harness, listen, encoding):
    body = json.dumps({"message": f"before <{SECRET}> after"}).encode(encoding)
    server = listen(lambda received: (403, {"Content-Type": "application/json"}, body))
    harness.environ["PLUGIN_CONNECT_KEY"] = SECRET
    done = harness(instance=server.url, connect_hostname=server.url)
    assert "before <[secret]> after" in done.err
    assert "w" + chr(0) not in done.text.replace("\\x00", chr(0))
