"""In a clone: pip install ".[pdf]" langchain-core, then: python examples/langchain/blobs.py scan.pdf photo.jpg

Wrap the blob loader that you have; parsers see upright pages.
"""

import sys
from collections.abc import Iterator

from langchain_core.document_loaders import BlobLoader
from langchain_core.documents.base import Blob

from upright import UprightError
from upright.integrations.reading import upright_bytes


class UprightBlobs(BlobLoader):
    """The blobs of another loader, upright. What is no picture or PDF passes through as it is."""

    def __init__(self, loader: BlobLoader) -> None:
        self.loader = loader

    def yield_blobs(self) -> Iterator[Blob]:
        for blob in self.loader.yield_blobs():
            try:
                data = upright_bytes(blob.as_bytes())
            except UprightError:
                yield blob
                continue
            path = str(blob.path) if blob.path else None
            yield Blob.from_data(data, mime_type=blob.mimetype, path=path, metadata=blob.metadata)


class Files(BlobLoader):
    def __init__(self, paths: list[str]) -> None:
        self.paths = paths

    def yield_blobs(self) -> Iterator[Blob]:
        return map(Blob.from_path, self.paths)


if __name__ == "__main__":
    for blob in UprightBlobs(Files(sys.argv[1:])).yield_blobs():
        print(blob.source, len(blob.as_bytes()))
