"""What the README shows works as it stands."""

import io
import json
import shutil
import subprocess
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from vcd.descriptors.inspection import inspect_model
from vcd_cli.main import main

ROOT = Path(__file__).resolve().parents[2]
JAVASCRIPT = ROOT / "examples" / "javascript"


def blocks(heading, language):
    """Return the blocks of code of a section."""
    text = (ROOT / "README.md").read_text("utf-8").partition(f"\n## {heading}\n")[2]
    text = text.partition("\n## ")[0]
    return [rest.partition("```")[0] for rest in text.split(f"```{language}\n")[1:]]


def block(heading, language):
    """Return the one block of code of a section."""
    (only,) = blocks(heading, language)
    return only


@pytest.fixture
def folder(demo, tmp_path, monkeypatch):
    shutil.copy(demo.folder / "queries" / "faster.mp4", tmp_path / "query.mp4")
    (tmp_path / "refs").mkdir()
    shutil.copy(demo.folder / "refs" / "mountains.mp4", tmp_path / "refs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("heading", ["In Python", "In a moderation tool"])
def test_python(heading, folder):
    output = io.StringIO()
    (folder / "refs").rename(folder / "videos")
    (folder / "refs").symlink_to("videos")
    names = {}
    for code in blocks(heading, "python"):
        with redirect_stdout(output):
            exec(code, names)
    assert "mountains" in output.getvalue()
    if "found" in names:
        assert names["matches"][0].ref_id == "mountains"
        assert names["found"].groups == ()


def test_javascript(tmp_path):
    if shutil.which("node") is None or not (JAVASCRIPT / "node_modules").is_dir():
        pytest.skip("Node or onnxruntime-web is missing: npm ci --prefix examples/javascript")
    rng = np.random.default_rng(0)
    rng.integers(0, 256, (2, 128, 128, 3), dtype=np.uint8).tofile(tmp_path / "frames.rgb")
    write = (
        "console.log = (x) => process.stdout.write(JSON.stringify(x.map((r) => [...r])) + '\\n');"
    )
    code = write + block("In JavaScript", "js").replace("frames.rgb", str(tmp_path / "frames.rgb"))
    command = ["node", "--input-type=module", "--eval", code]
    run = subprocess.run(command, cwd=JAVASCRIPT, capture_output=True, check=True)
    cosines, copied = (np.array(json.loads(line)) for line in run.stdout.splitlines())
    assert cosines.shape == copied.shape == (2, 2)
    assert np.diag(cosines) == pytest.approx(1, abs=1e-5)


def test_editor(folder, cache_folder, monkeypatch):
    opentimelineio = pytest.importorskip("opentimelineio")
    commands = [line[2:].split() for line in block("In an editor", "console").splitlines()]
    for command in commands:
        if command[0] == "vcd":
            monkeypatch.setattr("sys.argv", [*command, "--cache", str(cache_folder), "--quiet"])
            with pytest.raises(SystemExit) as done:
                main()
            assert not done.value.code
    line = opentimelineio.adapters.read_from_file(str(folder / "match.otio"))
    assert [clip.name for clip in line.tracks[1].find_clips()] == ["refs/mountains.mp4"]
    assert "mountains.mp4" in (folder / "match.edl").read_text()


def test_a_model_of_your_own(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    text = (ROOT / "docs" / "own-models.md").read_text("utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer, about constants
        exec(code, {"__name__": "own"})
    seen = inspect_model(tmp_path / "mine.onnx", "visual")
    assert (seen["dimensions"], seen["input"]) == (256, {"height": 96, "width": 96})
