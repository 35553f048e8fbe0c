"""`import vcd` is light, lazy, and shows exactly the public names."""

import subprocess
import sys

import pytest

import vcd

HEAVY = ["torch", "av", "onnxruntime", "matplotlib", "sklearn", "rich", "typer", "decord"]


def test_all_public_names_are_there():
    for name in vcd.__all__:
        assert getattr(vcd, name) is not None
    assert set(dir(vcd)) == set(vcd.__all__)


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = vcd.nothing


def test_import_loads_nothing_heavy():
    code = f"import sys, vcd; print([m for m in {HEAVY} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_engine_loads_no_decoder_and_no_session():
    code = f"import sys, vcd; vcd.Engine; print([m for m in {HEAVY} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
