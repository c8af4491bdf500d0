"""A PNG with a sample of each group, before and after, for mails and tickets."""

from __future__ import annotations

import io

from ..errors import printable
from ..results import Group
from ..turns import ExifOrientation, show_pillow
from .seen import COLOURS, MARK, THUMBNAIL_PX, Seen

_COLUMNS, _ROWS = 4, 2
_CELL_W, _CELL_H, _HEAD = 2 * THUMBNAIL_PX + 28, THUMBNAIL_PX + 28, 34


def png_of(seen: Seen) -> bytes:
    """The bytes of the PNG: at most eight pictures of each group."""
    from PIL import Image, ImageDraw, ImageFont
    from PIL.PngImagePlugin import PngInfo

    groups = {group: [pair for pair in pairs if pair[1]][: _COLUMNS * _ROWS] for group, pairs in seen.samples.items()}
    groups = {group: pairs for group, pairs in groups.items() if pairs}
    height = 44 + sum(_HEAD + -(-len(pairs) // _COLUMNS) * _CELL_H for pairs in groups.values())
    sheet = Image.new("RGB", (_COLUMNS * _CELL_W + 12, height), "white")
    draw = ImageDraw.Draw(sheet)
    facts = ", ".join(f"{count:,} {group}" for group, count in seen.counts.items() if count)
    draw.text((12, 12), f"{sum(seen.counts.values()):,} pictures: {facts}", "black", ImageFont.load_default(16))
    top = 44
    for group, pairs in groups.items():
        words = f"{group.capitalize()}: {seen.counts[group]:,}" + (", a sample" * (len(pairs) < seen.counts[group]))
        draw.text((12, top + 8), words, COLOURS.get(group, "black"), ImageFont.load_default(15))
        top += _HEAD
        for index, (outcome, image) in enumerate(pairs):
            assert image is not None
            left, line = 12 + index % _COLUMNS * _CELL_W, top + index // _COLUMNS * _CELL_H
            sheet.paste(image, (left, line))
            if turn := outcome.proposed:
                sheet.paste(show_pillow(image, ExifOrientation.TOP_LEFT.then(turn)), (left + THUMBNAIL_PX + 8, line))
            name = printable(outcome.name).rsplit("/", 1)[-1][-30:].encode("ascii", "replace").decode()
            said = f"{name}  {int(turn)}{'?' * (group is Group.UNSURE)}"
            draw.text((left, line + THUMBNAIL_PX + 4), said, "black", ImageFont.load_default(11))
        top += -(-len(pairs) // _COLUMNS) * _CELL_H
    mark = PngInfo()
    mark.add_text("Software", MARK)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", pnginfo=mark)
    return buffer.getvalue()
