"""The command `vcd`: its commands, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from vcd import __version__
from vcd.errors import ContractError, MissingExtraError, ModelNotFoundError, OutputError, VcdError
from vcd_cli import demo, describe, doctor, evaluate, match, models

__all__ = ["app", "main"]

app = typer.Typer(
    name="vcd",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find and localize copies in videos, by picture and by sound.",
    epilog="Example: vcd match query.mp4 refs/",
)
app.command("match", epilog=match.EXAMPLES)(match.match)
app.command("describe", epilog=describe.EXAMPLES)(describe.describe)
app.command("demo", epilog=demo.EXAMPLES)(demo.demo)
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)
app.add_typer(models.app, name="models")
app.add_typer(evaluate.app, name="eval")

_USAGE, _INTERNAL, _INTERRUPTED = 2, 1, 130


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vcd {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Find and localize copies in videos, by picture and by sound."""


def main() -> None:
    """Run the command line and exit with its code.

    0 done, 1 internal error, 2 wrong usage, 3 done but some inputs failed, 10 something was found
    (with --exit-code), 130 interrupted.
    """
    sys.exit(_run())


def _run() -> int:  # noqa: PLR0911 - one return for each way a command can end
    try:
        code = app(standalone_mode=False)
    except KeyboardInterrupt:
        return _tell("interrupted; finished work is kept", _INTERRUPTED)
    except BrokenPipeError:
        # The reader has seen enough (vcd match ... | head); nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except typer.Abort:
        return _tell("interrupted; finished work is kept", _INTERRUPTED)
    except (ContractError, ModelNotFoundError, MissingExtraError, OutputError) as error:
        return _tell(str(error), _USAGE)
    except VcdError as error:
        return _tell(str(error), _INTERNAL)
    except Exception as error:
        if hasattr(error, "exit_code") and hasattr(error, "show"):  # click's own, wrong usage
            error.show()
            return int(error.exit_code)
        if os.environ.get("VCD_TRACEBACK"):
            raise
        return _tell(
            f"internal error: {type(error).__name__}: {error} "
            "(please report it, with what VCD_TRACEBACK=1 shows)",
            _INTERNAL,
        )
    return code if isinstance(code, int) else 0


def _tell(message: str, code: int) -> int:
    print(f"vcd: {message}", file=sys.stderr)  # noqa: T201
    return code
