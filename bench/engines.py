"""Views a second of every engine and form of it that opens here, one thread, by batch size.

python -m bench.engines [--seconds 1] [-o bench/out]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.bars import write
from upright.engines import ENGINES, open_engine
from upright.engines.auto import views_per_s
from upright.errors import UprightError
from upright.model import load_model


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each figure is measured")
    parser.add_argument("-o", "--output", type=Path, help="folder for JSON and PNG")
    options = parser.parse_args(arguments)
    model, rows = load_model(), dict[str, dict[str, float]]()
    for name in (f"{name}:{form}" for name, runtime in ENGINES.items() for form in runtime.precisions):
        try:
            engine = open_engine(model, name)
        except UprightError as error:
            print(f"{name:<16} {error}")
            continue
        sizes = (1, 8) if engine.batch_size < 64 else (1, 16, 64, 256)
        rows[name] = {str(size): views_per_s(engine, model.input_size_px, size, options.seconds) for size in sizes}
        figures = ", ".join(f"batch {size}: {speed:.1f}/s" for size, speed in rows[name].items())
        print(f"{name:<16} {figures}  ({engine.device})")
        engine.close()
    best = {name: {"views/s": max(by.values())} for name, by in rows.items()}
    write(options.output, "engines", rows, best, "views/s")


if __name__ == "__main__":
    main()
