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

_ACCEPTED: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
}


def settings_text(kind: type[DataclassInstance]) -> str:
    """Return the settings used where nothing else is said, as TOML."""
    return "".join(f"{f.name} = {str(f.default).lower()}\n" for f in fields(kind))


def read_settings(path: str | os.PathLike[str], kind: type[Settings]) -> Settings:
    """Read settings from TOML; what the file leaves out stays as the record has it.

    Parameters
    ----------
    path : path
    kind : type
        A dataclass of numbers and of what is true or false, such as `VisualTraining`.

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
        accepted, wanted = _ACCEPTED[kinds[name]]
        if type(value) not in accepted:
            raise ModelError(f"{name} is {value!r}, not {wanted}", file=path, remedy="mend it")
    try:
        return kind(**{name: kinds[name](value) for name, value in content.items()})
    except ContractError as error:
        raise ModelError(error.problem, file=path, remedy=error.remedy) from None
