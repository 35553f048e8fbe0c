"""Made haystacks: the truth, held against the files themselves; plans by seed; resuming."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from vcd.errors import ContractError, OutputError, VcdError
from vcd.media import Frame, Sampling, get_decoder
from vcd_eval.formats import read_groundtruth, read_labels
from vcd_eval.haystack import read_haystack
from vcd_eval.making import rendering
from vcd_eval.making.haystack_maker import MadeHaystack, make_haystack
from vcd_eval.making.haystack_plan import QueryPlan, plan_queries, truth_of
from vcd_eval.making.material import Footage, PhotoShot, plan_clips, probe_sources, read_sound
from vcd_eval.making.picture_edits import fit
from vcd_eval.making.recipe import LAYOUTS, PICTURE_NAMES, Choice, Recipe
from vcd_eval.making.recording import write_video
from vcd_eval.making.sound_edits import SOUND_EDITS

SIZE = 96, 64
FPS = 12.0
RATE = 16_000
SECONDS = 6.0
NO_EDITS = Recipe(
    queries=16,
    distractors=0.25,
    segment_seconds=(1.5, 3.0),
    surround_seconds=(0.5, 1.0),
    film_seconds=(3.0, 4.0),
    shot_seconds=(1.0, 1.5),
    picture_edits=(0, 0),
    sound_edits=(0, 0),
    speed_share=0.4,
    fps_share=0.3,
    fps=(7.0, 9.0),
)


def texture(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Return a smooth random picture."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (size[0] // 8 + 2, size[1] // 8 + 2, 3))
    grid = [np.arange(n) / 8 for n in size]
    for axis, at in enumerate(grid):
        low = at.astype(int)
        share = (at - low).reshape([-1 if i == axis else 1 for i in range(3)])
        coarse = coarse.take(low, axis) * (1 - share) + coarse.take(low + 1, axis) * share
    return coarse.astype(np.uint8)


def moving(seed: int, size: tuple[int, int] = SIZE) -> Iterator[np.ndarray]:
    """Yield a window that moves 4 pixels a frame over a texture: no two frames are alike."""
    count = round(SECONDS * FPS)
    whole = texture(seed, (size[1], size[0] + 4 * count))
    for k in range(count):
        yield whole[:, 4 * k : 4 * k + size[0]]


def tones(seed: int, seconds: float = SECONDS) -> np.ndarray:
    """Return a tone that changes ten times a second."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = rng.uniform(200, 3000, round(10 * seconds) + 1)[(time * 10).astype(int)]
    return (0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for seed in range(5):
        write_video(folder / f"own {seed}.mp4", moving(seed), FPS, tones(seed), RATE)
    # One stands upright, and one has no sound.
    write_video(folder / "upright.mp4", moving(5, (64, 96)), FPS, tones(5), RATE)
    write_video(folder / "silent.mp4", moving(6), FPS)
    return folder


def make(
    sources: list[Path], out: Path, recipe: Recipe, *, errors: list[VcdError] | None = None, **more
) -> MadeHaystack:
    """Make a small haystack; where no list of errors is given, there must be none."""
    told: list[VcdError] = [] if errors is None else errors
    made = make_haystack(sources, out, recipe=recipe, size=SIZE, on_error=told.append, **more)
    assert errors is not None or not told
    return made


@pytest.fixture(scope="module")
def plain(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> MadeHaystack:
    return make([videos], tmp_path_factory.mktemp("plain"), NO_EDITS)


@lru_cache
def frames_of(path: Path, rate: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return all frames, shown whole in a frame of a size; every other pixel is enough."""
    parts = get_decoder().read(path, Sampling(rate, sound=False, exact=True))
    frames = [fit(p.pixels, (size[1], size[0])) for p in parts if isinstance(p, Frame)]
    return np.stack(frames)[:, ::2, ::2].astype(np.int16)


def test_every_layout_and_speed_is_there(plain: MadeHaystack) -> None:
    layouts = {query.layout for query in plain.queries if query.is_copy}
    assert layouts >= {"inside", "whole", "several", "joined", "audio_only", "picture_only"}
    assert (np.abs(plain.labels.speed) != 1).any()
    assert len({query.fps for query in plain.queries}) > 1
    assert len(plain.queries) == 16
    assert sum(query.is_copy for query in plain.queries) == 12
    assert {query.name for query in plain.queries if query.is_copy} == set(
        plain.labels.segments.query_ids
    )


def test_files_are_as_long_as_planned(plain: MadeHaystack) -> None:
    for item in (*plain.references, *plain.foreign, *plain.queries):
        info = get_decoder().probe(plain.folder / item.path)
        assert info.duration == pytest.approx(item.seconds, abs=0.08)
        assert (info.width, info.height) == item.size
        assert info.frame_rate == pytest.approx(item.fps)


def shows(made: MadeHaystack, row: int) -> list[float]:
    """Return how many frames beside the truth the nearest frame of the reference lies, by frame."""
    table, labels = made.labels.segments, made.labels
    query = next(q for q in made.queries if q.name == table.query_ids[row])
    ref = next(f for f in made.references if f.name == table.ref_ids[row])
    shown = frames_of(made.folder / query.path, query.fps, query.size)
    originals = frames_of(made.folder / ref.path, ref.fps, query.size)
    (start, end), (ref_start, ref_end) = table.query_times[row], table.ref_times[row]
    first, last = round(start * query.fps), round(end * query.fps)
    distances = []
    for k in range(first, last):
        share = ((k + 0.5) / query.fps - start) / (end - start)
        share = 1 - share if labels.speed[row] < 0 else share
        nearest = np.abs(originals - shown[k]).mean(axis=(1, 2, 3)).argmin()
        distances.append(nearest - ((ref_start + share * (ref_end - ref_start)) * ref.fps - 0.5))
    return distances


def test_copied_frames_are_where_the_truth_says(plain: MadeHaystack) -> None:
    seen = np.flatnonzero(plain.labels.visual)
    assert len(seen) >= 10
    for row in seen:
        distances = np.abs(shows(plain, row))
        assert np.mean(distances <= 0.51) >= 0.9, plain.labels.segments.query_ids[row]
        assert distances.max() < 3


def test_frames_outside_the_truth_are_no_copies(plain: MadeHaystack) -> None:
    checked = 0
    for query in plain.queries:
        shown = frames_of(plain.folder / query.path, query.fps, query.size)
        copied = np.zeros(len(shown), bool)
        first = 0
        for part in query.parts:
            copied[first : first + part.frames] = part.visual
            first += part.frames
        assert first == len(shown)
        for k in np.flatnonzero(~copied)[::9]:
            for ref in plain.references:
                originals = frames_of(plain.folder / ref.path, ref.fps, query.size)
                assert np.abs(originals - shown[k]).mean(axis=(1, 2, 3)).min() > 20
            checked += 1
    assert checked > 20


def test_copied_sound_is_where_the_truth_says(plain: MadeHaystack) -> None:
    table, checked = plain.labels.segments, 0
    for row in np.flatnonzero(plain.labels.audio & (plain.labels.speed == 1)):
        query = read_sound(
            plain.folder / "queries" / f"{table.query_ids[row]}.mp4",
            table.query_times[row, 0] + 0.2,
            1.0,
        )
        ref = read_sound(
            plain.folder / "refs" / f"{table.ref_ids[row]}.mp4", table.ref_times[row, 0], 1.4
        )
        fits = np.correlate(ref, query, "valid") / (np.linalg.norm(query) ** 2)
        assert fits.max() > 0.9
        assert fits.argmax() / RATE == pytest.approx(0.2, abs=0.003)
        checked += 1
    assert checked >= 4


def test_labels_say_what_is_left_of_the_copy(plain: MadeHaystack) -> None:
    labels = read_labels(plain.folder / "labels.csv")
    truth = read_groundtruth(plain.folder / "groundtruth.csv")
    assert truth.query_ids == labels.segments.query_ids == plain.labels.segments.query_ids
    np.testing.assert_allclose(truth.ref_times, plain.labels.segments.ref_times)
    lengths = np.diff(truth.ref_times)[:, 0] / np.diff(truth.query_times)[:, 0]
    np.testing.assert_allclose(lengths, np.abs(labels.speed), atol=2e-3)
    for i, edits in enumerate(labels.edits):
        layout = edits[-1]
        assert layout in LAYOUTS
        assert labels.visual[i] == (layout != "audio_only")
        if layout in ("picture_only", "reversed") or truth.ref_ids[i] == "silent":
            assert not labels.audio[i]
        assert (labels.speed[i] < 0) == (layout == "reversed")
        assert ("speed" in edits) == (abs(labels.speed[i]) != 1)
    assert labels.audio.any()
    assert read_haystack(plain.folder).labelled


# -- plans ----------------------------------------------------------------------------------


def footage(name: str, folder: str, seconds: float = 30.0, **more) -> Footage:
    seen = (True,) * int(seconds)
    values = {"seen": seen, "heard": seen} | more
    return Footage(name, folder, SIZE, 24.0, round(24 * seconds), digest=name, **values)


CLIPS = [
    *(footage(f"r{i}", "refs") for i in range(6)),
    *(footage(f"f{i}", "foreign") for i in range(3)),
]


def test_a_plan_follows_its_seed() -> None:
    recipe = Recipe(queries=40)
    plan = plan_queries(CLIPS, recipe, seed=5)
    assert plan == plan_queries(CLIPS, recipe, seed=5)
    assert plan != plan_queries(CLIPS, recipe, seed=6)


def test_all_edits_and_layouts_are_dealt_out_to_copies_and_distractors() -> None:
    plans = plan_queries(CLIPS, Recipe(queries=120), seed=0)
    for group in ([p for p in plans if p.is_copy], [p for p in plans if not p.is_copy]):
        assert {p.layout for p in group} == set(LAYOUTS)
        names = {name for p in group for name in p.edits}
        assert names == {*PICTURE_NAMES, *SOUND_EDITS, "speed", "fps"}
    counts = [sum(name in p.edits for p in plans) for name in PICTURE_NAMES]
    assert min(counts) >= 0.5 * max(counts)


def test_truth_is_in_bounds_and_distractors_are_in_none() -> None:
    plans = plan_queries(CLIPS, Recipe(queries=120), seed=1)
    labels = truth_of(plans)
    table = labels.segments
    assert (table.ref_times >= 0).all()
    assert (table.ref_times <= 30 + 1e-6).all()
    assert (np.diff(table.query_times) > 0).all()
    copies = {plan.name for plan in plans if plan.is_copy}
    assert copies - set(table.query_ids) == set()
    assert set(table.query_ids) <= copies
    assert set(table.ref_ids) <= {f"r{i}" for i in range(6)}
    assert (labels.visual | labels.audio).all()
    for plan in plans:
        if plan.layout == "several" and plan.is_copy:
            own = [table.ref_times[i] for i, q in enumerate(table.query_ids) if q == plan.name]
            ordered = sorted(map(tuple, own))
            assert all(a[1] <= b[0] + 1e-6 for a, b in pairwise(ordered))
        if plan.layout == "loop" and plan.is_copy:
            own = [table.ref_times[i] for i, q in enumerate(table.query_ids) if q == plan.name]
            np.testing.assert_array_equal(own[0], own[1])


def test_segments_are_taken_where_there_is_something_to_see() -> None:
    half = (True,) * 15 + (False,) * 15
    clips = [footage("r", "refs", seen=half, heard=half), *CLIPS[6:]]
    recipe = Recipe(queries=60, distractors=0, segment_seconds=(3, 5), speed_share=0)
    labels = truth_of(plan_queries(clips, recipe, seed=0))
    assert len(labels.segments) > 60
    inside = labels.segments.ref_times[:, 1] <= 16
    several = np.array([edits[-1] == "several" for edits in labels.edits])
    assert inside[~several].all()
    assert not labels.audio[labels.segments.ref_times[:, 0] >= 15].any()


def test_only_what_a_recipe_names_is_used() -> None:
    recipe = Recipe(
        queries=30,
        layouts=MappingProxyType({"whole": 1.0}),
        picture=MappingProxyType({"crop": Choice(1.0, (0.3, 0.4))}),
        sound=MappingProxyType({}),
        speed_share=0,
        fps_share=0,
    )
    plans = plan_queries(CLIPS, recipe, seed=0)
    assert {(plan.layout, plan.edits) for plan in plans} == {("whole", ("crop",))}
    strengths = [c.strength for p in plans for part in p.parts for c in part.picture_edits]
    assert len(strengths) == 30
    assert 0.3 <= min(strengths) < max(strengths) <= 0.4


def test_without_references_there_is_no_plan() -> None:
    with pytest.raises(ContractError, match="needs a reference and a foreign clip"):
        plan_queries(CLIPS[6:], Recipe(), seed=0)


# -- making ---------------------------------------------------------------------------------

EDITED = replace(
    NO_EDITS, queries=6, picture_edits=(2, 3), sound_edits=(1, 2), segment_seconds=(1.5, 2.0)
)


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files but the journal, whose order may differ, and the paths of sources."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != "made.jsonl"
    }


@pytest.fixture(scope="module")
def edited(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> MadeHaystack:
    return make([videos], tmp_path_factory.mktemp("edited"), EDITED, seed=3)


def interrupt_after(seconds: int) -> Callable[[int, int], None]:
    def progress(done: int, _: int) -> None:
        if done > seconds:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("seconds", [12, 50])
def test_an_interrupted_run_goes_on(
    edited: MadeHaystack, videos: Path, tmp_path: Path, seconds: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        make([videos], tmp_path, EDITED, seed=3, progress=interrupt_after(seconds))
    assert not (tmp_path / "groundtruth.csv").exists()
    with (tmp_path / "made.jsonl").open("a") as journal:
        journal.write('{"file": "queries/Q0')  # cut off
    finished = sum(1 for _ in tmp_path.rglob("*.mp4"))
    again = make([videos], tmp_path, EDITED, seed=3)
    assert again.kept == finished > 0
    assert again.made + again.kept == 7 + len(again.queries)
    assert contents(tmp_path) == contents(edited.folder)


def test_a_whole_folder_is_kept_and_a_damaged_file_made_anew(
    edited: MadeHaystack, videos: Path
) -> None:
    before = contents(edited.folder)
    again = make([videos], edited.folder, EDITED, seed=3)
    assert (again.made, again.kept) == (0, 13)
    query = edited.folder / edited.queries[2].path
    query.write_bytes(query.read_bytes()[:-10])
    assert make([videos], edited.folder, EDITED, seed=3).made == 1
    assert contents(edited.folder) == before


def test_processes_make_the_same(edited: MadeHaystack, videos: Path, tmp_path: Path) -> None:
    make([videos], tmp_path, EDITED, seed=3, jobs=2)
    assert contents(tmp_path) == contents(edited.folder)


def test_another_plan_replaces_what_it_changes(videos: Path, tmp_path: Path) -> None:
    recipe = replace(EDITED, queries=3, picture_edits=(0, 0))
    first = make([videos], tmp_path, recipe)
    left = tmp_path / "queries" / ".vcd-0.part.mp4"
    left.write_bytes(b"of a run that was killed")
    second = make([videos], tmp_path, replace(recipe, queries=2))
    assert {p.name for p in (tmp_path / "queries").iterdir()} == {"Q0001.mp4", "Q0002.mp4"}
    assert second.kept >= len(first.references) + len(first.foreign)
    truth = read_groundtruth(tmp_path / "groundtruth.csv")
    assert truth.query_ids == second.labels.segments.query_ids


def test_backwards_frames_do_not_depend_on_how_many_are_held(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = rendering.Take("own 1.mp4", 1.0, -1.5)
    at_once = list(rendering._take_frames(videos, take, 20, FPS))
    monkeypatch.setattr(rendering, "_BLOCK_BYTES", 3 * 96 * 64 * 7)
    in_blocks = list(rendering._take_frames(videos, take, 20, FPS))
    np.testing.assert_array_equal(at_once, in_blocks)
    forwards = list(rendering._take_frames(videos, replace(take, speed=1.5), 20, FPS))
    np.testing.assert_array_equal(at_once[::-1], forwards)
    assert not np.array_equal(at_once[0], at_once[-1])


def test_a_foreign_clip_goes_on_from_its_beginning(videos: Path) -> None:
    take = rendering.Take("own 1.mp4", 5.0)
    frames = list(rendering._take_frames(videos, take, 24, FPS))
    start = list(rendering._take_frames(videos, replace(take, start=0.0), 12, FPS))
    np.testing.assert_array_equal(frames[12:], start)
    samples, _ = rendering._take_sound(videos, take, 2 * RATE)
    assert samples[RATE + 2000 :].std() > 0.1


# -- sources --------------------------------------------------------------------------------


def write_photo(path: Path, seed: int, size: tuple[int, int] = (90, 120)) -> None:
    path.write_bytes(b"P6\n%d %d\n255\n" % (size[1], size[0]) + texture(seed, size).tobytes())


def write_sound(path: Path, seed: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((tones(seed, 8.0) * 32767).astype("<i2").tobytes())


def test_photographs_and_sounds_become_films(tmp_path: Path) -> None:
    for seed in range(14):
        write_photo(tmp_path / f"{seed}.ppm", seed, (90, 120) if seed % 2 else (120, 80))
    for seed in range(3):
        write_sound(tmp_path / f"{seed}.wav", seed)
    out = tmp_path / "hay"
    recipe = replace(NO_EDITS, queries=3, distractors=0, foreign=0.5, fps_share=0, speed_share=0)
    # A second run: its own files, below the sources, are no sources.
    for _ in range(2):
        made = make([tmp_path], out, recipe, fps=FPS)
    assert len(made.references) >= 2
    assert made.kept == len(made.references) + len(made.foreign) + 3
    entries = [json.loads(line) for line in (out / "made.jsonl").read_text().split("\n") if line]
    assert all(any(e["heard"]) for e in entries if "heard" in e)
    used = [line.split(",")[5] for line in (out / "files.csv").read_text().splitlines()[1:]]
    sources = [source for cell in used for source in cell.split("|") if source]
    assert len(sources) == len(set(sources)) > 8  # nothing is in two clips
    for row in np.flatnonzero(made.labels.visual):
        assert np.mean(np.abs(shows(made, row)) <= 0.51) > 0.6
    # The camera moves, and cuts.
    shown = frames_of(out / made.references[0].path, FPS)
    steps = np.abs(np.diff(shown, axis=0)).mean(axis=(1, 2, 3))
    assert np.median(steps) > 0.3
    assert (steps > 25).sum() >= 1


def test_halves_of_photographs_are_shown_as_two(tmp_path: Path) -> None:
    for seed in range(12):
        write_photo(tmp_path / f"{seed}.ppm", seed)
    sources = probe_sources(sorted(tmp_path.iterdir()), lambda error: pytest.fail(str(error)))
    recipe = replace(NO_EDITS, lookalikes=0.5)

    def shots() -> list[PhotoShot]:
        clips = plan_clips(
            sources,
            recipe,
            seed=1,
            size=(160, 90),
            fps=FPS,
            on_error=lambda error: pytest.fail(str(error)),
        )
        return [shot for clip in clips for shot in clip.shots]

    by_photo: dict[str, list[PhotoShot]] = {}
    for shot in shots():
        by_photo.setdefault(shot.photo, []).append(shot)
    assert shots() == shots()
    twice = [both for both in by_photo.values() if len(both) == 2]
    assert len(twice) >= 4
    assert max(map(len, by_photo.values())) == 2
    for both in twice:
        sides = [
            [(x - share / 2, x + share / 2) for x, _, share in (shot.start, shot.end)]
            for shot in both
        ]
        left, right = sorted(sides)
        assert max(end for _, end in left) <= 0.5 + 1e-4
        assert min(start for start, _ in right) >= 0.5 - 1e-4


def test_what_cannot_be_used_is_told_and_left_out(videos: Path, tmp_path: Path) -> None:
    bad, short = tmp_path / "bad.mp4", tmp_path / "short.mp4"
    bad.write_bytes(b"not a video at all")
    write_video(short, list(moving(9))[:6], FPS)
    errors: list[VcdError] = []
    recipe = replace(EDITED, queries=1)
    made = make([videos, bad, short], tmp_path / "out", recipe, errors=errors)
    assert [error.file for error in errors] == [str(bad), str(short)]
    assert all(error.remedy for error in errors)
    assert "less than a segment" in errors[1].problem
    assert len(made.references) + len(made.foreign) == 7


def test_a_video_that_is_cut_off_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "cut.mkv"
    write_video(path, moving(3), FPS, tones(3), RATE)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    recipe = replace(NO_EDITS, queries=4, distractors=0, longest_reference=60.0)
    made = make([path], tmp_path / "out", recipe)
    (reference,) = made.references
    assert get_decoder().probe(path).duration == pytest.approx(SECONDS, abs=0.1)
    assert 2 < reference.seconds < 5
    # With no source left to surround the copies, films are made.
    assert [clip.name for clip in made.foreign] == ["made0001", "made0002"]
    assert (made.labels.segments.ref_times <= reference.seconds + 1e-6).all()
    for row in np.flatnonzero(made.labels.visual):
        assert np.mean(np.abs(shows(made, row)) <= 0.51) >= 0.9


def test_no_source_is_an_error(tmp_path: Path) -> None:
    errors: list[VcdError] = []
    with pytest.raises(ContractError, match=r"no source can be read \(name videos"):
        make([tmp_path / "none.mp4"], tmp_path / "out", EDITED, errors=errors)
    assert len(errors) == 1


def test_media_of_others_are_never_touched(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "queries").mkdir()
    mine = tmp_path / "queries" / "mine.mp4"
    mine.write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"1 media files that were not made here, such as .*mine"):
        make([videos], tmp_path, EDITED)
    assert mine.read_bytes() == b"precious"


def test_a_truth_that_cannot_be_removed_is_told(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").mkdir()
    with pytest.raises(
        OutputError, match=r"labels\.csv: is of an earlier run and cannot be removed"
    ):
        make([videos], tmp_path, EDITED)


def test_query_plans_name_their_clips() -> None:
    plans: list[QueryPlan] = plan_queries(CLIPS, Recipe(queries=30), seed=0)
    known = {clip.path for clip in CLIPS}
    for plan in plans:
        assert plan.clips() <= known
        assert all(part.picture.clip in plan.clips() for part in plan.parts)
