"""What works on this machine, what does not, and how to mend it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from .decide import ladder_of
from .engines import ENGINES, open_engine
from .errors import ExtraMissing, UprightError
from .extras import gpu_line, install_line, need
from .formats import FORMATS
from .machine import cache_folder, memory_bytes, physical_memory_bytes, processor, processors
from .model import load_model

State = Literal["ok", "note", "problem"]
#: x86 instructions that runtimes choose their kernels by; without AVX2 a view takes several times as long.
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
#: Less than this for the whole container makes large pictures fail.
_SMALL_MEMORY_BYTES = 512 << 20
#: The oldest driver that CUDA 12 runs on (CUDA toolkit release notes, table 2, minor version compatibility).
_OLDEST_DRIVER = 525
_DRIVER_REMEDY = "reboot, or reinstall the driver: module and tools may have different versions"
#: The provider that an ONNX Runtime for NVIDIA GPUs has.
_CUDA = "CUDAExecutionProvider"
#: Packages that decide what works here, with the extra that installs each.
_RUNTIMES = {package: extra for runtime in ENGINES.values() for package, extra in runtime.packages.items()}
_RUNTIMES |= {"ray": "ray", "s3fs": "s3", "pyarrow": "parquet"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: ``state`` is ok, note or problem; a problem has its ``remedy``."""

    topic: str
    state: State
    text: str
    remedy: str = ""

    def to_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def examine(model: str | None = None) -> list[Finding]:
    """Look at processor, memory, runtimes, GPU, formats, model and engines; never raises."""
    return [*_machine(), *_runtimes(), *_gpu(), *_formats(), *_model(model), *_cache()]


def _machine() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.platform()}")
    allowed, there = processors(), os.cpu_count() or 1
    name, flags = processor()
    fast = [flag for flag in _FLAGS if flag in flags]
    text = f"{name}; {allowed} of {there} processors may be used; {', '.join(fast) or 'no vector extensions known'}"
    if flags and "avx2" not in flags:
        yield Finding("processor", "problem", text, "use a machine with AVX2: views take several times as long here")
    else:
        yield Finding("processor", "ok", text)
    limit, total = memory_bytes(), physical_memory_bytes()
    container = f" (this container; {total / 2**30:.1f} GiB are there)" * (limit < total)
    words = f"{limit / 2**30:.1f} GiB may be used{container}"
    if not limit:
        yield Finding("memory", "note", "this system does not say how much there is")
    elif limit < _SMALL_MEMORY_BYTES:
        yield Finding("memory", "problem", words, "give the container at least 512 MiB")
    else:
        yield Finding("memory", "ok", words)


def _runtimes() -> Iterator[Finding]:
    found = {name: _version(name) for name in _RUNTIMES}
    for name, extra in _RUNTIMES.items():
        if found[name]:
            yield Finding(name, "ok", f"version {found[name]}")
        elif extra:
            line = gpu_line() if extra == "gpu" else install_line(extra)
            yield Finding(name, "note", "not installed", f"{line} if you want it")
    if found["onnxruntime"] and found["onnxruntime-gpu"] and _CUDA not in _providers():
        both = "onnxruntime and onnxruntime-gpu are both installed, in one folder"
        yield Finding("onnxruntime", "problem", f"{both}, and the files there are of the CPU one", gpu_line())
    try:
        onnxruntime = need("onnxruntime", "")
        yield Finding("onnxruntime", "ok", f"providers: {', '.join(onnxruntime.get_available_providers())}")
    except Exception as error:
        remedy = "pip install --force-reinstall onnxruntime"
        yield Finding("onnxruntime", "problem", f"cannot be imported: {error}", remedy)


def _gpu() -> Iterator[Finding]:
    tool = shutil.which("nvidia-smi")
    if not tool:
        if Path("/proc/driver/nvidia").exists():
            yield Finding("gpu", "problem", "a driver is loaded, nvidia-smi is missing", "install nvidia-utils")
        else:
            yield Finding("gpu", "note", "no NVIDIA GPU was found; the CPU is used")
        return
    query = "--query-gpu=name,driver_version,memory.total,memory.free"
    try:
        answer = subprocess.run(
            [tool, query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        output = getattr(error, "stdout", None) or error
        yield Finding("gpu", "problem", f"nvidia-smi fails: {str(output).strip()}", _DRIVER_REMEDY)
        return
    for line in filter(None, answer.splitlines()):
        yield from _one_gpu(line)


def _one_gpu(line: str) -> Iterator[Finding]:
    try:
        name, driver, total, free = (part.strip() for part in line.split(","))
    except ValueError:
        yield Finding("gpu", "problem", f"nvidia-smi says {line!r}", _DRIVER_REMEDY)
        return
    yield Finding("gpu", "ok", f"{name}, driver {driver}, {free} of {total} MiB free")
    with suppress(ValueError):
        if int(driver.split(".")[0]) < _OLDEST_DRIVER:
            remedy = f"install NVIDIA driver {_OLDEST_DRIVER} or newer"
            yield Finding("gpu", "problem", f"driver {driver} is too old for CUDA 12", remedy)
        if int(free) < 1024:
            yield Finding("gpu", "problem", f"only {free} MiB are free", "end other programs that use the GPU")
    if _CUDA not in _providers() and not _version("torch"):
        yield Finding("gpu", "problem", "there is a GPU, and no runtime that uses it", gpu_line())


def _formats() -> Iterator[Finding]:
    for decoder, extra in dict.fromkeys((row.decoder, row.extra) for row in FORMATS.values()):
        what = ", ".join(row.name for row in FORMATS.values() if row.decoder == decoder)
        try:
            need(decoder, extra)
            yield Finding("formats", "ok", f"{what} by {decoder}")
        except ExtraMissing as error:
            yield Finding("formats", "note" if extra else "problem", f"{what}: {error.cause}", error.remedy)
        except Exception as error:
            remedy = f"reinstall the package of {decoder}"
            yield Finding("formats", "problem", f"{what}: {decoder} cannot be imported: {error}", remedy)


def _model(name: str | None) -> Iterator[Finding]:
    try:
        model = load_model(name)
        model.check()
        ladder_of(model)
    except UprightError as error:
        yield Finding("model", "problem", f"{error.source}: {error.cause}", error.remedy)
        return
    yield Finding("model", "ok", f"{model.name} {model.version}, sha256 {model.sha256[:12]}…, whole")
    for engine in ENGINES:
        try:
            opened = open_engine(model, engine)
            yield Finding(f"engine {engine}", "ok", opened.device)
            opened.close()
        except UprightError as error:
            state: State = "problem" if engine == "onnx" else "note"
            yield Finding(f"engine {engine}", state, error.cause, error.remedy)
        except Exception as error:
            yield Finding(f"engine {engine}", "problem", f"{type(error).__name__}: {error}", "reinstall its runtime")


def _cache() -> Iterator[Finding]:
    remedy = "set XDG_CACHE_HOME to a folder that can be written"
    try:
        folder = cache_folder()
    except UprightError as error:
        yield Finding("cache", "problem", error.cause, error.remedy)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Finding("cache", "problem", f"{folder}: {error.strerror}", remedy)
        return
    if os.access(folder, os.W_OK):
        yield Finding("cache", "ok", f"{folder}, {free / 2**30:.1f} GiB free")
    else:
        yield Finding("cache", "problem", f"{folder} cannot be written", remedy)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _providers() -> list[Any]:
    with suppress(Exception):
        return list(need("onnxruntime", "").get_available_providers())
    return []
