"""Library: many described videos in one file, and search for what a query may share with them."""

from vcd.library.candidates import Candidate, is_promising
from vcd.library.catalogue import Decision, Entry, Origin
from vcd.library.index import Index
from vcd.library.searching import LibrarySearch
from vcd.library.store import SUFFIX, Library

__all__ = [
    "SUFFIX",
    "Candidate",
    "Decision",
    "Entry",
    "Index",
    "Library",
    "LibrarySearch",
    "Origin",
    "is_promising",
]
