"""Training of the refiner: which cells of a similarity matrix lie on the line of a copy."""
