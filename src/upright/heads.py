"""What a model's second network says of a picture whose turn is known: whether it is mirrored, how far it is tilted.

Text is mirrored where its mirror image reads better. Both are shown to the network, each as upright as the first
network makes it, in the same windows: what the two have in common tells nothing, and what tells them apart adds up.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .drive import BLANK_RANGE
from .errors import MALFORMED, EngineError, ModelError
from .results import Orientation, Scores
from .steps import View, render
from .steps.close import CLOSE
from .steps.quarters import QUARTERS
from .turns import Turn, turn_array

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .drive import Infer
    from .engines import Engine
    from .model import Model
    from .pictures import Box, Picture

    Pixels = NDArray[np.uint8]

#: What the network answers of a view: how well it reads, degrees clockwise that straighten it, their deviation.
READS, TILT, DEVIATION = range(3)
#: Photographs are looked at in squares, at most this many along the longer side: squashed, angles are no angles.
MOST_SQUARES = 3


@dataclass(frozen=True, slots=True)
class MirrorCalibration:
    """When a picture counts as mirrored or as plain.

    ``n`` windows that read better by ``x`` nats on average in the mirror weigh ``x`` times ``n`` to the power
    ``growth``; from ``mirrored`` on that is enough, from ``plain`` down the picture is not mirrored.
    """

    growth: float
    mirrored: float
    plain: float


@dataclass(frozen=True, slots=True)
class TiltCalibration:
    """The standard error of a tilt is ``factor`` times the deviation that the network sees, and ``least`` at least.

    Where it is over ``most`` degrees, nothing tells the tilt.
    """

    factor: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class HeadsFacts:
    """The facts of ``heads.json``, beside ``heads.onnx`` in a model folder."""

    path: Path
    sha256: str
    mirror: MirrorCalibration
    tilt: TiltCalibration


def load_heads(model: Model) -> HeadsFacts | None:
    """The second network of a model, ``None`` where it has none. Raises ModelError where it is not whole."""
    facts, path = model.folder / "heads.json", model.folder / "heads.onnx"
    if not facts.exists():
        return None
    try:
        known = json.loads(facts.read_text("utf-8"))
        calibrations = MirrorCalibration(**known["mirror"]), TiltCalibration(**known["tilt"])
        for name, value in [pair for each in calibrations for pair in asdict(each).items()]:
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ValueError(f"{name} is {value!r}, not a number")
        found = HeadsFacts(path, known["sha256"], *calibrations)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, *MALFORMED) as error:
        raise ModelError(f"heads.json or heads.onnx: {error}", source=model.folder, remedy=_REMEDY) from error
    if digest != found.sha256:
        raise ModelError(f"it has sha256 {digest}, heads.json says {found.sha256}", source=path, remedy=_REMEDY)
    return found


_REMEDY = "copy the folder of the model again"


def open_heads(model: Model, threads: int = 1) -> Heads | None:
    """The second network of a model, open; ``None`` where it has none. Raises ModelError where it is not whole."""
    from .engines.onnx import OnnxEngine

    facts = load_heads(model)
    if facts is None:
        return None
    return Heads(facts, OnnxEngine(model, threads, "cpu", path=facts.path, outputs=3), model.input_size_px)


@dataclass(frozen=True, slots=True)
class Heads:
    """The second network, open."""

    facts: HeadsFacts
    engine: Engine
    size_px: int

    def tilted(self, picture: Picture, answer: Orientation) -> Orientation:
        """The answer with the tilt of an open photograph. Raises what decoding raises."""
        import numpy as np

        if answer.turn is None:
            return answer
        views = [View(box=box) for box in squares(picture.width_px, picture.height_px)]
        pixels = [render(picture, view, self.size_px) for view in views]
        said = self._said([turn_array(each[:, ::-1] if answer.mirrored else each, answer.turn) for each in pixels])
        error = max(self.facts.tilt.factor * float(np.sqrt((said[:, DEVIATION] ** 2).mean())), self.facts.tilt.least)
        if error > self.facts.tilt.most:
            return answer
        return replace(answer, tilt=float(said[:, TILT].mean()), tilt_error=error)

    def mirrored(self, picture: Picture, answer: Orientation, decide: Callable[[], Orientation]) -> Orientation:
        """The answer that also says whether an open picture is mirrored, and its turn after that if it is.

        ``decide()`` gives the answer about the picture by looks at its mirror image, see `mirroring`. Where the two
        answers differ in the turn, the one in whose turn the images differ more counts: of 22 real and drawn pages
        where they did, that was right on 20, the answer about the picture as it is on 16. Raises what decoding raises.
        """
        image = decide()
        leads, windows = self.leads(picture, {answer.best, image.best})
        lead = sum(leads.values()) / len(leads)
        views = answer.views + image.views + 2 * windows * len(leads)
        timing = {stage: s + answer.timing_s.get(stage, 0.0) for stage, s in image.timing_s.items()}
        told = answer
        # Sideways nothing reads: an answer that is not sure of the turn cannot say which image is the better one.
        if lead >= self.facts.mirror.mirrored:
            likelier = max(image, answer, key=lambda each: leads[each.best])
            if likelier.turn is not None:
                told = replace(in_mirror(likelier), mirrored=True)
        elif lead <= self.facts.mirror.plain:
            likelier = min(answer, image, key=lambda each: leads[each.best])
            if likelier.turn is not None:
                told = replace(likelier, mirrored=False)
        return replace(told, views=views, timing_s=timing)

    def leads(self, picture: Picture, turns: Collection[Turn]) -> tuple[dict[Turn, float], int]:
        """By how much the picture reads better in a mirror, turned each of these ways; and in how many windows."""
        views = [replace(view, turn=Turn.NONE) for view in self._views(picture)]
        pixels = [render(picture, view, self.size_px) for view in views]
        pixels = [each for each in pixels if int(each.max()) - int(each.min()) >= BLANK_RANGE]
        found = dict.fromkeys(turns, 0.0)
        for turn in turns if pixels else ():
            as_it_is = [turn_array(each, turn) for each in pixels]
            said = self._said([*as_it_is, *(each[:, ::-1] for each in as_it_is)])[:, READS]
            lead = said[len(pixels) :] - said[: len(pixels)]
            found[turn] = float(lead.mean()) * len(pixels) ** self.facts.mirror.growth
        return found, len(pixels)

    def _views(self, picture: Picture) -> list[View]:
        """Its windows of text, else the whole and its quarters: nobody can read the whole of a page in one view."""
        return list(CLOSE.views(picture, self.size_px)) or [View(), *QUARTERS.views(picture, self.size_px)]

    def _said(self, pixels: list[Pixels]) -> NDArray[np.float32]:
        import numpy as np

        said = self.engine.infer(np.stack(pixels))
        if not np.isfinite(said).all():
            raise EngineError("heads.onnx answered what is no number", remedy=_REMEDY)
        return said


def mirroring(infer: Infer) -> Infer:
    """Shows an engine the mirror image of each view; answers as if turns went the other way round, see `in_mirror`."""
    import numpy as np

    # Mirrored, a view that was turned clockwise by t is the mirror image turned counterclockwise by t.
    return lambda pixels: infer(np.ascontiguousarray(pixels[:, :, ::-1]))[:, [0, 3, 2, 1]]


def in_mirror(answer: Orientation) -> Orientation:
    """An answer that rests on `mirroring` as what it is of the mirror image: its turn comes after the mirroring."""
    a, b, c, d = answer.scores.values
    turn = answer.turn and answer.turn.inverse
    return replace(answer, turn=turn, best=answer.best.inverse, scores=Scores((a, d, c, b)))


def squares(width_px: int, height_px: int) -> list[Box]:
    """Squares as large as the picture is narrow, evenly spaced from end to end of its longer side, or its middle."""
    side, longer = min(width_px, height_px), max(width_px, height_px)
    space, number = longer - side, min(MOST_SQUARES, -(-longer // side)) if longer > 1.2 * side else 1
    starts = [space * i // (number - 1) for i in range(number)] if number > 1 else [space // 2]
    return [(s, 0, s + side, side) if width_px > height_px else (0, s, side, s + side) for s in starts]
