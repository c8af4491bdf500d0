"""upright-benchmark: render, fetch, run, report."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from upright_benchmark import fetch as fetching
from upright_benchmark import manifest as manifests
from upright_benchmark import render as rendering
from upright_benchmark import report as reporting
from upright_benchmark import seal, summary
from upright_benchmark.entrants import NAMES
from upright_benchmark.harden import hardened
from upright_benchmark.hashes import Hashes, near, shard_hashes
from upright_benchmark.machine import load, machine
from upright_benchmark.pictures import Picture, open_upright, read_list, sha256_of, write_list
from upright_benchmark.runner import ENTRANTS, RESULTS, Run, recorded, run
from upright_benchmark.workers import Entry

Progress = Callable[[int, int], None]


def progress(label: str) -> Progress:
    """A line every twentieth of the way, so that a log stays readable."""
    shown = {-1}

    def tell(done: int, of: int) -> None:
        if (share := 20 * done // of) not in shown:
            shown.add(share)
            click.echo(f"{label}: {done} of {of}", err=True)

    return tell


@click.group()
def main() -> None:
    """Measures programs that find which way up a picture belongs."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--number", type=int, help="a small form of the rendered part with this many pictures")
@click.option("--workers", type=int, default=lambda: os.cpu_count() or 1, help="processes; default: one a core")
@click.option("--seed", type=int, default=rendering.SEED, show_default=True, help="another seed: other pictures")
def render(folder: Path, number: int | None, workers: int, seed: int) -> None:
    """Renders the pictures that the repository makes itself; what is there already stays."""
    tasks = rendering.plan(seed)
    tasks = rendering.smaller(tasks, number) if number else tasks
    try:
        pictures = rendering.render_all(tasks, folder, workers, progress("rendered"))
    except rendering.MissingFonts as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{len(pictures)} pictures in {folder}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--from", "base", default=manifests.ADDRESS, show_default=True, help="a mirror: an address or a folder")
@click.option("--number", type=int, help="a sample of this many pictures, the same everywhere")
@click.option("--workers", type=int, default=4, show_default=True, help="downloads at the same time")
@click.option("--hard-each", type=int, default=20, show_default=True, help="hard forms to make of each sort")
@click.option("--training", type=click.Path(path_type=Path), help="folder of train-*.tar: refuse what is among them")
def fetch(folder: Path, base: str, number: int | None, workers: int, hard_each: int, training: Path | None) -> None:
    """Fetches the real pictures of the manifest into FOLDER and makes hard forms of some.

    What cannot be had, or is not the picture of the manifest, is named and left out."""
    manifest = manifests.read()
    for problem in manifest.problems:
        click.echo(f"manifest: {problem}", err=True)
    chosen = fetching.sample(manifest.entries, number) if number else list(manifest.entries)
    got = fetching.fetch(manifest, chosen, folder, base, workers, progress("fetched"))
    for identity, failure in got.failures.items():
        click.echo(f"{identity}: {failure}", err=True)
    pictures = got.pictures
    if training:
        hashes, names = shard_hashes(training)
        trained = near_duplicates(pictures, folder, hashes, names)
        for identity, name in trained.items():
            click.echo(f"{identity}: refused, a near duplicate of the training picture {name}", err=True)
        pictures = [picture for picture in pictures if picture.id not in trained]
    pictures = [*pictures, *hardened(pictures, folder, hard_each)]
    write_list(pictures, folder)
    click.echo(f"{len(pictures)} pictures in {folder}, {len(got.failures)} could not be fetched")


def near_duplicates(pictures: Sequence[Picture], folder: Path, hashes: Hashes, names: Sequence[str]) -> dict[str, str]:
    """Pictures that are near duplicates of one in `hashes`, with the name of that one."""
    found = {}
    for picture in pictures:
        try:
            rows = near(hashes, open_upright(folder / picture.file, picture.turn))
        except OSError:
            continue  # the run reports it
        if rows:
            found[picture.id] = names[rows[0]]
    return found


def entries(entrants: str, commands: tuple[str, ...], pythons: tuple[str, ...]) -> list[Entry]:
    """Who takes part. Raises click.BadParameter for a name that nobody has."""
    other = dict(text.split("=", 1) for text in pythons if "=" in text)
    chosen = [name for name in entrants.split(",") if name]
    if unknown := [name for name in (*chosen, *other) if name not in NAMES and "." not in name]:
        raise click.BadParameter(f"no entrant is called {', '.join(unknown)}; choose of {', '.join(NAMES)}")
    found = [Entry(name, name, python=other.get(name, sys.executable)) for name in chosen]
    for text in commands:
        name, equals, command = text.partition("=")
        if not equals or not command:
            raise click.BadParameter(f"{text}: a command is NAME=PROGRAM, with {{}} for the path")
        found.append(Entry(name, "command", command))
    return found


def listed(folders: tuple[Path, ...]) -> dict[str, tuple[Picture, Path]]:
    """The pictures of all folders and where they lie, by id; a missing or damaged file is reported and left out."""
    found: dict[str, tuple[Picture, Path]] = {}
    for folder in folders:
        try:
            pictures = read_list(folder)
        except (OSError, ValueError) as error:
            raise click.ClickException(f"{error}; render or fetch the pictures first") from error
        for picture in pictures:
            path = folder / picture.file
            if not path.exists() or (picture.sha256 and sha256_of(path) != picture.sha256):
                click.echo(f"{path}: missing, or not the file of the list; left out", err=True)
                continue
            found[picture.id] = (picture, path)
    return found


@main.command(name="run")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--out", "-o", type=click.Path(path_type=Path), required=True, help="where results and pages go")
@click.option("--entrants", default=",".join(NAMES), help="of upright_benchmark.entrants, or my.module")
@click.option("--command", "commands", multiple=True, help='any program: NAME="PROGRAM {}"; prints a turn or unsure')
@click.option("--python", "pythons", multiple=True, help="NAME=PYTHON: the interpreter that has this entrant installed")
@click.option("--jobs", type=int, default=1, show_default=True, help="pictures at the same time")
@click.option("--slow-each", type=int, default=0, help="pictures of each group and hardness that slow entrants see")
@click.option("--sign", "key", type=click.Path(path_type=Path, exists=True), help="a private SSH key to sign with")
def run_command(
    folders: tuple[Path, ...],
    out: Path,
    entrants: str,
    commands: tuple[str, ...],
    pythons: tuple[str, ...],
    jobs: int,
    slow_each: int,
    key: Path | None,
) -> None:
    """Shows the pictures of FOLDERS to the entrants and writes results.json, *.csv and index.html."""
    found = listed(folders)
    if not found:
        raise click.ClickException("no pictures: render or fetch them first")
    pictures = [picture for picture, _ in found.values()]

    def where(picture: Picture) -> Path:
        return found[picture.id][1]

    plan = Run(pictures, where, entries(entrants, commands, pythons), out, jobs, slow_each)
    started, load_before = time.time(), load()
    results = run(plan, progress("shown"))
    took = {"started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(started)),
            "wall_s": round(time.time() - started), "asked": plan.asked, "load": [load_before, load()]}  # fmt: skip
    rows = reporting.joined(results, pictures)
    meta = {
        "machine": machine(),
        "took": took,
        "entrants": plan.facts,
        "problems": plan.problems,
        "settings": {"jobs": jobs, "slow_each": slow_each, "folders": [folder.name for folder in folders]},
    }
    everything = reporting.write(out, rows, pictures, meta, plan.absent, where)
    if key:
        seal.sign(out, key)
    click.echo(summary.board(everything))
    for problem in plan.problems:
        click.echo(f"{problem['picture']}: {problem['problem']}", err=True)
    click.echo(f"{out / 'index.html'}\nsignature {everything['meta']['signature']}")


@main.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--out", "-o", type=click.Path(path_type=Path, exists=True), required=True, help="the folder of a run")
def report(folders: tuple[Path, ...], out: Path) -> None:
    """Writes the files of a run again from what it has so far, without asking any entrant."""
    found = listed(folders)
    results = recorded(out / RESULTS, [picture for picture, _ in found.values()])
    if not results:
        raise click.ClickException(f"{out / RESULTS} has no result about these pictures")
    seen = {row["picture"] for row in results}
    pictures = [picture for picture, _ in found.values() if picture.id in seen]
    known = json.loads((out / ENTRANTS).read_text(encoding="utf-8"))
    meta = {"machine": machine(), "entrants": known["facts"], "settings": {"part": "what a run had so far"}}
    results.sort(key=lambda row: (row["picture"], row["turn"], row["entrant"]))
    rows = reporting.joined(results, pictures)
    everything = reporting.write(out, rows, pictures, meta, known["absent"], lambda picture: found[picture.id][1])
    click.echo(summary.board(everything))


@main.command()
@click.argument("out", type=click.Path(path_type=Path, exists=True, file_okay=False))
def verify(out: Path) -> None:
    """Whether the results in OUT are those that a run wrote there; exit code 1 where something was changed."""
    if problems := seal.problems(out):
        raise click.ClickException("; ".join(problems))
    click.echo(f"results.json and answers.csv are as they were written; {seal.signer(out)}")


@main.command(name="summary")
@click.argument("results", type=click.Path(path_type=Path, exists=True))
@click.option("--write", "-o", "target", type=click.Path(path_type=Path), help="a file; default: standard output")
def summary_command(results: Path, target: Path | None) -> None:
    """A results.json as a page of Markdown."""
    text = summary.markdown(json.loads(results.read_text(encoding="utf-8")))
    if target:
        target.write_text(text, encoding="utf-8")
    else:
        click.echo(text)


@main.command()
@click.argument("first", type=click.Path(path_type=Path, exists=True))
@click.argument("second", type=click.Path(path_type=Path, exists=True))
def same(first: Path, second: Path) -> None:
    """Whether two results.json came to the same figures; exit code 1 where they did not."""
    one, other = (json.loads(path.read_text(encoding="utf-8")) for path in (first, second))
    if one["meta"]["signature"] != other["meta"]["signature"]:
        alike = one["meta"]["pictures"]["digest"] == other["meta"]["pictures"]["digest"]
        raise click.ClickException("other answers to the same pictures" if alike else "other pictures")
    click.echo("the same pictures, the same answers")


if __name__ == "__main__":
    main()
