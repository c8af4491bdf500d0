"""An engine of larger batches: what many threads ask for at the same time is answered by one call."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from . import Engine


class _Asked:
    """Views of one thread, and their logits or the error as soon as ``ready`` is set."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels
        self.ready = threading.Event()
        self.logits: NDArray[np.float32] | None = None
        self.error: BaseException | None = None


class Batches:
    """An `Engine` that fills batches: it takes what waits as soon as the engine is free, without timer or sleep.

    On a CPU, where the best batch is 1, threads call the engine itself instead.
    """

    def __init__(self, engine: Engine) -> None:
        self.name, self.device, self.inner = engine.name, engine.device, engine
        self._queue: SimpleQueue[_Asked | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="upright-batches", daemon=True)
        self._thread.start()
        #: Calls of the engine and views that they answered.
        self.calls = self.views = 0

    @property
    def batch_size(self) -> int:
        """Of the engine within, which lowers it when memory runs out."""
        return self.inner.batch_size

    @batch_size.setter
    def batch_size(self, views: int) -> None:
        self.inner.batch_size = views

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits ``[n, 4]`` for views ``[n, S, S, 3]``; waits for the batch that they become part of."""
        asked = _Asked(pixels)
        self._queue.put(asked)
        asked.ready.wait()
        if asked.error:
            raise asked.error
        assert asked.logits is not None
        return asked.logits

    def close(self) -> None:
        """End the thread; the engine within stays open: it belongs to who opened it."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, views = [first], len(first.pixels)
            while views < self.inner.batch_size and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._queue.put(None)
                    break
                batch.append(following)
                views += len(following.pixels)
            self._answer(batch)

    def _answer(self, batch: list[_Asked]) -> None:
        import numpy as np

        try:
            logits = self.inner.infer(np.concatenate([asked.pixels for asked in batch]))
            self.calls, self.views = self.calls + 1, self.views + len(logits)
            ends = np.cumsum([len(asked.pixels) for asked in batch])[:-1]
            for asked, share in zip(batch, np.split(logits, ends), strict=True):
                asked.logits = share
        except Exception as error:
            for asked in batch:
                asked.error = error
        finally:
            for asked in batch:
                asked.ready.set()
