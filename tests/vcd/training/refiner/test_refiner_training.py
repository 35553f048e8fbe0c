"""The refiner learns lines, resumes where it stopped, and its file gives what the network gives."""

import json

import numpy as np
import pytest
from making import grid

torch = pytest.importorskip("torch")

from vcd.descriptors import load_manifest
from vcd.errors import ContractError, ModelError
from vcd.records import Segment, SimilarityMatrix
from vcd.similarity import Refiner
from vcd.training.refiner.examples import example, varied
from vcd.training.refiner.network import RefinerNetwork, channels
from vcd.training.refiner.run import RefinerRun, RefinerTraining, export_refiner

TINY = RefinerTraining(steps=60, batch=3, side=16, width=2)


def made(seed, copies=1, n=30, m=40, speed=1.0):
    """Return a matrix of noise with faint diagonals, and the segments they stand for."""
    rng = np.random.default_rng(seed)
    excess = rng.normal(-0.6, 0.4, (n, m)).astype(np.float32)
    truth = []
    for _ in range(copies):
        first, start = int(rng.integers(0, n - 12)), int(rng.integers(0, m - 14))
        rows = np.arange(first, first + 12)
        columns = start + (rows - first if speed > 0 else 11 - (rows - first))
        excess[rows, columns] = rng.normal(0.9, 0.3, 12)
        truth.append(Segment(first / 2, first / 2 + 6, start / 2, start / 2 + 6, 1, speed=speed))
    values = np.clip(excess, -1, 1)
    return SimilarityMatrix(values, grid(n), grid(m), "visual", excess=excess), truth


@pytest.fixture(scope="module")
def examples():
    return [example(*made(k, copies=k % 2)) for k in range(24)]


def write_manifest(folder):
    folder.mkdir()
    (folder / "models.json").write_text(json.dumps({"defaults": {}, "models": []}))
    return folder


@pytest.mark.parametrize("speed", [1.0, -1.0])
def test_lines_lie_on_the_cells_of_the_copy(speed):
    matrix, truth = made(3, speed=speed)
    given = example(matrix, truth)
    assert given.has_copy
    on = given.copied == 1
    assert on.sum() >= 12
    assert float(given.excess[on].mean()) > 0.3
    assert not example(matrix, []).has_copy


def test_variation_keeps_lines_and_cells_together(examples):
    given = examples[1]
    rng = np.random.default_rng(0)
    for _ in range(20):
        excess, copied, part = varied(given, 16, rng)
        assert excess.shape == copied.shape
        assert sorted(excess.shape) == sorted(given.excess.shape)
        assert max(excess[part].shape) <= 16
        assert excess[copied == 1].mean() > excess[copied == 0].mean() + 0.3


def test_training_lowers_the_loss_and_resumes(examples, tmp_path):
    whole = RefinerRun(examples, tmp_path / "whole", TINY)
    whole.run()
    parts = RefinerRun(examples, tmp_path / "parts", TINY)
    parts.run(25)
    again = RefinerRun(examples, tmp_path / "parts", TINY)
    assert again.step == 25
    again.run()
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(again.network.state_dict()[name], value)
    rows = (tmp_path / "whole" / "log.csv").read_text().splitlines()[1:]
    losses = [float(row.split(",")[1]) for row in rows]
    assert losses[-1] < losses[0]
    with pytest.raises(ModelError, match="other settings"):
        RefinerRun(examples, tmp_path / "parts", RefinerTraining(steps=5))


def test_both_kinds_of_matrices_are_needed(examples, tmp_path):
    with pytest.raises(ContractError, match="both kinds"):
        RefinerRun(examples[::2], tmp_path, TINY)


def test_the_file_gives_what_the_network_gives(tmp_path):
    torch.manual_seed(0)
    network = RefinerNetwork(4)
    torch.nn.init.normal_(network.last.weight, std=0.5)
    folder = write_manifest(tmp_path / "models")
    assert export_refiner(network, folder, version=1, licence="CC0-1.0") == "refiner-1"
    info = load_manifest(folder).refiner
    refiner = Refiner(info.verify())
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (3, 70), (64, 33)):
        excess = rng.normal(-0.3, 1, shape).astype(np.float32)
        with torch.inference_mode():
            expected = torch.sigmoid(network(channels(torch.from_numpy(excess)[None])))[0].numpy()
        np.testing.assert_allclose(refiner(excess), expected, atol=1e-5)
