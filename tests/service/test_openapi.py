"""The OpenAPI document is whole, and every answer is one that it describes; schemathesis makes the requests."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest

from upright import Correction, Orientation
from upright.service import answers

from .conftest import problem_of

#: What the door adds to every route that says nothing else.
DOOR = {"400", "401", "429", "500", "503", "504"}


@pytest.fixture(scope="module")
def document(served):
    return served.client.get("/openapi.json").json()


def test_no_request_makes_the_service_fail_or_answer_what_it_does_not_describe(serve, tmp_path):
    service = serve("--jobs", str(tmp_path / "jobs.sqlite"), "--jobs-mb", "64", "--max-pictures", "4")
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance"
    config = tmp_path / "schemathesis.toml"
    # A deadline of a millisecond is among what may be asked for.
    config.write_text('[checks]\nnot_a_server_error.expected-statuses = ["2xx", "4xx", 503, 504]\n')
    options = ["--checks", f"{checks},response_schema_conformance,unsupported_method", "--max-examples", "20"]
    # By number, not by time, of which a busy machine has too little; `make fuzz` goes on for an hour.
    options += ["--seed", "1", "--request-timeout", "100", "--phases", "coverage,fuzzing"]
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    command += [f"{service.url}/openapi.json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    requests = [line for line in service.log if line["message"] == "request"]
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert not [line for line in requests if line["status"] in (500, 507)]
    tried = {(line["path"], line["status"]) for line in requests}
    assert {(path, 200) for path in ("/rotate", "/v1/orientation", "/v1/model", "/v2")} | {("/v1/jobs", 202)} <= tried
    assert "Traceback" not in service.text


def test_every_answer_and_every_error_has_a_schema(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                where = (path, method, status)
                assert "X-Request-Id" in answer["headers"], where
                assert answer["description"], where
                kinds = answer.get("content", {})
                assert kinds or status == "204", where
                assert all(kind["schema"] for kind in kinds.values()), where
                if status >= "400" and not path.endswith(("/readyz", "/ready")):
                    assert list(kinds) == ["application/problem+json"], where
            if operation.get("security"):
                assert set(operation["responses"]) >= DOOR - ({"503", "504"} if path == "/metrics" else set()), path
            if method == "post":
                assert set(operation["responses"]) >= {"408", "413", "415", "422"}, path


def test_keys_are_described_and_are_needed_where_they_are_set(document, strict):
    assert set(document["components"]["securitySchemes"]) == {"bearer", "key"}
    assert document["paths"]["/rotate"]["post"]["security"] == [{"bearer": []}, {"key": []}, {}]
    assert "security" not in document["paths"]["/healthz"]["get"]
    closed = strict.client.get("/openapi.json").json()["paths"]
    assert closed["/rotate"]["post"]["security"] == [{"bearer": []}, {"key": []}]


def test_no_reference_leads_nowhere(document):
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    text = json.dumps(document)
    named = {part.partition('"')[0] for part in text.split('"$ref": "')[1:]}
    assert named <= known


def test_the_models_have_the_fields_of_the_results():
    assert set(answers.Orientation.model_fields) == set(Orientation.__dataclass_fields__)
    assert set(answers.Correction.model_fields) == set(Correction.__dataclass_fields__)


@pytest.mark.parametrize("path", ["/rotate", "/v1/orientation", "/v1/correct", "/v1/jobs", "/v2/models/x/infer"])
@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("flow=whole", "'flow' is not known"),
        ("Promise=best", "'Promise' is not known"),
        ("url=http://example.org", "'url' is not known"),
        ("promise=best&promise=careful", "promise"),
    ],
)
def test_unknown_and_repeated_parameters_are_refused_with_the_known_ones(served, path, query, told):
    problem = problem_of(served.client.post(f"{path}?{query}", content=b""))
    assert problem["status"] == 400
    assert told in problem["detail"]
    known = {"/v1/orientation": "promise, effort, page", "/v1/correct": "promise, effort, page, method, turn"}.get(path)
    assert known is None or known in problem["remedy"] or "2 times" in problem["detail"]


def test_answers_are_those_of_the_models(served, strict, photo):
    answers.Orientation.model_validate(served.client.post("/v1/orientation", content=photo).json())
    files = [("files", ("a.jpg", photo)), ("files", ("b.jpg", b"none"))]
    results = answers.Results.model_validate(served.client.post("/v1/orientation", files=files).json()).results
    assert [type(each) for each in results] == [answers.Orientation, answers.Problem]
    answers.ModelFacts.model_validate(served.client.get("/v1/model").json())
    refused = httpx.get(f"{strict.url}/v1/model")
    answers.Problem.model_validate(problem_of(refused))


def test_a_line_of_results_is_an_object(document):
    answer = document["paths"]["/v1/jobs/{job}/results"]["get"]["responses"]["200"]
    schema = answer["content"]["application/x-ndjson"]["schema"]
    assert "type" not in schema
    assert [each["$ref"].rpartition("/")[2] for each in schema["anyOf"]] == ["JobLine", "JobProblem"]
