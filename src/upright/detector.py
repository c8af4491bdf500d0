"""The class that users meet: a model, an engine, and how far and how surely to decide."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from . import drive, forks
from .decide import DEFAULT_EFFORT, efforts, is_enough, ladder_of
from .engines import Engine, open_engine
from .engines.batcher import Batcher
from .errors import UprightError, UsageError
from .heads import Heads, mirroring, open_heads
from .model import Model, load_model
from .pictures import Bands, Limits, Picture, Source, open_picture
from .results import Orientation, Promise
from .spread import spread
from .tilt import tilted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AnySource = TypeVar("AnySource", bound=Source)

#: Threads of `Detector.detect_many` for each worker where the engine likes batches: they wait for it together.
_THREADS_PER_WORKER = 4


class Detector:
    """Tells which way up pictures belong. Safe to share between threads; one engine serves them all.

    Args:
        model: a model folder, or the name of a model that comes with upright; ``None`` is the default one.
        engine: ``onnx``, ``openvino``, ``torch``, ``tensorrt``, or ``auto``: what was measured fastest here. Or an open
            engine, which stays open when the detector is closed. One that likes batches is given what all threads
            that share the detector want at the same time.
        threads: threads of one engine call. 1 costs the least CPU time for each picture.
        promise: how sure an answer has to be.
        effort: how closely to look where that is needed: 0 one look, 1 four, 2 eight, 3 windows of text too.
        budget_ms: time after which no further look is taken; ``None``: no limit.
        limits: what a picture may ask for.
        bands: which three bands, counted from 1, of pictures that have more are shown; see `open_picture`.
        tilt: whether answers also say by how much the picture is tilted.
        mirror: whether they also say if the picture is mirrored: two decisions, and two looks at each window.
        progress: called with the name of a large picture and the share, 0 to 1, of it that is decoded.

    Raises:
        ModelError, EngineError, ExtraMissing, UsageError: when it cannot be opened.
    """

    def __init__(
        self,
        model: str | Path | Model | None = None,
        *,
        engine: str | Engine = "onnx",
        threads: int = 1,
        promise: Promise | str = Promise.BALANCED,
        effort: int = DEFAULT_EFFORT,
        budget_ms: float | None = None,
        limits: Limits | None = None,
        bands: Bands | None = None,
        tilt: bool = False,
        mirror: bool = False,
        progress: Callable[[str, float], object] | None = None,
    ) -> None:
        started = time.perf_counter()
        self.promise, self.effort = Promise(promise), _checked(effort)
        self.budget_ms = budget_ms
        self.limits = limits or Limits()
        self.bands = bands
        self.tilt, self.mirror = tilt, mirror
        self.progress = progress
        self.model = model if isinstance(model, Model) else load_model(model)
        self.ladder = ladder_of(self.model)
        self._threads = threads
        self._closed = False
        self._own: list[Engine] = []
        if isinstance(engine, str):
            engine = open_engine(self.model, engine, threads=threads)
            self._own.append(engine)
        if engine.batch_size > 1 and not isinstance(engine, Batcher):
            engine = Batcher(engine)
            self._own.append(engine)
        self.engine: Engine = engine
        #: Seconds that model and engine took to load.
        self.load_s = time.perf_counter() - started

    def detect(
        self,
        source: Source,
        *,
        promise: Promise | str | None = None,
        effort: int | None = None,
        page: int = 0,
        tilt: bool | None = None,
        mirror: bool | None = None,
    ) -> Orientation:
        """Which way up one picture belongs.

        Args:
            source: a path, bytes, an open binary file, an array ``[h, w]`` or ``[h, w, 1 to 4]`` of any numbers, or a
                Pillow image.
            promise, effort, tilt, mirror: for this picture alone.
            page: of a picture with several, counted from 0.

        Raises:
            UprightError: the source cannot be used; see `upright.errors`.
        """
        self._check_open()
        started = time.perf_counter()
        with open_picture(source, page=page, limits=self.limits, bands=self.bands) as picture:
            if self.progress:
                picture.progress = partial(self.progress, picture.name)
            opened_s = time.perf_counter() - started
            answer = self.decide(picture, promise=promise, effort=effort, tilt=tilt, mirror=mirror)
        return replace(answer, timing_s=answer.timing_s | {"read": answer.timing_s["read"] + opened_s})

    def decide(
        self,
        picture: Picture,
        *,
        promise: Promise | str | None = None,
        effort: int | None = None,
        tilt: bool | None = None,
        mirror: bool | None = None,
        infer: drive.Infer | None = None,
        may_go_on: Callable[[], bool] = lambda: True,
    ) -> Orientation:
        """The same for an open picture. No further look is taken as soon as ``may_go_on()`` is false.

        ``infer`` stands in for `infer`.
        """
        started = time.monotonic()

        def within_budget() -> bool:
            return may_go_on() and (self.budget_ms is None or (time.monotonic() - started) * 1000 < self.budget_ms)

        def climbed(infer: drive.Infer) -> Orientation:
            return drive.decide(
                picture,
                self.ladder,
                self.model.input_size_px,
                infer,
                effort=self.effort if effort is None else _checked(effort),
                promise=Promise(promise or self.promise),
                may_go_on=within_budget,
            )

        infer = infer or self.infer
        answer = climbed(infer)
        if self.mirror if mirror is None else mirror:
            answer = self._heads_for_mirrors().mirrored(picture, answer, lambda: climbed(mirroring(infer)))
        if self.tilt if tilt is None else tilt:
            answer = tilted(picture, answer)
            if answer.tilt is None and self.heads:
                answer = self.heads.tilted(picture, answer)
        return answer

    @cached_property
    def heads(self) -> Heads | None:
        """The model's second network, opened when it is first needed; ``None`` where it has none."""
        return open_heads(self.model, self._threads)

    def _heads_for_mirrors(self) -> Heads:
        if self.heads is None:
            raise UsageError(
                f"{self.model.name} cannot tell what is mirrored", remedy="use a model with heads.onnx (docs/tilt.md)"
            )
        return self.heads

    def detect_many(
        self,
        sources: Iterable[AnySource],
        *,
        promise: Promise | str | None = None,
        effort: int | None = None,
        page: int = 0,
        tilt: bool | None = None,
        mirror: bool | None = None,
        workers: int = 1,
    ) -> Generator[tuple[AnySource, Orientation | UprightError], None, None]:
        """Each source with its orientation, or with the error that kept it from having one, in the order given.

        ``workers`` pictures are worked on side by side, four times as many where the engine likes batches; as many
        again are taken from ``sources`` before the first is handed out, whatever its length. Who stops half way closes
        what this returns, or lets go of it. Options as of `detect`.

        Raises:
            UsageError: an option is wrong, or ``sources`` is one source. What ``sources`` raises is raised later.
        """
        self._check_open()
        if workers < 1:
            raise UsageError(f"{workers} workers can do nothing", remedy="give 1 or more")
        if isinstance(sources, (str, bytes, bytearray, memoryview)) or hasattr(sources, "read"):
            raise UsageError(f"one {type(sources).__name__} is not many sources", remedy="give a list of sources")
        promise = Promise(promise or self.promise)
        effort = self.effort if effort is None else _checked(effort)
        detect = partial(self.detect, promise=promise, effort=effort, page=page, tilt=tilt, mirror=mirror)

        def answered(source: AnySource) -> list[tuple[AnySource, Orientation | UprightError]]:
            try:
                return [(source, detect(source))]
            except UprightError as error:
                return [(source, error)]

        threads = workers * (_THREADS_PER_WORKER if isinstance(self.engine, Batcher) else 1)
        return spread(sources, answered, threads, 2 * threads)

    @property
    def likes_batches(self) -> bool:
        """Whether its engine is faster with several pictures at once."""
        return self.engine.batch_size > 1

    def is_sure(self, answer: Orientation) -> bool:
        """Whether its confidence keeps its promise by this model; of *best*, which always answers, as *balanced*."""
        return is_enough(answer, self.model.calibration[answer.step])

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits ``[n, 4]`` in the order of turn 0, 90, 180, 270 for views ``[n, S, S, 3]``; of blank views zero."""
        self._check_open()
        return drive.infer(self.model, self.engine, pixels)

    def close(self) -> None:
        """Free the engine unless it was handed in; the detector may not be used afterwards."""
        self._closed = True
        for engine in reversed(self._own):
            engine.close()
        if (heads := self.__dict__.get("heads")) is not None:
            heads.engine.close()

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("this Detector is closed", remedy="make a new one")

    def __enter__(self) -> Detector:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        # Sent with each call of a pool, it would be opened for each.
        raise TypeError("a Detector stays in its process: call upright.detect in others, which opens one in each")


def _checked(effort: int) -> int:
    if effort not in efforts():
        raise UsageError(f"effort {effort} is not one of {', '.join(map(str, efforts()))}")
    return effort


_shared: dict[str, Detector] = {}
_shared_lock = forks.Lock()


def detect(
    source: Source,
    *,
    promise: Promise | str | None = None,
    effort: int | None = None,
    page: int = 0,
    tilt: bool | None = None,
    mirror: bool | None = None,
) -> Orientation:
    """Which way up one picture belongs, by the default model; options as of `Detector.detect`.

    The detector is opened at the first call and kept for the process.
    """
    return shared_detector().detect(source, promise=promise, effort=effort, page=page, tilt=tilt, mirror=mirror)


def shared_detector() -> Detector:
    """The process's one default detector, opened when it is first asked for."""
    with _shared_lock:
        if "default" not in _shared:
            _shared["default"] = Detector()
        return _shared["default"]
