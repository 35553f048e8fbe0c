"""Settings of training as TOML: the record of a kind of training written out, and read again."""

from __future__ import annotations

import os
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from vcd.errors import ContractError, ModelError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["read_settings", "settings_text"]

Settings = TypeVar("Settings", bound="DataclassInstance")


def settings_text(kind: type[DataclassInstance]) -> str:
    """Return the settings used where nothing else is said, as TOML."""
    return "".join(f"{f.name} = {f.default}\n" for f in fields(kind))


def read_settings(path: str | os.PathLike[str], kind: type[Settings]) -> Settings:
    """Read settings from TOML; what the file leaves out stays as the record has it.

    Parameters
    ----------
    path : path
    kind : type
        A dataclass of numbers, such as `VisualTraining`.

    Raises
    ------
    ModelError
        The file cannot be read, is not TOML, or names or values are not as in the record.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"cannot be read ({error.strerror or error})", file=path, remedy="check the path"
        ) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or nested without end
        raise ModelError(
            f"is not TOML: {error}", file=path, remedy="mend it at the place named"
        ) from error
    kinds: dict[str, Any] = {f.name: type(f.default) for f in fields(kind)}
    for name, value in content.items():
        if name not in kinds:
            raise ModelError(
                f"{name!r} is no setting", file=path, remedy=f"the settings are {', '.join(kinds)}"
            )
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole or (kinds[name] is float and isinstance(value, float))):
            wanted = "a number" if kinds[name] is float else "a whole number"
            raise ModelError(f"{name} is {value!r}, not {wanted}", file=path, remedy="mend it")
    try:
        return kind(**{name: kinds[name](value) for name, value in content.items()})
    except ContractError as error:
        raise ModelError(error.problem, file=path, remedy=error.remedy) from None
