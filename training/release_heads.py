"""The second network of a model folder: heads.onnx, its calibration, and heads.json.

    python -m training.release_heads --weights best.safetensors --pools POOLS --pages FOLDER --photos FOLDER \
        --model src/upright/models/upright-1 --out BUILD

`heads.onnx` takes uint8 RGB pictures [n, S, S, 3] and gives float32 [n, 3]: how well each reads in nats, the degrees
clockwise that straighten it, and their standard deviation. Pages and photographs are upright files that did not train.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from training import export
from training.data import READ_TAIL, Pixels, squash
from training.heldout import read, sample
from training.measures import Floats
from training.network import TILTS, Lite, load
from training.script import run
from training.upright_heads import scores
from upright import Detector, Orientation
from upright.heads import Heads, MirrorCalibration, TiltCalibration, mirroring
from upright.model import load_model
from upright.pictures import open_picture
from upright.results import Promise, Reason, Scores
from upright.turns import Turn

#: Kinds in which there is text enough to tell, and those that only have to stay unsure or plain.
PAGES, OTHERS = ("document", "screenshot"), ("photograph", "scene text")
#: Windows are evidence that adds up, but not all of it: how fast, is chosen among these.
GROWTHS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
#: A picture may count as mirrored where it leads by this many times the most that a plain one did: some 250 calibrate,
#: and of 1,000 one may be called mirrored.
MARGIN = 1.5
#: int8 ships where it puts in order all but so many of the pairs that float does.
MOST_LOST = 0.01
#: Photographs of one source that calibrate the tilt.
MOST_PHOTOS = 300
#: A tilt with a larger standard error tells nothing.
MOST_TILT_ERROR = 3.0
#: The answer about a picture that is known to be upright.
UPRIGHT = Orientation(Turn.NONE, Turn.NONE, 1.0, Scores((1.0, 0, 0, 0)), Reason.SURE, Promise.BEST, step="", views=0)


class HeadsIn(nn.Module):
    """The network behind the product's input: what it says of pictures that are upright."""

    def __init__(self, net: Lite) -> None:
        super().__init__()
        self.net = net.eval()
        self.degrees: Tensor
        self.register_buffer("degrees", torch.tensor(TILTS, dtype=torch.float32))

    def forward(self, pictures: Tensor) -> Tensor:
        heads = self.net.said(pictures.permute(0, 3, 1, 2).float())
        shares = heads.tilt.softmax(1)
        tilt = (shares * self.degrees).sum(1)
        deviation = ((shares * self.degrees**2).sum(1) - tilt**2).clamp(min=0).sqrt()
        return torch.stack([-heads.mirror, tilt, deviation], 1)


def export_heads(net: Lite, path: Path, size_px: int, pools: Path) -> None:
    """Writes the network in int8 where that puts as many pairs of windows in order, else in float."""
    shown = HeadsIn(net)
    export.export_onnx(shown, path, size_px)
    windows = [picture.pixels for picture in read(pools) if picture.source.endswith(READ_TAIL)]
    ranges = [squash(Image.fromarray(each.pixels), size_px) for each in sample(read(pools), 60, 1)]
    small = path.with_name("heads-int8.onnx")
    export.quantise_views(path, small, np.stack([*windows[::4], *ranges]))
    pixels = np.stack(windows)
    views = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        trained = (scores(net, views) > scores(net, views.flip(3))).float().mean()
    shares = {file: _in_order(file, pixels) for file in (path, small)}
    for file, share in shares.items():
        size = file.stat().st_size / 1e6
        print(f"{file.name}: {100 * share:.1f} % of pairs in order (weights {100 * trained:.1f} %), {size:.1f} MB")
    if shares[small] >= shares[path] - MOST_LOST:
        small.replace(path)


def _in_order(path: Path, windows: Pixels) -> float:
    """Share of windows [n, s, s, 3] that read better than their mirror images."""
    model = export.Model.open(path)

    def reads(some: Pixels) -> Floats:
        parts = (np.ascontiguousarray(some[first : first + 16]) for first in range(0, len(some), 16))
        return np.concatenate([model.logits(part)[:, 0] for part in parts])

    return float((reads(windows) > reads(windows[:, :, ::-1])).mean())


def pictures(paths: Iterable[Path], kinds: Collection[str], each: int = 0) -> Iterator[Image.Image]:
    """Upright pictures of these kinds, as `training.heldout` reads them; of each path at most so many."""
    for path in paths:
        found = (picture for picture in read(path) if picture.kind in kinds)
        for picture in sample(found, each, 0) if each else found:
            yield Image.fromarray(picture.pixels)


def leads_of(detector: Detector, upright: Iterable[Image.Image]) -> Floats:
    """Of pictures of which a turn is sure, how much better each reads in a mirror, and in how many windows: [n, 2]."""
    heads, rows = detector.heads, []
    assert heads is not None
    plain = replace(heads, facts=replace(heads.facts, mirror=MirrorCalibration(0.0, 0.0, 0.0)))
    for each in upright:
        with open_picture(each) as picture:
            answer = detector.decide(picture)
            image = detector.decide(picture, infer=mirroring(detector.infer))
            if answer.turn is not None or image.turn is not None:
                leads, windows = plain.leads(picture, {answer.best, image.best})
                rows.append((fmean(leads.values()), windows))
    return np.array(rows).reshape(-1, 2)


def mirror_calibration(pages: Floats, others: Floats) -> MirrorCalibration:
    """From plain pages and other pictures [n, 2] (lead, windows): mirrored, each leads by as much as it is behind now.

    A picture counts as mirrored from above what any plain one led by, with a margin, and as plain from half of that
    down; windows add up as most of the mirrored pages are found by.
    """
    found = []
    for growth in GROWTHS:
        behind, of_others = (-leads[:, 0] * leads[:, 1] ** growth for leads in (pages, others))
        least = MARGIN * max(0.0, float(-behind.min()), float(-of_others.min(initial=0.0)))
        found.append((float((behind >= least).mean()), growth, round(least, 3)))
    _, growth, mirrored = max(found)
    return MirrorCalibration(growth, mirrored, -mirrored / 2)


def tilted_photos(photos: Iterator[Image.Image], seed: int = 0) -> Iterator[tuple[Image.Image, float]]:
    """Each photograph turned by up to 15 degrees, what lies beyond its edges cut off; what straightens it again."""
    random = np.random.default_rng(seed)
    for photo in photos:
        degrees = float(random.uniform(-15, 15))
        shrunk = ImageOps.contain(photo, (1200, 1200))
        turned = shrunk.rotate(degrees, Image.Resampling.BICUBIC, expand=False)  # counterclockwise
        share = 1 / (np.cos(np.radians(abs(degrees))) + np.sin(np.radians(abs(degrees))) * max(
            shrunk.width / shrunk.height, shrunk.height / shrunk.width))  # fmt: skip
        across, down = (round(side * (1 - share) / 2) for side in turned.size)
        yield turned.crop((across, down, turned.width - across, turned.height - down)), degrees


def tilts_of(heads: Heads, photos: Iterator[tuple[Image.Image, float]]) -> Floats:
    """The error in degrees of each tilt and the deviation that the network saw, [n, 2]."""
    rows = []
    bare = replace(heads, facts=replace(heads.facts, tilt=TiltCalibration(1.0, 0.0, 90.0)))
    for photo, degrees in photos:
        with open_picture(photo) as picture:
            answer = bare.tilted(picture, UPRIGHT)
        assert answer.tilt is not None and answer.tilt_error is not None
        rows.append((answer.tilt - degrees, answer.tilt_error))
    return np.array(rows)


def tilt_calibration(found: Floats) -> TiltCalibration:
    """68 % of errors lie within the standard error; it is at least that of the surest quarter."""
    errors, deviations = np.abs(found[:, 0]), found[:, 1]
    surest = errors[deviations <= np.quantile(deviations, 0.25)]
    factor, least = float(np.quantile(errors / deviations, 0.68)), float(np.quantile(surest, 0.68))
    return TiltCalibration(round(factor, 3), round(least, 2), MOST_TILT_ERROR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, type=Path)
    parser.add_argument("--pools", required=True, type=Path, help="held-out pools, with windows of text")
    parser.add_argument(
        "--pages", required=True, type=Path, action="append", help="pictures of all kinds, see training.heldout"
    )
    parser.add_argument("--photos", required=True, type=Path, action="append", help="the same, with photographs")
    parser.add_argument("--model", required=True, type=Path, help="the folder of the first network; not changed")
    parser.add_argument("--out", required=True, type=Path, help="a copy of it, with heads.onnx and heads.json")
    options = parser.parse_args()
    shutil.copytree(options.model, options.out, dirs_exist_ok=True)
    net, facts = load(options.weights)
    path = options.out / "heads.onnx"
    export_heads(net, path, load_model(options.out).input_size_px, options.pools)
    # Calibrated through the product, which needs a calibration to open it.
    _write(options.out, MirrorCalibration(0.5, 0.0, 0.0), TiltCalibration(1.0, 0.0, 90.0), facts)
    with Detector(options.out) as detector:
        assert detector.heads is not None
        leads, others = (leads_of(detector, pictures(options.pages, kinds)) for kinds in (PAGES, OTHERS))
        tilts = tilts_of(detector.heads, tilted_photos(pictures(options.photos, ["photograph"], MOST_PHOTOS)))
    np.savez(options.out.parent / "heads-calibration.npz", leads=leads, others=others, tilts=tilts)
    mirror, tilt = mirror_calibration(leads, others), tilt_calibration(tilts)
    _write(options.out, mirror, tilt, facts)
    behind = -leads[:, 0] * leads[:, 1] ** mirror.growth
    in_order, found = 100 * (behind > 0).mean(), 100 * (behind >= mirror.mirrored).mean()
    print(f"{len(leads)} pages: {in_order:.1f} % in order, {found:.1f} % found mirrored; {mirror}")
    print(f"{len(tilts)} photographs: median {np.median(np.abs(tilts[:, 0])):.2f} degrees; {tilt}")


def _write(folder: Path, mirror: MirrorCalibration, tilt: TiltCalibration, facts: dict[str, object]) -> None:
    digest = hashlib.sha256((folder / "heads.onnx").read_bytes()).hexdigest()
    known = {"sha256": digest, "views": facts["views"], "mirror": asdict(mirror), "tilt": asdict(tilt)}
    (folder / "heads.json").write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    run(main)
