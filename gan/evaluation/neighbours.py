"""Who is near to whom among many points: distances in float32, block by block, of which no whole matrix is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from gan.evaluation.estimates import require
from gan.linear_algebra import product

ROWS, COLUMNS = 1000, 10_000
"""of a block of distances: 40 MB"""


def squared_distances(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared L2 from x [m, d] to all of y [n, d], float32, as many rows of x at a time as its slice says.

    Distances are the same from any origin; near y's mean the squares cancel least.
    """
    origin = y.mean(0)
    y = y - origin
    squares, columns = y.square().sum(1), y.t()
    for start in range(0, len(x), ROWS):
        some = x[start:start + ROWS] - origin
        distances = product(some, columns).mul_(-2).add_(squares).add_(some.square().sum(1, keepdim=True))
        yield slice(start, start + len(some)), distances.clamp_(min=0)


def radii(points: Tensor, neighbours: Sequence[int]) -> Tensor:
    """Squared distance from each of `points` [n, d] to its k-th nearest other one, for each k: [n, len(neighbours)].

    Raises TooFew unless there are more points than neighbours.
    """
    require(len(points), max(neighbours) + 1, f"the distance to the {max(neighbours)}th neighbour")
    found = points.new_empty(len(points), len(neighbours))
    places = [k - 1 for k in neighbours]
    for rows, distances in squared_distances(points, points):
        distances[:, rows].fill_diagonal_(math.inf)  # itself
        found[rows] = distances.topk(max(neighbours), dim=1, largest=False, sorted=True).values[:, places]
    return found


def nearest(points: Tensor, others: Tensor, advance: Callable[[int], None] = lambda points: None
            ) -> tuple[Tensor, Tensor]:
    """Squared distance from each of `points` [m, d] to the nearest of `others` [n, d], float64 [m], and its place.

    That distance is computed anew from the difference, so that it is 0 for a copy. `advance` is called with the number
    of points finished since the last call.
    """
    best = torch.full((len(points),), math.inf, device=points.device)
    place = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    for start in range(0, len(others), COLUMNS):
        for rows, distances in squared_distances(points, others[start:start + COLUMNS]):
            values, indices = distances.min(1)
            closer = values < best[rows]
            best[rows] = torch.where(closer, values, best[rows])
            place[rows] = torch.where(closer, indices + start, place[rows])
            advance((rows.stop - rows.start) if start + COLUMNS >= len(others) else 0)
    exact = [(points[rows].double() - others[place[rows]].double()).square().sum(1)
             for rows in torch.arange(len(points), device=points.device).split(ROWS)]
    return torch.cat(exact), place
