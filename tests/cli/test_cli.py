"""The command as a user runs it: stdout, stderr and an exit code.

Processes of their own are kept for what needs one (signals, pipes): starting one costs more than
most commands do.
"""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from making import make_descriptor, make_track

from vcd import __version__, encoding
from vcd.descriptors import load_manifest, models_folder
from vcd_cli.main import main

VISUAL = load_manifest().default("visual")

COMMANDS = [
    [],
    ["match"],
    ["describe"],
    ["duplicates"],
    ["library"],
    *(
        ["library", name]
        for name in (
            "add",
            "remove",
            "list",
            "search",
            "verify",
            "export",
            "ignore",
            "separate",
            "decisions",
        )
    ),
    ["demo"],
    ["doctor"],
    ["models"],
    ["models", "list"],
    ["models", "verify"],
    ["models", "add"],
    ["models", "export"],
    ["models", "thresholds"],
    ["train"],
    ["train", "data"],
    ["train", "visual"],
    ["train", "sounds"],
    ["train", "audio"],
    ["train", "calibration"],
    ["train", "refiner"],
    ["eval"],
    ["eval", "haystack"],
    ["eval", "vsc"],
    ["eval", "vsc", "matching"],
    ["eval", "vsc", "descriptor"],
    ["eval", "vsc", "validate"],
    ["eval", "vsc", "pairs"],
    ["eval", "vcsl"],
    ["eval", "compare"],
    ["eval", "localizers"],
]


@pytest.fixture
def vcd(cache_folder, tmp_path, monkeypatch, capfd):
    """Return a function that runs the command in this process, with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_folder))
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments, env=None):
        command = ["vcd", *map(os.fsdecode, arguments)]
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as caught:
            patch.setattr(sys, "argv", command)
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            main()
        out, err = capfd.readouterr()
        return subprocess.CompletedProcess(command, caught.value.code or 0, out, err)

    return run


def one_line_each(text):
    """Return the lines of stderr, which must all be messages of vcd."""
    lines = text.splitlines()
    assert all(line.startswith("vcd: ") for line in lines), text
    return lines


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(vcd, command):
    run = vcd(*command, "--help")
    assert run.returncode == 0
    assert "Example" in run.stdout


def test_thresholds_by_name(vcd, demo):
    listed = vcd("models", "thresholds").stdout
    assert all(name in listed for name in ("strict", "balanced", "review"))
    used = "+".join(load_manifest().default(stream).id for stream in ("visual", "audio"))
    counts = []
    for name in ("strict", "balanced", "review"):
        run = vcd("match", demo.folder / "queries", demo.folder / "refs", "--threshold", name)
        assert run.returncode == 0
        counts.append(len(run.stdout.splitlines()))
        [line] = [x for x in listed.splitlines() if x.startswith(f"{used} ") and f" {name} " in x]
        level = float(line.split()[2])
        scores = [json.loads(x)["score"] for x in run.stdout.splitlines()]
        assert all(score >= level - 0.005 for score in scores)
    assert 0 < counts[0] <= counts[1] <= counts[2]


@pytest.mark.parametrize("threshold", ["1.5", "-1", "nan", "", "5 %"])
def test_a_threshold_that_is_none_is_refused(vcd, demo, threshold):
    run = vcd("match", demo.folder, demo.folder, f"--threshold={threshold}")
    assert run.returncode == 2
    assert "neither a probability" in run.stderr


def test_an_unknown_operating_point_is_told(vcd, demo):
    run = vcd("match", demo.folder, demo.folder, "--threshold", "lenient")
    [line] = one_line_each(run.stderr)
    assert "lenient" in line
    assert "strict" in line


def test_calibration_from_the_shell(vcd, demo, tmp_path):
    """One copy and its reference hold nothing wrong, so nothing is fitted, and nothing changed."""
    models, small = tmp_path / "models", tmp_path / "small"
    shutil.copytree(models_folder(), models)
    before = (models / "models.json").read_bytes()
    query, ref = "cropped_with_overlay_and_text", "city"
    for name in (f"queries/{query}.mp4", f"refs/{ref}.mp4"):
        (small / name).parent.mkdir(parents=True)
        shutil.copy(demo.folder / name, small / name)
    for name in ("groundtruth.csv", "labels.csv"):
        head, *rows = (demo.folder / name).read_text().splitlines()
        [row] = [row for row in rows if row.startswith(f"{query},{ref}")]
        (small / name).write_text(f"{head}\n{row}\n")
    run = vcd("train", "calibration", small, "--models", models)
    assert run.returncode == 2
    assert "nothing to tell apart" in run.stderr
    assert (models / "models.json").read_bytes() == before
    run = vcd("train", "calibration", small, "--models", models, "--model", "visual-0")
    assert run.returncode == 2
    assert "there is no model 'visual-0'" in run.stderr


def test_a_refiner_from_the_shell(vcd, demo, tmp_path):
    pytest.importorskip("torch")
    models = tmp_path / "models"
    shutil.copytree(models_folder(), models)
    command = ["train", "refiner", demo.folder, "--run", tmp_path / "run", "--models", models]
    run = vcd(*command, "--version", "9", "--steps", "3")
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "refiner-9"
    used = {"VCD_MODELS": str(models)}
    assert "refiner-9" in vcd("models", "list", env=used).stdout
    verified = vcd("models", "verify", env=used)
    assert "refiner-9\tok" in verified.stdout
    query = demo.folder / "queries" / "faster.mp4"
    refined = vcd("match", query, demo.folder / "refs", "--refine", env=used)
    assert refined.returncode == 0
    assert json.loads(refined.stdout.splitlines()[0])["reference"].endswith("mountains.mp4")
    (models / "refiner" / "9" / "model.onnx").write_bytes(b"damaged")
    broken = vcd("match", query, demo.folder / "refs", "--refine", env=used)
    assert broken.returncode == 1
    assert "is not the file of model refiner-9" in broken.stderr
    assert vcd("match", query, demo.folder / "refs", env=used).returncode == 0


def test_version_as_a_process_of_its_own():
    command = [sys.executable, "-m", "vcd_cli", "--version"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == f"vcd {__version__}"


def test_json_lines_when_piped(vcd, demo):
    run = vcd("match", demo.folder / "queries", demo.folder / "refs")
    assert run.returncode == 0
    assert run.stderr == ""
    records = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(records) >= 6
    assert list(records[0]) == [
        "query",
        "reference",
        "score",
        "sure",
        "query_coverage",
        "ref_coverage",
        "segments",
    ]
    assert list(records[0]["segments"][0]) == [
        "query_start",
        "query_end",
        "ref_start",
        "ref_end",
        "score",
        "speed",
        "streams",
    ]
    assert not any("no_copy" in record["query"] for record in records)


def test_csv_scores_well_by_our_own_metric(vcd, demo, tmp_path):
    out = tmp_path / "matches.csv"
    run = vcd(
        "match", demo.folder / "queries", demo.folder / "refs", "--threshold", "0", "-o", out,
        "--format", "csv",
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (0, "")
    score = vcd(
        "eval", "vsc", "matching", "--groundtruth", demo.groundtruth, "--predictions", out, "--json"
    )
    result = json.loads(score.stdout)
    assert result["segment_ap"] > 0.8
    assert {"segment_ap", "pair_ap", "pair_ap_reference", "curve"} <= set(result)


def test_jobs_do_not_change_the_result(vcd, demo):
    runs = [
        vcd("match", demo.queries[0], demo.folder / "refs", "--jobs", jobs, "--format", "csv")
        for jobs in ("1", "3")
    ]
    assert runs[0].stdout == runs[1].stdout
    assert len(list(csv.reader(io.StringIO(runs[0].stdout)))) > 1


def test_top_and_threshold_narrow_the_result(vcd, demo):
    query = demo.folder / "queries" / "from_two_references.mp4"
    all_of_them = vcd("match", query, demo.folder / "refs")
    best = vcd("match", query, demo.folder / "refs", "--top", "1")
    assert len(all_of_them.stdout.splitlines()) == 2
    assert best.stdout == all_of_them.stdout.splitlines(keepends=True)[0]
    none = vcd("match", query, demo.folder / "refs", "--threshold", "1")
    assert (none.returncode, none.stdout) == (0, "")


def test_exit_code_tells_whether_something_was_found(vcd, demo):
    refs = demo.folder / "refs"
    assert vcd("match", demo.queries[0], refs, "--exit-code").returncode == 10
    nothing = demo.folder / "queries" / "no_copy.mp4"
    assert vcd("match", nothing, refs, "--exit-code").returncode == 0


def test_pictures_and_page_are_written(vcd, demo, tmp_path):
    run = vcd(
        "match", demo.queries[0], demo.folder / "refs", "--plot", tmp_path / "plots", "--html",
        tmp_path / "page.html",
    )  # fmt: skip
    assert run.returncode == 0
    (picture,) = (tmp_path / "plots").iterdir()
    assert picture.read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "data:image/jpeg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_bad_files_cost_only_themselves(vcd, demo, tmp_path):
    folder = tmp_path / "mixed"
    shutil.copytree(demo.folder / "refs", folder)
    (folder / "empty.mp4").touch()
    (folder / "new\nline.mp4").write_text("no video")
    (folder / "playlist.mp4").write_text("ffconcat version 1.0\nfile city.mp4\n")
    (folder / os.fsdecode(b"caf\xe9.mp4")).write_bytes(b"\x00" * 100)
    run = vcd("match", demo.queries[0], folder, tmp_path / "gone.mp4")
    assert run.returncode == 3
    assert len(one_line_each(run.stderr)) == 5
    records = [json.loads(line) for line in run.stdout.splitlines()]
    failures = [r for r in records if "error" in r]
    assert len(failures) == 5
    assert all(set(r) == {"error", "file", "remedy"} for r in failures)
    assert any("reference" in r for r in records)


@pytest.mark.parametrize(
    "name", ["two  spaces.mp4", "quo'te\".mp4", "-dash.mp4", "$&;.mp4", "視頻🎬.mp4", "50%03d.mp4"]
)
def test_hard_names_work(vcd, demo, tmp_path, name):
    (tmp_path / "q").mkdir()
    shutil.copy(demo.queries[0], tmp_path / "q" / name)
    run = vcd("match", tmp_path / "q", demo.folder / "refs")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[0])["query"].endswith(name)


def test_name_that_is_no_text_works(vcd, demo, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9\n.mp4")
    shutil.copy(demo.queries[0], path)
    run = vcd("match", path, demo.folder / "refs")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[0])["query"].endswith("caf\\xe9\\n.mp4")


def test_folder_without_videos(vcd, demo, tmp_path):
    (tmp_path / "nothing").mkdir()
    run = vcd("match", demo.queries[0], tmp_path / "nothing")
    assert run.returncode == 3
    (line,) = one_line_each(run.stderr)
    assert "holds no video" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["match"],
        ["match", "a.mp4", "b.mp4", "--threshold", "2"],
        ["match", "a.mp4", "b.mp4", "--streams", "smell"],
        ["match", "a.mp4", "b.mp4", "--model", "nonsense"],
        ["match", "a.mp4", "b.mp4", "--output", "no folder/x.csv"],
        ["match", "a.mp4", "b.mp4", "--html", "."],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_wrong_usage(vcd, arguments):
    run = vcd(*arguments)
    assert run.returncode == 2
    assert run.stdout == ""
    assert "Traceback" not in run.stderr


def test_damaged_model_is_one_line(vcd, demo, tmp_path):
    from vcd.descriptors import models_folder

    folder = shutil.copytree(models_folder(), tmp_path / "models")
    model = folder / "audio" / "2" / "model.onnx"
    model.write_bytes(model.read_bytes()[:-7])
    environment = {"VCD_MODELS": str(folder)}
    run = vcd("match", demo.queries[0], demo.folder / "refs", "--no-cache", env=environment)
    assert run.returncode == 3
    assert all("is not the file of model audio-2" in line for line in one_line_each(run.stderr))
    verify = vcd("models", "verify", env=environment)
    assert verify.returncode == 3
    assert f"{VISUAL.id}\tok" in verify.stdout


def test_describe_writes_what_match_reads(vcd, demo, tmp_path):
    described = vcd("describe", demo.folder / "refs", "-o", tmp_path / "refs.npz")
    assert described.returncode == 0
    assert len(described.stdout.splitlines()) == 4
    from_files = vcd("match", demo.queries[0], demo.folder / "refs", "--format", "csv")
    from_archive = vcd("match", demo.queries[0], tmp_path / "refs.npz", "--format", "csv")
    assert from_files.stdout == from_archive.stdout
    vcd("describe", demo.references[0], "--output-dir", tmp_path / "each")
    assert [p.name for p in (tmp_path / "each").iterdir()] == [f"{demo.references[0].stem}.vcd"]


def made(video_id):
    """Return a descriptor that the default models might have made."""
    return make_descriptor(video_id, tracks=[make_track(d=VISUAL.dimensions, model=VISUAL.id)])


def test_every_video_gets_a_file_of_its_own(vcd, tmp_path):
    ids = ["a/b", "a_b", "../a", "-rf", ".hid", "..", "two\nlines", "'\"", "視頻 (1)", "x" * 300]
    encoding.save(tmp_path / "all.vcd", [made(video_id) for video_id in ids])
    run = vcd("describe", tmp_path / "all.vcd", "--output-dir", tmp_path / "each")
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == len(ids)
    written = list((tmp_path / "each").iterdir())
    assert sorted(encoding.load_one(path).video_id for path in written) == sorted(ids)
    assert {"a_b.vcd", "視頻 (1).vcd"} < {path.name for path in written}
    assert all(re.fullmatch(r"[\w(][\w .()+-]*\.vcd", path.name) for path in written)
    vcd("describe", tmp_path / "all.vcd", "--output-dir", tmp_path / "each")
    assert len(list((tmp_path / "each").iterdir())) == len(ids)


def test_file_that_cannot_be_written_does_not_cost_the_others(vcd, tmp_path):
    encoding.save(tmp_path / "all.vcd", [made(video_id) for video_id in ("a", "b", "c")])
    (tmp_path / "each" / "b.vcd").mkdir(parents=True)
    run = vcd("describe", tmp_path / "all.vcd", "--output-dir", tmp_path / "each", "--quiet")
    assert run.returncode == 3
    (line,) = one_line_each(run.stderr)
    assert "b.vcd: cannot be written" in line
    assert (tmp_path / "each" / "c.vcd").is_file()


def test_file_without_the_wanted_stream_is_said(vcd, demo, tmp_path):
    from vcd_eval.making.recording import write_video

    mute = tmp_path / "mute.mp4"
    write_video(mute, np.zeros((10, 64, 64, 3), np.uint8), 10)
    warning = f"vcd: warning: {mute}: has no audio stream; nothing to compare\n"
    for command in (["match", mute, demo.references[0]], ["match", demo.references[0], mute]):
        run = vcd(*command, "--streams", "audio")
        assert (run.returncode, run.stdout, run.stderr) == (0, "", warning)
    run = vcd("describe", mute, "--streams", "audio")
    assert (run.returncode, run.stderr) == (0, warning)
    assert vcd("describe", mute, "--streams", "audio", "--quiet").stderr == ""
    assert vcd("describe", mute).stderr == ""


def test_models_list_and_doctor(vcd):
    listed = vcd("models", "list")
    assert VISUAL.id in listed.stdout
    assert "sscd-1" in listed.stdout
    doctor = vcd("doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert "trial: ok" in doctor.stdout


HEARS_INTERRUPTS = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background does not hear them
from vcd_cli.main import main
"""


def test_interrupt_keeps_finished_work_and_is_one_line(demo, tmp_path):
    cache, out = tmp_path / "cache", tmp_path / "out.csv"
    process = subprocess.Popen(
        [
            sys.executable, "-c", HEARS_INTERRUPTS + "main()",
            "match", demo.folder / "queries", demo.folder / "refs", "--cache", cache, "--jobs", "1",
            "-o", out,
        ],
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(cache.rglob("*.vcd")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "vcd: interrupted; finished work is kept\n"
    assert list(cache.rglob("*.vcd"))
    assert not list(tmp_path.rglob("*.part"))


HELD_WHILE_WRITING = (
    HEARS_INTERRUPTS
    + """
import sys, time

def hold(event, arguments):
    if event == "os.rename" and str(arguments[0]).endswith(".part"):
        print("held", flush=True)
        time.sleep(600)

sys.addaudithook(hold)
main()
"""
)


def test_interrupt_leaves_no_half_written_file(demo, tmp_path):
    process = subprocess.Popen(
        [
            sys.executable, "-c", HELD_WHILE_WRITING, "describe", demo.references[0],
            "--streams", "audio", "--cache", tmp_path / "cache",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "held\n"
    assert list(tmp_path.rglob("*.part"))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "vcd: interrupted; finished work is kept\n")
    assert not list(tmp_path.rglob("*.part"))


def test_reader_that_stops_early_is_no_error(demo, cache_folder):
    command = (
        f"{sys.executable} -m vcd_cli match {demo.folder}/queries {demo.folder}/refs "
        f"--cache {cache_folder}/vcd-engine | head -n 1; exit ${{PIPESTATUS[0]}}"
    )
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert run.stderr == ""
    assert run.returncode == 0
    assert json.loads(run.stdout)


def test_haystack_is_scored_into_a_folder(vcd, demo, tmp_path):
    run = vcd("eval", "haystack", demo.folder, "--out", "run")
    assert run.returncode == 0
    assert [line.split()[0] for line in run.stdout.splitlines()[1:]] == ["any", "visual", "audio"]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["segment_uap"]["any"] > 0.8
    assert (tmp_path / "run" / "report.html").read_text().startswith("<!doctype html>")
    again = vcd(
        "eval",
        "vsc",
        "matching",
        "--json",
        "--groundtruth",
        demo.groundtruth,
        "--predictions",
        tmp_path / "run" / "matches.csv",
    )
    assert json.loads(again.stdout)["segment_ap"] == pytest.approx(metrics["segment_uap"]["any"])


def test_a_folder_that_is_no_haystack_is_one_line(vcd, tmp_path):
    run = vcd("eval", "haystack", tmp_path, "--out", "run")
    assert run.returncode == 2
    [line] = one_line_each(run.stderr)
    assert "queries/" in line
    assert not (tmp_path / "run").exists()
