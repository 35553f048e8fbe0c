"""The demo set: its truth, checked against the files themselves (at a reduced size)."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from vcd.errors import OutputError
from vcd_eval import demo
from vcd_eval.demo import DemoSet, make_demo
from vcd_eval.formats import Labels, read_groundtruth, read_labels
from vcd_eval.making import editing, films
from vcd_eval.making.sounds import SAMPLE_RATE


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoSet, list[tuple[int, int, str]]]:
    steps: list[tuple[int, int, str]] = []
    with pytest.MonkeyPatch.context() as patch:
        # Few scenes, and pictures only in two of the files: the whole set takes too long.
        few = {n: (("card", "weather"), a, t) for n, (_, a, t) in demo._REFERENCES.items()}
        others = {n: (("planet",), a, t) for n, (_, a, t) in demo._OTHERS.items()}
        patch.setattr(demo, "_REFERENCES", few)
        patch.setattr(demo, "_OTHERS", others)
        patch.setattr(demo, "write_video", sound_only_but_for("faster", "mountains"))
        made = make_demo(tmp_path_factory.mktemp("demo"), progress=lambda *step: steps.append(step))
    return made, steps


def sound_only_but_for(*names: str):  # type: ignore[no-untyped-def]
    def write(path, frames, fps, samples, rate):  # type: ignore[no-untyped-def]
        films.write_video(path, frames if path.stem in names else None, fps, samples, rate)

    return write


@pytest.fixture(scope="module")
def labels(made: tuple[DemoSet, object]) -> Labels:
    return read_labels(made[0].labels)


def test_files_and_progress(made: tuple[DemoSet, list[tuple[int, int, str]]]) -> None:
    demo_set, steps = made
    assert len(demo_set.references) == 4
    assert len(demo_set.queries) == 7
    assert all(path.stat().st_size > 10_000 for path in demo_set.references + demo_set.queries)
    assert [done for done, _, _ in steps] == list(range(19))
    assert {total for _, total, _ in steps} == {18}


def test_labels_repeat_the_ground_truth(made: tuple[DemoSet, object], labels: Labels) -> None:
    truth = read_groundtruth(made[0].groundtruth)
    assert truth.query_ids == labels.segments.query_ids
    np.testing.assert_allclose(truth.ref_times, labels.segments.ref_times)
    assert {path.stem for path in made[0].references} >= set(truth.ref_ids)
    assert {path.stem for path in made[0].queries} - set(truth.query_ids) == {"no_copy"}


def test_every_kind_of_copy_is_there(labels: Labels) -> None:
    assert sorted(zip(labels.visual.tolist(), labels.audio.tolist(), strict=True)) == [
        (False, True),
        (True, False),
        *[(True, True)] * 5,
    ]
    lengths = np.diff(labels.segments.query_times)[:, 0]
    ref_lengths = np.diff(labels.segments.ref_times)[:, 0]
    np.testing.assert_allclose(ref_lengths, lengths * labels.speed)
    assert sorted(set(labels.speed.tolist())) == [1.0, 1.25]


def sound_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([block.to_ndarray()[0] for block in container.decode(audio=0)])


def test_sound_is_where_the_truth_says(made: tuple[DemoSet, object], labels: Labels) -> None:
    table, checked = labels.segments, 0
    for i in range(len(table)):
        if not labels.audio[i] or labels.speed[i] != 1:
            continue
        query = sound_of(made[0].folder / "queries" / f"{table.query_ids[i]}.mp4")
        ref = sound_of(made[0].folder / "refs" / f"{table.ref_ids[i]}.mp4")
        a, b = (
            sound[round((start + 0.5) * SAMPLE_RATE) :][: 2 * SAMPLE_RATE]
            for sound, start in ((query, table.query_times[i, 0]), (ref, table.ref_times[i, 0]))
        )
        assert np.corrcoef(a, b)[0, 1] > 0.9, table.query_ids[i]
        checked += 1
    assert checked == 5


def pictures_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


def test_the_faster_copy_shows_frames_of_the_reference(made: tuple[DemoSet, object]) -> None:
    query = pictures_of(made[0].folder / "queries" / "faster.mp4")
    ref = pictures_of(made[0].folder / "refs" / "mountains.mp4")
    assert len(query) == 12 * 15
    for second in (2.0, 5.0, 9.8):
        shown = query[round(second * 15)].astype(int)
        original = ref[int((2 + (second - 2) * 1.25) * 15 + 1e-6)]
        assert np.abs(shown - original).mean() < 8
    assert np.abs(query[29].astype(int) - ref[30]).mean() > 25  # before the copy begins


def test_edits_change_the_picture() -> None:
    film = films.make_film("x", ("facade",), "bells", 1.0, np.random.default_rng(0))
    frame = film.frame(0.0)
    edited = demo._cropped_and_covered(frame, 0.0, {"garden": film})
    assert edited.shape == frame.shape
    assert np.abs(edited.astype(int) - editing.crop(frame, 0.12, 0.08, 0.78)).mean() > 5


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        make_demo(tmp_path / "file" / "demo")
