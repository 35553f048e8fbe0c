"""Training of the audio descriptor: a network on log-mel spectrograms, learnt from edited sound."""
