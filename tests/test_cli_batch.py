"""The command as users run it: killed, stopped, resumed, split, correcting, from an object store."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image

from upright.carriers import read_exif_orientation

from .conftest import upright
from .fuzz.seeds import raw

DEMO = Path(__file__).parent.parent / "testdata" / "demo"
BATCH = [sys.executable, "-m", "upright", "batch"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for copy in range(4):
        (folder / str(copy)).mkdir()
        for source in DEMO.iterdir():
            shutil.copy(source, folder / str(copy))
    return folder


def batch(*arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [*BATCH, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, env={**os.environ, **(env or {})})


def saved(picture: Image.Image, form: str) -> bytes:
    out = io.BytesIO()
    picture.save(out, form)
    return out.getvalue()


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def files(folder: Path) -> dict[str, int]:
    return {str(path): 1 for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_or_stopped_goes_on(folder: Path, tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "r.jsonl"
    process = subprocess.Popen([*BATCH, str(folder), "-o", str(out)], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 100
    while time.monotonic() < until and (not out.exists() or out.read_bytes().count(b"\n") < 4):
        time.sleep(0.005)
    process.send_signal(number)
    _, told = process.communicate(timeout=100)
    done = out.read_bytes().count(b"\n")
    assert 4 <= done < 40
    if number == signal.SIGINT:
        assert process.returncode == 130 and "the same command goes on from there" in told
        assert out.read_bytes().endswith(b"\n")
    again = batch(folder, "-o", out)
    assert again.returncode == 0 and f"{done} were done before" in again.stderr
    assert Counter(row["source"] for row in rows(out)) == files(folder)


def killed_while_it_turns(folder: Path, out: Path, state: Path, *options: str) -> None:
    """A run that turns by hand is killed once it has six rows; a power cut leaves it the first one."""
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    command = [*BATCH, str(folder), "-o", str(out), "--in-place", "--turn", "90", "--workers", "1", *options]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 100
    while time.monotonic() < until and (not out.exists() or out.read_bytes().count(b"\n") < 6):
        time.sleep(0.001)
    process.kill()
    process.wait()
    out.write_bytes(out.read_bytes().splitlines(keepends=True)[0])


def test_what_a_killed_run_turned_is_not_turned_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, out, state = tmp_path / "pictures", tmp_path / "r.jsonl", tmp_path / "state"
    pictures.mkdir()
    page, scan = Image.effect_noise((64, 96), 60), io.BytesIO()
    page.save(scan, "TIFF", save_all=True, append_images=[page])
    kinds = {"jpg": saved(page, "JPEG"), "bmp": saved(page, "BMP"), "tif": scan.getvalue(), "nef": raw(page)}
    sources = {f"{number:02}.{kind}": data for number in range(10) for kind, data in kinds.items()}
    for name, data in sources.items():
        (pictures / name).write_bytes(data)
    turned = tmp_path / "turned"
    shutil.copytree(pictures, turned)
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    assert batch(turned, "-o", tmp_path / "t.jsonl", "--in-place", "--turn", "90").returncode == 0
    once = {path.name: path.read_bytes() for path in turned.iterdir()}

    killed_while_it_turns(pictures, out, state)
    began = {name for name in sources if once[name] == (pictures / name).read_bytes() != sources[name]}
    assert len(began) > 1 and len(rows(out)) < len(began) < 30
    changed, restored = sorted(began - {Path(str(row["source"])).name for row in rows(out)})[:2]
    (pictures / changed).write_bytes(once[changed] + b"\0")
    (pictures / restored).write_bytes(sources[restored])
    again = batch(pictures, "-o", out, "--in-place", "--turn", "90")
    assert again.returncode == 1
    now = {path.name: path.read_bytes() for path in pictures.iterdir() if not path.name.startswith(".")}
    assert now == once | {changed: once[changed] + b"\0"}
    found = Counter((Path(str(row["source"])).name, row["outcome"]) for row in rows(out))
    expected = {(name, "turned"): 1 + name.endswith(".tif") for name in sources if name != changed}
    assert found == expected | {(changed, "failed"): 1}
    text = out.read_text().replace(str(pictures), str(turned))
    assert set((tmp_path / "t.jsonl").read_text().splitlines()) - set(text.splitlines()) == {
        line for line in (tmp_path / "t.jsonl").read_text().splitlines() if changed in line
    }, "the rows that a run writes that is not killed"
    assert {path.name for path in tmp_path.iterdir()} == {"pictures", "r.jsonl", "state", "t.jsonl", "turned"}


def test_results_that_are_begun_anew_owe_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, out, state = tmp_path / "pictures", tmp_path / "r.jsonl", tmp_path / "state"
    pictures.mkdir()
    source = saved(Image.effect_noise((64, 96), 60), "JPEG")
    for number in range(30):
        (pictures / f"{number:02}.jpg").write_bytes(source)
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    killed_while_it_turns(pictures, out, state, "--journal", str(tmp_path / "j"))
    began = {path.name for path in pictures.glob("[0-9]*") if path.read_bytes() != source}
    out.unlink()
    assert batch(pictures, "-o", out, "--in-place", "--turn", "90", "--journal", tmp_path / "j").returncode == 0
    shown = {path.name: read_exif_orientation(path.read_bytes()).orientation for path in pictures.glob("[0-9]*")}
    assert shown == {name: 3 if name in began else 6 for name in shown}


def test_a_journal_of_a_killed_run_that_cannot_be_read_is_named(folder: Path, tmp_path: Path) -> None:
    (out := tmp_path / "r.jsonl").touch()
    place = tmp_path / ".r.jsonl.journal"
    (other := tmp_path / "other").write_bytes(b"no journal\n")
    for told in ("[" * 100_000, "[]", "{}", json.dumps({"journal": str(other), "run": "1"})):
        place.write_text(told)
        refused = batch(folder / "0", "-o", out)
        assert refused.returncode == 1 and f"remove {place} to go on" in refused.stderr, refused.stderr
        assert "Traceback" not in refused.stderr
    place.write_text(json.dumps({"journal": str(tmp_path / "never made"), "run": "1"}))
    assert batch(folder / "0", "-o", out).returncode == 0 and not place.exists()


def test_shards_csv_report_and_an_error_row(folder: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    shutil.copytree(folder / "0", pictures)
    (pictures / "broken.jpg").write_bytes((DEMO / "page.jpg").read_bytes()[:300])
    parts = [batch(pictures, "-o", tmp_path / f"{i}.jsonl", "--shard", f"{i}/2") for i in (1, 2)]
    assert sorted(part.returncode for part in parts) == [0, 1]
    sources = [row["source"] for i in (1, 2) for row in rows(tmp_path / f"{i}.jsonl")]
    assert Counter(sources) == files(pictures)
    whole = batch(pictures, "-o", tmp_path / "r.csv", "--report", tmp_path / "r.html")
    assert whole.returncode == 1 and "1 failed" in whole.stderr
    assert (tmp_path / "r.csv").read_text().count("\n") == 12
    assert "broken.jpg" in (tmp_path / "r.html").read_text() and (tmp_path / "r.png").exists()
    again = batch(pictures, "-o", tmp_path / "r.csv")
    assert again.returncode == 1, "what failed before has still failed"
    assert "11 were done before: " in again.stderr and "1 failed" in again.stderr


def test_a_shard_is_corrected_into_a_folder(tmp_path: Path) -> None:
    turned = tmp_path / "a.tar"
    with Image.open(DEMO / "page.jpg") as page, tarfile.open(turned, "w") as tar:
        for name, turn in (("up", None), ("down", Image.Transpose.ROTATE_180)):
            data = io.BytesIO()
            # The demo's page needs 270 degrees clockwise, which Pillow calls ROTATE_90.
            upright = page.transpose(Image.Transpose.ROTATE_90)
            (upright.transpose(turn) if turn else upright).save(data, "JPEG", quality=95)
            info = tarfile.TarInfo(f"{name}.jpg")
            info.size = data.tell()
            tar.addfile(info, io.BytesIO(data.getvalue()))
    result = batch(turned, "-o", tmp_path / "r.jsonl", "--correct", tmp_path / "out", "--best")
    assert result.returncode == 0, result.stderr
    found = {Path(str(row["source"])).name: row for row in rows(tmp_path / "r.jsonl")}
    assert found["down.jpg"]["turn"] == 180 and found["down.jpg"]["correction"]["written"]  # type: ignore[index]
    with Image.open(tmp_path / "out" / "a.tar" / "down.jpg") as image:
        assert image.getexif()[0x0112] == 3
    assert (tmp_path / "out" / "a.tar" / "up.jpg").exists()
    refused = batch(turned, "-o", tmp_path / "s.jsonl", "--in-place", "--best")
    assert refused.returncode == 1
    assert all("only files can be set right in place" in str(row["cause"]) for row in rows(tmp_path / "s.jsonl"))


def test_batch_is_as_careful_as_correct(folder: Path, tmp_path: Path) -> None:
    """It replaces nothing unasked, takes a method, and can do nothing but say what it would."""
    out, source = tmp_path / "out", folder / "0"
    dry = batch(source, "-o", tmp_path / "d.jsonl", "--correct", out, "--best", "--dry-run", "--method", "turn")
    assert dry.returncode == 0 and not out.exists()
    would = {Path(str(row["source"])).name: row["correction"] for row in rows(tmp_path / "d.jsonl")}
    assert {done["written"] for done in would.values()} == {False}  # type: ignore[index]
    assert would["receipt.png"]["method"] == "turn"  # type: ignore[index]

    out.mkdir()
    (out / "page.jpg").write_bytes(b"precious")
    kept = batch(source, "-o", tmp_path / "k.jsonl", "--correct", out, "--best")
    assert kept.returncode == 1 and (out / "page.jpg").read_bytes() == b"precious"
    failed = [row for row in rows(tmp_path / "k.jsonl") if "error" in row]
    assert [(Path(str(row["source"])).name, row["remedy"]) for row in failed] == [("page.jpg", "use --overwrite")]
    again = batch(source, "-o", tmp_path / "k.jsonl", "--correct", out, "--best", "--overwrite", "--retry-errors")
    assert again.returncode == 0
    with (out / "page.jpg").open("rb") as file:
        assert read_exif_orientation(file).orientation == 8


def test_two_pictures_never_become_one_file(folder: Path, tmp_path: Path) -> None:
    for overwrite in ([], ["--overwrite"]):
        results = tmp_path / f"r{len(overwrite)}.jsonl"
        done = batch(folder / "0", folder / "1", "-o", results, "--correct", tmp_path / "out", "--best", *overwrite)
        assert done.returncode == 1
        met = [row for row in rows(results) if "error" in row]
        assert {Path(str(row["source"])).parent for row in met} == {folder / "1"} and len(met) == 10
        assert all("becomes" in str(row["cause"]) for row in met)


def test_a_run_that_goes_on_replaces_nothing_that_it_wrote_before(tmp_path: Path) -> None:
    for name, picture in (("a", "page.jpg"), ("b", "coffee.jpg")):
        (tmp_path / name).mkdir()
        shutil.copy(DEMO / picture, tmp_path / name / "x.jpg")
    where = ("-o", tmp_path / "r.jsonl", "--correct", tmp_path / "out", "--turn", "90", "--overwrite", "--retry-errors")
    assert batch(tmp_path / "a", *where).returncode == 0
    written = (tmp_path / "out" / "x.jpg").read_bytes()
    again = batch(tmp_path / "a", tmp_path / "b", *where)
    assert again.returncode == 1 and (tmp_path / "out" / "x.jpg").read_bytes() == written


@pytest.mark.parametrize("name", ["../../precious.jpg", "/precious.jpg", "a/../../../precious.jpg"])
def test_a_name_in_a_shard_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "precious.jpg").write_bytes(b"precious")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        data = (DEMO / "page.jpg").read_bytes()
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    out = tmp_path / "out"
    done = batch(tmp_path / "a.tar", "-o", tmp_path / "r.jsonl", "--correct", out, "--best", "--overwrite")
    assert (tmp_path / "precious.jpg").read_bytes() == b"precious"
    (row,) = rows(tmp_path / "r.jsonl")
    if ".." in name:
        assert done.returncode == 1 and "leads out of" in str(row["cause"]) and not out.exists()
    else:
        assert done.returncode == 0 and (out / "a.tar" / "precious.jpg").exists()


def test_results_replace_results_only(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("precious")
    (tmp_path / "r.png").write_text("precious")
    for arguments in (["-o", tmp_path / "r.csv"], ["-o", tmp_path / "x.csv", "--report", tmp_path / "r.html"]):
        done = batch(folder / "0", *arguments)
        assert done.returncode in (1, 2) and "another" in done.stderr and not list(tmp_path.glob("*.jsonl"))
    assert (tmp_path / "r.csv").read_text() == (tmp_path / "r.png").read_text() == "precious"


def test_what_is_passed_over_is_counted(folder: Path, tmp_path: Path) -> None:
    pictures = Path(shutil.copytree(folder / "0", tmp_path / "pictures"))
    (pictures / "notes.txt").write_text("these are my pictures")
    (pictures / "empty.jpg").touch()
    done = batch(pictures, "-o", tmp_path / "r.jsonl", "--report", tmp_path / "r.html")
    assert done.returncode == 0 and len(rows(tmp_path / "r.jsonl")) == 10
    assert "skipped: 1 empty, 1 not a picture" in done.stderr


@pytest.mark.parametrize(
    ("first", "then", "cause"),
    [
        ([], ["--correct", "out"], "nothing was written for it"),
        ([], ["--in-place"], "nothing was written for it"),
        (["--correct", "out", "--dry-run"], ["--correct", "out"], "nothing was written for it"),
        (["--in-place", "--dry-run"], ["--in-place"], "nothing was written for it"),
        (["--correct", "out"], ["--in-place"], "it was written to out/"),
        (["--correct", "out"], ["--correct", "other"], "it was written to out/"),
        (["--in-place"], ["--correct", "out"], "was written "),
        ([], ["--careful"], "it was asked for --balanced"),
        (["--turn", "90", "--dry-run"], ["--turn", "180", "--dry-run"], "it was asked for --turn 90"),
        (["--turn", "90", "--dry-run"], ["--best"], "it was asked for --turn 90"),
        (["--correct", "out"], ["--correct", "./out"], ""),
        (["--in-place"], ["--in-place"], ""),
        (["--correct", "out"], [], ""),
        ([], [], ""),
    ],
)
def test_rows_of_another_kind_of_run_are_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: list[str], then: list[str], cause: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name in ("page.jpg", "settings.png"):
        shutil.copy(DEMO / name, tmp_path / "in")
    (tmp_path / "in" / "a-broken.jpg").write_bytes((DEMO / "page.jpg").read_bytes()[:300])
    assert upright("batch", "in", "-o", "r.jsonl", *first).returncode == 1, "of the broken one"
    before = (tmp_path / "r.jsonl").read_bytes()
    again = upright("batch", "in", "-o", "r.jsonl", *then)
    assert (tmp_path / "r.jsonl").read_bytes() == before
    if not cause:
        assert again.returncode == 1 and "nothing left to do, 3 were done before" in again.stderr
        return
    assert again.returncode == 2 and cause in again.stderr and "r.jsonl: line" in again.stderr
    assert again.stderr.rstrip().endswith("name another output")
    # A refusal loses no row, also where rows with errors would be taken out.
    assert upright("batch", "in", "-o", "r.jsonl", "--retry-errors", *then).returncode == 2
    assert (tmp_path / "r.jsonl").read_bytes() == before


@pytest.mark.parametrize("ending", [".JSONL", ".CSV", ".Parquet"])
def test_endings_in_capitals(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"R{ending}"
    done = upright("batch", DEMO / "page.jpg", "-o", out)
    assert done.returncode == 0 and out.stat().st_size, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == (
        {out.name} if ending == ".JSONL" else {out.name, f"{out.name}.jsonl"}
    )


def test_wrong_use_is_one_line(tmp_path: Path) -> None:
    for arguments, words in (
        (["-o", "r.jsonl"], "there is nothing to work on"),
        ([DEMO, "-o", "r.xlsx"], "no known ending"),
        ([DEMO, "-o", tmp_path / "r.jsonl", "--shard", "3/2"], "is not a shard"),
        ([DEMO, "-o", tmp_path / "r.jsonl", "--correct", "x", "--in-place"], "contradict each other"),
        ([DEMO, "-o", tmp_path / "r", "--ray", "--report", "x.html"], "--report does not go with --ray"),
        ([DEMO, "-o", tmp_path / "r", "--ray", "--method", "turn"], "--method does not go with --ray"),
        ([DEMO, "-o", tmp_path / "r.jsonl", "--method", "turn"], "give --correct FOLDER or --in-place too"),
        ([DEMO, "-o", tmp_path / "r.jsonl", "--correct", "x", "--journal", "j"], "notes changes in place"),
    ):
        result = batch(*arguments)
        assert result.returncode == 2, (arguments, result.stderr)
        assert words in result.stderr and "Traceback" not in result.stderr


@pytest.fixture
def s3() -> Iterator[tuple[dict[str, str], ThreadedMotoServer]]:
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    env = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    client = boto3.client(
        "s3",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="scans")
    for source in DEMO.iterdir():
        client.put_object(Bucket="scans", Key=f"2024/{source.name}", Body=source.read_bytes())
    yield env, server
    server.stop()


def test_an_object_store_gives_the_rows_of_the_folder(
    s3: tuple[dict[str, str], ThreadedMotoServer], tmp_path: Path
) -> None:
    env, _ = s3
    assert batch("s3://scans/2024/", "-o", tmp_path / "s.jsonl", env=env).returncode == 0
    assert batch(DEMO, "-o", tmp_path / "f.jsonl").returncode == 0
    stored, local = (
        {
            Path(str(row["source"])).name: (row["turn"], row["best"], row["scores"])
            for row in rows(tmp_path / f"{n}.jsonl")
        }
        for n in "sf"
    )
    assert stored == local and len(stored) == len(list(DEMO.iterdir()))
    missing = batch("s3://scans/2024/gone.jpg", "-o", tmp_path / "g.jsonl", env=env)
    assert missing.returncode == 1 and rows(tmp_path / "g.jsonl")[0]["error"] == "SourceMissing"


def test_a_list_may_be_a_pipe(tmp_path: Path) -> None:
    """It was read by what counts and by what works, of which one got nothing."""
    names = "\n".join(str(path) for path in sorted(DEMO.iterdir())[:3])
    command = [*BATCH, "--list", "/dev/stdin", "-o", tmp_path / "r.jsonl", "--correct", tmp_path / "out"]
    done = subprocess.run(command, input=names, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and len(rows(tmp_path / "r.jsonl")) == 3, done.stderr


def test_a_file_of_two_names_is_set_right_once(tmp_path: Path) -> None:
    """In place two answers to one question would turn it twice, whatever the order of the workers."""
    page = Path(shutil.copy(DEMO / "page.jpg", tmp_path / "page.jpg"))
    (tmp_path / "link.jpg").symlink_to(page)
    done = batch(page, page, tmp_path, "-o", tmp_path / "r.jsonl", "--in-place", "--best")
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "r.jsonl")) == 1
    with page.open("rb") as file:
        assert read_exif_orientation(file).orientation == 8
