"""Our models give the same descriptors in every host: plain ONNX Runtime, Node, a browser."""

import functools
import http.server
import json
import runpy
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from vcd.descriptors import DescriptorModel, load_background, load_manifest
from vcd.descriptors.audio import AudioTrackBuilder
from vcd.descriptors.visual import VisualTrackBuilder
from vcd.media import SAMPLE_RATE, Frame, Samples, Sampling
from vcd.media.pyav import PyAVDecoder
from vcd.records import Track
from vcd.similarity import Refiner, evidence_matrix, prepare

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
JAVASCRIPT = EXAMPLES / "javascript"
SECONDS = 4.25  # ten windows of two seconds, a quarter of a second apart


def raw(path, size):
    """Return ten frames of a size, None for their own, and the sound of ten windows."""
    frames, sounds = [], []
    for part in PyAVDecoder().read(path, Sampling(rate=2, size=size)):
        if isinstance(part, Frame):
            frames.append(part)
        elif isinstance(part, Samples):
            sounds.append(part.samples)
    return frames[:10], np.concatenate(sounds)[: round(SECONDS * SAMPLE_RATE)]


def described(frames, sound):
    """Return the tracks that vcd makes of frames and sound, before it rounds them to be stored."""
    manifest = load_manifest()
    visual = VisualTrackBuilder(DescriptorModel(manifest.default("visual")))
    audio = AudioTrackBuilder(DescriptorModel(manifest.default("audio")))
    for frame in frames:
        visual.add(frame)
    audio.add(Samples(0, sound))
    return {"visual": visual.finish()[0], "audio": audio.finish()[0]}


@pytest.fixture(scope="module")
def media(demo, tmp_path_factory):
    """Return arguments of the examples, and what they must give: of a copy and what it copies."""
    folder = tmp_path_factory.mktemp("raw")
    copy = demo.folder / "queries" / "cropped_with_overlay_and_text.mp4"
    return prepared(copy, demo.folder / "refs" / "city.mp4", folder)


def prepared(query, reference, folder):
    arguments, tracks = ["128", "128"], []
    for name, path in (("query", query), ("reference", reference)):
        frames, sound = raw(path, (128, 128))
        np.stack([frame.pixels for frame in frames]).tofile(folder / f"{name}.rgb")
        sound.tofile(folder / f"{name}.f32")
        arguments += [str(folder / f"{name}.rgb"), str(folder / f"{name}.f32")]
        tracks.append(described(frames, sound))
    return arguments, {**vectors(tracks[0]), **matrices(*tracks)}


def vectors(tracks):
    return {stream: track.vectors for stream, track in tracks.items()}


def matrices(query, reference):
    """Return vcd's matrices of two videos, as they are and refined."""
    manifest = load_manifest()
    refiner = Refiner(manifest.refiner.verify())
    excess = {}
    for stream in query:
        background = load_background(manifest.default(stream))
        tracks = [prepare(video[stream], background) for video in (query, reference)]
        excess[stream] = evidence_matrix(*tracks).excess
    return {"excess": excess, "copied": {s: refiner(cells) for s, cells in excess.items()}}


def assert_same(found, wanted):
    for name, cells in wanted.items():
        if isinstance(cells, dict):
            assert_same(found[name], cells)
        else:
            assert cells.shape[0] == 10
            assert np.abs(np.array(found[name]) - cells).max() < 1e-3


def test_plain_python(media):
    arguments, wanted = media
    command = [sys.executable, "-P", str(EXAMPLES / "plain_onnxruntime.py"), str(ROOT / "onnx")]
    run = subprocess.run([*command, *arguments], capture_output=True, check=True)
    assert_same(json.loads(run.stdout), wanted)


def test_frames_of_any_size_are_scaled_inside(demo):
    """The graph's own scaling comes near that of vcd, and is the same in every host."""
    path = demo.folder / "refs" / "city.mp4"
    large, sound = raw(path, None)
    models = runpy.run_path(str(EXAMPLES / "plain_onnxruntime.py"))["Models"](ROOT / "onnx")
    found = models.frames(np.stack([frame.pixels for frame in large]))
    own = DescriptorModel(load_manifest().default("visual"))
    assert np.abs(found - own(np.stack([frame.pixels for frame in large]))).max() < 1e-3
    small, _ = raw(path, (128, 128))
    assert (found * described(small, sound)["visual"].vectors).sum(axis=1).min() > 0.9


def test_a_large_matrix_is_measured_by_some_of_its_cells():
    """As vcd does, and with positions to spare on one side."""
    rng = np.random.default_rng(0)
    models = runpy.run_path(str(EXAMPLES / "plain_onnxruntime.py"))["Models"](ROOT / "onnx")
    rows = rng.normal(size=(1300, 128)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    times = np.stack((np.arange(1300.0), np.arange(1300.0) + 2), axis=1) / 4
    tracks = [
        {"audio": Track("audio", "audio-2", times[:n], rows[-n:], np.ones(n, np.float32))}
        for n in (400, 1300)
    ]
    found = models.excess("audio", *(video["audio"].vectors for video in tracks))
    assert np.abs(found - matrices(*tracks)["excess"]["audio"]).max() < 1e-3


def assert_canonical(run):
    """The formula as the example has it gives the inputs, and the host their rows."""
    lines = run.stdout.decode().splitlines()
    assert len(lines) == 2
    for line in lines:
        assert float(line.partition(" canonical rows to ")[2]) < 1e-3  # without "- WRONG"


def test_canonical_rows_in_plain_python():
    command = [sys.executable, "-P", str(EXAMPLES / "plain_onnxruntime.py"), str(ROOT / "onnx")]
    assert_canonical(subprocess.run(command, capture_output=True, check=True))


def check_commands():
    """Return the commands that check a host, as far as they can be run here."""
    commands = [[sys.executable, "-P", str(EXAMPLES / "plain_onnxruntime.py")]]
    if shutil.which("node") and (JAVASCRIPT / "node_modules" / "onnxruntime-web").is_dir():
        commands.append(["node", str(JAVASCRIPT / "canonical.mjs")])
    return commands


def test_canonical_rows_of_another_model_are_wrong(tmp_path):
    folder = shutil.copytree(ROOT / "onnx", tmp_path / "onnx")
    path = folder / load_manifest().default("audio").canonical
    canonical = json.loads(path.read_text())
    canonical["inputs"][2]["rows"][0][5] += 0.01
    path.write_text(json.dumps(canonical))
    for command in check_commands():
        run = subprocess.run([*command, str(folder)], capture_output=True, check=False)
        lines = sorted(run.stdout.decode().splitlines())
        assert [line.endswith("WRONG") for line in lines] == [True, False]
        assert run.returncode == 1


def test_a_model_without_canonical_rows_or_background_is_told(tmp_path):
    folder = shutil.copytree(ROOT / "onnx", tmp_path / "onnx")
    path = folder / "models.json"
    manifest = json.loads(path.read_text())
    audio, visual = load_manifest().default("audio"), load_manifest().default("visual")
    for entry in manifest["models"]:
        entry.pop("background", None)
        if entry["id"] == audio.id:
            del entry["canonical"]
    path.write_text(json.dumps(manifest))
    for command in check_commands():
        run = subprocess.run([*command, str(folder)], capture_output=True, check=True)
        lines = sorted(run.stdout.decode().splitlines())
        assert lines[0] == f"{audio.id}: brings no canonical rows"
        assert lines[1].startswith(f"{visual.id}: canonical rows to ")


def test_plain_python_needs_no_vcd():
    assert "import vcd" not in (EXAMPLES / "plain_onnxruntime.py").read_text()
    assert "from vcd" not in (EXAMPLES / "plain_onnxruntime.py").read_text()


def needs_node_modules():
    if not (JAVASCRIPT / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip("onnxruntime-web is not installed: npm ci --prefix examples/javascript")


def test_node(media):
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    needs_node_modules()
    arguments, wanted = media
    command = ["node", str(JAVASCRIPT / "describe.mjs"), str(ROOT / "onnx")]
    run = subprocess.run([*command, *arguments], capture_output=True, check=True)
    assert_same(json.loads(run.stdout), wanted)


def test_canonical_rows_in_node():
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    needs_node_modules()
    command = ["node", str(JAVASCRIPT / "canonical.mjs"), str(ROOT / "onnx")]
    assert_canonical(subprocess.run(command, capture_output=True, check=True))


@pytest.fixture
def server(media):
    """Serve the checkout, and under /raw the media, as a developer would."""
    folder = Path(media[0][2]).parent

    class Handler(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path):
            if path.startswith("/raw/"):
                return str(folder / Path(path).name)
            return super().translate_path(path)

        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=ROOT)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


DESCRIBE = """
const [width, height, done] = arguments;
const load = async (name) => (await fetch(`/raw/${name}`)).arrayBuffer();
(async () => {
  const { models, describeFrames, describeSound } = window.vcd;
  const pixels = new Uint8Array(await load("query.rgb"));
  const sound = new Float32Array(await load("query.f32"));
  const visual = await describeFrames(models, pixels, width, height);
  const audio = await describeSound(models, sound);
  return { visual: visual.map((row) => [...row]), audio: audio.map((row) => [...row]) };
})().then(done, (error) => done({ error: String(error) }));
"""


@pytest.mark.browser
def test_browser(media, server, chromium):
    needs_node_modules()
    from selenium.webdriver.support.ui import WebDriverWait

    arguments, wanted = media
    chromium.set_script_timeout(120)
    chromium.get(f"{server}/examples/javascript/browser.html")
    WebDriverWait(chromium, 60).until(lambda c: c.execute_script("return !!window.vcd"))
    found = chromium.execute_async_script(DESCRIBE, int(arguments[0]), int(arguments[1]))
    assert "error" not in found, found
    assert_same(found, {stream: wanted[stream] for stream in ("visual", "audio")})


@pytest.mark.shared
def test_real_media(shared, tmp_path):
    haystack = shared / "haystack"
    query, reference = haystack / "queries" / "Q000.mp4", haystack / "refs" / "R000.mp4"
    arguments, wanted = prepared(query, reference, tmp_path)
    command = [sys.executable, "-P", str(EXAMPLES / "plain_onnxruntime.py"), str(ROOT / "onnx")]
    run = subprocess.run([*command, *arguments], capture_output=True, check=True)
    assert_same(json.loads(run.stdout), wanted)
    if shutil.which("node") and (JAVASCRIPT / "node_modules").is_dir():
        command = ["node", str(JAVASCRIPT / "describe.mjs"), str(ROOT / "onnx")]
        run = subprocess.run([*command, *arguments], capture_output=True, check=True)
        assert_same(json.loads(run.stdout), wanted)
