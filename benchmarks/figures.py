"""Figures of several rounds: their median and how far they spread, and ratios within each round.

A machine that others use too is slower in one round than in the next. Ratios are taken within a round, where all were
measured one after the other, and their median is what is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median


@dataclass(frozen=True)
class Figure:
    """The median of all rounds, with the least and the most of them."""

    median: float
    least: float
    most: float


def figure(rounds: Sequence[float]) -> Figure:
    """Sums rounds up."""
    return Figure(median(rounds), min(rounds), max(rounds))


def ratio(rounds: Sequence[float], others: Sequence[float]) -> Figure:
    """How many times the others', round by round."""
    return figure([one / other for one, other in zip(rounds, others, strict=True)])


def percentile(values: Sequence[float], percent: float) -> float:
    """The least value that so many per cent of all are not above (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(1, ceil(len(ranked) * percent / 100)) - 1]
