"""`vcd eval`: scores by the metrics of the field."""

from __future__ import annotations

import typer

from vcd_cli import (
    evaluate_compare,
    evaluate_fivr,
    evaluate_localizers,
    evaluate_make,
    evaluate_vcdb,
    evaluate_vcsl,
    evaluate_vsc,
    haystack,
)

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Score predictions by the metrics of the field.",
    epilog=evaluate_vsc.MATCHING_EXAMPLES,
)
app.add_typer(evaluate_vsc.app, name="vsc")
app.command("vcsl", epilog=evaluate_vcsl.EXAMPLES)(evaluate_vcsl.vcsl)
app.command("fivr", epilog=evaluate_fivr.EXAMPLES)(evaluate_fivr.fivr)
app.command("vcdb", epilog=evaluate_vcdb.EXAMPLES)(evaluate_vcdb.vcdb)
app.command("haystack", epilog=haystack.EXAMPLES)(haystack.haystack)
app.command("make", epilog=evaluate_make.EXAMPLES)(evaluate_make.make)
app.command("localizers", epilog=evaluate_localizers.EXAMPLES)(evaluate_localizers.localizers)
app.command("compare", epilog=evaluate_compare.EXAMPLES)(evaluate_compare.compare)
