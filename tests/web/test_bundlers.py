"""The npm package as users have it: packed, installed, and its documented samples run, by each bundler and by Node."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from upright import Detector

from .conftest import WEB, Visit
from .reference import DEMO

_PAGE = '<!doctype html><link rel="icon" href="data:,"><input type="file"><output></output>'
_SCRIPT = '<script type="module" src="{}"></script>'
_WEBPACK = """export default {{
  mode: "{mode}", entry: "./main.js", output: {{ filename: "main.js" }}, performance: {{ hints: false }},
  devServer: {{ static: ".", port: {port}, host: "127.0.0.1", hot: false, client: false, liveReload: false }},
}};"""


@pytest.fixture(scope="module")
def project(package_dist: Path, node_modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has installed the packed package and has its samples as ``main.js`` and ``node.js``."""
    folder = tmp_path_factory.mktemp("project")
    installed = folder / "node_modules/upright-pictures"
    installed.mkdir(parents=True)
    pack = ["npm", "pack", "--ignore-scripts", "--silent", "--pack-destination", folder]
    name = subprocess.run(pack, cwd=WEB / "package", check=True, capture_output=True, text=True).stdout.split()[-1]
    subprocess.run(["tar", "xzf", folder / name, "-C", installed, "--strip-components=1"], check=True)
    for each in node_modules.iterdir():
        if each.name != ".package-lock.json":
            (folder / "node_modules" / each.name).symlink_to(each)
    samples = re.findall(r"```js\n(.*?)```", (installed / "README.md").read_text("utf-8"), re.DOTALL)
    (folder / "main.js").write_text(samples[0], "utf-8")
    (folder / "node.js").write_text(samples[1], "utf-8")
    (folder / "package.json").write_text('{"type": "module"}', "utf-8")
    (folder / "scan.jpg").write_bytes((DEMO / "page.jpg").read_bytes())
    return folder


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def _running(project: Path, *command: str | Path, address: str) -> Iterator[str]:
    """A bundler's development server, from when it answers until it is not needed."""
    # esbuild serves for as long as somebody might type.
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen(
        command, cwd=project, stdin=pipe, stdout=pipe, stderr=both, start_new_session=True
    ) as process:
        try:
            until = time.monotonic() + 120
            while time.monotonic() < until and process.poll() is None:
                with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=30):
                    break
                time.sleep(0.2)
            assert process.poll() is None, process.stdout and process.stdout.read().decode()
            yield address
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # webpack serves from a process of its own


@contextlib.contextmanager
def _files(folder: Path) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextlib.contextmanager
def _bundled(project: Path, bundler: str, way: str) -> Iterator[str]:
    """Address of the sample's page, built or from the development server of a bundler."""
    tool, port, out = project / f"node_modules/.bin/{bundler}", _port(), project / f"{bundler}-{way}"
    script = {"vite": "/main.js", "webpack": "main.js", "esbuild": "main.js"}[bundler]
    (project / "index.html").write_text(_PAGE + _SCRIPT.format(script), "utf-8")
    (project / "webpack.config.js").write_text(
        _WEBPACK.format(mode="production" if way == "build" else "development", port=port), "utf-8"
    )
    commands: dict[str, dict[str, list[str | Path]]] = {
        "vite": {
            "build": [tool, "build", "--outDir", out, "--logLevel", "warn"],
            "dev": [tool, "--port", str(port), "--strictPort", "--host", "127.0.0.1"],
        },
        "webpack": {"build": [tool, "--output-path", out], "dev": [tool, "serve"]},
        "esbuild": {
            "build": [tool, "main.js", "--bundle", "--format=esm", "--splitting", f"--outdir={out}", "--minify"],
            "dev": [
                *(tool, "main.js", "--bundle", "--format=esm", "--splitting", f"--outdir={out}"),
                *(f"--servedir={out}", f"--serve=127.0.0.1:{port}"),
            ],
        },
    }
    if bundler == "esbuild":
        out.mkdir()
        (out / "index.html").write_bytes((project / "index.html").read_bytes())
    if way == "dev":
        with _running(project, *commands[bundler][way], address=f"http://127.0.0.1:{port}/") as address:
            yield address
        return
    done = subprocess.run(commands[bundler][way], cwd=project, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if bundler == "webpack":
        (out / "index.html").write_bytes((project / "index.html").read_bytes())
    with _files(out) as address:
        yield address


@pytest.mark.parametrize("way", ["build", "dev"])
@pytest.mark.parametrize("bundler", ["vite", "webpack", "esbuild"])
def test_the_documented_sample_works(visit: Callable[..., Visit], project: Path, bundler: str, way: str) -> None:
    with Detector() as detector:
        wanted = detector.detect(DEMO / "page.jpg")
    with _bundled(project, bundler, way) as address:
        opened = visit(address, ready=False)
        opened.page.wait_for_load_state("networkidle")
        opened.page.set_input_files("input", str(DEMO / "page.jpg"))
        expect(opened.page.locator("output")).to_contain_text(f"turn by {int(wanted.best)}, ", timeout=60_000)
        assert all(url.startswith((address, "data:", "blob:")) for url in opened.requests), "all from one place"


def test_the_documented_sample_works_in_node(project: Path) -> None:
    with Detector() as detector:
        wanted = detector.detect(DEMO / "page.jpg")
    done = subprocess.run(["node", "node.js"], cwd=project, capture_output=True, text=True, timeout=600, check=True)
    turn, confidence = done.stdout.split()
    assert int(turn) == wanted.best
    assert float(confidence) == pytest.approx(wanted.confidence, abs=0.02)


_SOURCES = """
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { Detector } from "upright-pictures";
const detector = await Detector.open();
const [path, page] = process.argv.slice(2);
const bytes = readFileSync(path);
const array = new Uint8Array(bytes).buffer;
const good = { path, url: pathToFileURL(path), buffer: bytes, array, blob: new Blob([bytes]) };
const answers = {};
for (const [name, source] of Object.entries(good)) answers[name] = (await detector.detect(source)).best;
const [alone, asked] = [await detector.detect(path), await detector.detect(path, { mirror: true })];
const pixels = (length) => ({ data: new Uint8Array(length), width: 20, height: 10 });
const bad = {
  nothing: [undefined], number: [7], object: [{}], "no file": ["nowhere.jpg"], text: [Buffer.from("no picture")],
  cut: [bytes.subarray(0, 200)], short: [pixels(799)], rgb: [pixels(600)],
  floats: [{ ...pixels(1), data: new Float32Array(800) }],
  empty: [{ data: new Uint8Array(0), width: 0, height: 0 }], promise: [bytes, { promise: "sure" }],
  option: [bytes, { promis: "best" }],
};
const errors = {};
for (const [name, given] of Object.entries(bad)) {
  errors[name] = await detector.detect(...given).then((answer) => `answered ${answer.turn}`, (error) => String(error));
}
await detector.close();
console.log(JSON.stringify({ answers, errors, best: asked.best, looks: asked.views - alone.views }));
"""


def test_node_takes_files_in_every_form_and_refuses_what_is_none(project: Path) -> None:
    (project / "sources.js").write_text(_SOURCES, "utf-8")
    command = ["node", "sources.js", DEMO / "receipt.png"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=600, check=True)
    found = json.loads(done.stdout)
    assert found["answers"] == dict.fromkeys(["path", "url", "buffer", "array", "blob"], 180)
    with Detector() as detector:
        alone, asked = (detector.detect(DEMO / "receipt.png", mirror=mirror) for mirror in (False, True))
    assert (found["best"], found["looks"]) == (180, asked.views - alone.views), "the second network is packed, too"
    errors = found["errors"]
    assert not [error for error in errors.values() if error.startswith("answered")], errors
    assert "a Blob or pixels { data, width, height }, not undefined" in errors["nothing"]
    assert "nowhere.jpg" in errors["no file"]
    assert "not a picture that sharp reads" in errors["text"] and "not a picture that sharp reads" in errors["cut"]
    assert errors["short"] == "RangeError: 20 x 10 pixels of red, green, blue and alpha are not 799 bytes"
    assert "Uint8Array" in errors["floats"]
    assert "careful, balanced, best" in errors["promise"] and "promis;" in errors["option"]


def test_node_answers_as_python_does(project: Path) -> None:
    script = (
        'import { Detector } from "upright-pictures"; const detector = await Detector.open(); const all = [];'
        "for (const path of process.argv.slice(2)) all.push(await detector.detect(path));"
        "console.log(JSON.stringify(all)); await detector.close();"
    )
    (project / "many.js").write_text(script, "utf-8")
    paths = [path for path in sorted(DEMO.iterdir()) if path.suffix != ".md"]
    command = ["node", "many.js", *map(os.fspath, paths)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=600, check=True)
    with Detector() as detector:
        for path, found in zip(paths, json.loads(done.stdout), strict=True):
            wanted = detector.detect(path)
            assert found["best"] == wanted.best, path
            assert found["confidence"] == pytest.approx(wanted.confidence, abs=0.03), path


_TYPED = """
import { detect, Detector, readExifOrientation, UnreadablePicture } from "upright-pictures";
import type { DetectOptions, DetectorOptions, InMirror, Looks } from "upright-pictures";
import type { Model, Orientation, Picture, Turn } from "upright-pictures";
const options: DetectOptions = { promise: "careful", tilt: true, signal: new AbortController().signal };
export const { turn }: { turn: Turn | null } = await detect(new Blob([]), options);
export const model: Model = (await Detector.open({} satisfies DetectorOptions)).model;
export const tag: number = readExifOrientation(new Uint8Array(9));
export type { InMirror, Looks, Orientation, Picture, UnreadablePicture };
"""


@pytest.mark.parametrize(
    ("resolution", "module", "lib"),
    [
        ("bundler", "esnext", "es2022,dom"),
        ("bundler", "esnext", "es2022,webworker"),
        ("nodenext", "nodenext", "es2022"),
    ],
)
def test_types_are_whole_for_strict_projects(project: Path, resolution: str, module: str, lib: str) -> None:
    (project / "typed.mts").write_text(_TYPED, "utf-8")
    options = ["--noEmit", "--strict", "--skipLibCheck", "false", "--exactOptionalPropertyTypes", "--types", "node"]
    options += ["--target", "es2022", "--moduleResolution", resolution, "--module", module, "--lib", lib]
    said = subprocess.run(
        [WEB / "node_modules/.bin/tsc", *options, "typed.mts"], cwd=project, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stdout


def test_who_reads_the_tag_alone_gets_nothing_else(project: Path) -> None:
    (project / "tag.js").write_text(
        'import { readExifOrientation } from "upright-pictures";\nconsole.log(readExifOrientation(new Uint8Array(9)));',
        "utf-8",
    )
    options = ["--bundle", "--format=esm", "--splitting", "--minify", "--outdir=tag"]
    subprocess.run(
        [WEB / "node_modules/.bin/esbuild", "tag.js", *options], cwd=project, check=True, capture_output=True
    )
    assert (project / "tag/tag.js").stat().st_size < 6_000
    said = subprocess.run(["node", "tag/tag.js"], cwd=project, check=True, capture_output=True, text=True)
    assert said.stdout == "1\n"
