"""Words as pictures: a 5 by 7 bitmap font, smoothed when enlarged; no font file is needed."""

from __future__ import annotations

import numpy as np

from vcd_eval.making.canvas import Image, Mask, paint, resize

__all__ = ["GLYPH_HEIGHT", "WORDS", "text_mask", "write_text"]

WORDS = (
    "AMBER", "ANCHOR", "BASALT", "BEACON", "CEDAR", "COMET", "DELTA", "EMBER", "FABLE", "GLACIER",
    "HARBOR", "INDIGO", "JUNIPER", "KITE", "LANTERN", "MERIDIAN", "NOVA", "ORCHARD", "PRISM",
    "QUARTZ", "RIVER", "SIGNAL", "TUNDRA", "UMBRA", "VELVET", "WILLOW", "ZENITH",
)  # fmt: skip

GLYPH_HEIGHT = 7
_GLYPH_WIDTH = 5
_GAP = 1

# Five bytes a glyph, one a column from the left; the lowest bit is the top row.
_GLYPHS = {
    character: np.unpackbits(
        np.frombuffer(bytes.fromhex(columns), np.uint8)[:, None], axis=1, bitorder="little"
    ).T[:GLYPH_HEIGHT]
    for character, columns in {
        "0": "3e5149453e", "1": "00427f4000", "2": "4261514946", "3": "2141454b31",
        "4": "1814127f10", "5": "2745454539", "6": "3c4a494930", "7": "0171090503",
        "8": "3649494936", "9": "064949291e", "A": "7e1111117e", "B": "7f49494936",
        "C": "3e41414122", "D": "7f4141221c", "E": "7f49494941", "F": "7f09090901",
        "G": "3e4149497a", "H": "7f0808087f", "I": "00417f4100", "J": "2040413f01",
        "K": "7f08142241", "L": "7f40404040", "M": "7f020c027f", "N": "7f0408107f",
        "O": "3e4141413e", "P": "7f09090906", "Q": "3e4151215e", "R": "7f09192946",
        "S": "4649494931", "T": "01017f0101", "U": "3f4040403f", "V": "1f2040201f",
        "W": "3f4038403f", "X": "6314081463", "Y": "0708700807", "Z": "6151494543",
        " ": "0000000000", "!": "00005f0000", "%": "2313086462", "'": "0000070000",
        "+": "08083e0808", ",": "0050300000", "-": "0808080808", ".": "0060600000",
        "/": "2010080402", ":": "0036360000", "?": "0201510906",
    }.items()
}  # fmt: skip


def text_mask(text: str, height: float) -> Mask:
    """Return a line of capitals as coverage in [0, 1], shape (about `height`, its width).

    Characters the font lacks are left blank.
    """
    blank = np.zeros((GLYPH_HEIGHT, _GAP), np.uint8)
    columns = [blank]
    for character in text.upper():
        columns += [_GLYPHS.get(character, _GLYPHS[" "]), blank]
    small = np.pad(np.concatenate(columns, axis=1), 1).astype(np.float32)
    scale = height / GLYPH_HEIGHT
    size = max(1, round(small.shape[0] * scale)), max(1, round(small.shape[1] * scale))
    large = resize(small[:, :, None], size)[:, :, 0]
    edge = max(scale, 1.0) / 2  # pixels over which a contour fades
    return np.asarray(np.clip((large - 0.5) * edge * 2 + 0.5, 0, 1), np.float32)


def write_text(
    image: Image,
    text: str,
    x: float,
    y: float,
    *,
    height: float,
    colour: tuple[float, float, float],
    shadow: float = 0.0,
) -> None:
    """Write a line centred at (x, y) into an image, in place; `shadow` darkens what lies behind."""
    mask = text_mask(text, height)
    left, top = round(x - mask.shape[1] / 2), round(y - mask.shape[0] / 2)
    if shadow:
        offset = max(1, round(height / 12))
        paint(image, mask * shadow, left + offset, top + offset, (0.0, 0.0, 0.0))
    paint(image, mask, left, top, colour)
