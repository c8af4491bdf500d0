"""Two Ray nodes on this machine: a node dies in the middle, and the same call again does only the rest."""

import os
import shlex
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet
import pytest
import yaml
from kubernetes_validate import validate

from upright.cli.batch import command

# Ray measures memory and reports usage in threads of its own, whose warnings are not ours.
pytestmark = pytest.mark.filterwarnings("default")

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "testdata" / "demo"
COPIES = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for copy in range(COPIES):
        for source in DEMO.iterdir():
            shutil.copy(source, folder / f"{copy}-{source.name}")
    (folder / "broken.png").write_bytes((DEMO / "receipt.png").read_bytes()[:60])
    return folder


@pytest.fixture
def cluster() -> Iterator[object]:
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 3, "include_dashboard": False})
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_the_kubernetes_job_calls_a_command_that_exists_in_pods_that_kubernetes_takes() -> None:
    job = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "ray" / "ray-job.yaml").read_text())
    program, name, *arguments = shlex.split(job["spec"]["entrypoint"])
    assert (program, name) == ("upright", "batch")
    with command.make_context(name, arguments) as context:
        assert context.params["ray"] == "auto" and context.params["output"].startswith("s3://")
    cluster = job["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": group["template"]["spec"]}
        validate(pod, "1.29", strict=True)


def sources(output: Path) -> Counter[str]:
    table = pyarrow.dataset.dataset(str(output), format="parquet").to_table()
    return Counter(table.column("source").to_pylist())


def test_a_name_that_is_no_text_is_a_row_like_any_other(tmp_path: Path) -> None:
    """It ended the run where keys are written."""
    from upright.cluster import _Worker, _write_keys
    from upright.sources import find_items

    folder, keys = tmp_path / "pictures", tmp_path / "keys.parquet"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.gif")).write_bytes((DEMO / "cat.gif").read_bytes())
    items = find_items([str(folder)], load=False)
    assert _write_keys(pyarrow, items, pyarrow.fs.LocalFileSystem(), str(keys)) == 1
    (row,) = _Worker({"effort": 0}, threads=1)(pyarrow.parquet.read_table(keys)).to_pylist()
    assert row["source"] == rf"{folder}/caf\udce9.gif" and row["format"] == "GIF"
    assert pyarrow.parquet.read_table(keys).column("source").to_pylist() == [row["source"]], "the checkpoint finds it"


def test_every_picture_is_one_row_though_a_node_is_killed(cluster, folder: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]

    from upright import Detector
    from upright.cluster import run_on_ray
    from upright.results import columns
    from upright.run import work
    from upright.sources import find_items

    node = cluster.add_node(num_cpus=3)
    cluster.wait_for_nodes()
    output = tmp_path / "rows"

    def kill_the_node_when_rows_appear() -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until and not list(output.glob("*.parquet")):
            time.sleep(0.02)
        cluster.remove_node(node, allow_graceful=False)

    killer = threading.Thread(target=kill_the_node_when_rows_appear)
    killer.start()
    count = run_on_ray([str(folder)], str(output), task_rows=4, detector={"effort": 0})
    killer.join()
    wanted = Counter(str(path) for path in folder.iterdir())
    assert sources(output) == wanted and count == len(wanted)

    # One more picture: the second run, with the same output, does that one alone.
    shutil.copy(DEMO / "page.jpg", folder / "new.jpg")
    before = set(output.glob("*.parquet"))
    assert run_on_ray([str(folder)], str(output), task_rows=4, detector={"effort": 0}) == len(wanted) + 1
    fresh = set(output.glob("*.parquet")) - before
    rows = pyarrow.dataset.dataset([str(path) for path in fresh], format="parquet").to_table().to_pylist()
    assert [row["source"] for row in rows] == [str(folder / "new.jpg")]

    # The same rows as on one machine.
    with Detector(effort=0) as detector:
        outcomes = work(find_items([str(folder)]), detector, workers=2)
        local = {outcome.source: columns(outcome.to_dict()) for outcome in outcomes}
    table = pyarrow.dataset.dataset(str(output), format="parquet").to_table()
    for row in table.to_pylist():
        assert row == local[row["source"]]
