"""`vcd train`: models of one's own, from pictures and sounds to calibrated probabilities."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from vcd.descriptors import load_manifest
from vcd.descriptors.cache import default_cache_folder
from vcd.engine import Engine
from vcd.errors import MissingExtraError
from vcd_cli import options
from vcd_cli.console import Console
from vcd_cli.match import SOME_FAILED

EXAMPLES = """Examples, in the order of use:

vcd train data photographs/ more.tar --out pictures.npy --kept kept/

vcd train visual pictures.npy run/

vcd models export run/ --pictures pictures.npy --to models/ --version 4

vcd train sounds music/ speech/ --out sounds.npy

vcd train audio sounds.npy heard/

vcd models export heard/ --sounds sounds.npy --to models/ --version 3

vcd eval make kept/ music/ --out made/ --queries 200

vcd train calibration made/ --models models/
"""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Train descriptors of picture and sound, and calibrate what is found with them.",
    epilog=EXAMPLES,
)


def check_extra() -> None:
    """Refuse to begin where the extra `train` is missing.

    Raises
    ------
    MissingExtraError
    """
    for name in ("torch", "onnx", "efficientnet_lite_pytorch", "PIL"):
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError(
                f"training needs {name}", remedy='pip install "vcd-engine[train]"'
            )


def _show_visual(wanted: bool) -> None:
    if wanted:
        from vcd.training.settings import settings_text
        from vcd.training.visual.settings import VisualTraining

        typer.echo(settings_text(VisualTraining), nl=False)
        raise typer.Exit


def _show_audio(wanted: bool) -> None:
    if wanted:
        from vcd.training.audio.settings import AudioTraining
        from vcd.training.settings import settings_text

        typer.echo(settings_text(AudioTraining), nl=False)
        raise typer.Exit


@app.command(epilog="Example: vcd train data photographs/ more.tar --out pictures.npy")
def data(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCES...", help="Tar archives and folders of photographs."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Gets the pictures, as .npy.")],
    made: Annotated[
        int,
        typer.Option(
            min=0,
            help="Pictures made by program, beside the photographs: for want of these only, for "
            "what is learnt from made ones is not about photographs.",
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Another number gives other pictures.")] = 0,
    kept: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Gets the photographs that are kept from training, as files."
        ),
    ] = None,
) -> int:
    """Gather the pictures to train on; about every eighth photograph is kept for calibration."""
    from vcd.training.visual.pictures import gather, write_kept

    options.check_writable(out)
    if kept is not None:
        options.make_folder(kept)
        typer.echo(f"kept      {write_kept(sources, kept)}")
    typer.echo(f"pictures  {gather(sources, out, made=made, seed=seed)}")
    return 0


@app.command(
    epilog="""Examples:

vcd train visual pictures.npy run/

vcd train visual --show-settings > long.toml

vcd train visual pictures.npy run/ --settings long.toml --start earlier/weights.pt
"""
)
def visual(
    pictures: Annotated[Path, typer.Argument(metavar="PICTURES", help="Of vcd train data.")],
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of the run; one that is there goes on.")
    ],
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML file: how long, on what and how hard."),
    ] = None,
    show_settings: Annotated[
        bool,
        typer.Option(
            "--show-settings",
            callback=_show_visual,
            is_eager=True,
            help="Print the settings used by default, to be changed, and stop.",
        ),
    ] = False,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="weights.pt of an earlier run, or model.onnx of a model, to begin with.",
        ),
    ] = None,
    quiet: options.Quiet = False,
) -> int:
    """Train a visual descriptor on edited copies; on the GPU where there is one."""
    check_extra()
    from vcd.training.settings import read_settings
    from vcd.training.visual.pictures import open_pictures
    from vcd.training.visual.run import TrainingRun
    from vcd.training.visual.settings import VisualTraining

    chosen = VisualTraining() if settings is None else read_settings(settings, VisualTraining)
    shown = open_pictures(pictures)
    options.make_folder(run)
    training = TrainingRun(shown, run, chosen, start=start)
    with Console(quiet=quiet).step("steps", chosen.steps) as step:
        step.reach(training.step, chosen.steps)
        training.run(on_step=lambda done: step.reach(done, chosen.steps))
    typer.echo(f"weights  {run / 'weights.pt'}")
    return 0


@app.command(
    epilog="""Examples:

vcd train sounds music/ speech/ --out sounds.npy

vcd train sounds music/ --out sounds.npy --keep 45 165
"""
)
def sounds(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCES...", help="Sound files, videos, and folders of them."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Gets the sounds, as .npy.")],
    keep: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="FROM TO",
            help="Keep these seconds of every file from training, for calibration.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another number chooses other codecs.")] = 0,
    quiet: options.Quiet = False,
) -> int:
    """Gather the sounds to train on, plain and through codecs at low rates, as spectrograms."""
    check_extra()
    from vcd.training.audio.sounds import gather

    options.check_writable(out)
    console = Console(quiet=quiet)
    count = gather(sources, out, skip=keep, seed=seed, on_error=console.fail)
    typer.echo(f"pieces  {count}")
    return SOME_FAILED if console.failures else 0


@app.command(
    epilog="""Examples:

vcd train audio sounds.npy run/

vcd train audio --show-settings > long.toml

vcd train audio sounds.npy run/ --settings long.toml
"""
)
def audio(
    sounds: Annotated[Path, typer.Argument(metavar="SOUNDS", help="Of vcd train sounds.")],
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of the run; one that is there goes on.")
    ],
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML file: how long, on what and how hard."),
    ] = None,
    show_settings: Annotated[
        bool,
        typer.Option(
            "--show-settings",
            callback=_show_audio,
            is_eager=True,
            help="Print the settings used by default, to be changed, and stop.",
        ),
    ] = False,
    quiet: options.Quiet = False,
) -> int:
    """Train an audio descriptor on edited copies; on the GPU where there is one."""
    check_extra()
    from vcd.training.audio.run import AudioRun
    from vcd.training.audio.settings import AudioTraining
    from vcd.training.audio.sounds import open_sounds
    from vcd.training.settings import read_settings

    chosen = AudioTraining() if settings is None else read_settings(settings, AudioTraining)
    heard = open_sounds(sounds)
    options.make_folder(run)
    training = AudioRun(heard, run, chosen)
    with Console(quiet=quiet).step("steps", chosen.steps) as step:
        step.reach(training.step, chosen.steps)
        training.run(on_step=lambda done: step.reach(done, chosen.steps))
    typer.echo(f"weights  {run / 'weights.pt'}")
    return 0


@app.command(epilog="Example: vcd train refiner made/ --run run/ --models models/ --version 2")
def refiner(
    haystacks: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...", help="Haystacks with labels, as vcd eval make makes them."
        ),
    ],
    run: Annotated[
        Path, typer.Option(metavar="RUN", help="Folder of the run; one that was stopped goes on.")
    ],
    models: Annotated[
        Path, typer.Option(metavar="DIR", help="Models folder that describes, and gets the file.")
    ],
    version: Annotated[int, typer.Option(min=1, help="Number of the model: refiner-<version>.")],
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps of the whole run.")] = 4500,
    licence: Annotated[str, typer.Option(help="Licence of the file.")] = "Apache-2.0",
    jobs: options.Jobs = None,
    cache: options.Cache = None,
    quiet: options.Quiet = False,
) -> int:
    """Train the network that tells the localizer where to look in a matrix.

    It is used where --refine is given.
    """
    check_extra()
    from vcd.training.refiner.run import RefinerRun, RefinerTraining, export_refiner
    from vcd_eval.haystack import read_haystack
    from vcd_eval.refiner_examples import gather_examples

    console = Console(quiet=quiet)
    examples = []
    for haystack in [read_haystack(folder) for folder in haystacks]:
        engine = Engine(
            models=models,
            cache=cache or default_cache_folder(),
            jobs=jobs or options.processors(),
        )
        with console.step(str(haystack.folder), 2) as step:
            examples += gather_examples(
                haystack, engine, on_error=console.fail, on_progress=step.reach
            )
    options.make_folder(run)
    training = RefinerRun(examples, run, RefinerTraining(steps=steps))
    with console.step("steps", steps) as step:
        step.reach(training.step, steps)
        training.run(on_step=lambda done: step.reach(done, steps))
    typer.echo(export_refiner(training.network, models, version=version, licence=licence))
    return SOME_FAILED if console.failures else 0


@app.command(
    epilog="""Examples:

vcd eval make kept/ music/ --out made/ --queries 200

vcd eval make kept/ music/ --out other/ --queries 200 --seed 1

vcd train calibration made/ --held-out other/ --models models/

vcd train calibration made/ --models models/ --model visual_int8
"""
)
def calibration(
    haystacks: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...",
            help="Haystacks of material that no model was trained on, as vcd eval make makes them.",
        ),
    ],
    models: Annotated[
        Path, typer.Option(metavar="DIR", help="Models folder; its default models are calibrated.")
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Model of that folder to calibrate instead, beside the default of the other "
            "stream; may be given for each stream.",
        ),
    ] = None,
    held_out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Another haystack, on which operating points are measured."
        ),
    ] = None,
    jobs: options.Jobs = None,
    cache: options.Cache = None,
    quiet: options.Quiet = False,
) -> int:
    """Fit how probable a found segment is; print how well that holds for unseen queries."""
    if importlib.util.find_spec("scipy") is None:
        raise MissingExtraError("fitting needs scipy", remedy='pip install "vcd-engine[eval]"')
    from vcd_eval.calibration import PASSES, enter, error_of, joined, judge
    from vcd_eval.haystack import read_haystack
    from vcd_eval.operating_points import enter_points, measure_haystack

    console = Console(quiet=quiet)
    read = [read_haystack(folder) for folder in haystacks]
    other = None if held_out is None else read_haystack(held_out)
    manifest = load_manifest(models)
    named = {info.stream: info.id for info in map(manifest.get, model or [])}

    def engine() -> Engine:
        return Engine(
            models=models,
            visual=named.get("visual"),
            audio=named.get("audio"),
            threshold=0.0,
            cache=cache or default_cache_folder(),
            jobs=jobs or options.processors(),
        )

    parts = []
    for haystack in read:
        with console.step(str(haystack.folder), 2) as step:
            found = judge(haystack, engine(), on_error=console.fail, on_progress=step.reach)
            parts.append(found)
    judged = joined(parts)
    enter(models, judged, named.values())
    for name in PASSES:
        right = int(judged[name].right.sum())
        typer.echo(
            f"{name:8}{len(judged[name].right):6} segments, {right:4} right, "
            f"calibration error {error_of(judged[name]):.3f}"
        )
    if other is not None:
        with console.step(str(other.folder), 2) as step:
            points, error = measure_haystack(
                other, engine(), on_error=console.fail, on_progress=step.reach
            )
        own = set(named.values())
        enter_points(
            models, {ids: at for ids, at in points.items() if not own or own & set(ids.split("+"))}
        )
        typer.echo(f"calibration error held out  {error:.3f}")
    return SOME_FAILED if console.failures else 0
