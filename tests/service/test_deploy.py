"""What is shipped for deployment: the image's own build step is run, the rest is linted."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import httpx
import pytest
import yaml
from kubernetes_validate import validate

from upright.cli.serve import command as serve_command

from .conftest import jpeg
from .test_prometheus import free_port

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def copied() -> list[str]:
    """What the Dockerfile copies out of the repository."""
    lines = [
        line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY ") and "--from" not in line
    ]
    return [each for line in lines for each in line]


def test_the_dockerfile_is_sound():
    found = subprocess.run(
        [Path(sys.executable).parent / "hadolint", DEPLOY / "Dockerfile"], capture_output=True, text=True, timeout=60
    )
    assert found.returncode == 0, found.stdout + found.stderr
    final = DOCKERFILE.rpartition("FROM ")[2]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert "HEALTHCHECK" in final and "ENTRYPOINT [" in final
    assert "http" not in DOCKERFILE.replace("http://127.0.0.1", ""), "nothing is downloaded but by package clients"
    assert all(re.search(r":\d[\w.-]+$", image) for image in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))


def test_the_image_has_every_reader_and_the_plugin():
    """An extra of pyproject.toml that reads pictures, and is not in the image, is missing there."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    found = re.search(r"\$source\[([\w,]+)\]", (DEPLOY / "install.sh").read_text())
    assert found
    left_out = {"gpu", "int8", "openvino", "torch", "ray", "bench", "docs", "fuzz", "check", "test"}
    assert set(found[1].split(",")) == set(extras) - left_out
    assert "tesseract-ocr" in DOCKERFILE


def test_what_is_copied_exists_and_is_let_through():
    allowed = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"}
    assert copied()
    for path in copied():
        assert (ROOT / path).exists(), path
        assert path in allowed, path


@pytest.mark.network
def test_the_images_build_step_makes_a_service_that_runs_from_read_only_files(tmp_path):
    source, target = tmp_path / "source", tmp_path / "opt"
    source.mkdir()
    for path in copied():
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, source / path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, source / path)
    # What upright itself needs is taken from where the tests run: fetching it again would take a minute.
    packages = {"PYTHONPATH": str(Path(httpx.__file__).parents[1])}
    command = [DEPLOY / "install.sh", target, source, "--no-deps"]
    built = subprocess.run(command, env=os.environ | packages, capture_output=True, text=True, timeout=500)
    assert built.returncode == 0, built.stdout + built.stderr
    assert built.stdout.startswith("upright")
    command = [target / "bin" / "python", "-m", "ocrmypdf", "--help"]
    assert (
        "--upright-unsure" in subprocess.run(command, env=os.environ | packages, capture_output=True, text=True).stdout
    )
    shutil.rmtree(source)
    port = free_port()
    environment = {"PATH": f"{target}/bin", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"}
    environment["PYTHONPATH"] = packages["PYTHONPATH"]
    entry = re.search(r'^ENTRYPOINT \["upright", (.*)\]$', DOCKERFILE, re.MULTILINE)
    assert entry
    words = [word.strip(' "') for word in entry[1].split(",")]
    words[words.index("8000")] = str(port)
    words[words.index("0.0.0.0")] = "127.0.0.1"
    before = sorted(path for path in target.rglob("*"))
    service = subprocess.Popen([target / "bin" / "upright", *words], env=environment, cwd="/", stderr=subprocess.PIPE)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            for _ in range(600):
                assert service.poll() is None, service.stderr and service.stderr.read()
                try:
                    if client.get("/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
            assert client.post("/v1/orientation", content=jpeg()).status_code == 200
    finally:
        service.terminate()
        service.communicate(timeout=60)
    assert service.returncode == 0
    assert sorted(path for path in target.rglob("*")) == before, "it writes nothing where it is installed"


def test_compose_is_confined_and_names_files_that_exist():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    ours = compose["services"]["upright"]
    assert ours["read_only"] and ours["cap_drop"] == ["ALL"]
    assert (DEPLOY / ours["build"]["context"] / ours["build"]["dockerfile"]).exists()
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in compose["volumes"]
    targets = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][0]
    assert targets["static_configs"][0]["targets"] == ["upright:8000"]


def test_kubernetes_manifests_fit_their_schemas_and_our_routes(served):
    documents = [
        d for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")) for d in yaml.safe_load_all(path.read_text())
    ]
    for document in documents:
        validate(document, "1.29", strict=True)
    by_kind = {document["kind"]: document for document in documents}
    (container,) = by_kind["Deployment"]["spec"]["template"]["spec"]["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert served.client.get(container[probe]["httpGet"]["path"]).status_code == 200
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {"requests", "limits"} == set(container["resources"])
    metric = by_kind["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["pods"]["metric"]["name"]
    assert f"# TYPE {metric} gauge" in served.client.get("/metrics").text
    assert metric in by_kind["ConfigMap"]["data"]["config.yaml"]
    assert (
        by_kind["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"]
        == by_kind["Deployment"]["metadata"]["name"]
    )


def test_the_systemd_unit_is_sound_and_confined(tmp_path):
    unit = tmp_path / "upright.service"
    text = (DEPLOY / "systemd" / "upright.service").read_text()
    unit.write_text(text.replace("/opt/upright/bin/upright", str(Path(sys.executable).parent / "upright")))
    for check in (["verify"], ["security", "--offline=yes", "--threshold=20"]):
        done = subprocess.run(["systemd-analyze", *check, unit], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_way_to_run_it_gives_options_that_exist():
    unit = re.search(r"^ExecStart=\S+ serve (.*)$", (DEPLOY / "systemd" / "upright.service").read_text(), re.MULTILINE)
    (pod, *_) = yaml.safe_load_all((DEPLOY / "kubernetes" / "upright.yaml").read_text())
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["upright"]["command"]
    entry = re.search(r'^ENTRYPOINT \["upright", "serve", (.*)\]$', DOCKERFILE, re.MULTILINE)
    assert unit and entry
    scraped = pod["spec"]["template"]["metadata"]["annotations"]["prometheus.io/scrape"] == "true"
    args = pod["spec"]["template"]["spec"]["containers"][0]["args"]
    for words in (unit[1].split(), args, composed, json.loads(f"[{entry[1]}]")):
        context = serve_command.make_context("serve", list(words))
        assert context.params["open_metrics"] or not (scraped and words is args), "annotations hold no key"


def test_the_shell_script_is_plain():
    done = subprocess.run(["sh", "-n", DEPLOY / "install.sh"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert os.access(DEPLOY / "install.sh", os.X_OK)
