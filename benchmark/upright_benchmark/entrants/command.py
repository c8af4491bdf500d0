"""Any program that is handed a path and prints a turn: `NAME=PROGRAM {}`, where {} becomes the path.

It prints a clockwise turn in degrees (0, 90, 180, 270), then, if it likes, its confidence; or `unsure`, or nothing.
Everything else is reported as nonsense, an exit code other than 0 as a crash."""

import shlex
import subprocess

from upright_benchmark.entrants import Answer

SOURCE, LICENCE, INSTALL, PACKAGES = "the command line", "", "", ()


def starter(template):
    words = shlex.split(template)
    if "{}" not in template:
        words.append("{}")

    def detect(path):
        ran = subprocess.run([word.replace("{}", path) for word in words], capture_output=True, text=True)
        if ran.returncode:
            raise RuntimeError(f"exit code {ran.returncode}: {ran.stderr.strip()[-200:]}")
        return parsed(ran.stdout)

    return lambda: detect


def parsed(text):
    """The answer that a program printed; raises ValueError where it is none."""
    said = text.split()
    if not said or said[0] == "unsure":
        return Answer(None, float(said[1]) if len(said) > 1 else None)
    return Answer(int(said[0]), float(said[1]) if len(said) > 1 else None)
