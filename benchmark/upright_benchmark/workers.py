"""The other end of a worker: starts it, asks it, and survives whatever it does."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upright_benchmark.pictures import TURNS

# By the clock, and so that no answer depends on what else the machine does: OCRmyPDF took over 60 s on a busy one.
START_S, ANSWER_S = 300.0, 300.0
MOST_CRASHES = 20  # one after another: then the entrant is given up, and the rest counts as crashed
TIMEOUT_COUNTS = 5  # crashes: four that hang are enough
# Nobody may use more than one thread, wait busily, or ask the network for weights.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OMP_THREAD_LIMIT": "1",
    "OMP_WAIT_POLICY": "passive",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VIPS_CONCURRENCY": "1",
    "HF_HUB_OFFLINE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
EMPTY: dict[str, Any] = {"answer": None, "best": None, "confidence": None, "tilt": None, "mirrored": None,
                         "cpu_ms": None, "wall_ms": None, "peak_mib": None, "note": ""}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """Who takes part: the module's name, a command for it, the Python that has it installed."""

    name: str
    module: str
    command: str = ""
    python: str = sys.executable


class Absent(Exception):
    """The entrant cannot run here; the message says why."""


class Worker:
    """One entrant's process. Closed by `close`; started again after a crash or when time runs out."""

    def __init__(self, entry: Entry, errors: Path) -> None:
        """Raises Absent where the entrant cannot run here."""
        self.entry, self.errors, self.crashes = entry, errors, 0
        self.facts = self._start()

    def _start(self) -> dict[str, Any]:
        arguments = [self.entry.python, "-m", "upright_benchmark.worker", self.entry.module]
        arguments += [self.entry.command] if self.entry.command else []
        root = str(Path(__file__).parent.parent)
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        with self.errors.open("ab") as log:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **ENVIRONMENT, "PYTHONPATH": path},
            )
        self.pending = b""
        said = self._line(START_S)
        if said is None or "ready" not in said:
            self.close()
            reason = f"did not start; see {self.errors}" if said is None else said.get("missing", f"said {said}")
            raise Absent(reason)
        return said

    def ask(self, path: Path) -> dict[str, Any]:
        """The answer to one picture, or what went wrong, as the fields of a result."""
        if self.crashes > MOST_CRASHES:
            return {
                **EMPTY,
                "status": "crashed",
                "note": f"given up: {MOST_CRASHES} crashes in a row, or {MOST_CRASHES // TIMEOUT_COUNTS} that hung",
            }
        try:
            if self.process.poll() is not None:
                self._start()
            assert self.process.stdin
            self.process.stdin.write(json.dumps({"path": str(path)}).encode() + b"\n")
            self.process.stdin.flush()
            started = time.monotonic()
            said = self._line(ANSWER_S)
        except (Absent, OSError) as error:
            said, started = {"crashed": f"{type(error).__name__}: {error}"}, time.monotonic()
        if said is None:
            timed_out = time.monotonic() - started >= ANSWER_S
            self.close()
            code = self.process.returncode
            said = {"timeout": f"none in {ANSWER_S:.0f} s"} if timed_out else {"crashed": f"died with code {code}"}
        row = result(said)
        self.crashes += {"crashed": 1, "timeout": TIMEOUT_COUNTS}.get(row["status"], -self.crashes)
        return row

    def _line(self, seconds: float) -> dict[str, Any] | None:
        """The next JSON line; None where the process ends, or time does, before it has said one."""
        assert self.process.stdout
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.pending:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return None
                if not (chunk := os.read(self.process.stdout.fileno(), 65536)):
                    self.process.wait()
                    return None
                self.pending += chunk
        line, _, self.pending = self.pending.partition(b"\n")
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        return said if isinstance(said, dict) else {"nonsense": line[:200].decode(errors="replace")}

    def close(self) -> None:
        """Ends the process, with whatever it started still running left to the system."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()


def result(said: dict[str, Any]) -> dict[str, Any]:
    """A worker's line as a result: status answered, unsure, nonsense, crashed or timeout."""
    for status in ("nonsense", "crashed", "timeout"):
        if status in said:
            return {**EMPTY, "status": status, "note": str(said[status])}
    took = {name: said.get(name) for name in ("cpu_ms", "wall_ms", "peak_mib")}
    try:
        answer, best, confidence = said["turn"], said["best"], said["confidence"]
        if any(turn is not None and turn not in TURNS for turn in (answer, best)):
            raise ValueError(f"turn {answer!r} (best {best!r}) is none of {TURNS}")
        if confidence is not None and not 0 <= confidence < float("inf"):
            raise ValueError(f"confidence {confidence!r}")
    except (KeyError, TypeError, ValueError) as error:
        return {**EMPTY, **took, "status": "nonsense", "note": str(error)}
    status = "unsure" if answer is None else "answered"
    rest = {name: said.get(name) for name in ("tilt", "mirrored")}
    return {**EMPTY, **took, **rest, "status": status, "answer": answer, "best": best, "confidence": confidence}
