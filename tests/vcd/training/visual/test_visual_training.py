"""Training of the visual descriptor: its pictures, its views, its loss, and a run that resumes."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite_pytorch")
Image = pytest.importorskip("PIL.Image")

from vcd.descriptors import DescriptorModel, load_manifest, load_orientations
from vcd.descriptors.check import check_model
from vcd.errors import ContractError, MediaError, ModelError
from vcd.training.contrast import (
    Bank,
    contrastive_loss,
    differential_entropy,
)
from vcd.training.settings import read_settings, settings_text
from vcd.training.visual import edits
from vcd.training.visual.copies import edited_copies
from vcd.training.visual.edits import make_views
from vcd.training.visual.held_out import HeldOut
from vcd.training.visual.made import make_picture
from vcd.training.visual.marks import make_marks
from vcd.training.visual.network import VisualNetwork, load_network, mean_network
from vcd.training.visual.orientations import find_orientations
from vcd.training.visual.pictures import (
    SIDE,
    gather,
    load_photographs,
    open_pictures,
    write_kept,
)
from vcd.training.visual.publish import publish, training_pictures
from vcd.training.visual.run import TrainingRun
from vcd.training.visual.settings import VisualTraining


@pytest.fixture(scope="module")
def pictures():
    small = [make_picture(np.random.default_rng(k), 64) for k in range(12)]
    large = np.stack(small).repeat(SIDE // 56 + 1, axis=1).repeat(SIDE // 56 + 1, axis=2)
    return np.ascontiguousarray(large[:, :SIDE, :SIDE])


@pytest.fixture(scope="module")
def marks():
    return torch.from_numpy(make_marks(4, SIDE, seed=0))


def views_of(pictures, marks, *, seed=1, strength=1.0):
    generator = torch.Generator().manual_seed(seed)
    return make_views(
        torch.from_numpy(pictures),
        marks,
        size=64,
        strength=strength,
        shared=0.3,
        generator=generator,
    )


def test_mirrors_come_on_top_of_other_edits(pictures, marks, monkeypatch):
    mirrored = []
    monkeypatch.setitem(edits._EDITS, "flip", lambda x, _: mirrored.append(len(x)) or x)
    for seed in range(40):
        views_of(pictures, marks, seed=seed)
    assert 0.4 < sum(mirrored) / (40 * len(pictures)) < 0.6


def test_made_pictures_are_their_seeds_and_say_something():
    first, again = (make_picture(np.random.default_rng(5), 48) for _ in range(2))
    assert first.shape == (48, 48, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    for seed in range(16):
        assert make_picture(np.random.default_rng(seed), 48).mean(axis=2).std() > 15


def test_marks_cover_some_and_not_all():
    opacity = make_marks(8, 64, seed=3)[:, 3]
    covered = (opacity > 0).mean(axis=(1, 2))
    assert (covered > 0).all()
    assert covered.mean() < 0.8


@pytest.mark.parametrize("seed", range(6))
def test_views_are_pictures_whatever_was_done_to_them(pictures, marks, seed):
    views = views_of(pictures, marks, seed=seed)
    for view in (views.plain, views.edited):
        assert view.shape == (12, 3, 64, 64)
        assert torch.isfinite(view).all()
        assert view.min() >= 0
        assert view.max() <= 255
    assert ((views.share >= 0) & (views.share <= 0.3)).all()
    assert (views.other != torch.arange(12)).all()


def test_views_repeat_with_their_seed(pictures, marks):
    first, again = views_of(pictures, marks), views_of(pictures, marks)
    assert torch.equal(first.edited, again.edited)
    assert not torch.equal(first.edited, views_of(pictures, marks, seed=2).edited)


def test_strength_moves_views_away(pictures, marks):
    def distance(strength):
        views = [views_of(pictures, marks, seed=s, strength=strength) for s in range(8)]
        return np.mean([float((v.edited - v.plain).abs().mean()) for v in views])

    assert distance(0.0) < distance(1.0)


def unit(*shape):
    return torch.nn.functional.normalize(torch.randn(*shape), dim=1)


def test_bank_forgets_the_oldest():
    bank = Bank(4, 1, torch.device("cpu"))
    one = torch.ones(1, 1)
    bank.add(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([1, 2, 3]))
    assert bank.similarities(one, torch.tensor([9]))[0].tolist() == [1, 2, 3]
    bank.add(torch.tensor([[4.0], [5.0]]), torch.tensor([4, 5]))
    assert bank.similarities(one, torch.tensor([9]))[0].tolist() == [5, 2, 3, 4]


def test_a_picture_is_no_negative_of_itself():
    bank = Bank(4, 1, torch.device("cpu"))
    bank.add(torch.ones(2, 1), torch.tensor([7, 8]))
    cosines = bank.similarities(torch.ones(2, 1), torch.tensor([8, 3]))
    assert cosines.tolist() == [[1, -torch.inf], [1, 1]]


def test_loss_is_the_cross_entropy_of_the_own_key():
    queries, keys, past = unit(5, 8), unit(5, 8), unit(7, 8)
    logits = queries @ torch.cat([keys, past]).T / 0.05
    expected = torch.nn.functional.cross_entropy(logits, torch.arange(5))
    loss = contrastive_loss(
        queries @ keys.T,
        queries @ past.T,
        other=torch.arange(5).roll(1),
        share=torch.zeros(5),
        temperature=0.05,
    )
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_entropy_asks_for_distance_from_others_and_not_from_the_own_key():
    nothing = torch.zeros(4, 0)
    near = torch.nn.functional.normalize(torch.eye(4) + 0.1, dim=1)
    apart = differential_entropy(torch.eye(4), nothing)
    assert apart < differential_entropy(near @ near.T, nothing)
    assert differential_entropy(2 * torch.eye(4) - 1, nothing) < apart  # opposite to all others
    assert differential_entropy(torch.zeros(4, 4), nothing) == pytest.approx(float(apart))


def test_held_out_precision_of_a_perfect_and_a_blind_network(pictures, marks):
    held_out = HeldOut(pictures, marks, 64)
    number = torch.arange(12).repeat(4)
    held_out.edited = torch.nn.functional.one_hot(number[:36], 12).float()
    held_out.plain = torch.eye(12)[: held_out.listed]
    assert held_out.average_precision(torch.nn.Identity()) == 1.0
    held_out.edited = held_out.edited.roll(1, dims=1)
    assert held_out.average_precision(torch.nn.Identity()) < 0.3


def test_reserved_photographs_are_not_trained_on(tmp_path, pictures):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, shown in ((first, pictures), (second, 255 - pictures)):
        folder.mkdir()
        for k, picture in enumerate(shown):
            Image.fromarray(picture).save(folder / f"{k}.png")
    for k in range(32):  # some of which would be reserved
        (first / f"broken{k}.jpg").write_bytes(b"no picture %d" % k)
    trained = load_photographs([first, second])
    reserved = load_photographs([first, second], reserve=True)
    kept = tmp_path / "kept"
    kept.mkdir()
    assert write_kept([first, second, second], kept) == len(reserved)
    names = sorted(p.read_bytes() for p in [*first.iterdir(), *second.iterdir()])
    assert all(file.read_bytes() in names for file in kept.iterdir())
    again = load_photographs([kept], reserve=True)
    assert sorted(map(bytes, again)) == sorted(map(bytes, reserved))
    assert len(trained) + len(reserved) == 24
    assert 0 < len(reserved) < 12
    assert not any((t == r).all() for t in trained for r in reserved)
    alone = [load_photographs([second])]  # what is reserved does not hang on the list
    assert not any((t == r).all() for t in alone[0] for r in reserved)


def test_a_network_under_training_does_not_waver():
    network = VisualNetwork(8, pretrained=False).train()
    shown = torch.rand(2, 3, 64, 64) * 255
    with torch.no_grad():
        assert torch.equal(network(shown), network(shown))


def test_a_network_begins_with_the_best_linear_head(pictures):
    network = VisualNetwork(8).eval()
    assert not network.has_head
    many = pictures[np.arange(18) % 12]
    marks = torch.zeros(1, 4, SIDE, SIDE, dtype=torch.uint8)
    held_out = HeldOut(pictures, marks, 64)
    drawn = held_out.average_precision(network)
    with torch.inference_mode():
        copies = [
            (network.pooled(views.plain), network.pooled(views.edited))
            for views in edited_copies(many, 64)
        ]
    network.find_head(copies)
    assert network.has_head
    assert held_out.average_precision(network) > drawn


def test_half_precision_of_the_momentum_encoder_changes_little(pictures, tmp_path):
    many = pictures[np.arange(18) % 12]
    ends = []
    for bfloat16 in (False, True):
        run = TrainingRun(many, tmp_path / str(bfloat16), replace(TINY, bfloat16=bfloat16))
        run.run()
        assert run.bank.vectors.dtype == torch.float32
        ends.append(run.bank.vectors[: run.bank.filled])
    assert not torch.equal(*ends)
    torch.testing.assert_close(*ends, atol=0.05, rtol=0)


def test_a_folder_without_pictures_is_told(tmp_path):
    with pytest.raises(MediaError, match="no picture to train on"):
        load_photographs([tmp_path])


TINY = VisualTraining(
    steps=2,
    small_steps=1,
    batch=4,
    size=64,
    small=48,
    dimensions=16,
    bank=16,
    marks=4,
    held_out=6,
)


def test_a_run_that_was_stopped_ends_as_one_in_one_go(pictures, tmp_path):
    settings = TINY
    many = pictures[np.arange(18) % 12]
    TrainingRun(many, tmp_path / "whole", settings).run()
    TrainingRun(many, tmp_path / "parts", settings).run(until=1)
    TrainingRun(many, tmp_path / "parts", settings).run()
    states = [torch.load(tmp_path / d / "resume.pt")["keys"] for d in ("whole", "parts")]
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=1e-4, atol=1e-5)
    with (tmp_path / "whole" / "log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["2"]
    with pytest.raises(ModelError, match="other settings"):
        TrainingRun(many, tmp_path / "whole", replace(settings, steps=3))
    begun = TrainingRun(
        many, tmp_path / "next", settings, start=tmp_path / "whole" / "weights.pt"
    ).network.state_dict()
    assert begun.keys() == states[0].keys()
    for name, value in states[0].items():
        torch.testing.assert_close(begun[name], value, rtol=1e-3, atol=1e-3)
    network, known = load_network(tmp_path / "whole" / "weights.pt")
    assert known == settings and not network.training
    with pytest.raises(ModelError, match="16 dimensions, not 8"):
        other = replace(settings, dimensions=8)
        TrainingRun(many, tmp_path / "o", other, start=tmp_path / "whole" / "weights.pt")
    with pytest.raises(ContractError, match="too few"):
        TrainingRun(many[:8], tmp_path / "few", settings)


def test_the_mean_of_several_networks_counts_each():
    networks = [VisualNetwork(8).eval() for _ in range(2)]
    heads = [network.head.weight.detach() for network in networks]
    mean = mean_network([networks[0], networks[1], networks[1]])
    torch.testing.assert_close(mean.head.weight.detach(), (heads[0] + 2 * heads[1]) / 3)
    assert not torch.equal(*heads)


def test_a_run_is_published_loaded_and_averaged(pictures, tmp_path):
    settings, many = TINY, pictures[np.arange(18) % 12]
    TrainingRun(many, tmp_path / "whole", settings).run()
    network, _ = load_network(tmp_path / "whole" / "weights.pt")
    models = [tmp_path / name for name in ("first", "second")]
    for folder in models:
        assert publish(tmp_path / "whole", many, folder, version=7) == "visual-7"
    check_model(load_manifest(models[0]).default("visual"))
    check_model(load_manifest(models[0]).get("visual_int8-7"))
    with pytest.raises(ModelError, match="is not a model with a layout"):
        load_network(models[0] / "visual_int8" / "7" / "model.onnx")
    assert load_orientations(load_manifest(models[0]).default("visual")).shape == (3, 17, 16)
    for name in (
        "visual/7/model.onnx",
        "visual/7/background.npy",
        "visual/7/orientations.npy",
        "visual_int8/7/model.onnx",
    ):
        files = [folder / name for folder in models]
        assert files[0].read_bytes() == files[1].read_bytes()
    published = models[0] / "visual" / "7" / "model.onnx"
    again, told = load_network(published)
    assert (told.size, told.dimensions) == (settings.size, settings.dimensions)
    views = torch.from_numpy(pictures[:3, : told.size, : told.size].copy())
    with torch.inference_mode():
        expected = again(views.permute(0, 3, 1, 2).float()).numpy()
    model = DescriptorModel(load_manifest(models[0]).default("visual"))
    np.testing.assert_allclose(model(views.numpy()), expected, atol=2e-3)
    onwards = TrainingRun(many, tmp_path / "onwards", settings, start=published).network
    torch.testing.assert_close(onwards.second.state_dict(), again.second.state_dict())
    with torch.inference_mode():  # the mean of a network with itself, folded or not, is itself
        inputs = views.permute(0, 3, 1, 2).float()
        for one in (again.first, network.first):
            mean = mean_network([one, one])
            torch.testing.assert_close(mean(inputs), one(inputs), rtol=1e-3, atol=1e-4)
    mixed = tmp_path / "mixed"
    publish(tmp_path / "whole", many, mixed, version=8, mean_with=[published])
    with pytest.raises(ModelError, match="16 dimensions, not 8"):
        narrow = replace(settings, dimensions=8, steps=1)
        TrainingRun(many, tmp_path / "narrow", narrow).run()
        publish(tmp_path / "narrow", many, mixed, version=9, mean_with=[published])
    older = tmp_path / "older.onnx"  # as before visual-5: of the trunk, without a head for this one
    model = onnx.load(published)
    next(t for t in model.graph.initializer if t.name == "first.powers").name = "first.power"
    onnx.save(model, older)
    with pytest.raises(ModelError, match="has no head for this network"):
        publish(tmp_path / "whole", many, mixed, version=9, mean_with=[older])
    begun = TrainingRun(many, tmp_path / "begun", settings, start=older).network.first
    assert begun.has_head
    assert not torch.equal(begun.head.weight, again.first.head.weight)
    refiner = Path(__file__).parents[4] / "onnx" / "refiner" / "1" / "model.onnx"
    with pytest.raises(ModelError, match="is not a model with a layout that vcd"):
        load_network(refiner)
    with pytest.raises(ModelError, match="cannot be read"):
        load_network(tmp_path / "none.onnx")


def test_orientations_of_what_turns_with_the_picture_are_found():
    def describe(batch):
        return batch.reshape(len(batch), -1).astype(np.float32) / 255 - 0.5

    rng = np.random.default_rng(0)
    batches = rng.integers(0, 256, (40, 100, 2, 2, 3), dtype=np.uint8)
    maps = find_orientations(describe, batches)
    assert maps.shape == (3, 13, 12)
    other = rng.integers(0, 256, (5, 2, 2, 3), dtype=np.uint8)
    seen = (other[:, :, ::-1], np.rot90(other, 1, (1, 2)), np.rot90(other, -1, (1, 2)))
    for onto, picture in zip(maps, seen, strict=True):
        found = describe(other) @ onto[:-1] + onto[-1]
        np.testing.assert_allclose(found, describe(picture), atol=0.01)


def test_whitening_looks_at_what_was_trained_on(pictures):
    batches = list(training_pictures(pictures, 48))
    assert np.concatenate(batches).shape == (12, 48, 48, 3)


@pytest.mark.parametrize(
    "wrong", [{"batch": 1}, {"steps": 1}, {"momentum": 1.0}, {"bank": 8}, {"held_out": 0}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ContractError):
        VisualTraining(**wrong)


def test_settings_as_text_are_the_defaults(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(settings_text(VisualTraining))
    assert read_settings(path, VisualTraining) == VisualTraining()
    path.write_text("steps = 5\nsmall_steps = 0\nrate = 1\nbfloat16 = true\n")
    expected = VisualTraining(steps=5, small_steps=0, rate=1.0, bfloat16=True)
    assert read_settings(path, VisualTraining) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps = ", "is not TOML"),
        ("stepps = 5", "'stepps' is no setting"),
        ("steps = 5.5", "steps is 5.5, not a whole number"),
        ("rate = true", "rate is True, not a number"),
        ("bfloat16 = 1", "bfloat16 is 1, not true or false"),
        ("strength = 1.5", "ramp and strength must lie in"),
        ("momentum = 1.0", "momentum and shared lie in"),
        (None, "cannot be read"),
    ],
)
def test_broken_settings_are_told(tmp_path, text, told):
    path = tmp_path / "settings.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ModelError, match=told) as caught:
        read_settings(path, VisualTraining)
    assert caught.value.file == str(path)


def test_pictures_are_gathered_and_opened_again(tmp_path, pictures):
    for k, picture in enumerate(pictures[:6]):
        Image.fromarray(picture).save(tmp_path / f"{k}.png")
    number = gather([tmp_path], tmp_path / "pictures.npy", made=2, seed=3)
    shown = open_pictures(tmp_path / "pictures.npy")
    assert shown.shape == (number, SIDE, SIDE, 3)
    assert 2 < number <= 8
    np.save(tmp_path / "small.npy", np.zeros((3, 8, 8, 3), np.uint8))
    (tmp_path / "text.npy").write_text("no pictures")
    for name, told in (("small.npy", "not uint8"), ("text.npy", "no file of pictures")):
        with pytest.raises(MediaError, match=told):
            open_pictures(tmp_path / name)


def test_a_folder_without_a_run_is_told(tmp_path):
    (tmp_path / "weights.pt").write_bytes(b"no weights")
    torch.save({"settings": {"steps": 9}, "weights": {}}, tmp_path / "earlier.pt")
    with pytest.raises(ModelError, match="another version of vcd"):
        load_network(tmp_path / "earlier.pt")
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(ModelError, match="holds no weights"):
            load_network(folder / "weights.pt")
