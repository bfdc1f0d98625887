"""Pictures of 128 × 128 in the layout of the small ones."""

from __future__ import annotations

from pipeline.figures.lessons.minibatch_gan import draw as draw
