"""A format that nobody has: TOYF, the length of an EXIF block, the block, and a picture that Pillow reads."""

import io

from PIL import Image

from upright.formats import Blocks, Container, Edit, Format, Span, Window
from upright.pictures.source import OpenSource
from upright.pictures.whole import WholePicture


class Toy(Container):
    def find(self, window: Window, page: int = 0) -> Blocks:
        return Blocks(Span(8, 8 + int.from_bytes(window.exactly(4, 4), "big")))

    def enlarge(self, window: Window, blocks: Blocks, edits: list[Edit], addition: bytes) -> list[Edit]:
        assert blocks.tiff is not None
        length = blocks.tiff.end - blocks.tiff.start + len(addition)
        return [*edits, window.edit(4, length.to_bytes(4, "big")), Edit(blocks.tiff.end, b"", addition)]


def open_toy(source: OpenSource) -> WholePicture:
    window = Window(source.file)
    block = Toy().find(window).tiff
    assert block is not None
    image = Image.open(io.BytesIO(window.at(block.end, window.size)))
    return WholePicture(source, image.size, lambda: image)


def written(image: Image.Image) -> bytes:
    block, pixels = b"MM\0*\0\0\0\x08\0\0\0\0\0\0", io.BytesIO()
    image.save(pixels, "PNG")
    return b"TOYF" + len(block).to_bytes(4, "big") + block + pixels.getvalue()


ROW = Format("TOY", ".toy", b"TOYF", f"{__name__}:Toy", ("exif",), opener=f"{__name__}:open_toy", decoder="PIL")
