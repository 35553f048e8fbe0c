"""The evaluation package of vcd: benchmark formats and metrics, and the media of `vcd demo`.

It scores plain files and arrays without any model, and haystacks of media with the models of vcd;
nothing is imported before it is asked for.
"""
