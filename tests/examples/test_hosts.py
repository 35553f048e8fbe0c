"""Our models give the same descriptors in every host: plain ONNX Runtime, Node, a browser."""

import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from vcd.descriptors import DescriptorModel, load_manifest
from vcd.media import SAMPLE_RATE, Frame, Samples, Sampling
from vcd.media.pyav import PyAVDecoder

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
JAVASCRIPT = EXAMPLES / "javascript"
SECONDS = 4.25  # ten windows of two seconds, a quarter of a second apart


def raw(path):
    """Return ten frames as they are stored, and the sound of ten windows."""
    frames, runs = [], []
    for part in PyAVDecoder().read(path, Sampling(rate=2)):
        if isinstance(part, Frame):
            frames.append(part.pixels)
        elif isinstance(part, Samples):
            runs.append(part.samples)
    return np.stack(frames[:10]), np.concatenate(runs)[: round(SECONDS * SAMPLE_RATE)]


def expected(pixels, sound):
    """Return what vcd's own sessions give."""
    manifest = load_manifest()
    visual, audio = (DescriptorModel(manifest.default(s)) for s in ("visual", "audio"))
    window, hop = (round(audio.info.input[k] * SAMPLE_RATE) for k in ("window", "hop"))
    windows = np.lib.stride_tricks.sliding_window_view(sound, window)[::hop]
    return {"visual": visual(pixels), "audio": audio(windows)}


@pytest.fixture(scope="module")
def media(demo, tmp_path_factory):
    """Return arguments of the examples, and the descriptors that they must give."""
    return prepared(demo.folder / "refs" / "city.mp4", tmp_path_factory.mktemp("raw"))


def prepared(path, folder):
    pixels, sound = raw(path)
    pixels.tofile(folder / "frames.rgb")
    sound.tofile(folder / "sound.f32")
    height, width = pixels.shape[1:3]
    arguments = [str(width), str(height), str(folder / "frames.rgb"), str(folder / "sound.f32")]
    return arguments, expected(pixels, sound)


def assert_same(found, wanted):
    for stream, rows in wanted.items():
        assert rows.shape[0] == 10
        assert np.abs(np.array(found[stream]) - rows).max() < 1e-3


def test_plain_python(media):
    arguments, wanted = media
    command = [sys.executable, "-P", str(EXAMPLES / "plain_onnxruntime.py"), str(ROOT / "onnx")]
    run = subprocess.run([*command, *arguments], capture_output=True, check=True)
    assert_same(json.loads(run.stdout), wanted)


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
  const pixels = new Uint8Array(await load("frames.rgb"));
  const sound = new Float32Array(await load("sound.f32"));
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
    assert_same(found, wanted)


@pytest.mark.shared
def test_real_media(shared, tmp_path):
    arguments, wanted = prepared(shared / "haystack" / "queries" / "Q000.mp4", tmp_path)
    command = [sys.executable, "-P", str(EXAMPLES / "plain_onnxruntime.py"), str(ROOT / "onnx")]
    run = subprocess.run([*command, *arguments], capture_output=True, check=True)
    assert_same(json.loads(run.stdout), wanted)
    if shutil.which("node") and (JAVASCRIPT / "node_modules").is_dir():
        command = ["node", str(JAVASCRIPT / "describe.mjs"), str(ROOT / "onnx")]
        run = subprocess.run([*command, *arguments], capture_output=True, check=True)
        assert_same(json.loads(run.stdout), wanted)
