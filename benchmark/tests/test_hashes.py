import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter
from upright_benchmark.hashes import near, shard_hashes


def scene(seed: int) -> Image.Image:
    """Something with light and shade on every scale, as photographs have it."""
    rng = np.random.default_rng(seed)
    layers = [Image.fromarray(rng.normal(128, 60, (n, n, 3)).clip(0, 255).astype(np.uint8)) for n in (4, 9, 30)]
    grown = [np.asarray(layer.resize((400, 300), Image.Resampling.BICUBIC), float) for layer in layers]
    return Image.fromarray(np.average(grown, axis=0, weights=(3, 2, 1)).astype(np.uint8))


def shard(folder: Path, pictures: dict[str, Image.Image]) -> None:
    with tarfile.open(folder / "train-demo-00.tar", "w") as tar:
        for name, picture in pictures.items():
            buffer = io.BytesIO()
            picture.resize((160, 160)).save(buffer, "WEBP", quality=80)
            member = tarfile.TarInfo(f"photo/demo/{name}.webp")
            member.size = buffer.tell()
            buffer.seek(0)
            tar.addfile(member, buffer)


def test_a_training_picture_is_found_however_it_was_saved(tmp_path: Path) -> None:
    shard(tmp_path, {str(seed): scene(seed) for seed in range(30)})
    hashes, names = shard_hashes(tmp_path)
    assert len(hashes) == len(names) == 30
    known = scene(7)
    forms = [known, known.resize((90, 70)), known.filter(ImageFilter.GaussianBlur(1)), known.rotate(90, expand=True),
             ImageEnhance.Contrast(known).enhance(0.8), known.transpose(Image.Transpose.ROTATE_180)]  # fmt: skip
    for form in forms:
        assert [names[row] for row in near(hashes, form)] == ["photo/demo/7.webp"]
    assert not any(near(hashes, scene(seed)) for seed in range(100, 140))


def test_a_folder_without_shards_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no train-\*.tar"):
        shard_hashes(tmp_path)
