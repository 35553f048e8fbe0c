"""`vcd train`: models of one's own, from pictures and sounds to calibrated probabilities."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from vcd.errors import MissingExtraError
from vcd_cli import options
from vcd_cli.console import Console

EXAMPLES = """Examples, in the order of use:

vcd train data photographs/ more.tar --out pictures.npy

vcd train visual pictures.npy run/

vcd models export run/ --pictures pictures.npy --photographs photographs/ --to models/ --version 4

vcd train calibration --photographs photographs/ --sounds music/ --models models/
"""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Train a visual descriptor, and calibrate what is found with it.",
    epilog=EXAMPLES,
)

Photographs = Annotated[
    list[Path],
    typer.Option(metavar="PATH", help="Tar archive or folder of photographs; may be repeated."),
]


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


def _show_settings(wanted: bool) -> None:
    if wanted:
        from vcd.training.visual.settings import settings_text

        typer.echo(settings_text(), nl=False)
        raise typer.Exit


@app.command(epilog="Example: vcd train data photographs/ more.tar --out pictures.npy")
def data(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCES...", help="Tar archives and folders of photographs."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Gets the pictures, as .npy.")],
    made: Annotated[
        int, typer.Option(min=0, help="Pictures made by program, beside the photographs.")
    ] = 3000,
    seed: Annotated[int, typer.Option(min=0, help="Another number gives other pictures.")] = 0,
) -> int:
    """Gather the pictures to train on; about every eighth photograph is kept for calibration."""
    from vcd.training.visual.pictures import gather

    options.check_writable(out)
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
            callback=_show_settings,
            is_eager=True,
            help="Print the settings used by default, to be changed, and stop.",
        ),
    ] = False,
    start: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="weights.pt of an earlier run to begin with."),
    ] = None,
    quiet: options.Quiet = False,
) -> int:
    """Train a visual descriptor on edited copies; on the GPU where there is one."""
    check_extra()
    from vcd.training.visual.pictures import open_pictures
    from vcd.training.visual.run import TrainingRun
    from vcd.training.visual.settings import VisualTraining, read_settings

    chosen = VisualTraining() if settings is None else read_settings(settings)
    shown = open_pictures(pictures)
    options.make_folder(run)
    training = TrainingRun(shown, run, chosen, start=start)
    with Console(quiet=quiet).step("steps", chosen.steps) as step:
        step.reach(training.step, chosen.steps)
        training.run(on_step=lambda done: step.reach(done, chosen.steps))
    typer.echo(f"weights  {run / 'weights.pt'}")
    return 0


@app.command(
    epilog="Example: vcd train calibration --photographs photographs/ --sounds music/ "
    "--models models/"
)
def calibration(
    photographs: Photographs,
    sounds: Annotated[Path, typer.Option(metavar="DIR", help="Folder of sound files.")],
    models: Annotated[
        Path, typer.Option(metavar="DIR", help="Models folder; its default models are calibrated.")
    ],
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep confidences and truth of all segments, as JSON."),
    ] = None,
) -> int:
    """Fit how probable a found segment is, on made copies of photographs kept from training."""
    check_extra()
    import json

    from vcd.encoding import write_whole
    from vcd.training.calibration import calibrate

    options.check_writable(save)
    found = calibrate(photographs, sounds, models)
    for name, segments in found.segments.items():
        right = sum(is_right for _, is_right in segments)
        typer.echo(f"{name:8}  {len(segments)} segments, {right} right")
    typer.echo(f"true pairs  {found.true_pairs} of {found.pairs}")
    if save is not None:
        write_whole(save, json.dumps(found.segments).encode())
    return 0
