"""In a clone: pip install ".[pdf]" docling, then: python examples/docling/convert.py scan.pdf photo.jpg

docling's OCR engines are not asked which way up a page is, so it is set right before.
"""

import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from docling.datamodel.base_models import DocumentStream

from upright.integrations.reading import upright_bytes


def upright_stream(path: Path) -> DocumentStream:
    """The file as docling takes it, each page upright."""
    return DocumentStream(name=path.name, stream=BytesIO(upright_bytes(path.read_bytes())))


class UprightConverter:
    """A docling converter that sees upright pages: `UprightConverter(DocumentConverter()).convert(path)`."""

    def __init__(self, converter: Any) -> None:
        self.converter = converter

    def convert(self, source: str | Path, **options: Any) -> Any:
        return self.converter.convert(upright_stream(Path(source)), **options)

    def convert_all(self, sources: Iterable[str | Path], **options: Any) -> Iterator[Any]:
        yield from self.converter.convert_all(map(upright_stream, map(Path, sources)), **options)


if __name__ == "__main__":
    from docling.document_converter import DocumentConverter

    for result in UprightConverter(DocumentConverter()).convert_all(sys.argv[1:]):
        print(result.document.export_to_markdown())
