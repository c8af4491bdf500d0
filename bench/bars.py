"""Figures as JSON, and as bars in a PNG, by Pillow: no plotting library is needed to look at a few numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

_COLOURS = ("#2563eb", "#16a34a", "#d97706", "#9333ea", "#64748b")
_LINE_PX, _LEFT_PX, _WIDTH_PX = 34, 230, 620


def write(folder: Path | None, name: str, figures: Any, bars: Mapping[str, Mapping[str, float]], unit: str) -> None:
    """``<name>.json`` and ``<name>.png`` in a folder, where one is given."""
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
        plot_bars(folder / f"{name}.png", name, bars, unit)


def plot_bars(path: Path, title: str, rows: Mapping[str, Mapping[str, float]], unit: str) -> None:
    """One bar for each row, its parts one after the other in different colours, its sum behind it."""
    parts = list(dict.fromkeys(part for row in rows.values() for part in row))
    largest = max((sum(row.values()) for row in rows.values()), default=0) or 1
    image = Image.new("RGB", (_LEFT_PX + _WIDTH_PX + 130, 80 + _LINE_PX * len(rows)), "white")
    draw = ImageDraw.Draw(image)
    draw.text((12, 10), title, fill="black", font_size=18)
    for index, (name, row) in enumerate(rows.items()):
        x, y = float(_LEFT_PX), 44 + index * _LINE_PX
        draw.text((12, y + 4), name, fill="black", font_size=14)
        for part, value in row.items():
            width = _WIDTH_PX * value / largest
            draw.rectangle((x, y, x + width, y + 22), fill=_COLOURS[parts.index(part) % len(_COLOURS)])
            x += width
        draw.text((x + 6, y + 4), f"{sum(row.values()):.4g} {unit}", fill="black", font_size=14)
    if len(parts) > 1:
        for index, part in enumerate(parts):
            left, y = _LEFT_PX + index * 130, image.height - 26
            draw.rectangle((left, y, left + 14, y + 14), fill=_COLOURS[index % len(_COLOURS)])
            draw.text((left + 20, y), part, fill="black", font_size=13)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
