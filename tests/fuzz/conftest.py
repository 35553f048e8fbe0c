"""The corpus, made once."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from corpus import make_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Return whole files, by kind."""
    return make_corpus(tmp_path_factory.mktemp("corpus"))
