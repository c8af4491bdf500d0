"""Routes that tell about the service."""

from __future__ import annotations


def test_model_health_and_documents(served):
    facts = served.client.get("/v1/model").json()
    assert facts["name"] == "upright-1"
    assert facts["engine"]["name"] == "onnx"
    assert served.client.get("/healthz").json() == {"status": "ok"}
    assert served.client.get("/readyz").json() == {"status": "ready"}
    document = served.client.get("/openapi.json").json()
    assert {"/rotate", "/v1/orientation", "/v1/correct", "/v1/jobs", "/v2/models/{name}/infer"} <= set(
        document["paths"]
    )
    page = served.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert all(path in page.text for path in document["paths"])
    assert "<script" not in page.text
    assert "http" not in page.text.replace(served.url, "").replace("HTTP", ""), "nothing comes from elsewhere"


def test_metrics_of_one_process_count_decisions(served, photo):
    before = served.metric("upright_decisions_total", promise="careful")
    for _ in range(3):
        served.client.post("/v1/orientation", content=photo, params={"promise": "careful"})
    assert served.metric("upright_decisions_total", promise="careful") == before + 3
    assert served.metric("upright_model_info", name="upright-1") == 1
    assert served.metric("upright_resident_memory_bytes") > 50e6
    assert served.metric("upright_stage_seconds_count", stage="infer") >= 3
    assert served.metric("upright_requests_in_flight") == 0
