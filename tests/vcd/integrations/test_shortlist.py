"""Which references are worth a look does not depend on those beside them."""

import numpy as np
import pytest

pytest.importorskip("threatexchange")

from vcd.integrations.threatexchange.shortlist import Lane, Shortlist


def grid(chance, count):
    rows = chance.integers(-127, 128, (count, 64)).astype(np.int8)
    scale = (1 / np.linalg.norm(rows.astype(np.float32), axis=1)).astype(np.float32)
    nothing = np.zeros(count, np.float32)
    return {"visual": Lane(rows, scale, nothing, nothing)}


def kept(query, references):
    """Return which references are worth a look, by their place in the list given."""
    shortlist = Shortlist()
    for _, reference in references:
        shortlist.add(reference)
    return [references[place][0] for place in shortlist.ranking(query, compact=False)]


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_change_nothing(seed):
    chance = np.random.default_rng(seed)
    query = grid(chance, 30)
    references = [(number, grid(chance, int(chance.integers(3, 40)))) for number in range(20)]
    together = kept(query, references)
    assert together
    assert kept(query, references[::-1]) == together
    alone = {number for number, lanes in references if kept(query, [(number, lanes)])}
    assert set(together) == alone


def test_what_is_short_is_looked_at():
    chance = np.random.default_rng(0)
    long, still = grid(chance, 30), grid(chance, 1)
    still["visual"].vectors[0] = long["visual"].vectors[7]
    assert kept(still, [("long", long)]) == ["long"]
    assert kept(long, [("still", still)]) == ["still"]
