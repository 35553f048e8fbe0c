"""`vcd models`: which models there are, and whether their files are whole."""

from __future__ import annotations

import typer

from vcd.errors import ModelError, ModelNotFoundError
from vcd_cli.console import Console

EXAMPLES = "Example: vcd models verify"
LIST_EXAMPLES = "Example: vcd models list"

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="List and verify the models.",
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
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())
    return 0


@app.command(epilog=EXAMPLES)
def verify() -> int:
    """Check every model's file: its sha256, that it loads, and that its output is as promised."""
    from vcd.descriptors import load_manifest
    from vcd.descriptors.check import check_model

    console = Console()
    for model in load_manifest().models:
        try:
            check_model(model)
        except ModelNotFoundError as error:
            if model.package:
                typer.echo(f"{model.id}\tnot installed\t{error.remedy}")
            else:
                console.fail(error)
        except ModelError as error:
            console.fail(error)
        else:
            typer.echo(f"{model.id}\tok\t{model.path}")
    return 3 if console.failures else 0
