"""Small pictures of which one fact is known exactly, and the measurement of that fact on any picture.

Pictures are [n, 16, 16] in [0, 1], ink 1 on paper 0; x is the column of a pixel's centre, y its row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SIDE = 16
RADIUS, GAP = 2.0, 2.0
"""Of discs that are to be counted, and least distance between two"""
EYES = (1.0, 2.6)
"""Radii"""
TOP = 8
"""First row in which a road's lines are drawn"""
BASES, SHIFT = (1.25, 7.5, 13.75), 0.5
"""Where the lines cross the last row, and by how much at most they are off these places"""
VANISHING = ((2.0, 13.0), (-3.0, 0.0))
"""x and y of the vanishing point"""
INK, LINE = 0.5, 0.25
"""A pixel above this belongs to an object, to a line"""
ROUND, STRAY, STRAIGHT = 0.25, 1.0, 0.25
"""Limits of what is well formed: a disc's misfit by its mass; mass outside all discs; a line's wobble in pixels"""
MISS, DIFFER = 0.5, 0.25
"""Wrong is: a line that misses the common point by more, in pixels; areas that differ by more, by their mean"""


@dataclass(frozen=True)
class Measured:
    """One fact of n pictures."""

    value: Array
    """[n]: how many objects; by how much the lines miss, in pixels; difference of the areas by their mean. NaN where
    the picture has no such thing"""
    wrong: Mask
    """[n]: whether that is another fact than every real picture's; False where there is no value"""
    well_formed: Mask
    """[n]: whether all parts, each by itself, are as in real pictures"""


@dataclass(frozen=True)
class Scene:
    """A kind of picture."""

    draw: Callable[[int, torch.Generator], Tensor]
    """n pictures"""
    measure: Callable[[Array], Measured]


def scenes(counts: list[int]) -> dict[str, Scene]:
    """Discs of each number in `counts`, roads and eyes, by name."""
    def discs_of(count: int) -> Scene:
        return Scene(lambda n, stream: counted(n, count, stream), lambda pictures: measure_count(pictures, count))

    return {f"{count} discs": discs_of(count) for count in counts} | {
        "road": Scene(roads, measure_road), "eyes": Scene(eyes, measure_eyes)}


# Drawing.

def discs(centres: Tensor, radii: Tensor) -> Tensor:
    """The discs' union: centres [n, k, 2] as (x, y), radii [n, k]. A pixel is r + ½ − its distance from the centre."""
    at = torch.arange(SIDE, dtype=torch.float32)
    x, y = (centres[..., axis, None, None] for axis in (0, 1))
    distance = ((at - x).square() + (at[:, None] - y).square()).sqrt()
    return (radii[..., None, None] + 0.5 - distance).clamp(0, 1).amax(1)


def counted(n: int, count: int, stream: torch.Generator) -> Tensor:
    """Pictures of exactly `count` discs, anywhere in the picture, no two nearer than GAP."""
    edge, found = RADIUS + 0.5, torch.empty(0, count, 2)
    apart = 2 * RADIUS + GAP
    while len(found) < n:
        centres = edge + (SIDE - 1 - 2 * edge) * torch.rand(n, count, 2, generator=stream)
        distances = torch.cdist(centres, centres) + torch.eye(count) * SIDE
        found = torch.cat((found, centres[distances.amin((1, 2)) >= apart]))
    return discs(found[:n], torch.full((n, count), RADIUS))


def eyes(n: int, stream: torch.Generator) -> Tensor:
    """Pictures of a disc in the left half and one of the same radius in the right half, each anywhere in it."""
    radius = EYES[0] + (EYES[1] - EYES[0]) * torch.rand(n, 1, generator=stream)
    place, edge = torch.rand(n, 2, 2, generator=stream), radius + 0.5
    x = edge + (SIDE / 2 - 1 - 2 * edge) * place[..., 0] + torch.tensor([0.0, SIDE / 2])
    y = edge + (SIDE - 1 - 2 * edge) * place[..., 1]
    return discs(torch.stack((x, y), -1), radius.expand(-1, 2))


def roads(n: int, stream: torch.Generator) -> Tensor:
    """Pictures of three lines that lead to one point, see `road_lines`."""
    return draw_lines(road_lines(n, stream))


def road_lines(n: int, stream: torch.Generator) -> Tensor:
    """x [n, 3, rows] of three lines in the rows from TOP on, towards a vanishing point above the picture."""
    u = torch.rand(n, 5, generator=stream)
    (left, right), (high, low) = VANISHING
    x, y = left + (right - left) * u[:, :1, None], high + (low - high) * u[:, 1:2, None]
    bases = (torch.tensor(BASES) + SHIFT * (2 * u[:, 2:] - 1)).unsqueeze(-1)
    return x + (bases - x) * (torch.arange(TOP, SIDE) - y) / (SIDE - 1 - y)


def draw_lines(lines: Tensor) -> Tensor:
    """Lines [n, 3, rows], one pixel wide: in each row the ink's centre of mass is the line's x exactly."""
    pictures = torch.zeros(len(lines), SIDE, SIDE)
    pictures[:, TOP:] = (1 - (torch.arange(SIDE) - lines.unsqueeze(-1)).abs()).clamp(0).sum(1)
    return pictures


# Measuring.

@dataclass(frozen=True)
class Discs:
    """The objects of n pictures, m in all: what hangs together above INK, with the pixels around it."""

    count: NDArray[np.int64]
    """[n]"""
    stray: Array
    """[n]: mass that belongs to no object"""
    picture: NDArray[np.int64]
    """[m]: which picture each is in"""
    mass: Array
    """[m]"""
    x: Array
    """[m]: centre of mass"""
    misfit: Array
    """[m]: summed difference from a disc drawn in its place, of its mass as far as the radius may be, by its mass"""

    def all_round(self) -> Mask:
        """[n]: whether a picture is of well-formed discs and nothing else."""
        bad = np.bincount(self.picture[self.misfit >= ROUND], minlength=len(self.count))
        return cast(Mask, (bad == 0) & (self.count > 0) & (self.stray < STRAY))


def find_discs(pictures: Array, radii: tuple[float, float]) -> Discs:
    """Every object, compared with a disc of a radius between the two of `radii`."""
    within = np.zeros((3, 3, 3), dtype=bool)
    within[1] = ndimage.generate_binary_structure(2, 1)
    labels, number = ndimage.label(pictures > INK, within)
    # Pixels next to an object are its edge. Another picture is 1000 pixels away.
    distance, nearest = ndimage.distance_transform_edt(labels == 0, (1000, 1, 1), return_indices=True)
    owner = np.where(distance < 1.5, labels[tuple(nearest)], 0) if number else labels
    flat, ink = owner.ravel(), pictures.ravel()

    def total(of: Array) -> Array:
        return np.bincount(flat, of, number + 1).astype(np.float64)

    rows, columns = (np.broadcast_to(np.arange(SIDE)[shape], pictures.shape).ravel()
                     for shape in ((slice(None), None), (None, slice(None))))
    mass = total(ink)
    mass[0] = 1  # what belongs to none: not an object
    x, y = total(ink * columns) / mass, total(ink * rows) / mass
    radius = radius_of(mass).clip(*radii)
    drawn = (radius[flat] + 0.5 - np.hypot(columns - x[flat], rows - y[flat])).clip(0, 1)
    misfit = total(np.abs(ink - drawn)) / mass
    place = np.zeros(number + 1, dtype=np.int64)
    place[labels.ravel()] = np.arange(labels.size) // SIDE ** 2
    count = np.bincount(place[1:], minlength=len(pictures))
    stray = np.where(owner == 0, pictures, 0).sum((1, 2))
    return Discs(count, stray, place[1:], mass[1:], x[1:], misfit[1:])


def radius_of(mass: Array) -> Array:
    """Of a disc whose pixels are r + ½ − distance: the integral of that over the plane is π(r² + 1/12)."""
    return np.sqrt(np.maximum(mass / np.pi - 1 / 12, 0))


def measure_count(pictures: Array, count: int) -> Measured:
    found = find_discs(pictures, (RADIUS, RADIUS))
    return Measured(found.count.astype(np.float64), found.count != count, found.all_round())


def measure_eyes(pictures: Array) -> Measured:
    """Mass in the left half against mass in the right half; well formed if there is one disc in each."""
    found, middle = find_discs(pictures, EYES), (SIDE - 1) / 2
    left = np.bincount(found.picture[found.x < middle], minlength=len(pictures))
    well_formed = found.all_round() & (found.count == 2) & (left == 1)
    value = difference(*halves(pictures))
    return Measured(value, value > DIFFER, well_formed)


def difference(a: Array, b: Array) -> Array:
    """Of two masses, by their mean: from 0 to 2, NaN where there is none."""
    with np.errstate(invalid="ignore"):
        return 2 * np.abs(a - b) / (a + b)


def halves(pictures: Array) -> tuple[Array, Array]:
    """Mass in the left and in the right half, each [n]."""
    return pictures[:, :, :SIDE // 2].sum((1, 2)), pictures[:, :, SIDE // 2:].sum((1, 2))


def measure_road(pictures: Array) -> Measured:
    lines, found = find_lines(pictures)
    wobble, miss = meeting(lines)
    value, straight = np.full(len(pictures), np.nan), np.zeros(len(pictures), dtype=bool)
    value[found], straight[found] = miss, wobble.max(1) < STRAIGHT
    return Measured(value, value > MISS, straight)


def find_lines(pictures: Array) -> tuple[Array, Mask]:
    """x [m, 3, rows] of the lines of those m pictures that have exactly three in every row, and which these are [n]."""
    rows = pictures[:, TOP:]
    on = rows > LINE
    padded = np.pad(on, ((0, 0), (0, 0), (1, 0)))
    begins = on & ~padded[..., :-1]
    found = (begins.sum(2) == 3).all(1)
    rows, on, begins = rows[found], on[found], begins[found]
    run = np.where(on, begins.cumsum(2), 0)
    # The pixel before and the one after a run are its edge.
    wide = np.pad(run, ((0, 0), (0, 0), (1, 1)))
    run = np.where(on, run, np.maximum(wide[..., :-2], wide[..., 2:]))
    weights = np.stack([np.where(run == k, rows, 0) for k in (1, 2, 3)], 1)
    return (weights * np.arange(SIDE)).sum(3) / weights.sum(3), found


def meeting(lines: Array) -> tuple[Array, Array]:
    """How straight lines [m, 3, rows] are, and by how much they miss the point that is nearest to all three.

    Wobble [m, 3]: a row's standard deviation from the line that fits best. Miss [m]: the largest distance of a fitted
    line from the point whose squared distances from the three sum up to the least.
    """
    t = np.arange(TOP, SIDE, dtype=np.float64)
    basis = np.stack((np.ones_like(t), t), 1)
    fit = lines @ np.linalg.pinv(basis).T  # [m, 3, 2]: x = a + b·t
    wobble = np.sqrt(np.square(lines - fit @ basis.T).sum(2) / (len(t) - 2))
    a, b = fit[..., 0], fit[..., 1]
    norm = np.sqrt(1 + b * b)
    normals, offsets = np.stack((1 / norm, -b / norm), -1), a / norm
    square = np.einsum("mki,mkj->mij", normals, normals)
    point = np.einsum("mij,mkj,mk->mi", np.linalg.pinv(square, hermitian=True), normals, offsets)
    return wobble, np.abs(np.einsum("mki,mi->mk", normals, point) - offsets).max(1)
