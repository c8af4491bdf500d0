"""Many machines: `upright batch` on Ray Data, with a pool of engine actors and a checkpoint.

The driver lists keys; actors fetch, decode, infer and write Parquet. A checkpoint beside the output notes what is
written, so an actor, a node or the driver may die: the same call again does only the rest.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from .errors import UsageError
from .extras import need
from .machine import processors
from .results import Outcome, columns
from .results_file import arrow_schema
from .run import Tally, outcomes_of
from .sources import Item, filesystem, find_items, is_remote, item_of

if TYPE_CHECKING:
    import pyarrow as pa

#: Pictures of one task: some seconds of work.
TASK_ROWS = 128
#: Processors that Ray's own tasks want beside the actors (to read keys, filter by the checkpoint, write rows); with
#: fewer they and the actors wait for each other for ever.
_OTHERS = 3
_ROWS_AT_ONCE = 10_000


def run_on_ray(
    sources: Iterable[str],
    output: str,
    *,
    lists: Iterable[str] = (),
    exclude: Sequence[str] = (),
    address: str | None = None,
    gpus: float = 0.0,
    task_rows: int = TASK_ROWS,
    detector: dict[str, Any] | None = None,
    tally: Tally | None = None,
) -> int:
    """Write one row for each picture into Parquet files below ``output``; answers how many rows there are now.

    Args:
        sources: as of `upright.sources.find_items`; every node must see them under the same name.
        output: a folder or URL that every node can write to; keys and checkpoint go beside it, in
            ``<output>.keys`` and ``<output>.checkpoint``.
        lists: files with one source a line.
        exclude: patterns of what is passed over.
        address: of the cluster; ``None`` starts Ray on this machine.
        gpus: GPUs, or a part of one, for each actor; 0 is one processor instead.
        task_rows: pictures of one task.
        detector: keywords of `upright.Detector`.
        tally: counts what is passed over.

    Raises:
        UsageError: Ray or pyarrow is missing, or a source cannot be listed.
    """
    need("ray.data", "ray")
    ray, pa = need("ray", "ray"), need("pyarrow", "ray")
    if not ray.is_initialized():
        here = {} if address else {"num_cpus": processors() + _OTHERS}
        ray.init(address=address, include_dashboard=False, log_to_driver=False, **here)
    keys_system, keys_path = _arrow_filesystem(f"{output.rstrip('/')}.keys/keys.parquet")
    items = find_items(sources, lists=lists, load=False, exclude=exclude)
    _write_keys(pa, _pictures(items, tally or Tally()), keys_system, keys_path)
    _checkpoint(ray, output)
    system, path = _arrow_filesystem(output)
    # Ray passes over what the checkpoint holds where keys are read, and notes what is done where rows are written: a
    # block is what a dead actor costs. Keys are so small that without the repartition all of them are one block.
    keys = ray.data.read_parquet(keys_path, filesystem=keys_system)
    dataset = keys.repartition(target_num_rows_per_block=task_rows).map_batches(
        _Worker,
        batch_size=task_rows,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=_room(ray, gpus)),
        num_cpus=0 if gpus else 1,
        num_gpus=gpus or None,
        fn_constructor_kwargs={"options": detector or {}, "threads": 4 * processors() if gpus else 1},
    )
    dataset.write_parquet(path, filesystem=system)
    return count_rows(output)


def count_rows(output: str) -> int:
    """How many rows there are below ``output``."""
    from pyarrow import dataset

    system, path = _arrow_filesystem(output)
    return int(dataset.dataset(path, filesystem=system, format="parquet").count_rows())


class _Worker:
    """An actor: one detector, which lives as long as the actor."""

    def __init__(self, options: dict[str, Any], threads: int) -> None:
        from .detector import Detector

        self._detector = Detector(**options)
        self._pool = ThreadPoolExecutor(threads)

    def __call__(self, batch: pa.Table) -> pa.Table:
        import pyarrow as pa

        found = self._pool.map(self._outcomes, batch.to_pylist())
        return pa.Table.from_pylist([columns(row.to_dict()) for rows in found for row in rows], arrow_schema())

    def _outcomes(self, given: dict[str, Any]) -> list[Outcome]:
        if given["failed"]:
            return [Outcome.from_dict(json.loads(given["failed"]))]
        return outcomes_of(item_of(os.fsdecode(given["key"])), self._detector, sure=self._detector.is_sure)


def _pictures(items: Iterable[Item], tally: Tally) -> Iterator[Item]:
    for item in items:
        if item.skipped:
            tally.add(Outcome(item.key, skipped=item.skipped))
        else:
            yield item


def _write_keys(pa: Any, items: Iterator[Item], system: Any, path: str) -> int:
    """Write the key of each item, with the error of what cannot be worked on; answers how many. Raises `UsageError`."""
    import pyarrow.parquet as pq

    # The checkpoint compares the names of rows, which are text; files are opened by names that may be any bytes.
    schema = pa.schema([("source", pa.string()), ("key", pa.binary()), ("failed", pa.string())])
    system.create_dir(str(PurePosixPath(path).parent), recursive=True)
    count = 0
    with pq.ParquetWriter(path, schema, filesystem=system) as writer:
        while rows := [_key_row(item) for item in islice(items, _ROWS_AT_ONCE)]:
            writer.write_table(pa.Table.from_pylist(rows, schema))
            count += len(rows)
    if not count:
        raise UsageError("no picture was found", remedy="check the sources")
    return count


def _key_row(item: Item) -> dict[str, Any]:
    failed = json.dumps(Outcome(item.key, error=item.error).to_dict()) if item.error else None
    return {"source": columns({"source": item.key})["source"], "key": os.fsencode(item.key), "failed": failed}


def _checkpoint(ray: Any, output: str) -> None:
    from ray.data.checkpoint import CheckpointConfig

    system, path = _arrow_filesystem(f"{output.rstrip('/')}.checkpoint")
    context = ray.data.DataContext.get_current()
    # The second version reads footers by actors that are not tried again: one placed on a node that has just died
    # (Ray learns of it seconds later) fails the whole call. The first reads by tasks, which are.
    context.use_datasource_v2 = False
    context.checkpoint_config = CheckpointConfig(
        id_column="source", checkpoint_path=path, override_filesystem=system, delete_checkpoint_on_success=False
    )


def _arrow_filesystem(name: str) -> tuple[Any, str]:
    """pyarrow's view of the file system that fsspec knows, so that both use the same settings."""
    from pyarrow import fs

    if not is_remote(name):
        return fs.LocalFileSystem(), str(Path(name).absolute())
    system, path = filesystem(name)
    return fs.PyFileSystem(fs.FSSpecHandler(system)), path


def _room(ray: Any, gpus: float) -> int:
    resources = ray.cluster_resources()
    return max(1, int(resources.get("GPU", 0) / gpus if gpus else resources.get("CPU", 1) - _OTHERS))
