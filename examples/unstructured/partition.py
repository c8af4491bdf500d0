"""In a clone: pip install ".[pdf]" "unstructured[image,pdf]", then:

python examples/unstructured/partition.py scan.jpg
"""

import sys
from io import BytesIO
from pathlib import Path

from unstructured.partition.auto import partition

from upright.integrations.reading import upright_bytes

for name in sys.argv[1:]:
    elements = partition(file=BytesIO(upright_bytes(Path(name).read_bytes())), metadata_filename=name)
    print("\n\n".join(map(str, elements)))
