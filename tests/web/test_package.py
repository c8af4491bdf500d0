"""The npm package, in Node and in a browser; and the built page, which has to be of the sources that lie here."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from upright import Detector, __version__

from .conftest import PAGE, WEB, Visit
from .reference import DEMO

_SOURCES = (
    "index.html",
    "package-lock.json",
    "package/src",
    "public",
    "scripts",
    "src",
    "tsconfig.json",
    "vite.config.ts",
)


def test_package_in_node(package_dist: Path) -> None:
    tests = WEB / "package/test/detect.test.mjs"
    done = subprocess.run(
        ["node", "--test", "--test-reporter=tap", tests],
        cwd=WEB,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    written = tests.read_text("utf-8").count('\ntest("')
    assert done.returncode == 0 and f"# pass {written}\n" in done.stdout, done.stdout + done.stderr


def test_package_in_a_browser(visit: Callable[..., Visit], plain_site: str, package_dist: Path) -> None:
    opened = visit(f"{plain_site}package-test", ready=False)
    name = "page.jpg"
    found = opened.page.evaluate(
        """async ([model, content]) => {
            const { Detector } = window.upright;
            const detector = await Detector.open({ model });
            const bytes = Uint8Array.from(atob(content), character => character.charCodeAt(0));
            const blob = new Blob([bytes], { type: 'image/jpeg' });
            const answer = await detector.detect(blob, { promise: 'careful' });
            const bitmap = await createImageBitmap(blob);
            const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
            context.drawImage(bitmap, 0, 0);
            const pixels = await detector.detect(context.getImageData(0, 0, bitmap.width, bitmap.height));
            return [answer, pixels.turn, detector.model.name];
        }""",
        [f"{plain_site}model/", base64.b64encode((DEMO / name).read_bytes()).decode()],
    )
    with Detector(promise="careful") as detector:
        wanted = detector.detect(DEMO / name)
        assert found[2] == detector.model.name
    assert (found[0]["turn"], found[1]) == (wanted.turn, wanted.best)
    assert found[0]["confidence"] == pytest.approx(wanted.confidence, abs=0.02)


def test_package_in_a_browser_says_why_it_refuses(
    visit: Callable[..., Visit], plain_site: str, package_dist: Path
) -> None:
    opened = visit(f"{plain_site}package-test", ready=False)
    found = opened.page.evaluate(
        """async ([model, head]) => {
            const { Detector } = window.upright;
            const detector = await Detector.open({ model });
            const closed = await createImageBitmap(new ImageData(4, 4));
            closed.close();
            const gone = new ImageData(4, 4);
            structuredClone(gone.data.buffer, { transfer: [gone.data.buffer] });
            const huge = Uint8Array.from(atob(head), character => character.charCodeAt(0));
            const sources = {
                none: new File([], 'none.jpg'), text: new File(['text'], 'text.jpg'), closed, gone, nothing: null,
                huge: new File([huge], 'huge.gif'),
            };
            const errors = {};
            for (const [name, source] of Object.entries(sources)) {
                const refused = ({ name, message, size }) => [name, message, size ?? null];
                errors[name] = await detector.detect(source).then(() => ['answered'], refused);
            }
            await detector.close();
            errors.afterwards = await detector.openHeads().then(() => ['opened'], ({ name }) => [name]);
            return errors;
        }""",
        [f"{plain_site}model/", base64.b64encode(b"GIF89a\x30\x75\x20\x4e").decode()],
    )
    assert found == {
        "none": ["UnreadablePicture", "none.jpg: not a picture that this browser reads", None],
        "text": ["UnreadablePicture", "text.jpg: not a picture that this browser reads", None],
        "closed": ["TypeError", found["closed"][1], None],
        "gone": ["RangeError", "4 x 4 pixels of red, green, blue and alpha are not 0 bytes", None],
        "nothing": ["TypeError", found["nothing"][1], None],
        "huge": [
            "UnreadablePicture",
            "huge.gif: 30000 x 20000 pixels are more than this browser decodes",
            [30000, 20000],
        ],
        "afterwards": ["DetectorClosed"],
    }
    assert "not ImageBitmap" in found["closed"][1] and "not null" in found["nothing"][1]


def test_the_built_page_is_of_these_sources() -> None:
    digest = hashlib.sha256()
    for source in _SOURCES:
        path = WEB / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"{file.relative_to(WEB).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    kept = json.loads((PAGE / "build.json").read_text("utf-8"))["sources"]
    assert kept == digest.hexdigest(), "the page is stale: npm ci && npm run build in web/"


def test_package_has_the_version_of_upright() -> None:
    assert json.loads((WEB / "package/package.json").read_text("utf-8"))["version"] == __version__


def test_onnx_runtime_is_pinned_by_its_hash() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text("utf-8"))["packages"]
    assert all(package["integrity"].startswith("sha512-") for name, package in lock.items() if name)
    declared = json.loads((WEB / "package/package.json").read_text("utf-8"))["dependencies"]["onnxruntime-web"]
    assert declared == lock["node_modules/onnxruntime-web"]["version"]
