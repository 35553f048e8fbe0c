"""Training: makes and exports the models that lie in onnx/ (extra `train`; the only torch here)."""
