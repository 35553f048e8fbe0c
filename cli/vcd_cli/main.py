"""The command `vcd`: its commands, and the one place where errors become exit codes."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from vcd import __version__
from vcd.encoding import abandon_writing
from vcd.errors import MediaError, ModelChecksumError, VcdError
from vcd_cli import demo, describe, doctor, duplicates, evaluate, library, match, models, train
from vcd_cli.match import INTERRUPTED

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
app.command("duplicates", epilog=duplicates.EXAMPLES)(duplicates.duplicates)
app.command("demo", epilog=demo.EXAMPLES)(demo.demo)
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)
app.add_typer(library.app, name="library")
app.add_typer(models.app, name="models")
app.add_typer(evaluate.app, name="eval")
app.add_typer(train.app, name="train")

_USAGE, _INTERNAL = 2, 1
_OURS = (ModelChecksumError, MediaError)  # nothing the command line could have said better


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vcd {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Find and localize copies in videos, by picture and by sound."""


def main() -> None:
    """Run the command line and exit with its code.

    0 done, 1 internal error, 2 wrong usage, 3 done but some inputs failed, 10 something was found
    (with --exit-code), 130 interrupted.
    """
    code = _run()
    if code == INTERRUPTED:
        # Worker threads may be inside a long file; files are written whole or not at all.
        _tell("interrupted; finished work is kept", code)
        sys.stderr.flush()
        abandon_writing()
        os._exit(code)
    sys.exit(code)


def _run() -> int:  # noqa: PLR0911 - one return for each way a command can end
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except SystemExit as error:
        # The framework turns a reader that has seen enough (vcd match ... | head) into exit 1.
        if isinstance(error.__context__, BrokenPipeError):
            return _reader_left()
        return error.code if isinstance(error.code, int) else _INTERNAL
    except BrokenPipeError:
        return _reader_left()
    except VcdError as error:
        return _tell(str(error), _INTERNAL if isinstance(error, _OURS) else _USAGE)
    except Exception as error:
        return _unforeseen(error)
    return code if isinstance(code, int) else 0


def _reader_left() -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _unforeseen(error: Exception) -> int:
    if hasattr(error, "exit_code") and hasattr(error, "show"):  # the framework's: wrong usage
        error.show()
        return int(error.exit_code)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _tell(f"results cannot be written ({error.strerror})", _USAGE)
    if os.environ.get("VCD_TRACEBACK"):
        raise error
    return _tell(
        f"internal error: {type(error).__name__}: {error} "
        "(please report it, with what VCD_TRACEBACK=1 shows)",
        _INTERNAL,
    )


def _tell(message: str, code: int) -> int:
    print(f"vcd: {message}", file=sys.stderr)  # noqa: T201
    return code
