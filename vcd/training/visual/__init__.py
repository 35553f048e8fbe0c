"""Trains the descriptor of pictures: self-supervised, from edited copies of free pictures."""
