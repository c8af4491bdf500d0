"""What may wait for the engine: what will never have room is told so, and not to come back."""

from __future__ import annotations

import numpy as np
import pytest

from upright import Overloaded
from upright.engines.batcher import Batcher
from upright.errors import TooLarge


class Stub:
    name, device, batch_size = "stub", "cpu", 8

    def infer(self, pixels):
        return np.zeros((len(pixels), 4), np.float32)


@pytest.mark.parametrize("bound", [{"max_views": 3}, {"max_bytes": 3 * 12 + 11}, {"max_views": 3, "max_bytes": 99}])
def test_more_views_than_the_line_holds_are_too_many_and_not_too_soon(bound):
    batcher = Batcher(Stub(), **bound)
    with pytest.raises(TooLarge, match="4 views in one request; send at most 3") as caught:
        batcher.submit(np.zeros((4, 2, 2, 3), np.uint8))
    assert caught.value.http_status == 413 and not isinstance(caught.value, Overloaded)
    assert batcher.infer(np.zeros((3, 2, 2, 3), np.uint8)).shape == (3, 4)
    batcher.close()
