"""Recipes: what is read is what was written, and every mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from vcd.errors import EvaluationError
from vcd_eval.making.recipe import Choice, Recipe, read_recipe, recipe_text


def test_a_recipe_changes_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(
        """
queries = 7
speed = [0.8, 1.25]
[layouts]
inside = 1
[picture]
crop = 2
blur = {weight = 0.5, strength = [0.1, 0.4]}
text = {strength = 0.7}
"""
    )
    recipe = read_recipe(path)
    assert (recipe.queries, recipe.speed, dict(recipe.layouts)) == (7, (0.8, 1.25), {"inside": 1})
    assert dict(recipe.picture) == {
        "crop": Choice(2.0, (0.0, 1.0)),
        "blur": Choice(0.5, (0.1, 0.4)),
        "text": Choice(1.0, (0.7, 0.7)),
    }
    assert (recipe.sound, recipe.distractors) == (Recipe().sound, Recipe().distractors)


def test_the_recipe_shown_is_the_one_used(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(recipe_text())
    assert read_recipe(path) == Recipe()
    for name in ("layouts", "picture", "sound"):
        assert f"[{name}]" in recipe_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("querys = 3", r"the recipe knows no 'querys' \(choose among queries, "),
        ("[picture]\nmelt = 1", r"\[picture\] knows no 'melt' \(choose among crop, "),
        ("[sound]\nmelt = 1", r"\[sound\] knows no 'melt' \(choose among mute, "),
        ("[layouts]\nmelt = 1", r"\[layouts\] knows no 'melt' \(choose among inside, "),
        ("[picture]\ncrop = {force = 1}", r"picture.crop knows no 'force' \(choose among weight"),
        ("[picture]\ncrop = {strength = [0.5, 1.5]}", r"picture.crop.strength must be \[lowest"),
        ("[picture]\ncrop = -1", "picture.crop must be a weight of at least 0, got -1"),
        ("[picture]\ncrop = 'much'", "picture.crop must be a number, got 'much'"),
        ("picture = 3", r"\[picture\] must be a table of weights, got 3"),
        ("[layouts]\ninside = 0", "layouts needs an entry with a positive weight"),
        ("queries = 2.5", "queries must be a whole number, got 2.5"),
        ("queries = true", "queries must be a number, got True"),
        ("queries = 0", r"queries must lie in \[1, 1000000\], got 0"),
        ("distractors = 1.5", r"distractors must lie in \[0, 1\], got 1.5"),
        ("distractors = nan", r"distractors must lie in \[0, 1\], got nan"),
        ("speed = 2", r"speed must be two numbers, \[lowest, highest\], got 2"),
        ("speed = [2, 0.5]", "speed must name the lower bound first"),
        ("queries = ", "is not TOML"),
    ],
)
def test_mistakes_are_named_with_file_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(EvaluationError, match=message) as caught:
        read_recipe(path)
    assert caught.value.file == str(path)
    assert caught.value.remedy


def test_a_recipe_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"none\.toml: cannot be read"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "r.toml").write_bytes(b"\xff")
    with pytest.raises(EvaluationError, match="is not TOML"):
        read_recipe(tmp_path / "r.toml")
