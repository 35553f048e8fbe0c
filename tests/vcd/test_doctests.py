"""Every public name shows how it is used, and the examples run."""

import doctest
import importlib
import shutil

import pytest

import vcd

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
ROOMS = [
    "vcd",
    "vcd.errors",
    "vcd.records",
    "vcd.engine",
    "vcd.library.store",
    "vcd.report.wording",
]
ROOMS += ["vcd.localization.alignment"]


@pytest.fixture
def folder(demo, tmp_path, monkeypatch):
    """Go to a folder with the files that the examples name."""
    shutil.copy(demo.folder / "queries" / "faster.mp4", tmp_path / "query.mp4")
    (tmp_path / "refs").mkdir()
    for name in ("mountains", "city"):
        shutil.copy(demo.folder / "refs" / f"{name}.mp4", tmp_path / "refs")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ROOMS)
def test_examples_run(name, folder):
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert tried > 0
    assert failed == 0


@pytest.mark.parametrize("name", sorted(set(vcd.__all__) - {"__version__"}))
def test_every_public_name_has_an_example(name):
    text = getattr(vcd, name).__doc__
    assert ">>>" in text
    assert "+SKIP" not in text


def test_signal_type_examples():
    module = pytest.importorskip("vcd.integrations.threatexchange.signal")
    failed, tried = doctest.testmod(module, optionflags=OPTIONS)
    assert (failed, tried > 0) == (0, True)
