"""A report for people: before and after of what was turned, what was left alone, and why.

`write_report` takes the outcomes of a run one by one and writes two files that need nothing else: an HTML page with
small embedded pictures, and beside it, with the same stem, a PNG contact sheet. Memory stays bounded however many there
are: of each group only the first ``shown`` are kept as thumbnails, all are counted, and the page says so.
"""

from __future__ import annotations

import base64
import io
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from . import atomic
from .errors import UprightError, WriteFailed, printable
from .results import Group, Method, Outcome
from .sources import item_of
from .turns import ExifOrientation, Turn, show_pillow

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL_PX = 160
#: In the head of both files: only a report is replaced by a report.
_MARK = "upright report"
_BINS = 20
_COLOURS = {
    Group.TURNED: "#2563eb",
    Group.WOULD_TURN: "#60a5fa",
    Group.CANNOT: "#dc2626",
    Group.UNSURE: "#d97706",
    Group.UPRIGHT: "#16a34a",
}
#: What asks for a person first, then what was done.
_ORDER = (Group.CANNOT, Group.FAILED, Group.TURNED, Group.WOULD_TURN, Group.UNSURE, Group.UPRIGHT)


@dataclass
class _Seen:
    """What is kept of the outcomes: counts, a histogram, and the thumbnails of the first outcomes of each group."""

    shown: int
    counts: dict[Group, int] = field(default_factory=lambda: dict.fromkeys(_ORDER, 0))
    skipped: Counter[str] = field(default_factory=Counter)
    bins: dict[Group, list[int]] = field(default_factory=lambda: {group: [0] * _BINS for group in _COLOURS})
    kept: dict[Group, list[tuple[Outcome, Image.Image | None]]] = field(
        default_factory=lambda: {group: [] for group in _ORDER}
    )

    def add(self, outcome: Outcome, thumbnail: Callable[[Outcome], Image.Image | None]) -> None:
        if outcome.skipped:
            self.skipped[outcome.skipped] += 1
            return
        self.counts[outcome.group] += 1
        if outcome.orientation and outcome.group in self.bins:
            share = (outcome.orientation.confidence - 0.25) / 0.75
            self.bins[outcome.group][min(max(int(share * _BINS), 0), _BINS - 1)] += 1
        if len(self.kept[outcome.group]) < self.shown:
            self.kept[outcome.group].append((outcome, thumbnail(outcome)))


def write_report(
    outcomes: Iterable[Outcome],
    path: str | os.PathLike[str],
    *,
    shown: int = 200,
    title: str = "upright: report",
    skipped: Mapping[str, int] = {},
) -> dict[Group, int]:
    """Write ``path`` (HTML) and the contact sheet with the suffix ``.png`` beside it; answers the count of each group.

    ``shown`` limits how many of each group get a thumbnail; ``skipped`` counts by reason what ``outcomes`` lacks.
    Raises `WriteFailed`.
    """
    page = Path(path)
    check_report(page)
    seen = _Seen(shown, skipped=Counter(skipped))
    for outcome in outcomes:
        seen.add(outcome, _thumbnail)
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteFailed(f"the report cannot be written: {error.strerror or error}", source=page) from error
    atomic.write(str(page), (piece.encode() for piece in _page(seen, title)))
    atomic.write(str(page.with_suffix(".png")), [_jpeg_or_png(_contact_sheet(seen), "PNG")])
    return seen.counts


def check_report(path: str | os.PathLike[str]) -> None:
    """Raise `WriteFailed` where a file that is no report is at the place of the page or of its contact sheet."""
    for place in (Path(path), Path(path).with_suffix(".png")):
        try:
            with place.open("rb") as file:
                head = file.read(1024)
        except OSError:
            continue
        if head and _MARK.encode() not in head:
            raise WriteFailed("another file is where the report goes", source=place, remedy="name another --report")


def _thumbnail(outcome: Outcome) -> Image.Image | None:
    """The picture as it was shown before, or ``None`` where it cannot be read any more."""

    from .pictures import open_picture

    if outcome.orientation is None:
        return None
    done = outcome.correction
    written = bool(done and done.written)
    name = done.target if done and written else outcome.source
    # What is encoded again is one page.
    page = 0 if done and written and done.method is Method.REENCODE else outcome.orientation.page
    try:
        source = name if written else item_of(name).open()
        with open_picture(source, page=page) as picture:
            image = picture.image(THUMBNAIL_PX)
            longest = max(picture.width_px, picture.height_px)
            # A picture may be shrunk by different factors along its sides: its own shape is given back here.
            sides = [max(1, round(side * THUMBNAIL_PX / longest)) for side in (picture.width_px, picture.height_px)]
    except (UprightError, OSError):
        return None
    image = image.resize((sides[0], sides[1]))
    # The original may have been replaced: what was written, turned back, is what it looked like.
    return _turned(image, done.turn.inverse) if done and written else image


def _turn(outcome: Outcome) -> Turn:
    """The turn that the report shows: the answer, or for an unsure outcome the likeliest turn."""
    answer = outcome.orientation
    return Turn.NONE if not answer else answer.best if answer.turn is None else answer.turn


def _turned(image: Image.Image, turn: Turn) -> Image.Image:
    return show_pillow(image, ExifOrientation.TOP_LEFT.then(turn))


def _jpeg_or_png(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "PNG":
        from PIL.PngImagePlugin import PngInfo

        mark = PngInfo()
        mark.add_text("Software", _MARK)
        image.save(buffer, kind, pnginfo=mark)
    else:
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
""" + "".join(f".{group.name} {{ fill: {colour} }} " for group, colour in _COLOURS.items())


def _heading(group: Group) -> str:
    return group.capitalize()


def _page(seen: _Seen, title: str) -> Iterator[str]:
    total = sum(seen.counts.values())
    yield f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
    yield f'<meta name="viewport" content="width=device-width"><meta name="generator" content="{_MARK}">'
    yield f"<style>{_STYLE}</style><h1>{escape(title)}</h1><table>"
    for group in _ORDER:
        share = seen.counts[group] / total if total else 0
        yield f"<tr><th>{_heading(group)}<td>{seen.counts[group]}<td>{share:.1%}"
    yield f"<tr><th>All<td>{total}<td>"
    for why, count in seen.skipped.most_common():
        yield f"<tr><th>Skipped: {escape(why)}<td>{count}<td>"
    yield "</table>"
    yield from _histogram(seen)
    for group in _ORDER:
        if not seen.counts[group]:
            continue
        kept = seen.kept[group]
        left = f", the first {len(kept)} are shown" if len(kept) < seen.counts[group] else ""
        yield f'<h2 id="{group.name.lower()}">{_heading(group)}: {seen.counts[group]}{left}</h2><ul>'
        for outcome, image in kept:
            yield _card(outcome, image)
        yield "</ul>"
    yield "</html>\n"


def _card(outcome: Outcome, image: Image.Image | None) -> str:
    figure, turn = "", _turn(outcome)
    if image:
        figure = f"<figure>{_img(image, 'before')}"
        if turn:
            arrow = f"{int(turn)}°{'?' * (outcome.group is Group.UNSURE)}"
            figure += f'<b class="turn">→ {arrow}</b>{_img(_turned(image, turn), "after")}'
        figure += "</figure>"
    elif outcome.orientation:
        figure = "<figure>(the picture cannot be opened any more)</figure>"
    return f"<li>{figure}{escape(printable(outcome.name))}<small>{escape(printable(outcome.words))}</small>"


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
                yield f'<rect class="{group.name}" x="{10 + index * 30}" y="{y:.1f}" width="28" height="{height:.1f}">'
                yield f"<title>{_heading(group)}: {bins[index]}</title></rect>"
    for share in (0.25, 0.5, 0.75, 1.0):
        x = 10 + (share - 0.25) / 0.75 * _BINS * 30
        yield f'<text x="{x:.0f}" y="158" font-size="12" text-anchor="middle" fill="currentColor">{share:g}</text>'
    yield "</svg><p>" + ", ".join(
        f'<svg width="12" height="12"><rect class="{group.name}" width="12" height="12"/></svg> {group}'
        for group in _COLOURS
        if any(seen.bins[group])
    )
    yield f"; the highest column has {top}.</p>"


def _contact_sheet(seen: _Seen, columns: int = 4, limit: int = 60) -> Image.Image:
    """Before and after in pairs, what was turned first; at most ``limit`` of them."""
    from PIL import Image, ImageDraw

    pairs = [(outcome, image) for kept in seen.kept.values() for outcome, image in kept if image][:limit]
    cell_w, cell_h, head = 2 * THUMBNAIL_PX + 40, THUMBNAIL_PX + 40, 40
    lines = max(1, -(-len(pairs) // columns))
    sheet = Image.new("RGB", (columns * cell_w, head + lines * cell_h), "white")
    draw = ImageDraw.Draw(sheet)
    facts = ", ".join(f"{count} {group}" for group, count in seen.counts.items() if count)
    draw.text((12, 12), f"{sum(seen.counts.values())} pictures: {facts}; {len(pairs)} shown", fill="black")
    for index, (outcome, image) in enumerate(pairs):
        left, top = index % columns * cell_w, head + index // columns * cell_h
        sheet.paste(image, (left + 8, top))
        if turn := _turn(outcome):
            sheet.paste(_turned(image, turn), (left + THUMBNAIL_PX + 24, top))
        name = printable(outcome.source).rsplit("/", 1)[-1][-36:].encode("ascii", "replace").decode()
        answer = f"{int(turn)}" + "?" * (outcome.group is Group.UNSURE)
        draw.text((left + 8, top + THUMBNAIL_PX + 4), f"{name}: {answer}", fill=_COLOURS.get(outcome.group, "black"))
    return sheet
