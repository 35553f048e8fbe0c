"""Integrations: vcd as a part of other people's systems; each needs an extra of its own."""
