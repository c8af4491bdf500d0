"""What is around every answer: log line, id, security headers, CORS."""

from __future__ import annotations

import json

from .conftest import problem_of


def test_each_request_has_one_log_line(served, photo):
    served.client.post("/rotate", files={"image": ("a.jpg", photo)}, headers={"x-request-id": "mine-1"})
    line = served.wait_for("request", request_id="mine-1")
    assert (line["path"], line["status"], line["picture_bytes"]) == ("/rotate", 200, len(photo))
    assert {"turn", "confidence", "unsure", "batch", "client", "time", "total_ms"} <= set(line)
    assert {"wait", "decode", "queue", "infer"} <= set(line["stages_ms"])
    assert sum(1 for each in served.log if each.get("request_id") == "mine-1") == 1


def test_a_hostile_request_id_is_not_taken(served):
    answer = served.client.get("/healthz", headers={"x-request-id": 'a"b\\n{}'})
    assert answer.headers["x-request-id"].isalnum()


def test_security_headers_are_on_every_answer(served):
    for path in ("/healthz", "/nothing", "/docs", "/v1/orientation"):
        headers = served.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


def test_cors_is_only_for_the_origin_that_was_named(strict):
    asked = {"access-control-request-method": "POST"}
    good = strict.client.options("/rotate", headers={"origin": "https://app.example"} | asked)
    assert good.headers["access-control-allow-origin"] == "https://app.example"
    bad = strict.client.options("/rotate", headers={"origin": "https://evil.example"} | asked)
    assert "access-control-allow-origin" not in bad.headers


def test_no_answer_and_no_log_tells_a_secret_or_a_stack(served):
    assert "Traceback" not in served.text
    for line in served.log:
        json.dumps(line)
        assert line.get("status", 200) < 500


def test_a_refused_preflight_is_a_problem(strict):
    for origin, method, cause in [
        ("https://evil.example", "POST", "Disallowed CORS origin"),
        ("https://app.example", "PUT", "Disallowed CORS method"),
    ]:
        asked = {"origin": origin, "access-control-request-method": method}
        problem = problem_of(strict.client.options("/rotate", headers=asked))
        assert (problem["status"], problem["detail"]) == (400, cause)
        assert "--cors-origin" in problem["remedy"] and problem["request_id"]


def test_a_page_of_another_origin_may_read_the_headers(strict):
    for path in ("/healthz", "/nothing"):
        headers = strict.client.get(path, headers={"origin": "https://app.example"}).headers
        assert headers["access-control-expose-headers"] == "*"
        assert headers["access-control-allow-origin"] == "https://app.example"


def test_what_the_door_refuses_is_counted_by_its_route(strict):
    def refused() -> float:
        return strict.metric("upright_requests_total", route="/v1/orientation", method="POST", status="401")

    before = refused()
    assert strict.client.post("/v1/orientation", headers={"authorization": "Bearer no"}).status_code == 401
    assert refused() == before + 1
