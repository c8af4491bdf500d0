"""The HTML page of a report: one file, which needs nothing else."""

from __future__ import annotations

import base64
import io
import os
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from .. import __version__
from ..errors import printable
from ..results import Group, Outcome
from ..sources import item_of
from .seen import BINS, COLOURS, MARK, ORDER, About, Seen

if TYPE_CHECKING:
    from PIL import Image

HERE = Path(__file__).parent
#: Of small pictures in one page; a report of 1,000 pictures stays below 2 MB.
_MOST_BYTES = 1_500_000
_QUALITY = 45


def page_of(seen: Seen, about: About, folder: Path) -> Iterator[str]:
    """The page in pieces; ``folder`` is where it will be, from which pictures are linked."""
    total = sum(seen.counts.values())
    yield f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>upright: {total:,} pictures</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta name="generator" content="{MARK}">'
    yield f"<style>{(HERE / 'page.css').read_text('utf-8')}{_colours()}</style>"
    when = time.strftime("%Y-%m-%d %H:%M")
    yield f"<header><h1>{total:,} pictures</h1><p>{when}, upright {__version__}</p></header><main>"
    yield from _about(about)
    yield '<nav aria-label="Groups">'
    yield f'<button type="button" data-show="" aria-pressed="true">All <b>{total:,}</b></button>'
    for group in ORDER:
        if count := seen.counts[group]:
            yield f'<button type="button" data-show="{group.name.lower()}" aria-pressed="false">'
            yield f"{_heading(group)} <b>{count:,}</b></button>"
    yield "</nav>"
    if seen.skipped:
        reasons = ", ".join(f"{count:,} {escape(why)}" for why, count in seen.skipped.most_common())
        yield f"<p>Skipped: {reasons}</p>"
    yield from _histogram(seen, about.threshold)
    left_bytes = _MOST_BYTES
    for group in ORDER:
        if not seen.counts[group]:
            continue
        cards = []
        for outcome, image in seen.samples[group]:
            card = _card(outcome, image, folder)
            if len(card) > left_bytes:
                break
            left_bytes -= len(card)
            cards.append(card)
        left = f", the first {len(cards):,} are shown" if len(cards) < seen.counts[group] else ""
        yield f'<section id="{group.name.lower()}"><h2>{_heading(group)}: {seen.counts[group]:,}{left}</h2><ul>'
        yield from cards
        yield "</ul></section>"
    yield '</main><dialog aria-label="The picture, large"><div class="pair"></div><p></p>'
    yield '<form method="dialog"><button>Close</button></form></dialog>'
    yield f"<script>{(HERE / 'page.js').read_text('utf-8')}</script></html>\n"


def _heading(group: Group) -> str:
    return group.capitalize()


def _colours() -> str:
    return "".join(f".{group.name} {{ fill: {colour} }} " for group, colour in COLOURS.items())


def _about(about: About) -> Iterator[str]:
    rows = {
        "Command": about.command,
        "Model": about.model,
        "Take it back": about.undo,
        "Settle what is unsure": about.review,
    }
    texts = {name: escape(printable(text)) for name, text in rows.items() if text}
    found = [f"<dt>{name}<dd>{text if name == 'Model' else f'<code>{text}</code>'}" for name, text in texts.items()]
    yield f"<dl>{''.join(found)}</dl>" if found else ""


def _card(outcome: Outcome, image: Image.Image | None, folder: Path) -> str:
    turn, group = outcome.proposed, outcome.group
    # An unsure picture is shown as it lies, which is how it was left.
    shown = 0 if group in (Group.UNSURE, Group.CANNOT) else int(turn)
    figure = ""
    if image:
        figure = f'<span class="thumb"><img alt="" class="turn{shown}" src="{_data(image)}"></span>'
    elif outcome.orientation:
        figure = '<span class="thumb none">cannot be opened any more</span>'
    badge = f"{int(turn)}°{'?' * (group is Group.UNSURE)}" if turn else ""
    link = _link(outcome.written or outcome.source, folder)
    facts = f'data-turn="{int(turn)}" data-written="{int(bool(outcome.written))}" data-link="{escape(link)}"'
    name, words = escape(printable(outcome.name)), escape(printable(outcome.words))
    small = f"<small>{name.rsplit('/', 1)[-1]}</small>"
    return (
        f'<li><button type="button" {facts}>{figure}<b class="badge">{badge}</b>{small}</button>'
        f'<p class="words"><span>{name}</span> {words}</p>'
    )


def _link(source: str, folder: Path) -> str:
    """Where the file is, seen from the report; nothing for what a browser cannot open from there."""
    path = item_of(source).path
    if path is None:
        return ""
    try:
        return quote(os.fsencode(os.path.relpath(Path(path).absolute(), folder)))
    except ValueError:
        return ""  # another drive


def _data(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _histogram(seen: Seen, threshold: float | None) -> Iterator[str]:
    top = max((sum(column) for column in zip(*seen.bins.values(), strict=True)), default=0)
    if not top:
        return

    def across(confidence: float) -> float:
        return 10 + (confidence - 0.25) / 0.75 * BINS * 30

    yield "<details open><summary>How sure upright was</summary>"
    yield '<svg viewBox="0 0 620 176" role="img" aria-label="histogram of the confidence">'
    for index in range(BINS):
        y = 140.0
        for group, bins in seen.bins.items():
            height = 130 * bins[index] / top
            y -= height
            if height:
                yield f'<rect class="{group.name}" x="{10 + index * 30}" y="{y:.1f}" width="28" height="{height:.1f}">'
                yield f"<title>{_heading(group)}: {bins[index]}</title></rect>"
    if threshold:
        x = across(threshold)
        yield f'<path d="M{x:.1f} 4V142" class="threshold"/>'
        yield f'<text x="{x - 4:.1f}" y="172" font-size="12" text-anchor="end">sure from {threshold:.1%} on</text>'
    for share in (0.25, 0.5, 0.75, 1.0):
        yield f'<text x="{across(share):.0f}" y="156" font-size="12" text-anchor="middle">{share:.0%}</text>'
    yield "</svg><p>" + ", ".join(
        f'<svg width="12" height="12" aria-hidden="true"><rect class="{group.name}" width="12" height="12"/></svg>'
        f" {group}"
        for group in COLOURS
        if any(seen.bins[group])
    )
    yield f"; the highest column has {top:,}.</p></details>"
