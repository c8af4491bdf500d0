"""A report that a person can look at: before and after of what was turned, what was left alone, and why.

`write_report` takes the rows of a run one by one and writes two files that need nothing else: an HTML page with small
embedded pictures, and beside it, with the same stem, a PNG contact sheet. Memory stays bounded however many rows
come: of each group only the first ``shown`` are kept as thumbnails, all are counted, and the page says so.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UprightError, WriteFailed, printable
from .results import Correction, Orientation, Reason
from .turns import ExifOrientation, Turn, show_pillow

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL_PX = 160
GROUPS = {
    "turned": "Turned",
    "unsure": "Left alone: unsure",
    "failed": "Could not be read or written",
    "upright": "Already upright",
}
_BINS = 20
_COLOURS = {"turned": "#2563eb", "upright": "#16a34a", "unsure": "#d97706"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a run: an orientation or an error, and the correction where one was asked for."""

    source: str
    orientation: Orientation | None = None
    error: UprightError | None = None
    correction: Correction | None = None

    @property
    def group(self) -> str:
        """The name in `GROUPS` that this row is counted under."""
        if self.error or not self.orientation:
            return "failed"
        if self.orientation.turn is None:
            return "unsure"
        return "turned" if self.orientation.turn else "upright"

    def to_dict(self) -> dict[str, Any]:
        """JSON values of everything known, the source first."""
        values: dict[str, Any] = {"source": self.source}
        for part in (self.orientation, self.error):
            values |= part.to_dict() if part else {}
        if self.correction:
            values["correction"] = self.correction.to_dict()
        return values | {"source": self.source}

    @property
    def turn(self) -> Turn:
        """The turn that the report shows: the answer, or for an unsure row what the model would have said."""
        if not self.orientation:
            return Turn.NONE
        return self.orientation.best if self.orientation.turn is None else self.orientation.turn

    @property
    def words(self) -> str:
        """What happened and why, in a sentence."""
        if self.error:
            return str(self.error)
        if not (answer := self.orientation):
            return "no answer"
        text = f"{answer.confidence:.1%} sure, flow {answer.flow}, {answer.views} view{'s' * (answer.views != 1)}"
        if answer.turn is None:
            blank = answer.reason is Reason.BLANK
            why = "blank" if blank else f"not sure enough for the promise {answer.promise.value}"
            text = f"{why}; the likeliest turn was {int(answer.best)}°; {text}"
        elif self.correction:
            done = self.correction
            text += f"; {done.method.value}{', lossless' * done.lossless}{'' if done.written else ', not written'}"
            text += f"; {done.note}" if done.note else ""
        return "; ".join([text, *answer.warnings])


@dataclass
class _Seen:
    """What is kept of the rows: counts, a histogram, and the thumbnails of the first rows of each group."""

    shown: int
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(GROUPS, 0))
    bins: dict[str, list[int]] = field(default_factory=lambda: {group: [0] * _BINS for group in _COLOURS})
    kept: dict[str, list[tuple[Row, Image.Image | None]]] = field(
        default_factory=lambda: {group: [] for group in GROUPS}
    )

    def add(self, row: Row, thumbnail: Callable[[Row], Image.Image | None]) -> None:
        self.counts[row.group] += 1
        if row.orientation and row.group in self.bins:
            share = (row.orientation.confidence - 0.25) / 0.75
            self.bins[row.group][min(max(int(share * _BINS), 0), _BINS - 1)] += 1
        if len(self.kept[row.group]) < self.shown:
            self.kept[row.group].append((row, thumbnail(row)))


def write_report(
    rows: Iterable[Row],
    path: str | os.PathLike[str],
    *,
    shown: int = 200,
    open_source: Callable[[str], Any] | None = None,
    title: str = "upright: report",
) -> dict[str, int]:
    """Write ``path`` (HTML) and the contact sheet with the suffix ``.png`` beside it; answers the count of each group.

    ``shown`` limits how many rows of each group get a thumbnail; ``open_source`` opens a row's source where that is
    not a file (default: `upright.pictures.open_picture`). Raises `WriteFailed`.
    """
    page = Path(path)
    seen = _Seen(shown)
    for row in rows:
        seen.add(row, lambda row: _thumbnail(row, open_source))
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(page, "".join(_page(seen, title)).encode())
        _write_whole(page.with_suffix(".png"), _jpeg_or_png(_contact_sheet(seen), "PNG"))
    except OSError as error:
        raise WriteFailed(f"the report cannot be written: {error.strerror or error}", source=page) from error
    return seen.counts


def _write_whole(path: Path, data: bytes) -> None:
    """Under a name of its own first: a reader never sees half a page."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _thumbnail(row: Row, open_source: Callable[[str], Any] | None) -> Image.Image | None:
    """The picture as it was shown before, or ``None`` where it cannot be read any more."""
    from PIL import Image

    from .pictures import open_picture

    if row.orientation is None:
        return None
    done = row.correction
    written = bool(done and done.written)
    name = done.target if done and written else row.source
    page = 0 if written else row.orientation.page
    try:
        opened = open_source(name) if open_source and not written else open_picture(name, page=page)
        with opened as picture:
            image = Image.fromarray(picture.shrunk(THUMBNAIL_PX))
            longest = max(picture.width_px, picture.height_px)
            # A picture may be shrunk by different factors along its sides: its own shape is given back here.
            sides = [max(1, round(side * THUMBNAIL_PX / longest)) for side in (picture.width_px, picture.height_px)]
    except (UprightError, OSError):
        return None
    image = image.resize((sides[0], sides[1]))
    # The original may have been replaced: what was written, turned back, is what it looked like.
    return _turned(image, done.turn.inverse) if done and written else image


def _turned(image: Image.Image, turn: Turn) -> Image.Image:
    return show_pillow(image, ExifOrientation.TOP_LEFT.then(turn))


def _jpeg_or_png(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=78)
    return buffer.getvalue()


_STYLE = f"""
:root {{ color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif }}
body {{ margin: 2rem auto; max-width: 72rem; padding: 0 1rem }}
h1 {{ font-size: 1.5rem }} h2 {{ font-size: 1.15rem; margin: 2rem 0 .6rem }}
ul {{ list-style: none; padding: 0; display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax({2 * THUMBNAIL_PX + 50}px, 1fr)) }}
li {{ border: 1px solid #8886; border-radius: .5rem; padding: .6rem; overflow-wrap: anywhere }}
figure {{ margin: 0 0 .4rem; display: flex; align-items: center; gap: .5rem; min-height: {THUMBNAIL_PX}px;
  justify-content: center }}
b.turn {{ min-width: 2.6rem; text-align: center }} small {{ display: block; opacity: .8 }}
table {{ border-collapse: collapse }} td, th {{ padding: .15rem 1rem .15rem 0; text-align: left }}
""" + "".join(f".{group} {{ fill: {colour} }} " for group, colour in _COLOURS.items())


def _page(seen: _Seen, title: str) -> Iterator[str]:
    total = sum(seen.counts.values())
    yield f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<style>{_STYLE}</style><h1>{escape(title)}</h1><table>"
    for group, words in GROUPS.items():
        share = seen.counts[group] / total if total else 0
        yield f"<tr><th>{words}<td>{seen.counts[group]}<td>{share:.1%}"
    yield f"<tr><th>All<td>{total}<td></table>"
    yield from _histogram(seen)
    for group, words in GROUPS.items():
        if not seen.counts[group]:
            continue
        kept = seen.kept[group]
        left = f", the first {len(kept)} are shown" if len(kept) < seen.counts[group] else ""
        yield f'<h2 id="{group}">{words}: {seen.counts[group]}{left}</h2><ul>'
        for row, image in kept:
            yield _card(row, image)
        yield "</ul>"
    yield "</html>\n"


def _card(row: Row, image: Image.Image | None) -> str:
    figure = ""
    if image:
        arrow = f"{int(row.turn)}°?" if row.group == "unsure" else f"{int(row.turn)}°"
        figure = f"<figure>{_img(image, 'before')}"
        if row.turn:
            figure += f'<b class="turn">→ {arrow}</b>{_img(_turned(image, row.turn), "after")}'
        figure += "</figure>"
    elif row.orientation:
        figure = "<figure>(the picture cannot be opened any more)</figure>"
    return f"<li>{figure}{escape(printable(row.source))}<small>{escape(printable(row.words))}</small>"


def _img(image: Image.Image, alt: str) -> str:
    data = base64.b64encode(_jpeg_or_png(image, "JPEG")).decode()
    return f'<img alt="{alt}" width="{image.width}" height="{image.height}" src="data:image/jpeg;base64,{data}">'


def _histogram(seen: _Seen) -> Iterator[str]:
    top = max((sum(column) for column in zip(*seen.bins.values(), strict=True)), default=0)
    if not top:
        return
    yield "<h2>Confidence</h2>"
    yield '<svg viewBox="0 0 620 170" width="620" role="img" aria-label="histogram of the confidence">'
    for index in range(_BINS):
        y = 140.0
        for group, bins in seen.bins.items():
            height = 130 * bins[index] / top
            y -= height
            if height:
                yield f'<rect class="{group}" x="{10 + index * 30}" y="{y:.1f}" width="28" height="{height:.1f}">'
                yield f"<title>{GROUPS[group]}: {bins[index]}</title></rect>"
    for share in (0.25, 0.5, 0.75, 1.0):
        x = 10 + (share - 0.25) / 0.75 * _BINS * 30
        yield f'<text x="{x:.0f}" y="158" font-size="12" text-anchor="middle" fill="currentColor">{share:g}</text>'
    yield "</svg><p>" + ", ".join(
        f'<svg width="12" height="12"><rect class="{group}" width="12" height="12"/></svg> {GROUPS[group].lower()}'
        for group in _COLOURS
    )
    yield f"; the highest column has {top}.</p>"


def _contact_sheet(seen: _Seen, columns: int = 4, limit: int = 60) -> Image.Image:
    """Before and after in pairs, what was turned first; at most ``limit`` of them."""
    from PIL import Image, ImageDraw

    pairs = [(row, image) for kept in seen.kept.values() for row, image in kept if image][:limit]
    cell_w, cell_h, head = 2 * THUMBNAIL_PX + 40, THUMBNAIL_PX + 40, 40
    lines = max(1, -(-len(pairs) // columns))
    sheet = Image.new("RGB", (columns * cell_w, head + lines * cell_h), "white")
    draw = ImageDraw.Draw(sheet)
    facts = ", ".join(f"{GROUPS[group].lower()} {count}" for group, count in seen.counts.items())
    draw.text((12, 12), f"{sum(seen.counts.values())} pictures: {facts}; {len(pairs)} shown", fill="black")
    for index, (row, image) in enumerate(pairs):
        left, top = index % columns * cell_w, head + index // columns * cell_h
        sheet.paste(image, (left + 8, top))
        if row.turn:
            sheet.paste(_turned(image, row.turn), (left + THUMBNAIL_PX + 24, top))
        name = printable(row.source).rsplit("/", 1)[-1][-36:].encode("ascii", "replace").decode()
        answer = f"{int(row.turn)}" + "?" * (row.group == "unsure")
        draw.text((left + 8, top + THUMBNAIL_PX + 4), f"{name}: {answer}", fill=_COLOURS.get(row.group, "black"))
    return sheet
