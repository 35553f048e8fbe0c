"""Plain files are scored without what runs models or decodes media."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
for name in ("onnxruntime", "av", "matplotlib", "sklearn"):
    sys.modules[name] = None  # an import of it fails
import vcd_eval.candidates, vcd_eval.descriptors, vcd_eval.fivr, vcd_eval.fivr_files
import vcd_eval.formats, vcd_eval.localizer_comparison, vcd_eval.ranking, vcd_eval.vcdb
import vcd_eval.matrices, vcd_eval.score_normalisation, vcd_eval.vcsl, vcd_eval.vsc
import vcd_eval.vsc_validation
"""


def test_no_module_needs_a_model_or_a_decoder() -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
