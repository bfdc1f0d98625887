"""A picture of samples from a trained generator, at once: from the best one that is recorded in git, or from a file.

    python -m pipeline samples [--from FILE] [--class 7] [--count 100] [--seed 0] [--variant ema] [--out samples.png]

None is picked: they are the first of the stream of noise that `--seed` names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.artifacts.sheet import sheet
from pipeline.commands.trained_generator import OF_A_CLASS, WHOLE, choose
from pipeline.runtime import files

if TYPE_CHECKING:
    from torch import Tensor

LONGEST_SIDE, COLUMNS = 1000, 10
"""Pixels of the picture: each of the images is enlarged by a whole number to come near it"""


def main(source: Path | None = None, count: int = 100, seed: int = 0, variant: str = "",
         out: Path = Path("samples.png"), of_class: int | None = None) -> None:
    """ReproductionError if there are no weights, or none of this variant, or no such class."""
    chosen = choose(source, variant, WHOLE if of_class is None else OF_A_CLASS)
    if of_class is None:
        images = chosen.generator.sample(count, seed)
    else:
        images = chosen.generator.sample_class(of_class, count, seed)
    write(out, images, min(COLUMNS, count))
    chosen.say()
    asked = "" if of_class is None else f" of class {of_class}"
    print(f"{out} shows {count} samples{asked}, none picked, of noise from seed {seed}", flush=True)


def write(out: Path, images: Tensor, columns: int) -> None:
    """Images [n, C, H, W] in the data's scale as one picture, `columns` in a row, enlarged."""
    shape = images.shape[1:]
    lowest, highest = images.min().item(), images.max().item()
    if lowest < 0:  # normalised data: black to white is the largest value shown
        largest = max(-lowest, highest)
        images = (images / largest + 1) / 2
    pixels = (images.reshape(len(images), -1).clamp(0, 1) * 255).round().byte().numpy()
    enlarged = max(1, LONGEST_SIDE // (columns * shape[2]))
    files.write_bytes(out, sheet(pixels, shape, columns, enlarged))
