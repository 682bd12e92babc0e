"""A binary heap of int64, smallest first."""

from sim_engine.kernel.jit import inlined
from sim_engine.kernel.layout import Work


@inlined
def push(w: Work, key: int) -> None:
    """Takes in a key."""
    heap, counts = w.heap, w.counts[0]
    at = counts.heap
    counts.heap += 1
    while at > 0:
        above = (at - 1) >> 1
        if heap[above] <= key:
            break
        heap[at] = heap[above]
        at = above
    heap[at] = key


@inlined
def pop(w: Work) -> int:
    """Takes out the smallest key; there is one."""
    heap, counts = w.heap, w.counts[0]
    smallest = heap[0]
    counts.heap -= 1
    size = counts.heap
    key = heap[size]
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and heap[below + 1] < heap[below]:
            below += 1
        if heap[below] >= key:
            break
        heap[at] = heap[below]
        at = below
    heap[at] = key
    return smallest
