"""Report: matches in; something for a person or a program out; computes nothing about copies."""

from vcd.report.html import write_html
from vcd.report.plot import plot_file_name, plot_pair, require_matplotlib
from vcd.report.views import MediaView, PairView, RunReport, query_coverage, ref_coverage
from vcd.report.writers import (
    FORMATS,
    ResultWriter,
    make_writer,
    match_record,
    whole_file,
    write_results,
)

__all__ = [
    "FORMATS",
    "MediaView",
    "PairView",
    "ResultWriter",
    "RunReport",
    "make_writer",
    "match_record",
    "plot_file_name",
    "plot_pair",
    "query_coverage",
    "ref_coverage",
    "require_matplotlib",
    "whole_file",
    "write_html",
    "write_results",
]
