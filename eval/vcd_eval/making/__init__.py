"""Made pictures, sounds and films, and the files they are written to: the media of `vcd demo`."""
