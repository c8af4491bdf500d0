"""Pictures are set right, and nothing is lost whatever happens."""

import contextlib
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image, ImageOps

import upright.atomic
from upright.carriers import patch_exif_orientation, read_exif_orientation
from upright.correction import Change, Opened, Request, Target, Writer, correct, corrected_bytes, opened, plan, undo
from upright.errors import (
    CorrectionError,
    JournalError,
    NotAPicture,
    NotLossless,
    SourceMissing,
    UprightError,
    UsageError,
    WriteFailed,
    printable,
)
from upright.journal import Journal
from upright.results import Method, Orientation, Promise, Reason, Scores
from upright.turns import ExifOrientation, Turn, show_pillow

ALL = list(ExifOrientation)
TURNS = list(Turn)
FORMATS = ["JPEG", "PNG", "TIFF", "WEBP"]
PIXELS = np.random.default_rng(3).integers(0, 256, (6, 4, 3), np.uint8)
PICTURE = Image.fromarray(PIXELS).resize((64, 96), Image.Resampling.BICUBIC)


def saved(form: str, exif: int | None = None, image: Image.Image = PICTURE, **options: object) -> bytes:
    out = io.BytesIO()
    if form == "WEBP":
        options = {"lossless": True} | options
    if exif is not None:
        block = Image.Exif()
        block[0x0112] = exif
        options["exif"] = block
    image.save(out, form, **options)
    return out.getvalue()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def shown(data: bytes) -> Image.Image:
    """As Pillow shows it."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return ImageOps.exif_transpose(image)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("exif", ALL)
@pytest.mark.parametrize("turn", TURNS)
def test_tag_agrees_with_pillow(form: str, exif: ExifOrientation, turn: Turn) -> None:
    source = saved(form, exif)
    data, done = corrected_bytes(source, turn)
    expected = shown(source).rotate(-turn.value, expand=True)
    assert shown(data).tobytes() == expected.tobytes() and shown(data).size == expected.size
    assert done.method == (Method.TAG if turn else Method.KEEP)
    assert (done.exif_before, done.exif_after, done.lossless) == (exif, exif.then(turn), True)
    assert read_exif_orientation(data).orientation == done.exif_after
    assert data == source or turn


@pytest.mark.parametrize("form", [*FORMATS, "BMP", "GIF"])
@pytest.mark.parametrize("turn", TURNS[1:])
@pytest.mark.parametrize("exif", [None, ExifOrientation.LEFT_TOP, ExifOrientation.RIGHT_TOP])
def test_turn_agrees_with_pillow(form: str, exif: ExifOrientation | None, turn: Turn) -> None:
    if form in ("BMP", "GIF") and exif:
        exif = None
    source = saved(form, exif, PICTURE.quantize(64) if form == "GIF" else PICTURE)
    data, done = corrected_bytes(source, turn, Method.TURN)
    assert (done.method, done.exif_after, done.lossless) == (Method.TURN, 1, True)
    assert read_exif_orientation(data).orientation == 1
    expected, after = shown(source).rotate(-turn.value, expand=True).convert("RGB"), shown(data).convert("RGB")
    assert after.size == expected.size
    if form == "JPEG":  # a decoder rounds turned blocks otherwise; tests/test_lossless.py compares coefficients
        assert np.abs(np.asarray(after, np.int16) - np.asarray(expected, np.int16)).mean() < 1
    else:
        assert after.tobytes() == expected.tobytes()


@pytest.mark.parametrize("form", ["BMP", "GIF"])
def test_formats_without_a_tag_are_turned(form: str) -> None:
    source = saved(form, image=PICTURE.quantize(64))
    assert correct(source, turn=90, dry_run=True).method == Method.TURN


def test_kept_with_a_note_that_names_the_remedy() -> None:
    frames = [PICTURE.quantize(n) for n in (8, 16)]
    animated = saved("GIF", image=frames[0], save_all=True, append_images=frames[1:])
    for source, remedy in ((animated, "gifsicle --rotate-90"), (saved("JPEG2000"), "use --method reencode")):
        data, done = corrected_bytes(source, Turn.RIGHT)
        assert (data, done.method, done.turn) == (source, Method.KEEP, Turn.NONE)
        assert done.note and done.remedy.endswith(remedy)


@pytest.mark.parametrize(("source_form", "target"), [("AVIF", "out.jpg"), ("PNG", "out.webp"), ("GIF", "out.png")])
def test_reencode_into_another_format(tmp_path: Path, source_form: str, target: str) -> None:
    source = tmp_path / "in"
    source.write_bytes(saved(source_form))
    done = correct(source, tmp_path / target, turn=90, method="reencode")
    assert (done.method, done.lossless, done.written) == (Method.REENCODE, False, True)
    after = shown((tmp_path / target).read_bytes()).convert("RGB")
    expected = shown(source.read_bytes()).convert("RGB").rotate(-90, expand=True)
    assert np.abs(np.asarray(after, np.int16) - np.asarray(expected, np.int16)).mean() < 3


def test_an_upright_picture_is_not_compressed_anew(tmp_path: Path, photo: Path) -> None:
    done = correct(photo, tmp_path / "same.jpg", turn=0, method="reencode")
    assert done.method == Method.KEEP and (tmp_path / "same.jpg").read_bytes() == photo.read_bytes()
    done = correct(photo, tmp_path / "other.png", turn=0, method="reencode")
    assert done.method == Method.REENCODE and (tmp_path / "other.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="stays JPEG"):
        correct(photo, tmp_path / "x.png", turn=0)
    with pytest.raises(UsageError, match="no method"):
        correct(photo, tmp_path / "x.jpg", turn=0, method="magic")


def test_edges() -> None:
    source = saved("JPEG", image=PICTURE.crop((0, 0, 61, 90)))
    data, done = corrected_bytes(source, Turn.RIGHT, Method.TURN)
    assert done.method == Method.TAG and "the tag was changed" in done.note
    with pytest.raises(NotLossless):
        corrected_bytes(source, Turn.RIGHT, Method.TURN, "refuse")
    data, done = corrected_bytes(source, Turn.RIGHT, Method.TURN, "trim")
    assert shown(data).size == (80, 61)
    assert (done.method, done.lossless, done.note) == (Method.TURN, False, "trimmed 10 columns and 0 rows")
    data, done = corrected_bytes(source, Turn.RIGHT, Method.TURN, "reencode")
    assert shown(data).size == (90, 61) and done.method == Method.REENCODE
    with pytest.raises(UsageError):
        corrected_bytes(source, Turn.RIGHT, Method.TURN, "other")  # type: ignore[arg-type]


def test_motion_photos_and_several_pictures_get_the_tag() -> None:
    film = saved("JPEG") + b"a film"
    data, done = corrected_bytes(film, Turn.HALF, Method.TURN)
    assert done.method == Method.TAG and data.endswith(b"a film")


class Fake:
    """A detector that answers what it was told to."""

    def __init__(self, turn: Turn | None) -> None:
        self.turn = turn

    def detect(self, source: object, *, promise: Promise | None = None, page: int = 0) -> Orientation:
        scores = Scores((0.1, 0.6, 0.2, 0.1))
        reason = Reason.SURE if self.turn is not None else Reason.BELOW_THRESHOLD
        return Orientation(self.turn, Turn.RIGHT, 0.6, scores, reason, promise or Promise.BALANCED, "glance", 1)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved("JPEG", 6))
    return path


def test_detector_decides(photo: Path, tmp_path: Path) -> None:
    done = correct(photo, tmp_path / "a.jpg", detector=Fake(Turn.HALF))  # type: ignore[arg-type]
    assert (done.turn, done.method) == (Turn.HALF, Method.TAG)
    done = correct(photo, tmp_path / "b.jpg", detector=Fake(None))  # type: ignore[arg-type]
    assert (done.method, done.turn, done.written) == (Method.KEEP, Turn.NONE, True)
    assert done.note.endswith("left alone") and (tmp_path / "b.jpg").read_bytes() == photo.read_bytes()
    before = photo.stat()
    done = correct(photo, in_place=True, detector=Fake(None))  # type: ignore[arg-type]
    assert not done.written and photo.stat() == before


def test_in_place_keeps_mode_times_and_attributes(photo: Path) -> None:
    photo.chmod(0o640)
    os.utime(photo, ns=(10**18, 10**18 + 5))
    with contextlib.suppress(OSError):
        os.setxattr(photo, "user.note", b"holiday")
    attributes = os.listxattr(photo)
    done = correct(photo, in_place=True, turn=Turn.RIGHT)
    assert done.written and read_exif_orientation(photo.read_bytes()).orientation == 3
    facts = photo.stat()
    assert (facts.st_mode & 0o777, facts.st_mtime_ns, os.listxattr(photo)) == (0o640, 10**18 + 5, attributes)
    correct(photo, in_place=True, turn=Turn.RIGHT, keep_times=False)
    assert photo.stat().st_mtime_ns > 10**18 + 5
    assert names(photo.parent) == ["photo.jpg"]


def test_dry_run_writes_nothing(photo: Path, tmp_path: Path) -> None:
    before, facts = photo.read_bytes(), photo.stat()
    done = correct(photo, dry_run=True, in_place=True, turn=90)
    assert (done.method, done.written) == (Method.TAG, False)
    done = correct(photo, tmp_path / "out" / "x.jpg", dry_run=True, turn=90, method="turn")
    assert (done.method, done.written) == (Method.TURN, False)
    assert (photo.read_bytes(), photo.stat(), names(tmp_path)) == (before, facts, ["photo.jpg"])


def test_targets(photo: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "x.jpg"
    assert correct(photo, target, turn=90).written
    again = correct(photo, target, turn=90)
    assert again.written and "there already" in again.note
    with pytest.raises(WriteFailed, match="--overwrite"):
        correct(photo, target, turn=180)
    assert read_exif_orientation(target.read_bytes()).orientation == 3
    assert correct(photo, target, turn=180, overwrite=True).written
    assert read_exif_orientation(target.read_bytes()).orientation == 8


def test_contradictions(photo: Path, tmp_path: Path) -> None:
    other = tmp_path / "x.jpg"
    for arguments in ({}, {"target": other, "in_place": True}, {"target": photo}, {"target": tmp_path}):
        with pytest.raises(UsageError):
            correct(photo, turn=90, **arguments)
    with pytest.raises(UsageError, match="quarter"):
        correct(photo, other, turn=45)
    with pytest.raises(UsageError, match="only a file"):
        correct(photo.read_bytes(), in_place=True, turn=90)
    with pytest.raises(UsageError, match="stays JPEG"):
        correct(photo, tmp_path / "x.png", turn=90)
    assert names(tmp_path) == ["photo.jpg"]


def test_a_lying_name_may_go_on_lying(tmp_path: Path) -> None:
    source = tmp_path / "in.jpg"
    source.write_bytes(saved("PNG"))
    assert correct(source, tmp_path / "out.jpg", turn=90).method == Method.TAG
    assert (tmp_path / "out.jpg").read_bytes().startswith(b"\x89PNG")


def test_symbolic_and_hard_links(photo: Path, tmp_path: Path) -> None:
    link, twin = tmp_path / "link.jpg", tmp_path / "twin.jpg"
    link.symlink_to("photo.jpg")
    correct(link, in_place=True, turn=90)
    assert link.is_symlink() and read_exif_orientation(photo.read_bytes()).orientation == 3
    twin.hardlink_to(photo)
    done = correct(photo, in_place=True, turn=90)
    assert "hard link" in done.note
    assert read_exif_orientation(twin.read_bytes()).orientation == 3
    assert read_exif_orientation(photo.read_bytes()).orientation == 8


@pytest.mark.parametrize("name", [b"new\nline.jpg", b"caf\xe9 \xff.jpg", "日本.jpg".encode(), b"-.jpg", b" .jpg"])
def test_names(photo: Path, tmp_path: Path, name: bytes) -> None:
    odd = tmp_path / os.fsdecode(name)
    photo.rename(odd)
    correct(odd, in_place=True, turn=90, journal=tmp_path / "j")
    copy = Path(f"{odd}.copy")
    done = correct(str(odd), copy, turn=90)
    assert read_exif_orientation(copy.read_bytes()).orientation == 8
    assert done.to_dict()["source"].isprintable()
    with pytest.raises(WriteFailed) as raised:
        correct(odd, copy, turn=0)
    assert str(raised.value).isprintable()


def test_bad_sources(tmp_path: Path) -> None:
    def made(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    cases = [
        (made("empty.jpg", b""), NotAPicture, "empty"),
        (made("text.jpg", b"this is a text\n" * 9), NotAPicture, "not a picture"),
        (tmp_path / "gone.jpg", SourceMissing, "no such file"),
        (tmp_path / "null\0byte.jpg", SourceMissing, "null byte"),
        (tmp_path / "dangling", SourceMissing, "a link to nothing"),
        (tmp_path / "loop", SourceMissing, "a link to loop"),
        (tmp_path / "pipe", SourceMissing, "not a regular file"),
        (tmp_path, SourceMissing, "a folder"),
    ]
    for source, kind, words in cases:
        with pytest.raises(kind, match=words) as raised:
            correct(source, tmp_path / "out", turn=90)
        assert raised.value.remedy and printable(source) in str(raised.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("method", [None, Method.TURN])
def test_truncated_pictures(form: str, method: Method | None) -> None:
    whole = saved(form, 6)
    for kept in (0.3, 0.6, 0.9):
        part = whole[: int(len(whole) * kept)]
        try:
            data, done = corrected_bytes(part, Turn.RIGHT, method)
        except UprightError as error:
            assert error.remedy
            continue
        assert done.method == Method.TAG
        assert read_exif_orientation(data).orientation == 3 and len(data) >= len(part)


def test_odd_sizes() -> None:
    for size in ((1, 1), (1, 10_000), (10_000, 1)):
        for form in FORMATS:
            source = saved(form, image=PICTURE.resize(size))
            for method in (Method.TAG, Method.TURN):
                data, _ = corrected_bytes(source, Turn.LEFT, method)
                assert shown(data).size == size[::-1]


@pytest.mark.slow
def test_decompression_bomb(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(9)
    row = bytes(1 + 5000)
    pixels = b"".join(packer.compress(row * 100) for _ in range(400)) + packer.flush()
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 1, 0, 0, 0, 0)
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    assert correct(bomb, tmp_path / "out.png", turn=90).method == Method.TAG
    with pytest.raises(UprightError, match="max_memory_mb"):
        correct(bomb, tmp_path / "turned.png", turn=90, method="turn", edge="refuse")
    assert correct(bomb, tmp_path / "turned.png", turn=90, method="turn").method == Method.TAG


@pytest.mark.parametrize("value", [0, 9])
def test_unknown_tag_values_count_as_one(value: int) -> None:
    data, done = corrected_bytes(saved("JPEG", value), Turn.LEFT)
    assert (done.exif_before, done.exif_after) == (1, 8)
    assert read_exif_orientation(data).raw == 8


@contextlib.contextmanager
def little_room(size: int) -> Iterator[Path]:
    """A file system of 64 kB where mounting is allowed, else a limit on the size of files."""
    folder = Path(tempfile.mkdtemp())
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True, check=False
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        if mounted.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        shutil.rmtree(folder)


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("method", ["tag", "turn"])
def test_full_disk(limited: bool, method: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with little_room(40_000) as folder:
        photo = folder / "photo.png"
        source = saved("PNG", image=Image.effect_noise((200, 240), 80))
        assert 32_000 < len(source) < 60_000
        photo.write_bytes(source)
        if limited or not os.path.ismount(folder):
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        with pytest.raises(WriteFailed, match=r"No space left|File too large") as raised:
            correct(photo, in_place=True, turn=90, method=method, journal=folder / "journal")
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert raised.value.remedy
        assert photo.read_bytes() == source
        assert not [name for name in names(folder) if name.startswith(".upright")]


def test_read_only_folder(tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp())
    photo = folder / "photo.jpg"
    photo.write_bytes(saved("JPEG"))
    photo.chmod(0o644)
    folder.chmod(0o555)
    was = os.geteuid()
    try:
        if was == 0:  # root may write anywhere
            os.seteuid(65534)
        with pytest.raises(WriteFailed, match="Permission denied"):
            correct(photo, in_place=True, turn=90)
        with pytest.raises(WriteFailed, match="Permission denied"):
            correct(photo, folder / "sub" / "x.jpg", turn=90)
    finally:
        os.seteuid(was)
        folder.chmod(0o755)
    assert photo.read_bytes() == saved("JPEG")
    shutil.rmtree(folder)


@pytest.mark.parametrize("event", ["changed", "vanished", "replaced"])
def test_files_that_change_meanwhile(photo: Path, monkeypatch: pytest.MonkeyPatch, event: str) -> None:
    newer = saved("JPEG", 1)

    def meddle(*_: object) -> None:
        if event == "changed":
            photo.write_bytes(newer)
        elif event == "vanished":
            photo.unlink()
        else:
            (photo.parent / "other").write_bytes(newer)
            (photo.parent / "other").replace(photo)

    monkeypatch.setattr(upright.atomic, "_dress", meddle)
    with pytest.raises(WriteFailed, match="vanished" if event == "vanished" else "changed"):
        correct(photo, in_place=True, turn=90)
    assert [p.name for p in photo.parent.iterdir()] == ([] if event == "vanished" else ["photo.jpg"])
    assert event == "vanished" or photo.read_bytes() == newer


def test_what_is_not_as_it_was_meant_takes_no_name(photo: Path) -> None:
    before = photo.read_bytes()

    def check(written: BinaryIO) -> None:
        assert written.read() == b"new"
        raise CorrectionError("the tag cannot be read back")

    with opened(photo) as file:
        change = plan(file, Request(Turn.RIGHT, in_place=True))
        with pytest.raises(CorrectionError, match="read back"):
            Writer().write(replace(change, targets=(Target(str(photo), file, data=b"new", check=check),)))
    assert [path.read_bytes() for path in photo.parent.iterdir()] == [before]


def test_a_file_that_begins_as_the_new_one_is_another(photo: Path, tmp_path: Path) -> None:
    correct(photo, target := tmp_path / "out.jpg", turn=90)
    assert correct(photo, target, turn=90).note == "the target was there already"
    target.write_bytes(longer := target.read_bytes() + b"and more")
    with pytest.raises(WriteFailed, match="another file is at the target"):
        correct(photo, target, turn=90)
    assert target.read_bytes() == longer


@pytest.mark.parametrize("event", ["changed", "replaced", "vanished"])
@pytest.mark.parametrize("in_place", [True, False])
def test_files_that_change_while_they_are_decided(photo: Path, tmp_path: Path, event: str, in_place: bool) -> None:
    """Also where size, times and inode stay: then the content tells."""
    facts, newer = photo.stat(), patch_exif_orientation(photo.read_bytes(), ExifOrientation.BOTTOM_RIGHT)
    assert len(newer) == facts.st_size and newer != photo.read_bytes()

    class Meddling(Fake):
        def detect(self, source: object, **options: object) -> Orientation:  # type: ignore[override]
            if event == "vanished":
                photo.unlink()
            elif event == "changed":
                photo.write_bytes(newer)
            else:
                (tmp_path / "other").write_bytes(newer)
                (tmp_path / "other").replace(photo)
            if event != "vanished":
                os.utime(photo, ns=(facts.st_atime_ns, facts.st_mtime_ns))
            return super().detect(source)

    with pytest.raises(WriteFailed, match="vanished" if event == "vanished" else "changed"):
        correct(photo, None if in_place else tmp_path / "x.jpg", in_place=in_place, detector=Meddling(Turn.HALF))  # type: ignore[arg-type]
    assert names(tmp_path) == ([] if event == "vanished" else ["photo.jpg"])
    assert event == "vanished" or photo.read_bytes() == newer


def sidecar(photo: Path, data: bytes) -> Callable[[Opened], Change]:
    """A change of a picture's tag and of a file beside it, which must not be there yet."""

    def planned(file: Opened) -> Change:
        change = plan(file, Request(Turn.HALF, in_place=True))
        return replace(change, targets=(*change.targets, Target(f"{photo}.xmp", None, data=data)))

    return planned


def test_a_change_of_several_files_is_all_or_nothing(photo: Path, tmp_path: Path) -> None:
    source, beside, book = photo.read_bytes(), Path(f"{photo}.xmp"), tmp_path / "journal"
    writer = Writer(Journal(book))
    beside.write_bytes(b"precious")
    with opened(photo) as file, pytest.raises(WriteFailed, match="another file"):
        writer.write(sidecar(photo, b"<xmp/>")(file))
    assert (photo.read_bytes(), beside.read_bytes()) == (source, b"precious")

    beside.unlink()
    with opened(photo) as file:
        assert writer.write(sidecar(photo, b"<xmp/>")(file)).written
    assert read_exif_orientation(photo.read_bytes()).orientation == 8 and beside.read_bytes() == b"<xmp/>"
    before = [json.loads(line)["before"] for line in book.read_text().splitlines() if "intent" in line]
    assert before[1] is None and before[0] == hashlib.sha256(source).hexdigest()
    assert {entry.outcome for entry in undo(book)} == {"restored", "removed"}
    assert photo.read_bytes() == source and not beside.exists()
    assert {entry.outcome for entry in undo(book)} == {"as it was"}


def test_a_created_file_that_was_changed_since_is_not_removed(photo: Path, tmp_path: Path) -> None:
    beside, book = Path(f"{photo}.xmp"), tmp_path / "journal"
    with opened(photo) as file:
        Writer(Journal(book)).write(sidecar(photo, b"<xmp/>")(file))
    beside.write_bytes(b"mine")
    outcomes = [entry.outcome for entry in undo(book)]
    assert [isinstance(outcome, JournalError) for outcome in outcomes] == [True, False]
    assert beside.read_bytes() == b"mine" and read_exif_orientation(photo.read_bytes()).orientation == 6


CHILD = """
import sys
from upright.correction import correct
print("ready", flush=True)
while True:
    for method in ("tag", "turn"):
        correct(sys.argv[1], in_place=True, turn=90, method=method, journal=sys.argv[2])
"""


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    source = saved("PNG", image=PICTURE.resize((200, 300)))
    photo.write_bytes(source)
    pixels = np.asarray(shown(source))
    rng = np.random.default_rng(1)
    for _ in range(8):
        child = subprocess.Popen([sys.executable, "-c", CHILD, photo, tmp_path / "journal"], stdout=subprocess.PIPE)
        assert child.stdout and child.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0.02, 0.15))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        now = np.asarray(shown(photo.read_bytes()))
        assert any(np.array_equal(now, np.rot90(pixels, k)) for k in range(4))
    assert (tmp_path / "journal").exists()
    leftovers = set(names(tmp_path)) - {"photo.png", "journal", "journal.d"}
    assert all(name.startswith(".upright-") and name.endswith(".tmp") for name in leftovers)
    assert not [entry for entry in undo(tmp_path / "journal") if isinstance(entry.outcome, UprightError)]
    assert photo.read_bytes() == source


class _Interrupt:
    """Ctrl-C at the n-th line, call or return of `atomic.write`, its helpers and `Path.open`."""

    def __init__(self, moment: int) -> None:
        self.left = moment

    def __call__(self, frame: FrameType, event: str, _: object) -> "_Interrupt | None":
        caller, code = frame.f_back, frame.f_code
        opening = code.co_name == "open" and caller is not None and caller.f_code.co_filename == upright.atomic.__file__
        if not opening and code.co_filename != upright.atomic.__file__:
            return None
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return self


# A file that was just opened when the interrupt came is closed by the garbage collector, which warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_interrupted_at_every_line(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    photo, journal = tmp_path / "photos" / "photo.jpg", tmp_path / "journal"
    source = saved("JPEG")
    traced = sys.gettrace()
    for moment in range(1, 1000):
        photo.write_bytes(source)
        upright.atomic._swept.clear()
        sys.settrace(interrupt := _Interrupt(moment))
        try:
            correct(photo, in_place=True, turn=90, journal=journal)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(traced)
        assert names(photo.parent) == ["photo.jpg"], moment
        if journal.exists():
            undo(journal)
        assert photo.read_bytes() == source, moment
        journal.unlink(missing_ok=True)
        if interrupt.left > 0:
            break
    assert 50 < moment < 999


@pytest.mark.parametrize("locks", [True, False])
def test_leftovers_of_dead_processes_are_swept(photo: Path, monkeypatch: pytest.MonkeyPatch, locks: bool) -> None:
    if not locks:
        monkeypatch.setitem(sys.modules, "fcntl", None)
    dead = subprocess.Popen(["true"])
    dead.wait()
    host = upright.atomic._host()
    leftover = photo.parent / f".upright-{host}-{dead.pid}-01234567.tmp"
    others = [photo.parent / name for name in (f".upright-{host}-{os.getpid()}-0.tmp", f".upright-0-{dead.pid}-0.tmp")]
    for path in (leftover, *others):
        path.write_bytes(b"half")
    monkeypatch.setattr(upright.atomic, "_swept", set())
    correct(photo, in_place=True, turn=90)
    assert leftover.exists()  # too young: its writer may be at work in another container
    monkeypatch.setattr(upright.atomic, "_swept", set())
    monkeypatch.setattr(upright.atomic, "_LEFTOVER_AGE_S", -1.0)
    correct(photo, in_place=True, turn=90)
    assert set(names(photo.parent)) == {"photo.jpg", *(path.name for path in others)}, (
        "a living one's, another machine's"
    )


def test_second_page_of_a_tiff() -> None:
    source = saved("TIFF", save_all=True, append_images=[PICTURE.convert("L")])
    data, done = corrected_bytes(source, Turn.RIGHT, page=1)
    assert done.method == Method.TAG
    assert done.note == "only page 2 was turned, the others stay as they are"
    assert read_exif_orientation(data, page=0).orientation == 1
    assert read_exif_orientation(data, page=1).orientation == 6
    data, done = corrected_bytes(source, Turn.RIGHT, Method.TURN)
    assert done.method == Method.TAG and "2 pages" in done.note


def test_binary_files_are_sources_too(photo: Path, tmp_path: Path) -> None:
    with photo.open("rb") as file:
        correct(file, tmp_path / "x.jpg", turn=90)  # type: ignore[arg-type]
    assert (tmp_path / "x.jpg").read_bytes() == patch_exif_orientation(photo.read_bytes(), ExifOrientation.BOTTOM_RIGHT)


def test_show_pillow_and_tag_agree() -> None:
    for exif in ALL:
        assert shown(saved("PNG", exif)).tobytes() == show_pillow(PICTURE, exif).tobytes()
