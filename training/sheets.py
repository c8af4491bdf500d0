"""Contact sheets: many small pictures with a line of text under each, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from training.data import Pixels

TILE_PX = 180
LINE_PX = 14


def contact_sheet(tiles: Sequence[tuple[Pixels, str]], columns: int = 10) -> Image.Image:
    """Pictures [h, w, 3] with their captions, row by row; each fits a square of 180 px."""
    rows = max(1, -(-len(tiles) // columns))
    sheet = Image.new("RGB", (columns * TILE_PX, rows * (TILE_PX + LINE_PX)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (pixels, caption) in enumerate(tiles):
        left, top = index % columns * TILE_PX, index // columns * (TILE_PX + LINE_PX)
        picture = Image.fromarray(pixels)
        picture.thumbnail((TILE_PX - 4, TILE_PX - 4))
        sheet.paste(picture, (left + 2, top + 2))
        draw.text((left + 2, top + TILE_PX), caption[:29], "black")
    return sheet
