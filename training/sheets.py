"""Contact sheets: many small pictures with a line of text under each, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from training.data import Pixels

LINE_PX = 14


def contact_sheet(tiles: Sequence[tuple[Pixels, str]], columns: int = 10, side_px: int = 176) -> Image.Image:
    """Pictures [h, w, 3] with their captions, row by row; each fits a square of `side_px`."""
    tile_px = side_px + 4
    rows = max(1, -(-len(tiles) // columns))
    sheet = Image.new("RGB", (columns * tile_px, rows * (tile_px + LINE_PX)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (pixels, caption) in enumerate(tiles):
        left, top = index % columns * tile_px, index // columns * (tile_px + LINE_PX)
        picture = Image.fromarray(pixels)
        picture.thumbnail((side_px, side_px))
        sheet.paste(picture, (left + 2, top + 2))
        draw.text((left + 2, top + tile_px), caption[:29], "black")
    return sheet
