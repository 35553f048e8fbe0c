"""`vcd eval make`: a haystack of edited copies of one's own media, with exact truth."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from vcd_cli import options
from vcd_cli.console import Console
from vcd_cli.match import SOME_FAILED

EXAMPLES = """Examples:

vcd eval make videos/ --out haystack/

vcd eval make photographs/ music/ --out haystack/ --queries 200 --seed 7

vcd eval make --show-recipe > hard.toml

vcd eval make videos/ --out haystack/ --recipe hard.toml
"""


def _show_recipe(wanted: bool) -> None:
    if wanted:
        from vcd_eval.making.recipe import recipe_text

        typer.echo(recipe_text(), nl=False)
        raise typer.Exit


def make(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCES...", help="Videos, photographs, sound files, and folders of these."
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Gets queries/, refs/, foreign/ and the truth.")
    ],
    recipe: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML file that chooses counts, lengths and edits."),
    ] = None,
    show_recipe: Annotated[
        bool,
        typer.Option(
            "--show-recipe",
            callback=_show_recipe,
            is_eager=True,
            help="Print the recipe used by default, to be changed, and stop.",
        ),
    ] = False,
    queries: Annotated[
        int | None, typer.Option(min=1, help="How many queries (default: the recipe's, or 60).")
    ] = None,
    size: Annotated[
        str,
        typer.Option(
            metavar="WxH", help="Pixels of a frame; videos keep their aspect in its longer side."
        ),
    ] = "320x180",
    fps: Annotated[
        float | None,
        typer.Option(min=1, max=60, help="Frames a second (default: the videos' own, or 24)."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another number gives other choices.")] = 0,
    jobs: options.Jobs = None,
    quiet: options.Quiet = False,
) -> int:
    """Make references and edited copies with exact ground truth; interrupted runs go on."""
    from dataclasses import replace

    from vcd_eval.making.haystack_maker import make_haystack
    from vcd_eval.making.recipe import Recipe, read_recipe

    console = Console(quiet=quiet)
    chosen = Recipe() if recipe is None else read_recipe(recipe)
    if queries is not None:
        chosen = replace(chosen, queries=queries)
    frame_size = _size(size)
    options.make_folder(out)
    with console.step("seconds of video", 2) as step:
        made = make_haystack(
            sources,
            out,
            recipe=chosen,
            seed=seed,
            size=frame_size,
            fps=fps,
            jobs=jobs or options.processors(),
            on_error=console.fail,
            progress=step.reach,
        )
    labels = made.labels
    distractors = sum(not query.is_copy for query in made.queries)
    typer.echo(f"references   {len(made.references)}")
    typer.echo(f"queries      {len(made.queries)}, {distractors} of them without a copy")
    typer.echo(
        f"segments     {len(labels.segments)}: "
        f"{int((labels.visual & labels.audio).sum())} by picture and sound, "
        f"{int((labels.visual & ~labels.audio).sum())} by picture, "
        f"{int((~labels.visual & labels.audio).sum())} by sound"
    )
    typer.echo(
        f"minutes      {made.seconds / 60:.1f}, in {made.made} new files and {made.kept} kept"
    )
    console.say(f"try it: vcd eval haystack {out} --out {out}-run")
    return SOME_FAILED if console.failures else 0


def _size(text: str) -> tuple[int, int]:
    """Return width and height of a text such as 320x180.

    Raises
    ------
    typer.BadParameter
    """
    sides = re.fullmatch(r"(\d{2,4})x(\d{2,4})", text)
    width, height = map(int, sides.groups()) if sides else (0, 0)
    if min(width, height) < 32 or width % 2 or height % 2:
        raise typer.BadParameter(
            f"{text!r} is not WIDTHxHEIGHT of even numbers from 32 on, such as 320x180",
            param_hint="--size",
        )
    return width, height
