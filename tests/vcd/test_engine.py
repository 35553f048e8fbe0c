"""The engine on real files: finds what was copied, keeps what it described, survives bad input."""

import json
import pickle
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import av
import numpy as np
import pytest
from making import make_descriptor, make_track

import vcd
from vcd.descriptors import models_folder
from vcd.engine import Engine
from vcd.errors import ContractError, MediaError, ModelError, ModelNotFoundError
from vcd.library import Library
from vcd.localization import LineLocalizer
from vcd.media.pyav import PyAVDecoder
from vcd.sources import resolve
from vcd_eval.formats import SegmentTable, read_groundtruth
from vcd_eval.vsc import segment_ap


@pytest.fixture(scope="module")
def engine(cache_folder):
    return Engine(cache=cache_folder, threshold=0.0, jobs=2)


@pytest.fixture(scope="module")
def matches(engine, demo):
    return engine.match(demo.folder / "queries", demo.folder / "refs")


def as_table(matches):
    rows = [(m, s) for m in matches for s in m.segments]
    return SegmentTable(
        query_ids=[m.query_id for m, _ in rows],
        ref_ids=[m.ref_id for m, _ in rows],
        query_times=np.array([[s.query_start, s.query_end] for _, s in rows]).reshape(-1, 2),
        ref_times=np.array([[s.ref_start, s.ref_end] for _, s in rows]).reshape(-1, 2),
        scores=np.array([s.score for _, s in rows]),
    )


def test_demo_is_found(matches, demo):
    truth = read_groundtruth(demo.groundtruth)
    assert segment_ap(truth, as_table(matches)).ap > 0.8


def test_probable_matches_are_true(matches, demo):
    truth = read_groundtruth(demo.groundtruth)
    true_pairs = set(zip(truth.query_ids, truth.ref_ids, strict=True))
    probable = {(m.query_id, m.ref_id) for m in matches if m.score >= 0.5}
    assert probable == true_pairs


def test_streams_are_named(matches):
    by_query = {m.query_id: m for m in matches if m.score >= 0.5}
    assert by_query["other_sound"].segments[0].streams == {"visual"}
    assert by_query["other_picture"].segments[0].streams == {"audio"}
    assert by_query["inside_a_longer_video"].segments[0].streams == {"visual", "audio"}


def test_score_does_not_depend_on_company_or_order(engine, demo, matches):
    query = demo.folder / "queries" / "faster.mp4"
    alone = engine.match(query, demo.folder / "refs" / "mountains.mp4")
    (expected,) = [m for m in matches if (m.query_id, m.ref_id) == ("faster", "mountains")]
    assert alone == [expected]
    backwards = engine.match(query, list(reversed(demo.references)))
    assert [m for m in backwards if m.ref_id == "mountains"] == [expected]


def test_second_description_is_the_first(engine, demo, cache_folder):
    path = demo.references[0]
    fresh = Engine().describe(path)
    kept = Engine(cache=cache_folder).describe(path)
    assert kept.to_bytes() == fresh.to_bytes()


def test_streams_are_kept_apart_in_the_cache(demo, tmp_path):
    path = demo.references[0]
    Engine(cache=tmp_path, streams=["audio"]).describe(path)
    (audio,) = tmp_path.rglob("*.vcd")
    stamp = audio.stat().st_mtime_ns
    both = Engine(cache=tmp_path).describe(path)
    assert len(list(tmp_path.rglob("*.vcd"))) == 2
    assert audio.stat().st_mtime_ns == stamp
    fresh = Engine().describe(path)
    assert {k: t.vectors.tolist() for k, t in both.tracks.items()} == {
        k: t.vectors.tolist() for k, t in fresh.tracks.items()
    }


def test_damaged_cache_entry_is_told_and_mended(demo, tmp_path, caplog):
    path = demo.references[0]
    engine = Engine(cache=tmp_path, streams=["audio"])
    first = engine.describe(path)
    (entry,) = tmp_path.rglob("*.vcd")
    entry.write_bytes(entry.read_bytes()[:100])
    assert engine.describe(path).to_bytes() == first.to_bytes()
    assert entry.name in caplog.text
    caplog.clear()
    assert engine.describe(path).to_bytes() == first.to_bytes()
    assert not caplog.records


def test_unwritable_cache_is_told_once_and_costs_nothing_else(demo, tmp_path, caplog):
    (tmp_path / "cache").write_text("a file, not a folder")
    engine = Engine(cache=tmp_path / "cache", streams=["audio"])
    for path in demo.references[:2]:
        assert len(engine.describe(path).tracks["audio"])
    assert len(caplog.records) == 1


def test_bad_inputs_do_not_cost_the_rest(engine, demo, tmp_path):
    folder = tmp_path / "mixed"
    shutil.copytree(demo.folder / "refs", folder)
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("no video")
    (folder / "broken.vcd").write_bytes(b"VCDD")
    told = []
    query = demo.folder / "queries" / "inside_a_longer_video.mp4"
    found = engine.match(query, [folder, tmp_path / "gone.mp4"], on_error=told.append)
    assert found[0].ref_id == "newsroom"
    assert sorted(error.file.rpartition("/")[2] for error in told) == [
        "broken.vcd",
        "empty.mp4",
        "gone.mp4",
        "text.mp4",
    ]
    assert all(error.remedy for error in told)


@pytest.mark.parametrize("failure", [MemoryError("no room"), ValueError("a bug"), OSError(5, "x")])
def test_unforeseen_failure_of_a_decoder_costs_only_its_file(demo, caplog, failure):
    class Fragile(PyAVDecoder):
        name = "fragile"

        def read(self, path, *settings, **limits):
            if path == demo.references[0]:
                raise failure
            return super().read(path, *settings, **limits)

    engine = Engine(decoder=Fragile(), streams=["audio"])
    caplog.set_level("DEBUG", logger="vcd")
    told = []
    described = engine.describe_all(resolve(demo.references[:2], told.append), on_error=told.append)
    assert [source.path for source, _ in described] == [demo.references[1]]
    (error,) = told
    assert isinstance(error, MediaError)
    assert error.file == str(demo.references[0])
    assert f"{type(failure).__name__}: {failure}" in error.problem
    assert error.remedy
    assert error.__cause__ is failure
    assert type(failure).__name__ in caplog.text


def test_bug_of_a_localizer_surfaces(engine, demo):
    class Broken:
        name = "broken"

        def localize(self, matrix):
            raise ValueError("a bug")

    broken = Engine(localizer=Broken(), streams=["audio"])
    described = [engine.describe(path) for path in demo.references[:2]]
    with pytest.raises(ValueError, match="a bug"):
        broken.match(*described)


def test_descriptors_and_libraries_stand_for_files(engine, demo, tmp_path, matches):
    query = engine.describe(demo.folder / "queries" / "faster.mp4")
    expected = [m for m in matches if m.query_id == "faster"]
    references = [engine.describe(path) for path in demo.references]
    assert engine.match(query, references) == expected
    with Library(tmp_path / "refs.vcdlib") as library:
        for reference in references:
            library.add(reference)
        assert engine.match(query, library) == expected
    assert engine.match(query, tmp_path / "refs.vcdlib") == expected


def test_file_is_not_compared_with_itself(engine, demo):
    path = demo.references[0]
    assert engine.match(path, path) == []


def test_copy_of_a_file_is_found_whole(engine, demo, tmp_path):
    copy = shutil.copy(demo.references[0], tmp_path / "copy.mp4")
    best = engine.match(copy, demo.references[0])[0]
    duration = engine.describe(copy).duration
    assert best.score > 0.9
    assert best.segments[0].length > 0.85 * duration


def test_files_of_one_name_keep_apart(engine, demo, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(demo.references[0], tmp_path / folder / "same.mp4")
    found = engine.match(demo.references[0], tmp_path)
    assert sorted(m.ref_id for m in found) == ["a/same.mp4", "b/same.mp4"]


def test_descriptor_of_another_model_is_refused(engine):
    told = []
    engine.match(make_descriptor("q"), make_descriptor("r"), on_error=told.append)
    assert len(told) == 2
    assert "made by model made-1" in str(told[0])


def test_file_without_a_wanted_stream(demo, tmp_path, engine):
    from vcd_eval.making.recording import write_video

    frames = np.random.default_rng(0).integers(0, 255, (10, 64, 64, 3), dtype=np.uint8)
    path = tmp_path / "mute.mp4"
    write_video(path, frames, 10)
    assert not Engine(streams=["audio"]).describe(path).tracks
    assert set(engine.describe(path).tracks) == {"visual"}
    assert engine.match(path, demo.folder / "refs") is not None


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"streams": ["smell"]}, ContractError),
        ({"streams": []}, ContractError),
        ({"threshold": 2}, ContractError),
        ({"jobs": 0}, ContractError),
        ({"rate": -1}, ContractError),
        ({"decoder": "none"}, ContractError),
        ({"visual": "audio-2"}, ContractError),
        ({"visual": "nonsense"}, ModelNotFoundError),
    ],
)
def test_wrong_settings_are_refused(settings, error):
    with pytest.raises(error):
        Engine(**settings)


def test_functions_are_the_engine(demo, cache_folder):
    described = vcd.describe(demo.references[1], cache=cache_folder)
    assert described.video_id == demo.references[1].stem
    found = vcd.match(
        demo.folder / "queries" / "from_two_references.mp4", demo.references, cache=cache_folder
    )
    assert {m.ref_id for m in found} == {"city", "mountains"}


def test_user_supplied_localizer_is_used(demo, cache_folder):
    class Everything:
        name = "everything"

        def localize(self, matrix):
            n, m = matrix.values.shape
            return [vcd.Segment(0, n * 0.5, 0, m * 0.5, 0.7)]

    engine = Engine(cache=cache_folder, localizer=Everything(), streams=["visual"])
    found = engine.match(demo.queries[0], demo.references)
    assert [m.score for m in found] == [0.7] * len(demo.references)


def test_descriptors_can_be_sent_to_other_processes(engine, demo):
    descriptor = engine.describe(demo.references[0])
    assert pickle.loads(pickle.dumps(descriptor)).to_bytes() == descriptor.to_bytes()


def test_descriptor_of_another_width_is_refused(engine):
    told = []
    narrow = make_descriptor("q", tracks=[make_track(model=engine.models["visual"].id)])
    engine.match(narrow, narrow, on_error=told.append)
    assert "16 dimensions" in str(told[0])


def test_prepared_videos_can_be_compared_one_by_one(engine, demo):
    first, second = (engine.prepare(engine.describe(p)) for p in demo.references[:2])
    renamed = replace(first.descriptor, video_id="again")
    assert engine.compare(first, engine.prepare(renamed)).score > 0.9
    assert set(engine.matrices(first, second)) == {"visual", "audio", "fused"}


def test_a_still_picture_is_found_where_a_video_shows_it(engine, demo, tmp_path):
    shown_at = 6.0
    with av.open(str(demo.folder / "refs" / "city.mp4")) as container:
        frame = next(f for f in container.decode(video=0) if f.time >= shown_at)
        frame.to_image().resize((200, 120)).save(tmp_path / "still.jpg", quality=60)
    best = engine.match(tmp_path / "still.jpg", demo.folder / "refs")[0]
    assert best.ref_id == "city"
    assert any(s.ref_start <= shown_at <= s.ref_end for s in best.segments)
    back = engine.match(demo.folder / "refs" / "city.mp4", tmp_path / "still.jpg")[0]
    assert any(s.query_start <= shown_at <= s.query_end for s in back.segments)


def test_a_calibration_of_another_kind_is_refused(tmp_path):
    models = shutil.copytree(models_folder(), tmp_path / "models")
    manifest = json.loads((models / "models.json").read_text())
    for entry in manifest["models"]:
        if entry["stream"] == "audio":
            entry["calibration"] = {"slope": 1.2, "intercept": -3}
    (models / "models.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="calibration of audio is of no use"):
        Engine(models=models)
    assert Engine(models=models, streams=["visual"]).localizer.confidences.keys() == {"visual"}


def test_a_named_threshold_is_for_our_own_localizer():
    with pytest.raises(ContractError, match="own localizer"):
        Engine(threshold="strict", localizer=LineLocalizer())


def test_the_engine_knows_from_where_it_is_sure():
    assert Engine().sure_from == Engine(threshold="strict").detector.threshold
    assert Engine(localizer=LineLocalizer()).sure_from is None


def test_sound_moved_against_the_picture_gives_two_segments(engine, demo):
    """A copy whose sound was laid five seconds later than its picture."""
    source = engine.describe(demo.folder / "queries" / "inside_a_longer_video.mp4")
    tracks = {
        key: replace(track, times=track.times + 5 * (track.stream == "audio"))
        for key, track in source.tracks.items()
    }
    query = engine.prepare(replace(source, tracks=tracks, duration=source.duration + 5))
    ref = engine.prepare(engine.describe(demo.folder / "refs" / "newsroom.mp4"))
    found = [s for s in engine.compare(query, ref).segments if s.score >= 0.5]
    offsets = {tuple(s.streams): s.ref_start - s.query_start for s in found}
    assert offsets.keys() == {("visual",), ("audio",)}
    assert offsets["visual",] - offsets["audio",] == pytest.approx(5, abs=0.8)


def put_together(source, folder, draw):
    """Return a film of the frames of another one, each drawn by a function of its picture."""
    path = folder / "made.mp4"
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number, frame in enumerate(given.decode(video=0)):
            canvas = draw(frame, number)
            made.mux(stream.encode(av.VideoFrame.from_ndarray(canvas, format="rgb24")))
        made.mux(stream.encode())
    return path


def bordered(frame, _):
    canvas = np.full((180, 320, 3), 60, np.uint8)
    canvas[45:135, 80:240] = frame.reformat(160, 90, format="rgb24").to_ndarray()
    return canvas


def beside_another(frame, number):
    """The picture in the left half; soft moving clouds, which are nowhere else, in the right."""
    rows, columns = np.mgrid[0:180, 0:160] / 30
    cloud = 150 + 60 * np.sin(rows + number / 9) * np.cos(columns * 1.3 - number / 7)
    right = np.stack([cloud, cloud[::-1], 255 - cloud], axis=2).astype(np.uint8)
    return np.concatenate([frame.reformat(160, 180, format="rgb24").to_ndarray(), right], axis=1)


@pytest.mark.parametrize(("draw", "view"), [(bordered, "inner"), (beside_another, "first")])
def test_a_copy_in_a_part_of_the_frame_is_found_by_its_view(engine, demo, tmp_path, draw, view):
    made = put_together(demo.folder / "queries" / "inside_a_longer_video.mp4", tmp_path, draw)
    described = engine.describe(made)
    speaking = described.tracks["visual"].weight.sum()
    assert len(described.tracks[f"visual/{view}"]) > 0.8 * speaking
    whole = replace(described, tracks={"visual": described.tracks["visual"]})
    best = {}
    for name, query in (("both", described), ("whole", whole)):
        found = engine.match(query, demo.folder / "refs")
        best[name] = max((m.score for m in found), default=0.0)
    assert best["both"] > 0.5
    assert best["both"] > best["whole"]


def long_sound(seed, seconds, model, copies=()):
    """Return the descriptor of a long sound; each copy is (from, vectors)."""
    rng = np.random.default_rng(seed)
    n = 4 * seconds
    slow = np.repeat(rng.standard_normal((n // 8 + 1, model.dimensions)), 8, axis=0)[:n]
    vectors = slow + 0.5 * rng.standard_normal((n, model.dimensions))
    for second, rows in copies:
        vectors[4 * second : 4 * second + len(rows)] = rows
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    starts = np.arange(n) / 4
    track = make_track(
        n,
        stream="audio",
        model=model.id,
        times=np.stack((starts, starts + 2), axis=1),
        vectors=vectors.astype(np.float32),
    )
    return make_descriptor(f"sound{seed}", duration=seconds + 1.75, tracks=[track])


@pytest.fixture(scope="module")
def long_pair():
    engine = Engine(streams="audio")
    model = engine.models["audio"]
    ref = long_sound(1, 600, model)
    rows = ref.tracks["audio"].vectors
    copies = [(30, rows[400:440]), (200, rows[800:2000]), (560, rows[0:120])]
    query = long_sound(2, 620, model, copies)
    return engine, engine.prepare(query), engine.prepare(ref)


def test_copies_in_long_videos_are_found_with_their_bounds(long_pair):
    engine, query, ref = long_pair
    found = engine.compare(query, ref)
    bounds = [(s.query_start, s.query_end, s.ref_start, s.ref_end) for s in found.segments]
    expected = [(30, 40, 100, 110), (200, 500, 200, 500), (560, 590, 0, 30)]
    assert len(bounds) == 3
    np.testing.assert_allclose(bounds, expected, atol=1.5)
    assert all(s.streams == {"audio"} for s in found.segments)
    streams = engine.compare_streams(query, ref)
    assert streams["any"] == found == streams["audio"]


def test_matrices_of_long_videos_are_an_overview(long_pair):
    engine, query, ref = long_pair
    (matrix,) = engine.matrices(query, ref).values()
    assert matrix.values.size <= 1_000_000
    assert matrix.query_times[-1, 1] == query.descriptor.duration


def test_long_videos_without_a_copy_do_not_match(long_pair):
    engine, query, _ = long_pair
    other = engine.prepare(long_sound(9, 640, engine.models["audio"]))
    assert engine.compare(query, other) is None


def shortened(path, to, seconds=4):
    """Copy the beginning of a video, as it is coded."""
    with av.open(str(path)) as given, av.open(str(to), "w") as made:
        streams = {s: made.add_stream_from_template(s) for s in given.streams}
        for packet in given.demux():
            if packet.dts is not None and packet.dts * packet.time_base < seconds:
                packet.stream = streams[packet.stream]
                made.mux(packet)
    return to


def test_eight_threads_find_what_one_finds(demo, tmp_path):
    """One fresh engine: models are loaded, files described and pairs compared by all at once."""
    clips = [demo.folder / "queries" / f"{name}.mp4" for name in ("faster", "other_sound")]
    queries = [shortened(path, tmp_path / path.name) for path in clips]
    reference = Engine().describe(demo.folder / "refs" / "mountains.mp4")

    def work(engine, path):
        video = engine.describe(path)
        return video.to_bytes(), [m.to_json() for m in engine.match(video, reference)]

    alone = [work(Engine(), path) for path in queries]
    shared = Engine()
    start = threading.Barrier(8)

    def guarded(path):
        start.wait()
        return work(shared, path)

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(guarded, queries * 4))
    assert together == alone * 4


def test_nothing_is_printed(demo, capfd):
    Engine().match([demo.folder / "missing.mp4", demo.references[0]], demo.references[0])
    assert capfd.readouterr().out == ""


def held_otherwise(path, to, **display):
    """Copy a video's picture as it is, to be shown turned or mirrored."""
    with av.open(str(path)) as source, av.open(str(to), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        copy.set_display_rotation(**display)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    return to


@pytest.mark.parametrize(
    "display",
    [
        {"degrees": 0, "hflip": True},
        {"degrees": 90, "hflip": False},
        {"degrees": -90, "hflip": False},
    ],
)
def test_a_copy_that_is_mirrored_or_turned_is_found_whole(display, demo, cache_folder, tmp_path):
    refs = demo.folder / "refs"
    whole = min(refs.iterdir())
    copy = held_otherwise(whole, tmp_path / f"copy{whole.suffix}", **display)
    seeing = Engine(cache=cache_folder, streams=("visual",))
    with Library(tmp_path / "refs.vcdlib") as library:
        for path in demo.references:
            library.add(seeing.describe(path))
        [match] = seeing.match(copy, library)
    assert seeing.match(copy, refs) == [match]
    assert match.ref_id == whole.stem
    assert match.score > 0.9
    [segment] = match.segments
    with av.open(str(whole)) as container:
        duration = container.duration / 1e6
    assert segment.query_end - segment.query_start > 0.8 * duration
