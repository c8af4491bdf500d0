import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from training import data
from training.data import Pool, Split, difference_hash, group_of, grouped, held_out, near_duplicates, read_shards
from training.tests.toy import landscape, shard


def hashes(images: list[Image.Image]) -> data.Hashes:
    return np.array([difference_hash(image) for image in images], np.uint64)


def pool(names: list[str], images: list[Image.Image] | None = None) -> Pool:
    images = images or [landscape(seed) for seed in range(len(names))]
    return Pool(np.stack([np.asarray(image) for image in images]), names, hashes(images))


def texture(seed: int) -> Image.Image:
    """Soft blotches: unlike any other, and still themselves when worn."""
    blotches = np.random.default_rng(seed).integers(0, 255, (7, 7, 3), np.uint8)
    return Image.fromarray(blotches).resize((128, 128), Image.Resampling.BICUBIC)


def test_the_rule_of_what_is_held_out_does_not_move() -> None:
    """Weights were trained under this rule; these answers were recorded from the run that made them."""
    assert held_out("scene/lp-india/IMG_20190226_175444-a65ceb.webp")
    assert held_out("photo/coco/train2014_COCO_train2014_000000000446-a7d9b825.webp")
    assert held_out("photo/crowd/013922.webp")
    assert held_out("screen/kicad-doc/src_pl_editor_images_pl_property_none-72ccfe.webp")
    assert not held_out("photo/csc411/val_00178-39a83893.webp")
    assert not held_out("doc/sroie/data_img_246-1a9692.webp")
    assert not held_out("scene/posters/posters_tt0046754-c52291.webp")


def test_pages_of_one_document_and_sister_sources_are_one_group() -> None:
    pages = "doc/cppnow-slides/library_in_a_week_d1132__ThePhD__cppnow_05082019_p{}-{}.webp"
    assert group_of(pages.format(3, "226c14")) == group_of(pages.format(105, "887caf"))
    assert group_of(pages.format(3, "226c14")) != group_of("doc/cppnow-slides/another_talk_p3-6b48c2.webp")
    # Long ids are cut from the left, so page 9 keeps a letter more than page 10.
    assert group_of("doc/flipb/ScottChayaa_farm_ebook_pages_9_cb54f-cb54ff.webp") == group_of(
        "doc/flipc/cottChayaa_farm_ebook_pages_10_1f282-1f282a.webp"
    )
    assert group_of("photo/coco/1-aaaaaaaa.webp") != group_of("photo/coco/2-aaaaaaab.webp")
    assert group_of("holiday/contract p. 3.jpg") == group_of("holiday/contract p. 4.jpg")
    assert group_of("holiday/IMG_0003.jpg") != group_of("holiday/IMG_0004.jpg")


def test_near_duplicates_are_found_and_strangers_are_not() -> None:
    images = [texture(seed) for seed in range(40)]
    worn = images[7].resize((90, 90)).filter(ImageFilter.GaussianBlur(1))
    assert list(near_duplicates(hashes([*images, worn]))) == [(7, 40)]


def test_a_group_never_straddles_the_split() -> None:
    """Held-out names joined with one that trains all train; what is left to judge is held out by the rule."""
    names = [f"photo/elliot/held_{n}-0000000{n}.webp" for n in range(8)]  # the source is held out whole
    names += [f"photo/coco/picture-{n:08x}.webp" for n in range(60)]
    images = [texture(seed) for seed in range(len(names))]
    train_row = next(row for row, name in enumerate(names) if not held_out(name))
    images[train_row] = images[0].resize((100, 100)).resize((128, 128))
    split = Split.by_rule(pool(names, images), drop=[names[-1]])
    judged = {*split.tune.tolist(), *split.calibrate.tolist()}
    assert 0 in split.train and 0 not in judged
    assert judged <= {row for row, name in enumerate(names) if held_out(name)}
    assert len(names) - 1 not in split.train
    assert not set(split.train.tolist()) & judged and not set(split.tune.tolist()) & set(split.calibrate.tolist())
    assert len(split.tune) and len(split.calibrate)


def test_the_split_is_the_same_in_any_order() -> None:
    names = [f"photo/elliot/x_{n}-0000000{n}.webp" for n in range(9)]
    images = [texture(seed) for seed in range(9)]
    forwards, backwards = Split.by_rule(pool(names, images)), Split.by_rule(pool(names[::-1], images[::-1]))
    assert {names[row] for row in forwards.tune} == {names[::-1][row] for row in backwards.tune}


def test_a_users_folder_is_split_by_group_until_the_shares_are_reached() -> None:
    names = [f"scan/letter {letter} p{page}.png" for letter in "abcdefghijklmnopqrst" for page in (1, 2, 3)]
    own = pool(names, [texture(seed) for seed in range(60)])
    split = Split.by_share(own, tune=0.2, calibrate=0.1)
    assert 12 <= len(split.tune) <= 14 and 6 <= len(split.calibrate) <= 8
    for rows in grouped(own.names, own.hashes).values():
        assert sum(bool(set(rows) & set(part.tolist())) for part in (split.train, split.tune, split.calibrate)) == 1


def test_shards_become_pools_by_kind(tmp_path: Path) -> None:
    members = {f"photo/coco/a-{n:08x}.webp": landscape(n, 96) for n in range(4)}
    members |= {f"doc/sroie/b{n}-00000{n}.webp": landscape(10 + n, 80) for n in range(3)}
    shard(tmp_path / "train-some-00.tar", members)
    pools = read_shards([tmp_path], photo_px=48, text_px=64)
    assert {kind: pool.pixels.shape for kind, pool in pools.items()} == {"photo": (4, 48, 48, 3), "doc": (3, 64, 64, 3)}
    assert pools["photo"].names == sorted(pools["photo"].names)
    difference = pools["doc"].pixels[0].astype(int) - np.asarray(landscape(10, 80).resize((64, 64), 2))
    assert abs(difference).mean() < 8  # WebP's loss


def test_the_judges_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="judge's"):
        read_shards([shard(tmp_path / "eval.tar", {"photo/a/b.webp": landscape(0)})], 64, 64)
    with pytest.raises(FileNotFoundError, match=r"train-\*\.tar"):
        read_shards([tmp_path / "nowhere"], 64, 64)


def test_a_folder_is_read_as_shown(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown: a quarter turn clockwise of what is stored
    image = landscape(1, 64)
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "phone.jpg", exif=exif, quality=95, subsampling=0)
    (tmp_path / "notes.txt").write_text("no picture")
    own = data.read_folder(tmp_path, 64)
    assert own.names == ["phone.jpg"]
    assert abs(own.pixels[0].astype(int) - np.asarray(image)).mean() < 8


def test_doubt_names_what_is_confidently_turned() -> None:
    own = pool(["photo/a/1.webp", "photo/a/2.webp", "photo/a/3.webp"])
    logits = np.array([[5, 0, 0, 0], [0, 5, 0, 0], [1, 1.5, 0, 0]], np.float32)
    assert data.doubtful(own, "photo", logits) == ["photo/a/2.webp"]


def test_pools_for_calibration_are_written(tmp_path: Path) -> None:
    """With the names that go with them, as training.heldout reads them; only those parts, without what is dropped."""
    shard(tmp_path / "train-0.tar", {f"photo/elliot/x{n}-{n:06x}.webp": landscape(n, 96) for n in range(8)})
    own = read_shards([tmp_path], 144, 288)["photo"]
    split = Split.by_rule(own)
    wanted = [own.names[row] for row in sorted([*split.tune, *split.calibrate])]
    drop = tmp_path / "drop.txt"
    drop.write_text(wanted[0] + "\n")
    command = [sys.executable, "-m", "training.data", "pools", "--data", str(tmp_path), "--drop", str(drop)]
    command += ["--part", "calibrate", "--part", "tune", "--out", str(tmp_path / "pools")]
    subprocess.run(command, check=True, timeout=60)
    names = json.loads((tmp_path / "pools" / "val_photo.json").read_text())
    pixels = np.load(tmp_path / "pools" / "val_photo.npy")
    assert names == wanted[1:] and len(pixels) == len(names) > 0


def test_some_pictures_of_one_kind_are_written(tmp_path: Path) -> None:
    members = {f"photo/lake/x{n}-{n:06x}.webp": landscape(n, 96) for n in range(12)}
    shard(tmp_path / "train-0.tar", members | {"doc/a/p-000001.webp": landscape(50, 96)})
    command = [sys.executable, "-m", "training.data", "pools", "--data", str(tmp_path), "--part", "train"]
    command += ["--kind", "photo", "--most", "3", "--out", str(tmp_path / "pools")]
    subprocess.run(command, check=True, timeout=60)
    assert sorted(path.name for path in (tmp_path / "pools").iterdir()) == ["val_photo.json", "val_photo.npy"]
    assert 0 < len(np.load(tmp_path / "pools" / "val_photo.npy")) <= 3
