"""A real Prometheus scrapes the service; its answers to PromQL, and its own check of our rules."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from .conftest import jpeg

pytestmark = pytest.mark.slow

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yaml"


def program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed: apt-get install prometheus"
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def prometheus(served, tmp_path_factory):
    """Prometheus with our rules, scraping the shared service every second."""
    folder = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(RULES)]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [served.url.removeprefix("http://")]
    with running(folder, config) as client:
        yield client


@contextlib.contextmanager
def running(folder: Path, config: dict) -> Iterator[httpx.Client]:
    """A client of a Prometheus of that configuration."""
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [program("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30)


def ask(prometheus: httpx.Client, query: str) -> list[dict]:
    with contextlib.suppress(httpx.TransportError):
        response = prometheus.get("/api/v1/query", params={"query": query})
        if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:  # it is while it starts
            answer = response.json()
            assert answer["status"] == "success", answer
            return answer["data"]["result"]
    return []


def eventually(prometheus: httpx.Client, query: str, wanted: float) -> list[dict]:
    until = time.monotonic() + 90
    while time.monotonic() < until:
        found = ask(prometheus, query)
        if found and float(found[0]["value"][1]) >= wanted:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{query}: {found}")


def test_prometheus_scrapes_and_answers(served, prometheus, photo):
    before = served.metric("upright_decisions_total")
    for seed in range(5):
        served.client.post("/v1/orientation", content=jpeg(64, 64, seed))
    served.client.post("/v1/orientation", content=b"no picture")
    eventually(prometheus, "sum(upright_decisions_total)", before + 5)
    (up,) = ask(prometheus, 'up{job="upright"}')
    assert up["value"][1] == "1"
    (model,) = ask(prometheus, "upright_model_info")
    assert model["metric"]["name"] == "upright-1" and len(model["metric"]["sha256"]) == 64
    assert eventually(prometheus, 'upright_source_errors_total{error="NotAPicture"}', 1)
    (stages,) = ask(prometheus, 'sum(upright_stage_seconds_count{stage="infer"})')
    assert float(stages["value"][1]) >= 5
    (p99,) = ask(prometheus, "histogram_quantile(0.99, sum by (le) (upright_request_seconds_bucket))")
    assert 0 < float(p99["value"][1]) < 30


def test_our_rules_are_loaded_and_every_recording_has_a_value(prometheus, served):
    eventually(prometheus, "sum(upright_requests_total)", 1)
    for seed in range(3):
        served.client.post("/v1/orientation", content=jpeg(64, 64, seed))
    groups = prometheus.get("/api/v1/rules").json()["data"]["groups"]
    loaded = {rule["name"] for group in groups for rule in group["rules"]}
    written = yaml.safe_load(RULES.read_text())["groups"]
    assert loaded == {rule.get("alert") or rule["record"] for group in written for rule in group["rules"]}
    assert all(rule["health"] != "err" for group in groups for rule in group["rules"])
    eventually(prometheus, "upright:requests:rate5m", 0)


def test_promtool_accepts_rules_and_configuration():
    for kind, path in (("rules", RULES), ("config", DEPLOY / "prometheus" / "prometheus.yml")):
        done = subprocess.run(
            [program("promtool"), "check", kind, str(path)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_fire_as_they_should():
    """promtool's own unit tests of the alerts, with series that should and should not fire."""
    tests = DEPLOY / "prometheus" / "rules_test.yaml"
    done = subprocess.run(
        [program("promtool"), "test", "rules", str(tests)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tested = {
        case["alertname"] for test in yaml.safe_load(tests.read_text())["tests"] for case in test["alert_rule_test"]
    }
    assert tested == {
        r["alert"] for g in yaml.safe_load(RULES.read_text())["groups"] for r in g["rules"] if "alert" in r
    }


def test_an_instance_that_is_found_by_annotations_and_stops_is_alerted(serve, tmp_path):
    """The job is then that of all pods; the alert waits 2 minutes, here none."""
    service = serve("--open-metrics", env={"UPRIGHT_API_KEYS": "anna:0123456789abcdef"})
    rules = yaml.safe_load(RULES.read_text())
    for rule in rules["groups"][1]["rules"]:
        rule["for"] = "0s"
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}}
    targets = [{"targets": [service.url.removeprefix("http://"), "127.0.0.1:1"]}]
    config |= {"rule_files": [str(tmp_path / "rules.yaml")]}
    config |= {"scrape_configs": [{"job_name": "kubernetes-pods", "static_configs": targets}]}
    with running(tmp_path, config) as client:
        eventually(client, "count(upright_model_info)", 1)
        service.kill()
        found = eventually(client, 'count(ALERTS{alertname="UprightDown", alertstate="firing"})', 1)
        assert found[0]["value"][1] == "1", "the pod of another program, which is down too, is not ours"
        eventually(client, 'count(ALERTS{alertname="UprightGone", alertstate="firing"})', 1)


def test_every_panel_of_the_dashboard_asks_for_metrics_that_exist(served, prometheus):
    eventually(prometheus, "sum(upright_requests_total)", 1)
    exposed = set(re.findall(r"^# TYPE (\w+) ", served.client.get("/metrics").text, re.MULTILINE))
    recorded = {r["record"] for g in yaml.safe_load(RULES.read_text())["groups"] for r in g["rules"] if "record" in r}
    board = json.loads((DEPLOY / "grafana" / "upright.json").read_text())
    targets = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(targets) >= 10
    for expression in targets:
        query = expression.replace("$__rate_interval", "1m")
        answer = prometheus.get("/api/v1/query", params={"query": query}).json()
        assert answer["status"] == "success", (query, answer)
        for name in re.findall(r"\b(upright_\w+)", query):
            assert re.sub(r"_(bucket|count|sum)$", "", name) in exposed, name
        assert set(re.findall(r"upright:[\w:]+", query)) <= recorded
    first = board["panels"][:4]
    assert [(panel["type"], panel["gridPos"]["y"], panel["gridPos"]["w"]) for panel in first] == [("stat", 0, 6)] * 4
    served.client.post("/v1/orientation", content=jpeg())
    eventually(prometheus, 'sum(upright_request_seconds_count{route="/v1/orientation"})', 1)
    served.client.post("/v1/orientation", content=jpeg())  # a rate is of what is added to a series that is there
    for panel in first:
        eventually(prometheus, panel["targets"][0]["expr"].replace("$__rate_interval", "1m") + " >= 0", 0)
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
