"""Temporal network (TN): the longest weighted path through the best matches of every frame.

References
----------
.. [1] H.-K. Tan, C.-W. Ngo, R. Hong, T.-S. Chua, "Scalable detection of partial near-duplicate
   videos by visual-temporal consistency", ACM Multimedia 2009.
.. [2] S. He, X. Yang, C. Jiang et al., "A Large-scale Comprehensive Dataset and Copy-overlap Aware
   Evaluation Protocol for Segment-level Video Copy Detection", CVPR 2022, whose graph is that here
   (https://github.com/alipay/VCSL, commit 25ee60f).
.. [3] E. Pizzi, G. Kordopatis-Zilos, H. Patel et al., "The 2023 Video Similarity Dataset and
   Challenge", Computer Vision and Image Understanding 243, 2024: its baseline is TN with
   ``tn_max_step=5, min_length=4`` on score-normalised similarities plus 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from vcd.errors import EvaluationError
from vcd.records import Segment, SimilarityMatrix
from vcd_eval.localizers.boxes import Boxes, Floats, as_boxes, as_similarity, overlap, to_segments

__all__ = ["TemporalNetwork", "temporal_network_boxes"]

_FAR = np.iinfo(np.int64).max
Integers = npt.NDArray[np.int64]


def temporal_network_boxes(
    similarity: npt.ArrayLike,
    *,
    tn_max_step: int = 10,
    tn_top_k: int = 5,
    max_path: int = 10,
    min_sim: float = 0.2,
    min_length: int = 5,
    max_iou: float = 0.3,
) -> Boxes:
    """Return the boxes of the longest paths, in the order they are found.

    Nodes are the `tn_top_k` most similar references of every query frame. An edge leads forwards by
    less than `tn_max_step` frames on both axes to a node of at least `min_sim`, and is worth that
    similarity, unless a reference strictly between was already reached from the same query frame.
    The heaviest path is taken, its edges become worthless, and so on. As in the published code the
    last node serves as sink and lies in no box.

    Parameters
    ----------
    similarity : array_like, shape (n, m)
    tn_max_step, tn_top_k : int
        At least 2 and 1.
    max_path : int
        Paths taken after the first.
    min_sim : float
        Also the least sum of similarities on a path, divided by the mean side of its box.
    min_length : int
        Both sides of a box are longer, measured from first to last frame.
    max_iou : float
        Boxes that overlap one found earlier by this much are dropped.

    Raises
    ------
    EvaluationError
        A parameter is out of range, or the similarity is no matrix of finite numbers.
    """
    values = as_similarity(similarity)
    if tn_max_step < 2 or tn_top_k < 1:
        raise EvaluationError(
            f"tn_max_step must be at least 2 and tn_top_k 1, got {tn_max_step} and {tn_top_k}"
        )
    if not values.size:
        return as_boxes([])
    refs = np.argsort(-values, axis=1, kind="stable")[:, :tn_top_k]
    sims = np.take_along_axis(values, refs, axis=1)
    weights = _edges(refs, sims, tn_max_step, min_sim)
    boxes: list[list[int]] = []
    for _ in range(max_path + 1):
        frames, nodes = _heaviest_path(weights)
        if not len(frames):
            break
        reached = refs[frames, nodes]
        box = [int(x) for x in (frames.min(), reached.min(), frames.max(), reached.max())]
        sides = box[2] - box[0], box[3] - box[1]
        if (
            min(sides) > min_length
            and 2 * sims[frames, nodes].sum() > min_sim * sum(sides)
            and overlap(box, boxes) < max_iou
        ):
            boxes.append(box)
    return as_boxes(boxes)


def _edges(refs: Integers, sims: Floats, max_step: int, min_sim: float) -> Floats:
    """Return the weights of edges, -inf where there is none.

    Shape (n, max_step - 1, k, k): of the edge into node l of frame j from node i of frame
    ``j - max_step + 1 + d`` at ``[j, d, i, l]``.
    """
    n, k = refs.shape
    weights = np.full((n, max_step - 1, k, k), -np.inf)
    nearest = np.full((n, k), _FAR)  # the next reference reached from each frame, after each node's
    for step in range(1, min(max_step, n)):
        source, target = refs[:-step, :, None], refs[step:, None, :]
        leap = target - source
        edge = (leap > 0) & (leap < max_step) & (sims[step:, None, :] >= min_sim)
        edge &= target <= nearest[:-step, :, None]
        weights[step:, max_step - 1 - step] = np.where(edge, sims[step:, None, :], -np.inf)
        reached = np.where(edge.any(axis=1, keepdims=True) & (leap > 0), target, _FAR)
        np.minimum(nearest[:-step], reached.min(axis=2), out=nearest[:-step])
    weights[-1, :, :, -1] = -np.inf  # the sink
    return weights


def _heaviest_path(weights: Floats) -> tuple[Integers, Integers]:
    """Return frames and nodes of the heaviest path, last node first, and make its edges 0.

    Of equal paths the one with the earlier predecessor wins. A path may be one node, and is empty
    where the sink is the only node.
    """
    n, steps, k, _ = weights.shape
    reach = np.full((n + steps, k), -np.inf)
    before = np.full((n, k), -1, np.int64)
    nodes = np.arange(k)
    for frame in range(n):
        routes = (reach[frame : frame + steps, :, None] + weights[frame]).reshape(-1, k)
        best = routes.argmax(axis=0)
        gain = routes[best, nodes]
        continues = gain >= 0
        reach[frame + steps] = np.where(continues, gain, 0)
        before[frame] = np.where(continues, best, -1)
    reach[-1, -1] = -np.inf  # the sink
    if np.isneginf(reach.max()):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    frame, node = (int(x) for x in divmod(int(reach[steps:].argmax()), k))
    path = [(frame, node)]
    while before[frame, node] >= 0:
        back, earlier = (int(x) for x in divmod(int(before[frame, node]), k))
        weights[frame, back, earlier, node] = 0
        frame, node = frame - steps + back, earlier
        path.append((frame, node))
    frames, taken = np.array(path, dtype=np.int64).T
    return frames, taken


@dataclass(frozen=True, slots=True)
class TemporalNetwork:
    """`temporal_network_boxes` as a localizer.

    `bias` is added to similarities first: score-normalised ones are negative mostly, which the
    network does not take for evidence. It takes no part in scores.
    """

    name: ClassVar[str] = "TN"
    tn_max_step: int = 10
    tn_top_k: int = 5
    max_path: int = 10
    min_sim: float = 0.2
    min_length: int = 5
    max_iou: float = 0.3
    bias: float = 0.0

    def localize(self, matrix: SimilarityMatrix) -> list[Segment]:
        """Return segments, the best first (see `vcd_eval.localizers.boxes.to_segments`)."""
        boxes = temporal_network_boxes(
            matrix.values + np.float32(self.bias),
            tn_max_step=self.tn_max_step,
            tn_top_k=self.tn_top_k,
            max_path=self.max_path,
            min_sim=self.min_sim,
            min_length=self.min_length,
            max_iou=self.max_iou,
        )
        return to_segments(boxes, matrix)
