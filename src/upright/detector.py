"""The class that users meet: a model, an engine, and the flows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from .decide import DEFAULT_EFFORT, EFFORTS, Decision, flow_named
from .engines import open_engine
from .errors import UprightError, UsageError
from .model import Model, load_model
from .pictures import Bands, Limits, Picture, Policy, Source, open_picture
from .results import Orientation, Promise
from .views import View, plan_tiles, render

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .decide import Flow

#: A view whose brightest and darkest values are nearer than this shows nothing: paper noise of a blank scan is 5 to 9.
BLANK_RANGE = 10
#: Pictures that `Detector.detect_many` holds open at once for each worker.
_WINDOW_PER_WORKER = 8


class Detector:
    """Tells which way up pictures belong. Safe to share between threads; one engine serves them all.

    Args:
        model: a model folder, or the name of a model that comes with upright; ``None`` is the default one.
        engine: ``onnx``, ``openvino``, ``torch``, ``tensorrt``, or ``auto``: what was measured fastest here.
        threads: threads of one engine call. 1 costs the least CPU time for each picture.
        promise: how sure an answer has to be.
        flow: ``cascade``, ``whole``, ``turned`` or ``tiles``.
        effort: how closely ``cascade`` may look: 0 one look, 1 four, 2 the quarters as well, 3 up to 16 tiles too.
        policy: how much is decoded: ``lean`` what the views need, ``seed`` or ``full``; see `upright.pictures.Policy`.
        budget_ms: time after which ``cascade`` takes no further step; ``None``: no limit.
        limits: what a picture may ask for.
        bands: which three bands, counted from 1, of pictures that have more are shown; see `open_picture`.
        progress: called with the name of a large picture and the share, 0 to 1, of it that is decoded.

    Raises:
        ModelError, EngineError, UsageError: when it cannot be opened.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        engine: str = "onnx",
        threads: int = 1,
        promise: Promise | str = Promise.BALANCED,
        flow: str = "cascade",
        effort: int = DEFAULT_EFFORT,
        budget_ms: float | None = None,
        policy: Policy = "lean",
        limits: Limits | None = None,
        bands: Bands | None = None,
        progress: Callable[[str, float], object] | None = None,
    ) -> None:
        started = time.perf_counter()
        flow_named(flow)
        if effort not in EFFORTS:
            raise UsageError(f"effort {effort} is not one of 0, 1, 2, 3")
        if policy not in get_args(Policy):
            raise UsageError(f"no policy is called {policy!r}", remedy=f"choose one of {', '.join(get_args(Policy))}")
        self.model: Model = load_model(model)
        self.engine = open_engine(self.model, engine, threads=threads)
        self.promise = Promise(promise)
        self.flow = flow
        self.effort = effort
        self.budget_ms = budget_ms
        self.policy = policy
        self.limits = limits or Limits()
        self.bands = bands
        self.progress = progress
        #: Seconds that model and engine took to load.
        self.load_s = time.perf_counter() - started

    def detect(
        self, source: Source, *, promise: Promise | str | None = None, flow: str | None = None, page: int = 0
    ) -> Orientation:
        """Which way up one picture belongs.

        Args:
            source: a path, bytes, an open binary file, an array ``[h, w, 3]`` or ``[h, w]`` of uint8, or a Pillow
                image.
            page: of a picture with several, counted from 0.

        Raises:
            UprightError: the source cannot be used; see `upright.errors`.
        """
        run = _Run(self, source, promise, flow, page)
        while run.answer is None:
            run.send(*self._timed_infer(run.pixels))
        if isinstance(run.answer, UprightError):
            raise run.answer
        return run.answer

    def detect_many(
        self,
        sources: Iterable[Source],
        *,
        promise: Promise | str | None = None,
        flow: str | None = None,
        page: int = 0,
        workers: int = 1,
    ) -> Iterator[tuple[Source, Orientation | UprightError]]:
        """Each source with its orientation, or with the error that kept it from having one, in the order given.

        Many pictures advance together: ``workers`` threads decode, and each round's views go to the engine in
        batches. At most ``8 * workers`` pictures are open at a time, whatever the length of ``sources``.
        """
        window = max(_WINDOW_PER_WORKER * workers, self.engine.batch_size)
        remaining = iter(sources)
        with ThreadPoolExecutor(workers, thread_name_prefix="upright") as pool:
            while chunk := list(islice(remaining, window)):
                runs = list(pool.map(lambda source: _Run(self, source, promise, flow, page), chunk))
                self._finish_together(runs, pool)
                for source, run in zip(chunk, runs, strict=True):
                    assert run.answer is not None
                    yield source, run.answer

    def start(self, picture: Picture, *, promise: Promise | str | None = None, flow: str | None = None) -> Flow:
        """A flow for an open picture, for who drives it elsewhere: it yields views and wants their logits."""
        started = time.monotonic()

        def may_go_on() -> bool:
            return self.budget_ms is None or (time.monotonic() - started) * 1000 < self.budget_ms

        decision = Decision(
            calibration=self.model.calibration,
            promise=Promise(promise or self.promise),
            tiles=lambda: plan_tiles(picture),
            effort=self.effort,
            may_go_on=may_go_on,
        )
        orientation = yield from flow_named(flow or self.flow)(decision)
        return replace(
            orientation,
            source=picture.name,
            format=picture.format,
            width_px=picture.width_px,
            height_px=picture.height_px,
            exif=picture.exif,
            page=picture.page,
            pages=picture.pages,
            warnings=tuple(picture.warnings),
        )

    def render(self, picture: Picture, views: Sequence[View]) -> NDArray[np.uint8]:
        """What the model sees: ``[n, S, S, 3]`` for the views that a flow yields."""
        import numpy as np

        return np.stack([render(picture, view, self.model.input_size_px, self.policy) for view in views])

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits ``[n, 4]`` in the order of turn 0, 90, 180, 270 for views ``[n, S, S, 3]``.

        A blank view says nothing: its logits are all zero.
        """
        import numpy as np

        size = self.engine.batch_size
        parts = [self.engine.infer(pixels[i : i + size]) for i in range(0, len(pixels), size)]
        logits = np.concatenate(parts)[:, np.argsort(self.model.turns)].astype(np.float32)
        flat = pixels.reshape(len(pixels), -1)
        logits[flat.max(axis=1).astype(int) - flat.min(axis=1) < BLANK_RANGE] = 0
        return logits

    def close(self) -> None:
        """Free the engine; the detector may not be used afterwards."""
        self.engine.close()

    def __enter__(self) -> Detector:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _timed_infer(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
        started = time.perf_counter()
        return self.infer(pixels), time.perf_counter() - started

    def _finish_together(self, runs: list[_Run], pool: ThreadPoolExecutor) -> None:
        """Advance runs by rounds, each one a batch of all the views that they want, until all have their answer."""
        import numpy as np

        size = self.engine.batch_size
        while waiting := [run for run in runs if run.answer is None]:
            pixels = np.concatenate([run.pixels for run in waiting])
            parts = list(pool.map(self._timed_infer, (pixels[i : i + size] for i in range(0, len(pixels), size))))
            logits = np.concatenate([part for part, _ in parts])
            each_s = sum(seconds for _, seconds in parts) / len(pixels)
            ends = np.cumsum([len(run.pixels) for run in waiting])
            shares = np.split(logits, ends[:-1])
            list(pool.map(_Run.send, waiting, shares, [each_s * len(share) for share in shares]))


class _Run:
    """One source on its way through a flow: opened, then sent logits until ``answer`` is there."""

    def __init__(
        self, detector: Detector, source: Source, promise: Promise | str | None, flow: str | None, page: int
    ) -> None:
        self.answer: Orientation | UprightError | None = None
        self.pixels: NDArray[np.uint8]
        self._detector = detector
        self._timing_s = {"read": 0.0, "infer": 0.0}
        started = time.perf_counter()
        try:
            self._picture = open_picture(source, page=page, limits=detector.limits, bands=detector.bands)
        except UprightError as error:
            self.answer = error
            return
        if detector.progress:
            self._picture.progress = partial(detector.progress, self._picture.name)
        self._flow = detector.start(self._picture, promise=promise, flow=flow)
        self._advance(None, started)

    def send(self, logits: NDArray[np.float32], infer_s: float) -> None:
        """Answer the views that the flow asked for, and render the next ones unless it is done."""
        self._timing_s["infer"] += infer_s
        self._advance(logits, time.perf_counter())

    def _advance(self, logits: NDArray[np.float32] | None, started: float) -> None:
        try:
            # The first value sent to a fresh generator is None by the language's rule.
            self.pixels = self._detector.render(self._picture, self._flow.send(logits))  # type: ignore[arg-type]
            self._timing_s["read"] += time.perf_counter() - started
        except StopIteration as stop:
            self.answer = replace(stop.value, timing_s=self._timing_s)
        except UprightError as error:
            self.answer = error
        if self.answer is not None:
            self._picture.close()


_shared: dict[str, Detector] = {}
_shared_lock = threading.Lock()


def detect(source: Source, **options: Any) -> Orientation:
    """Which way up one picture belongs, by the default model; options as of `Detector.detect`.

    The detector is opened at the first call and kept for the process.
    """
    return shared_detector().detect(source, **options)


def shared_detector() -> Detector:
    """The process's one default detector, opened when it is first asked for."""
    with _shared_lock:
        if "default" not in _shared:
            _shared["default"] = Detector()
        return _shared["default"]
