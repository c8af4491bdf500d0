"""Whether results are those that a run wrote: a checksum over figures, versions, machine and answers, and a signature.

The checksum finds damage and edits by hand. Who vouches for the results is shown by `--sign`: a detached signature of
results.json by an SSH key, which `ssh-keygen -Y verify -n upright-benchmark` checks anywhere."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from upright_benchmark.pictures import sha256_of

RESULTS, ANSWERS, SIGNATURE = "results.json", "answers.csv", "results.json.sig"
NAMESPACE = "upright-benchmark"


def sealed(everything: Mapping[str, Any], answers: Path) -> dict[str, Any]:
    """The same with `seal`: the sha256 of everything else, and of the file of answers."""
    rest = {name: value for name, value in everything.items() if name != "seal"}
    return {**rest, "seal": {"sha256": _digest(rest), "answers": sha256_of(answers)}}


def _digest(everything: Mapping[str, Any]) -> str:
    # Through JSON first: a tuple and a list are the same in the file.
    text = json.dumps(json.loads(json.dumps(everything)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def problems(out: Path) -> list[str]:
    """What is not as a run wrote it in the folder `out`; empty: nothing."""
    try:
        everything = json.loads((out / RESULTS).read_text(encoding="utf-8"))
        seal = everything["seal"]
        found = (
            [f"{RESULTS} was changed"] if sealed(everything, out / ANSWERS)["seal"]["sha256"] != seal["sha256"] else []
        )
        return found + ([f"{ANSWERS} was changed"] if sha256_of(out / ANSWERS) != seal["answers"] else [])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{out}: no results of a run: {type(error).__name__}: {error}"]


def sign(out: Path, key: Path) -> None:
    """Writes results.json.sig. Raises click.ClickException where ssh-keygen does not."""
    (out / SIGNATURE).unlink(missing_ok=True)
    try:
        _keygen("sign", "-f", str(key), "-n", NAMESPACE, str(out / RESULTS))
    except (OSError, subprocess.CalledProcessError) as error:
        raise click.ClickException(f"not signed: {getattr(error, 'stderr', None) or error}") from error


def signer(out: Path) -> str:
    """Whose key signed results.json, in words. Raises click.ClickException where the signature is not of this file."""
    if not (out / SIGNATURE).exists():
        return "nobody signed them"
    try:
        said = _keygen("check-novalidate", "-n", NAMESPACE, "-s", str(out / SIGNATURE), source=out / RESULTS)
    except (OSError, subprocess.CalledProcessError) as error:
        raise click.ClickException(f"{SIGNATURE}: {getattr(error, 'stderr', None) or error}") from error
    return said.strip()


def _keygen(*arguments: str, source: Path | None = None) -> str:
    data = source.read_text(encoding="utf-8") if source else None
    ran = subprocess.run(["ssh-keygen", "-Y", *arguments], capture_output=True, text=True, check=True, input=data)
    return ran.stdout
