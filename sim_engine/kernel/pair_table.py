"""Pairs by their agents: open addressing.

A table of size n lies at n..2n of pair_entries, so that it can grow in place.
"""

import numpy as np

from sim_engine.kernel.jit import inlined, is_plain, part
from sim_engine.kernel.layout import INFINITE, NIL, Work

_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""Knuth's multiplicative hashing: 2^64 over the golden ratio."""


@inlined
def _pair_key(sender: int, receiver: int) -> int:
    return (np.uint64(sender) << np.uint64(32)) | np.uint64(receiver)


@inlined
def pair_entry(w: Work, sender: int, receiver: int) -> int:
    """Where the pair stands in the table, or would stand: its key there is 0 then."""
    key = _pair_key(sender, receiver)
    size = np.uint64(w.counts[0].pair_table)
    at = ((key * _HASH_FACTOR) >> np.uint64(32)) & (size - np.uint64(1))
    while True:
        entry = w.pair_entries[size + at]
        if entry.key == key or entry.key == np.uint64(0):
            return size + at
        at = (at + np.uint64(1)) & (size - np.uint64(1))


@inlined
def pair_of(w: Work, sender: int, receiver: int) -> int:
    """The pair, made if it is not there."""
    at = pair_entry(w, sender, receiver)
    if w.pair_entries[at].key != np.uint64(0):
        return w.pair_entries[at].pair
    return _new_pair(w, sender, receiver)


@part
def _new_pair(w: Work, sender: int, receiver: int) -> int:
    counts = w.counts[0]
    if 2 * counts.pairs >= counts.pair_table:
        counts.pair_table *= 2
        for q in range(counts.pairs):
            _enter_pair(w, np.uint32(q))
    p = np.uint32(counts.pairs)
    counts.pairs += 1
    pair = w.pairs[p]
    pair.total = 0
    pair.oldest = NIL
    pair.newest = NIL
    pair.sender = sender
    pair.receiver = receiver
    pair.both_ways = NIL
    pair.sweep = 0
    pair.reverse = NIL
    if not is_plain(w):
        w.pair_limits[p].limit = INFINITE
        w.pair_limits[p].position = 0
    _enter_pair(w, p)
    reverse = w.pair_entries[pair_entry(w, receiver, sender)]
    if reverse.key != np.uint64(0):
        pair.reverse = reverse.pair
        w.pairs[reverse.pair].reverse = p
    return p


@part
def _enter_pair(w: Work, p: int) -> None:
    pair = w.pairs[p]
    entry = w.pair_entries[pair_entry(w, pair.sender, pair.receiver)]
    entry.key = _pair_key(pair.sender, pair.receiver)
    entry.pair = p
