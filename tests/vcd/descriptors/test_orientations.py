"""Maps to other orientations: near what the model itself says of the picture, or refused."""

import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vcd.descriptors import DescriptorModel, load_manifest, load_orientations
from vcd.errors import ModelError
from vcd.media.pixels import scale_pixels

INFO = load_manifest().default("visual")


@pytest.fixture(scope="module")
def photographs(shared):
    """Return photographs that no model of ours has seen, at the model's size."""
    side = int(INFO.input["height"])
    with tarfile.open(shared / "pool" / "photos-research-01.tar") as archive:
        members = [m for m in archive if m.name.endswith(".jpg")][::10]
        data = [archive.extractfile(member).read() for member in members]
    pictures = [np.asarray(Image.open(io.BytesIO(d)).convert("RGB")) for d in data]
    return np.stack([scale_pixels(picture, side, side) for picture in pictures])


def cosines(a, b):
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / lengths).mean())


@pytest.mark.shared
@pytest.mark.parametrize("name", ["visual", "visual_int8"])
def test_a_map_comes_near_what_the_model_says_of_the_picture(name, photographs):
    info = load_manifest().get(name)
    model, maps = DescriptorModel(info), load_orientations(info)
    upright = model(photographs)
    seen = (
        photographs[:, :, ::-1],
        np.rot90(photographs, 1, (1, 2)),
        np.rot90(photographs, -1, (1, 2)),
    )
    for onto, pictures in zip(maps, seen, strict=True):
        true = model(np.ascontiguousarray(pictures))
        assert cosines(upright @ onto[:-1] + onto[-1], true) > cosines(upright, true) + 0.1


def test_a_model_may_bring_none():
    assert load_orientations(load_manifest().default("audio")) is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (None, "cannot be read"),
        (b"none", "cannot be read"),
        ((3, 5, 4), r"shape \(3, 5, 4\)"),
        ((0, 257, 256), r"shape \(0, 257, 256\)"),
    ],
)
def test_a_file_that_is_no_map_is_named(data, problem, tmp_path):
    file = tmp_path / "orientations.npy"
    if isinstance(data, tuple):
        np.save(file, np.zeros(data, np.float16))
    elif data is not None:
        file.write_bytes(data)
    info = replace(INFO, folder=tmp_path, orientations=file.name)
    with pytest.raises(ModelError, match=problem) as error:
        load_orientations(info)
    assert file.name in str(error.value)
