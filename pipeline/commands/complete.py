"""Images completed by a trained generator, at once: several answers for the pixels that are not given.

    python -m pipeline complete half.png [--given left] [--from FILE] [--count 8] [--seed 0] [--out completed.png]

Transparent pixels are those to be completed; of an image without transparency, one half is taken as given and the other
made anew. The image must have the size that the generator was trained on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gan.errors import DataError, ReproductionError
from pipeline.commands.samples import write
from pipeline.commands.trained_generator import COMPLETES, choose

if TYPE_CHECKING:
    from torch import Tensor

SIDES = ("left", "right", "top", "bottom")
GREY = 0.5
"""of the pixels that are not given, in the picture"""
OPAQUE = 0.5
"""alpha from which a pixel counts as given"""


def main(image: Path, given: str = "left", source: Path | None = None, count: int = 8, seed: int = 0,
         variant: str = "", out: Path = Path("completed.png")) -> None:
    """DataError for a file that is no image; ReproductionError if there are no weights, or the size is another."""
    if not image.is_file():
        raise DataError("there is no image to complete", expected="a file, some of whose pixels are given",
                        found=f"{image}, which is none" if image.name else "nothing named",
                        remedy="make complete IMAGE=half.png")
    chosen = choose(source, variant, COMPLETES)
    output = chosen.generator.nets.generator.output
    if output is None or output.activation != "sigmoid":
        raise ReproductionError(
            "this generator completes images in another scale than files have", expected="one of images in [0, 1]",
            found=f"an output that is {output.activation if output else 'none'}: of data that were normalised",
            remedy="name the file of an experiment on images in [0, 1], mnist_completion for instance")
    pixels, visible, how = read(image, chosen.generator.shape[0], given)
    import torch

    answers = chosen.generator.complete(pixels, visible, count, seed)
    shown = torch.where(visible, pixels, torch.full_like(pixels, GREY))
    write(out, torch.cat((shown.unsqueeze(0), answers)), count + 1)
    chosen.say()
    print(f"{out} shows {image}, {how} given, and {count} answers, none picked, of noise from seed {seed}", flush=True)


def read(path: Path, channels: int, given: str) -> tuple[Tensor, Tensor, str]:
    """An image in [0, 1], [C, H, W]; which pixels are given, [H, W]; and what these are, in words."""
    import numpy as np
    import torch
    from PIL import Image

    from gan.adversarial.conditions import half

    try:
        with Image.open(path) as file:
            if file.mode.startswith("I"):  # 16 bits, which Pillow would cut at white
                grey = np.asarray(file, np.float32) / 65535
                whole = np.stack([grey] * 3 + [np.ones_like(grey)], -1)
            else:
                whole = np.asarray(file.convert("RGBA"), np.float32) / 255
                grey = np.asarray(file.convert("RGB").convert("L"), np.float32) / 255
    except OSError as error:
        raise DataError(f"{path} cannot be read as an image", expected="PNG, or another format that Pillow reads",
                        found=str(error), remedy="name another file: make complete IMAGE=half.png") from error
    colours = grey[None] if channels == 1 else whole[..., :3].transpose(2, 0, 1)
    pixels, alpha = torch.from_numpy(np.ascontiguousarray(colours)), torch.from_numpy(whole[..., 3].copy())
    if bool((alpha < OPAQUE).any()):
        visible, how = alpha >= OPAQUE, "its opaque pixels"
    else:
        height, width = alpha.shape
        visible, how = half((1, height, width), given).view(height, width) == 1, f"its {given} half"
    return pixels, visible, how
