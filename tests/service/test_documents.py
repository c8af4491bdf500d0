"""/docs for people: what is there, and that it can be tried by a browser without a script."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_docs_name_every_parameter_with_its_values(served):
    text = served.client.get("/docs").text
    assert "<script" not in text
    paths = served.client.get("/openapi.json").json()["paths"]
    for path in paths:
        assert f" {path}</code>" in text, path
    promise = re.search(r"<code>promise</code><td>([^<]+)<td>", text)
    assert promise and promise[1] == "careful, balanced, best"
    assert "<code>edge</code><td>tag, trim, refuse, reencode<td>tag" in text
    assert f"curl -s --data-binary @picture.jpg {served.url}/v1/orientation" in text


def test_what_the_forms_send_is_answered(served):
    page = served.client.get("/docs")
    text = page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    picture = (ROOT / "testdata/demo/receipt.png").read_bytes()
    forms = re.findall(r"<form[^>]*>.*?</form>", text)
    assert len(forms) == 3
    for form in forms:
        field = re.search(r'type=file name="(\w+)"', form)
        assert field
        for action in re.findall(r'formaction="([^"]+)"', form):
            answer = served.client.post(f"/{action}", files={field[1]: ("receipt.png", picture)})
            assert answer.status_code == 200, (action, answer.text)


def test_with_keys_nothing_is_offered_that_cannot_work(serve):
    service = serve(env={"UPRIGHT_API_KEYS": "a:correct-horse-battery"})
    text = service.client.get("/docs").text
    assert "<form" not in text and "Authorization: Bearer KEY" in text
