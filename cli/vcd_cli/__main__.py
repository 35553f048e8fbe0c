"""Lets ``python -m vcd_cli`` stand for the command ``vcd``."""

from vcd_cli.main import main

main()
