"""The localizers the field compares with, behind the same protocol as ours.

Each is a function from a matrix of similarities to boxes of frame indices, with the published
defaults, and a class that is a `vcd.localization.Localizer`.
"""

from vcd_eval.localizers.dynamic_programming import DynamicProgramming, dynamic_programming_boxes
from vcd_eval.localizers.hough_voting import HoughVoting, hough_voting_boxes
from vcd_eval.localizers.published import PUBLISHED, published
from vcd_eval.localizers.temporal_network import TemporalNetwork, temporal_network_boxes
from vcd_eval.localizers.time_warping import TimeWarping, time_warping_boxes

__all__ = [
    "PUBLISHED",
    "DynamicProgramming",
    "HoughVoting",
    "TemporalNetwork",
    "TimeWarping",
    "dynamic_programming_boxes",
    "hough_voting_boxes",
    "published",
    "temporal_network_boxes",
    "time_warping_boxes",
]
