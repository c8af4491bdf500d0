"""Unsure pictures to Label Studio, and decisions back.

    upright detect photos/ --json > answers.jsonl
    python tasks.py interface > interface.xml                    # Settings, Labeling Interface, Code
    python tasks.py tasks answers.jsonl > tasks.json             # Import
    python tasks.py decisions export.json > decisions.jsonl      # Export, JSON

Label Studio has to serve the pictures: set LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED and its document root.
"""

import json
import sys
from pathlib import Path

from upright.integrations.labelstudio import INTERFACE, decisions, tasks


def address_of(source: str) -> str:
    return f"/data/local-files/?d={source}"


def main(what: str, name: str = "") -> None:
    if what == "interface":
        print(INTERFACE, end="")
    elif what == "tasks":
        answers = map(json.loads, Path(name).read_text("utf-8").splitlines())
        print(json.dumps(list(tasks(answers, address_of)), indent=1))
    else:
        for decision in decisions(json.loads(Path(name).read_text("utf-8"))):
            print(json.dumps(decision))


if __name__ == "__main__":
    main(*sys.argv[1:])
