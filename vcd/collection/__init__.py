"""Collections: folders into a library, what occurs twice in it, and how good its search is."""

from vcd.collection.adding import Added, add_files
from vcd.collection.checking import check, measure_recall

__all__ = ["Added", "add_files", "check", "measure_recall"]
