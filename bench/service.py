"""Measures the service: against the seed's Flask server, against the bare detector, under overload, with bad clients.

    python -m bench.service            # the quick form, about a minute
    python -m bench.service --full     # as docs/service.md shows it: minutes
    python -m bench.service --only overload

Client and server are separate processes on loopback. CPU time is the server's own, from /proc, so that what else
runs on the machine changes it little; ratios compare runs of the same minute. Writes bench/out/service.json.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import queue
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "testdata" / "demo"
OUT = ROOT / "bench" / "out"


@dataclass
class Plan:
    """How long each measurement takes."""

    seconds: float
    overload_s: float
    mixed: int
    job: int
    kills: int


QUICK = Plan(seconds=4, overload_s=5, mixed=300, job=200, kills=2)
FULL = Plan(seconds=20, overload_s=60, mixed=20_000, job=5_000, kills=10)


class Server:
    """A server process: its port, CPU time and memory."""

    def __init__(self, command: list[str], port: int = 0) -> None:
        self.process = subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE, cwd=ROOT)
        self.port = port
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=lambda: [lines.put(raw.decode()) for raw in self.process.stderr], daemon=True).start()
        while not self.port:
            line = lines.get(timeout=120)
            with contextlib.suppress(ValueError, KeyError):
                self.port = int(json.loads(line)["url"].rsplit(":", 1)[1])
        self.url = f"http://127.0.0.1:{self.port}"
        for _ in range(1200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        raise RuntimeError("the server does not answer")

    @property
    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def rss_mb(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def metric(self, name: str) -> float:
        text = httpx.get(f"{self.url}/metrics", timeout=60).text
        return sum(
            float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith((name + " ", name + "{"))
        )

    def stop(self, sign: int = signal.SIGKILL) -> None:
        self.process.send_signal(sign)
        self.process.wait(60)


@contextlib.contextmanager
def ours(*options: str) -> Iterator[Server]:
    server = Server(["-m", "upright", "serve", "--port", "0", *options])
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def seeds() -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(["-m", "bench.seed_server", str(port)], port)
    try:
        yield server
    finally:
        server.stop()


def load(server: Server, files: list[Path], **options: float) -> dict[str, Any]:
    """Run the client; throughput, latencies and the server's CPU time for each request that it answered with 200."""
    flags = [f"--{name}={value}" for name, value in options.items()]
    before = server.cpu_s
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / "load_client.py", str(server.port), *map(str, files), *flags],
        capture_output=True, check=True, timeout=7200,
    )  # fmt: skip
    found = json.loads(done.stdout)
    latencies = {int(status): np.sort(times) * 1000 for status, times in found["latencies_s"].items()}
    good = latencies.get(200, np.zeros(1))
    return {
        "per_s": len(good) / found["wall_s"],
        "p50_ms": float(np.percentile(good, 50)),
        "p99_ms": float(np.percentile(good, 99)),
        "cpu_ms": (server.cpu_s - before) * 1000 / len(good),
        "statuses": {status: len(times) for status, times in latencies.items()},
        "latencies": latencies,
    }


def make_pictures(folder: Path, width: int, height: int) -> list[Path]:
    """Photographs of that size with some grain, so that their files are as large as a camera's."""
    grain = np.random.default_rng(5)
    made = []
    for name in ("coffee.jpg", "rocket.jpg", "astronaut.jpg"):
        with Image.open(DEMO / name) as image:
            large = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC), np.int16)
        noisy = np.clip(large + grain.normal(0, 8, large.shape), 0, 255).astype(np.uint8)
        made.append(folder / f"{width}-{name}")
        Image.fromarray(noisy).save(made[-1], "JPEG", quality=88)
    return made


def bare(files: list[Path], seconds: float) -> dict[str, float]:
    """The detector in a loop, in its own process: mean CPU and median wall milliseconds for each picture.

    Whole rounds, since the pictures cost up to fifteen times each other.
    """
    code = (
        "import json, sys, time\nfrom pathlib import Path\nfrom upright import Detector\n"
        "seconds, *files = sys.argv[1:]\n"
        "data = [Path(f).read_bytes() for f in files]\ndetector = Detector()\n"
        "for each in data: detector.detect(each)\n"
        "cpu, until, walls = time.process_time(), time.perf_counter() + float(seconds), []\n"
        "while time.perf_counter() < until or len(walls) % len(data):\n"
        "    started = time.perf_counter(); detector.detect(data[len(walls) % len(data)])\n"
        "    walls.append(time.perf_counter() - started)\n"
        "cpu_s = (time.process_time() - cpu) / len(walls)\n"
        "json.dump([cpu_s * 1000, sorted(walls)[len(walls) // 2] * 1000], sys.stdout)\n"
    )
    command = [sys.executable, "-c", code, str(seconds), *map(str, files)]
    cpu_ms, p50_ms = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=600).stdout)
    return {"cpu_ms": cpu_ms, "p50_ms": p50_ms}


def against_flask(folder: Path, plan: Plan) -> list[dict[str, Any]]:
    """One inference for each request on both sides; concurrency 16."""
    rows = []
    for label, size in (("12 megapixels", (4000, 3000)), ("640 x 480", (640, 480))):
        files = make_pictures(folder, *size)
        found = {}
        for name, start in (("Flask", seeds), ("upright", lambda: ours("--effort", "0"))):
            with start() as server:
                load(server, files, concurrency=4, count=8)
                found[name] = load(server, files, concurrency=16, seconds=plan.seconds)
        for name, row in found.items():
            rows.append({"pictures": label, "server": name, **shown(row)})
        rows[-1] |= {
            "throughput": found["upright"]["per_s"] / found["Flask"]["per_s"],
            "p99": found["upright"]["p99_ms"] / found["Flask"]["p99_ms"],
        }
    return rows


def against_bare(folder: Path, plan: Plan) -> list[dict[str, Any]]:
    """What the service adds to the detector."""
    rows = []
    for label, size in (("12 megapixels", (4000, 3000)), ("640 x 480", (640, 480))):
        files = make_pictures(folder, *size)
        with ours() as server:
            load(server, files, concurrency=4, count=8)
            for concurrency in (1, 16, 48):  # of 64 some are refused at once, and ask again at once
                alone = bare(files, plan.seconds / 2)
                found = load(server, files, concurrency=concurrency, seconds=plan.seconds)
                row = {"pictures": label, "concurrency": concurrency, **shown(found), "bare_cpu_ms": alone["cpu_ms"]}
                row["cpu"] = found["cpu_ms"] / alone["cpu_ms"]
                row["bare_p50_ms"] = alone["p50_ms"]
                rows.append(row)
    return rows


def batching(folder: Path, plan: Plan) -> list[dict[str, Any]]:
    """The batcher with one view for each core, and with up to eight in one run; concurrency 16."""
    files = make_pictures(folder, 640, 480)
    rows = []
    for options in (("--max-batch", "1"), ("--max-batch", "8"), ("--max-batch", "8", "--threads", str(os.cpu_count()))):
        with ours(*options) as server:
            load(server, files, concurrency=4, count=8)
            found = load(server, files, concurrency=16, seconds=plan.seconds)
            views = server.metric("upright_batch_views_sum") / server.metric("upright_batch_views_count")
            rows.append({"options": " ".join(options), **shown(found), "views_a_run": views})
    return rows


def overload(folder: Path, plan: Plan) -> list[dict[str, Any]]:
    """Ten times what it can do, from clients that do not wait for each other; then whether it is as before."""
    files = make_pictures(folder, 640, 480)
    room = 64
    with ours("--effort", "0", "--max-queue", str(room)) as server:
        capacity = load(server, files, concurrency=16, seconds=plan.seconds)["per_s"]
        before = server.rss_mb
        found = load(server, files, rate=10 * capacity, seconds=plan.overload_s)
        started = time.perf_counter()
        with files[0].open("rb") as picture:
            status = httpx.post(f"{server.url}/rotate", files={"image": picture}, timeout=60).status_code
        recovered = time.perf_counter() - started
        refused = found["latencies"].get(503, np.zeros(1))
        return [
            {
                "capacity_per_s": capacity,
                "statuses": found["statuses"],
                "accepted_p99_ms": found["p99_ms"],
                "bound_ms": room / capacity * 1000,
                "refused_p50_ms": float(np.percentile(refused, 50)),
                "refused_p99_ms": float(np.percentile(refused, 99)),
                "rss_mb": [before, server.rss_mb],
                "recovery_s": recovered if status == 200 else None,
            }
        ]


def mixed(folder: Path, plan: Plan) -> list[dict[str, Any]]:
    """Requests of which 1 % are broken and 1 % of the clients leave: what is left over."""
    small = make_pictures(folder, 640, 480)
    broken = folder / "broken.jpg"
    broken.write_bytes(small[0].read_bytes()[:150])
    files = [*small * 33, broken]
    with ours("--effort", "0") as server:
        load(server, files, concurrency=16, count=max(200, plan.mixed // 10), drop=0.01)
        before = server.rss_mb
        found = load(server, files, concurrency=16, count=plan.mixed, drop=0.01)
        time.sleep(1)
        return [
            {
                "requests": plan.mixed,
                "statuses": found["statuses"],
                "answered": sum(found["statuses"].values()),
                "in_flight_after": server.metric("upright_requests_in_flight"),
                "bytes_after": server.metric("upright_requests_in_flight_bytes"),
                "queue_after": server.metric("upright_queue_views"),
                "rss_mb": [before, server.rss_mb],
            }
        ]


def jobs(folder: Path, plan: Plan) -> list[dict[str, Any]]:
    """A job whose service is killed at random moments."""
    chance = np.random.default_rng()
    with Image.open(DEMO / "coffee.jpg") as image:
        small = image.convert("RGB").resize((160, 120))
    files = []
    for number in range(plan.job):
        small.putpixel((number % 160, number // 160), (0, 0, 0))
        small.save(out := io.BytesIO(), "JPEG")
        files.append(("files", (f"{number}.jpg", out.getvalue())))
    path = folder / "jobs.sqlite"
    options = ("--jobs", str(path), "--job-lease-s", "2", "--effort", "0")
    server = Server(["-m", "upright", "serve", "--port", "0", *options])
    started = time.perf_counter()
    job = httpx.post(f"{server.url}/v1/jobs", files=files, timeout=600).json()["id"]
    kills = 0
    while True:
        time.sleep(float(chance.uniform(0.5, 6)) if kills < plan.kills else 0.2)
        if kills < plan.kills:
            server.stop()
            kills += 1
            server = Server(["-m", "upright", "serve", "--port", "0", *options])
        elif httpx.get(f"{server.url}/v1/jobs/{job}", timeout=60).json()["state"] == "done":
            break
    lines = httpx.get(f"{server.url}/v1/jobs/{job}/results", timeout=600).text.splitlines()
    wall = time.perf_counter() - started
    server.stop()
    numbers = [json.loads(line)["number"] for line in lines]
    with contextlib.closing(sqlite3.connect(path)) as db:
        tries = db.execute("SELECT sum(fence) - count(*) FROM pictures").fetchone()[0]
    return [
        {
            "pictures": plan.job, "kills": kills, "results": len(numbers), "twice": len(numbers) - len(set(numbers)),
            "missing": plan.job - len(set(numbers)), "tried_again": tries, "wall_s": wall,
        }
    ]  # fmt: skip


def shown(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("per_s", "p50_ms", "p99_ms", "cpu_ms")}


def print_table(title: str, rows: list[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    print(f"\n### {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(_cell(row.get(column, '')) for column in columns)} |")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if value < 100 else f"{value:.0f}"
    if isinstance(value, list):
        return " → ".join(map(_cell, value))
    return ", ".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


PARTS = {each.__name__: each for each in (against_flask, against_bare, batching, overload, mixed, jobs)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", choices=PARTS, action="append")
    asked = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    target = OUT / "service.json"
    results = json.loads(target.read_text()) if target.exists() else {}
    for name in asked.only or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            rows = PARTS[name](Path(folder), FULL if asked.full else QUICK)
        results[name] = {"full": asked.full, "load": os.getloadavg()[0], "cores": os.cpu_count(), "rows": rows}
        print_table(f"{name} (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)", rows)
        target.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
