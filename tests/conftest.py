"""What all tests share: the folder of made records, and where the shared data lies."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Machines differ in speed: a property holds or not, however long an example takes.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "vcd"))


def _shared_folder():
    return Path(os.environ.get("VCD_SHARED", ROOT.parent / "shared"))


def pytest_collection_modifyitems(items):
    if (_shared_folder() / "haystack").is_dir():
        return
    skip = pytest.mark.skip(reason="the shared data folder is not here")
    for item in items:
        if "shared" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared():
    """Return the folder of shared data."""
    return _shared_folder()


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """Return the media of `vcd demo`, made once."""
    from vcd_eval.demo import make_demo

    return make_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory):
    """Return one cache for all tests that describe the demo's media."""
    return tmp_path_factory.mktemp("cache")
