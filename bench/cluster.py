"""Kill an actor, a node and the driver of a Ray run in turn; every picture must be one row all the same.

    python bench/cluster.py --pictures 400

Two Ray nodes on this machine. The driver is killed with SIGKILL and the same call is made again.
Ray's log is bench/out/cluster.log. Prints a table,
writes JSON to bench/out/cluster.json; exit code 1 where a row is missing or double.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

DEMO = Path(__file__).parent.parent / "testdata" / "demo"
OUT = Path(__file__).parent / "out"
DRIVER = """
import sys
from upright.cluster import run_on_ray
print(run_on_ray([sys.argv[1]], sys.argv[2], address=sys.argv[3], task_rows=8, detector={"effort": 0}))
"""


def written(output: Path) -> Counter[str]:
    import pyarrow.dataset

    files = list(output.glob("*.parquet"))
    if not files:
        return Counter()
    table = pyarrow.dataset.dataset([str(path) for path in files], format="parquet").to_table(columns=["source"])
    return Counter(table.column("source").to_pylist())


def wait_for_rows(output: Path, rows: int, process: subprocess.Popen[bytes]) -> int:
    while process.poll() is None:
        try:
            if (there := written(output).total()) >= rows:
                return there
        except (OSError, ValueError):
            pass  # A file that is being written right now.
        time.sleep(0.1)
    return written(output).total()


def kill_an_actor() -> str:
    """By the name that Ray gives the process of an actor: the list of actors needs Ray's dashboard."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "cmdline").read_bytes().split(b"\0")[0].decode()
        except OSError:
            continue
        if name.startswith("ray::") and "MapWorker" in name and "_Worker" in name:
            subprocess.run(["kill", "-9", process.name], check=True)
            return f"{name} (pid {process.name})"
    return "no actor was found"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=400)
    pictures = parser.parse_args().pictures
    import ray
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory() as temporary:
        folder, output = Path(temporary, "pictures"), Path(temporary, "rows")
        folder.mkdir()
        demo = sorted(DEMO.iterdir())
        for index in range(pictures):
            shutil.copy(demo[index % len(demo)], folder / f"{index:05}-{demo[index % len(demo)].name}")
        OUT.mkdir(exist_ok=True)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 4, "include_dashboard": False})
        node = cluster.add_node(num_cpus=4)
        cluster.wait_for_nodes()
        ray.init(address=cluster.address, log_to_driver=False)
        log, started = [], time.monotonic()

        def drive() -> subprocess.Popen[bytes]:
            command = [sys.executable, "-c", DRIVER, str(folder), str(output), cluster.address]
            return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=(OUT / "cluster.log").open("ab"))

        driver = drive()
        rows = wait_for_rows(output, pictures // 8, driver)
        log.append(("actor killed", rows, kill_an_actor()))
        rows = wait_for_rows(output, pictures // 4, driver)
        cluster.remove_node(node, allow_graceful=False)
        log.append(("node killed", rows, ""))
        rows = wait_for_rows(output, pictures // 2, driver)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        log.append(("driver killed", rows, ""))
        done = written(output).total()
        threading.Event().wait(2)
        driver = drive()
        code = driver.wait()
        found = written(output)
        log.append(("resumed", found.total() - done, f"exit code {code}"))
        twice = sum(count > 1 for count in found.values())
        missing = pictures - len(found)
        for what, rows, note in log:
            print(f"{what:<14} {rows:>6} rows  {note}")
        print(f"{pictures} pictures: {found.total()} rows, {twice} twice, {missing} missing, "
              f"{time.monotonic() - started:.0f} s")  # fmt: skip
        facts = {"pictures": pictures, "rows": found.total(), "twice": twice, "missing": missing, "log": log}
        (OUT / "cluster.json").write_text(json.dumps(facts, indent=2) + "\n")
        ray.shutdown()
        cluster.shutdown()
    sys.exit(1 if twice or missing or code else 0)


if __name__ == "__main__":
    main()
