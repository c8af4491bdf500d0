"""Hostile files and hostile clients against one service: what they cost, and who is served meanwhile.

    python -m bench.attack                 # two minutes
    python -m bench.attack --seconds 120   # longer
    python -m bench.attack --only clients

*Files*: each file of the corpus (``tests/attacks``, and ``--files FOLDER``) is detected and corrected in a process of
its own, which measures its processor time and its memory over what the model takes. *Clients*: 64 that dawdle and two
that send hostile files again and again, with keys of their own, while a good client sends a photograph after another.
Writes bench/out/attack.json.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from bench.service import DEMO, OUT, ROOT, Server

CORPUS = ROOT / "tests" / "attacks"
GOOD, BAD = "good-key-0123456789", "bad-key-0123456789"
#: A good request may take so many times as long as it does on an idle service.
MOST_TIMES = 2.0
#: Seconds of attack at once.
ROUND_S = 8.0
KINDS = ("silent", "slow_head", "slow_body", "no_reader")

_ONE_FILE = """
import json, resource, sys
from functools import partial
from pathlib import Path
from upright import Detector, UprightError, workers
from upright.correction import correct
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
def used():
    "Processor seconds and the largest memory in MB, of this process and of workers that have ended."
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu_s = sum(each.ru_utime + each.ru_stime for each in (own, others))
    return cpu_s, max(own.ru_maxrss, others.ru_maxrss) / 1024
detector = Detector(effort=3)
detector.detect(Path(sys.argv[2]).read_bytes())
base, found = used()[1], {}
works = {"detect": partial(detector.detect, sys.argv[1])}
for method in ("tag", "turn", "reencode"):
    target = Path(sys.argv[3]) / (method + (".png" if method == "reencode" else Path(sys.argv[1]).suffix))
    works[method] = partial(correct, sys.argv[1], target, turn=90, method=method)
for name, work in works.items():
    started = used()[0]
    try:
        work(); answer = "answered"
    except UprightError as error:
        assert str(error)
        answer = type(error).__name__
    except BaseException as error:
        answer = f"not ours: {error!r}"
    workers.close()
    ended, peak_mb = used()
    found[name] = {"answer": answer, "cpu_s": ended - started, "peak_mb": peak_mb - base}
print(json.dumps(found))
"""


def corpus(folders: list[Path]) -> list[Path]:
    """The hostile files, without what makes them."""
    return [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix not in (".py", ".md")]


def one_file(path: Path) -> dict[str, dict[str, Any]]:
    """What became of a file when it was detected and corrected by each method, in a process of its own.

    For each: ``answer`` ("answered", an error's name, or "not ours: …"), ``cpu_s``, and ``peak_mb`` over the model's
    memory so far. The process is ended after a minute of processor time, or ten on the clock.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "error", "-c", _ONE_FILE, str(path), str(DEMO / "coffee.jpg"), folder]
        try:
            done = subprocess.run(command, capture_output=True, timeout=600, check=False)
        except subprocess.TimeoutExpired:
            return {"detect": {"answer": "not ours: over ten minutes", "cpu_s": 60.0, "peak_mb": 0.0}}
    if done.returncode or done.stderr:
        answer = f"not ours: exit {done.returncode} {done.stderr.decode(errors='replace')[-1000:]}"
        return {"detect": {"answer": answer, "cpu_s": 0.0, "peak_mb": 0.0}}
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def files(paths: list[Path]) -> dict[str, Any]:
    """Every file's row, and what they come to."""
    rows = {}
    for path in paths:
        row = rows[path.name] = one_file(path)
        answers = ", ".join(f"{name} {work['answer']} {work['cpu_s']:.1f} s" for name, work in row.items())
        print(f"  {path.name:24} +{max(work['peak_mb'] for work in row.values()):4.0f} MB  {answers}", flush=True)
    works = [work for row in rows.values() for work in row.values()]
    return {
        "files": len(rows),
        "refusals": sum(work["answer"] not in ("answered",) for work in works),
        "not_ours": sum(work["answer"].startswith("not ours") for work in works),
        "peak_mb": max(work["peak_mb"] for work in works),
        "longest_cpu_s": max(work["cpu_s"] for work in works),
        "rows": rows,
    }


class Dawdler:
    """A client that opens a connection again whenever it is closed, and then wastes its time."""

    def __init__(self, port: int, kind: str) -> None:
        self._port, self.kind, self.opened = port, kind, 0

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=4096)
                self.opened += 1
                try:
                    await getattr(self, self.kind)(reader, writer)
                finally:
                    writer.transport.abort()
            await asyncio.sleep(0.2)

    @staticmethod
    def _head(path: str, size: int) -> bytes:
        return f"POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {BAD}\r\nContent-Length: {size}\r\n\r\n".encode()

    async def silent(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Says nothing."""
        await reader.read(1)

    async def slow_head(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One letter of a head at a time."""
        for letter in self._head("/rotate", 10):
            writer.write(bytes([letter]))
            await writer.drain()
            if reader.at_eof():
                return
            await asyncio.sleep(0.5)

    async def slow_body(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A body that was declared large and comes at the least pace."""
        writer.write(self._head("/v1/orientation", 60_000_000))
        while not reader.at_eof():
            writer.write(bytes(10_000))
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.6)
                return

    async def no_reader(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A large answer that is not read."""
        picture = bitmap()
        writer.write(self._head("/v1/correct?turn=0", len(picture)) + picture)
        with contextlib.suppress(OSError):
            await writer.drain()
        await asyncio.sleep(60)


def bitmap() -> bytes:
    """Six megabytes that are answered as they are."""
    out = io.BytesIO()
    Image.new("RGB", (2000, 1000)).save(out, "BMP")
    return out.getvalue()


async def sender(url: str, paths: list[Path], seed: int, statuses: dict[int, int]) -> None:
    """Sends hostile files again and again."""
    order = random.Random(seed)
    async with httpx.AsyncClient(base_url=url, headers={"x-api-key": BAD}, timeout=120) as client:
        while True:
            try:
                answer = await client.post("/v1/orientation", content=order.choice(paths).read_bytes())
                statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            except httpx.TransportError:
                statuses[0] = statuses.get(0, 0) + 1


async def good_times(client: httpx.AsyncClient, picture: bytes, seconds: float) -> list[float]:
    """Milliseconds of each request of a client that waits for its answer; infinite where it was refused."""
    found, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        answer = await client.post("/v1/orientation", content=picture)
        took = (time.perf_counter() - started) * 1000
        found.append(took if answer.status_code == 200 else float("inf"))
    return found


async def clients(server: Server, paths: list[Path], seconds: float) -> dict[str, Any]:
    """The good client alone and beside all others, by turns, so that what else runs on the machine disturbs both."""
    picture, statuses, opened = (DEMO / "coffee.jpg").read_bytes(), dict[int, int](), 0
    idle: list[float] = []
    attacked: list[float] = []
    within, peak_mb = 0, 0.0
    async with httpx.AsyncClient(base_url=server.url, headers={"x-api-key": GOOD}, timeout=120) as client:
        await good_times(client, picture, 2)
        for turn in range(max(2, round(seconds / ROUND_S))):
            alone = await good_times(client, picture, ROUND_S / 2)
            dawdlers = [Dawdler(server.port, kind) for kind in KINDS for _ in range(16)]
            bad = [asyncio.create_task(each.run()) for each in dawdlers]
            bad += [asyncio.create_task(sender(server.url, paths, 2 * turn + n, statuses)) for n in range(2)]
            await asyncio.sleep(2.5)  # until slow bodies have lost their places
            beside = await good_times(client, picture, ROUND_S)
            peak_mb = max(peak_mb, server.rss_mb)
            for task in bad:
                task.cancel()
            await asyncio.gather(*bad, return_exceptions=True)
            await asyncio.sleep(2)
            idle, attacked, opened = idle + alone, attacked + beside, opened + sum(each.opened for each in dawdlers)
            within += sum(took <= MOST_TIMES * statistics.median(alone) for took in beside)
    return {
        "idle_ms": statistics.median(idle),
        "under_attack_ms": statistics.median(attacked),
        "good_requests": len(attacked),
        "refused": sum(took == float("inf") for took in attacked),
        "served_within_share": within / len(attacked),
        "connections": opened,
        "hostile_statuses": {str(status): count for status, count in sorted(statuses.items())},
        "bad_5xx": sum(count for status, count in statuses.items() if status >= 500 and status not in (503, 504, 507)),
        "service_mb": peak_mb,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40, help="of the attack by clients")
    parser.add_argument("--files", type=Path, action="append", default=[], help="a folder of further hostile files")
    parser.add_argument("--only", choices=["files", "clients"])
    options = parser.parse_args()
    paths = corpus([CORPUS, *options.files])
    found: dict[str, Any] = {}
    if options.only != "clients":
        print("files")
        found["files"] = files(paths)
        print("  " + ", ".join(f"{name} {value}" for name, value in found["files"].items() if name != "rows"))
    if options.only != "files":
        os.environ["UPRIGHT_API_KEYS"] = f"good:{GOOD},bad:{BAD}"
        server = Server(["-m", "upright", "serve", "--port", "0"])
        try:
            print("clients")
            found["clients"] = asyncio.run(clients(server, paths, options.seconds))
            for name, value in found["clients"].items():
                print(f"  {name}: {value if not isinstance(value, float) else round(value, 3)}")
        finally:
            server.stop()
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "attack.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
