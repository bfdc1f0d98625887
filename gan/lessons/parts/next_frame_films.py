"""Films that the lesson on the next frame draws: a ball in free flight, or at a wall that sends it one of two ways."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan.lessons.batched import Noise

SIDE = 16
"""Pixels of a frame, both ways"""
PIXELS = SIDE * SIDE
SEEN = 3
"""Frames that are shown before the next one is asked for"""
RADIUS = (1.7, 2.3)
SPEED = (1.5, 2.5)
"""To the right, in pixels per frame"""
DRIFT = 0.8
"""Largest speed up or down before the wall"""
JUMP = 3.5
"""Up or down, in the frame after the wall; the two balls it may give do not touch"""


@dataclass(frozen=True)
class Flights:
    """Balls as the last frame seen has them, each member a tensor [runs, n]; the wall is the frame's right edge."""

    x: Tensor
    y: Tensor
    speed: Tensor
    drift: Tensor
    radius: Tensor
    at_wall: Tensor
    """bool: whether the ball touches the wall, so that the next frame is one of two"""

    def seen(self) -> Tensor:
        """The frames up to the last one [runs, n, SEEN · PIXELS], the oldest first."""
        return torch.cat([ball(self.x - k * self.speed, self.y - k * self.drift, self.radius)
                          for k in reversed(range(SEEN))], 2)

    def next(self, side: Tensor | int) -> Tensor:
        """The next frame [runs, n, PIXELS]; a ball at the wall goes back, down for side 1 and up for side −1."""
        x = torch.where(self.at_wall, self.x - self.speed, self.x + self.speed)
        return ball(x, self.y + torch.where(self.at_wall, JUMP * side, self.drift), self.radius)

    def possible(self) -> Tensor:
        """Both next frames [runs, n, 2, PIXELS], each with odds of one half; equal in free flight."""
        return torch.stack((self.next(-1), self.next(1)), 2)


def ball(x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """Frames [..., PIXELS] in [0, 1] with a bright disc at (x, y) each; its edge falls to 0 over one pixel."""
    centres = torch.arange(SIDE) + 0.5
    across, down = (centres - x[..., None]).square(), (centres - y[..., None]).square()
    distance = (down[..., :, None] + across[..., None, :]).sqrt()
    return (radius[..., None, None] + 0.5 - distance).clamp(0, 1).flatten(-2)


def flights(n: int, noise: Noise, at_wall: bool | None = None) -> Flights:
    """Random balls [runs, n]; half of them at the wall in the mean, unless `at_wall` says which."""
    wall, radius, speed, drift, x, y = ((noise.uniform(n, 6) + 1) / 2).unbind(2)
    touches = wall < 0.5 if at_wall is None else torch.full_like(wall, at_wall, dtype=torch.bool)
    radius, speed = (low + (high - low) * u for (low, high), u in ((RADIUS, radius), (SPEED, speed)))
    first, last = radius + (SEEN - 1) * speed, SIDE - radius - speed  # in sight three frames ago, and in the next one
    margin = JUMP + RADIUS[1] + 0.5  # both next frames are whole
    return Flights(torch.where(touches, SIDE - radius, first + (last - first) * x), margin + (SIDE - 2 * margin) * y,
                   speed, DRIFT * (2 * drift - 1), radius, touches)
