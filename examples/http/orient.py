"""upright serve, then: python orient.py photo.jpg [ADDRESS]. Nothing has to be installed."""

import json
import sys
from pathlib import Path
from urllib.request import urlopen

address = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8000"
with urlopen(f"{address}/v1/orientation", data=Path(sys.argv[1]).read_bytes(), timeout=60) as answer:
    orientation = json.load(answer)
print("unsure" if orientation["turn"] is None else f"turn it {orientation['turn']}° clockwise")
