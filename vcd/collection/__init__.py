"""Collections: folders into a library, what occurs twice in it, and how good its search is."""

from vcd.collection.adding import Added, add_files
from vcd.collection.checking import check, measure_recall
from vcd.collection.duplicates import find_duplicates
from vcd.collection.grouping import Duplicates, Group, Pair, Policy

__all__ = [
    "Added",
    "Duplicates",
    "Group",
    "Pair",
    "Policy",
    "add_files",
    "check",
    "find_duplicates",
    "measure_recall",
]
