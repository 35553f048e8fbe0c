"""Two kinds of evidence in one vector: cosines add up, and the telling directions are kept."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from vcd.errors import ContractError
from vcd.training.discriminants import discriminants
from vcd.training.evidence import Both, Linear, narrow


class Unit(torch.nn.Module):
    """Some of the numbers of a row, as a unit vector."""

    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, x):
        return torch.nn.functional.normalize(x[:, self.part], dim=1)


def copies(n=600, features=12, telling=6):
    """Return originals and copies of which the last features tell nothing."""
    generator = torch.Generator().manual_seed(0)
    plain = torch.randn(n, features, generator=generator)
    noise = torch.randn(n, features, generator=generator)
    noise[:, :telling] *= 0.05
    edited = plain + noise
    return list(zip(plain.chunk(2), edited.chunk(2), strict=True))


def test_discriminants_keep_what_differs_and_drop_what_edits_change():
    rng = np.random.default_rng(0)
    plain = rng.normal(0, 1, (2000, 8))
    plain[:, 4:] *= 0.1
    edited = plain[None] + rng.normal(0, 1, (2, 2000, 8)) * np.array([0.1] * 4 + [1.0] * 4)
    _, projection = discriminants(plain, edited, 4)
    share = np.abs(projection[:4]).sum() / np.abs(projection).sum()
    assert share > 0.9


def test_a_cosine_of_both_is_the_weighted_mean_of_two():
    x = torch.randn(5, 7, generator=torch.Generator().manual_seed(1))
    first, second = Unit(slice(0, 3)), Unit(slice(3, 7))
    vectors = Both(first, second, share=0.3)(x)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5))
    cosines = 0.7 * first(x) @ first(x).T + 0.3 * second(x) @ second(x).T
    torch.testing.assert_close(vectors @ vectors.T, cosines)


def test_a_linear_map_finds_copies_that_plain_features_do_not():
    found = copies()
    plain, edited = (torch.cat(part) for part in zip(*found, strict=True))
    hits = [
        np.mean((describe(edited) @ describe(plain).T).argmax(dim=1).numpy() == np.arange(600))
        for describe in (torch.nn.functional.normalize, Linear.fitted(found, 6))
    ]
    assert hits[0] < 0.75
    assert hits[1] > 0.95


def test_a_narrow_head_gives_the_same_directions_of_what_the_wide_one_gave():
    head = torch.nn.Linear(5, 12)
    inputs = torch.randn(9, 5, generator=torch.Generator().manual_seed(2))
    narrower = narrow(head, copies(), 4)
    plain, edited = (torch.cat(part).numpy() for part in zip(*copies(), strict=True))
    _, projection = discriminants(plain, edited, 4, shrinkage=10.0)
    with torch.inference_mode():
        expected = head(inputs).double() @ torch.from_numpy(projection)
        torch.testing.assert_close(narrower(inputs).double(), expected, atol=1e-5, rtol=1e-4)


def test_more_directions_than_features_are_refused():
    with pytest.raises(ContractError, match="7 directions"):
        discriminants(np.eye(6), np.eye(6), 7)
