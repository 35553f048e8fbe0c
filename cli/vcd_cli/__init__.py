"""The command line of vcd: arguments in, engine calls, report out; no logic of its own."""
