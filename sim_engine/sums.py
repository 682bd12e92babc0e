"""Sums of money that are exact: numpy's weighted bincount adds floats."""

import numpy as np


def sums_by_group(groups: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Sum of the values of each group 0..count-1, int64."""
    sums = np.zeros(count, np.int64)
    np.add.at(sums, groups, values)
    return sums


def total(amounts: np.ndarray) -> int:
    """Sum of int64 amounts of 0 and above, exact beyond int64: by their upper and lower 32 bits."""
    return (int((amounts >> 32).sum()) << 32) + int((amounts & 0xFFFFFFFF).sum())
