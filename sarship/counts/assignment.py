"""Chances of links between things that each have at most one predecessor and at most one successor.

Sightings of a series of passes are strung into visits by links from one to a later one. Each has at most one link in
and one link out, so a way to string them is a matching of two copies of the sightings: as one that goes on, and as one
that was there before. A sighting that is none is linked with itself. The weight of a matching is the product of those
of its links; over all passes at once the best is that of an assignment, and the share that a link has in all of them
is given by belief propagation, which converges for matchings (Williams and Lau 2014, doi:10.1109/TAES.2014.120568).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

__all__ = ["best_links", "link_chances"]

Reals = NDArray[np.float64]
Numbers = NDArray[np.int64]

CLOSE: Final = 1e-6
"""Largest change of a message at which they are taken as settled."""
MOST_ROUNDS: Final = 300


def link_chances(source: Numbers, target: Numbers, weight: Reals, n: int) -> Reals:
    """Return the chance of each link.

    Parameters
    ----------
    source, target
        Numbers of the sightings that a link joins, (n_links,), below `n`.
    weight
        Weight of a link over that of its two ends left open, (n_links,), not negative.
    n
        Number of sightings.

    Returns
    -------
    ndarray of float64
        Chance of each, 0 … 1, (n_links,); those from one sighting, and those to one, sum to 1 at most.

    Examples
    --------
    Two that could be the next of one, the first with three times the weight:

    >>> link_chances(np.array([0, 0]), np.array([1, 2]), np.array([3.0, 1.0]), 3).round(2)
    array([0.6, 0.2])
    """
    onward = np.ones_like(weight)  # messages from a target to a source, and back
    for _ in range(MOST_ROUNDS):
        offered = weight * onward
        back = weight / (1 + np.maximum(np.bincount(source, offered, n)[source] - offered, 0))
        after = 1 / (1 + np.maximum(np.bincount(target, back, n)[target] - back, 0))
        change = np.abs(after - onward).max(initial=0)
        onward = after
        if change < CLOSE:
            break
    offered = weight * onward
    return np.asarray(offered / (1 + np.bincount(source, offered, n)[source]))


def best_links(source: Numbers, target: Numbers, gain: Reals, n: int) -> Numbers:
    """Return the numbers of the links of the matching with the largest sum of gains, in order.

    Parameters
    ----------
    source, target, n
        As for `link_chances`; no pair twice.
    gain
        Gain of each link, (n_links,); one of no gain is not taken.

    Examples
    --------
    The second best for the one, as the other has no second:

    >>> best_links(np.array([0, 0, 1]), np.array([2, 3, 2]), np.array([3.0, 2.0, 2.5]), 4)
    array([1, 2])
    """
    useful = np.flatnonzero(gain > 0)
    if not useful.size:
        return useful
    # each source may also stay open: a target of its own, of no gain. Sparse zeros are no links, hence the one more
    row = np.concatenate([source[useful], np.arange(n)])
    column = np.concatenate([target[useful], n + np.arange(n)])
    cost = np.concatenate([-gain[useful], np.zeros(n)]) + gain.max() + 1
    rows, columns = min_weight_full_bipartite_matching(sparse.csr_array((cost, (row, column)), shape=(n, 2 * n)))
    taken = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    return useful[[taken[int(source[k])] == target[k] for k in useful]]
