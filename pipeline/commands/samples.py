"""A picture of samples from a trained generator, at once: from the best one that is recorded in git, or from a file.

    python -m pipeline samples [--from FILE] [--count 100] [--seed 0] [--variant ema] [--out samples.png]

None is picked: they are the first of the stream of noise that `--seed` names.
"""

from __future__ import annotations

from pathlib import Path

from gan.errors import ReproductionError
from pipeline.artifacts.paths import RECORDED
from pipeline.artifacts.sheet import sheet
from pipeline.results.recorded_generator import RecordedGenerator, recorded_generators
from pipeline.runtime import files

LONGEST_SIDE, COLUMNS = 1000, 10
"""Pixels of the picture: each of the images is enlarged by a whole number to come near it"""


def main(source: Path | None = None, count: int = 100, seed: int = 0, variant: str = "",
         out: Path = Path("samples.png")) -> None:
    """ReproductionError if there are no weights, or none of this variant."""
    if source is None:
        recorded = _recorded()
        source, about = recorded.weights, recorded.text()
    else:
        about = ""
    from gan.generator import Generator  # which imports torch
    from gan.weights import read_description

    has = read_description(source).variants
    variant = variant or ("ema" if "ema" in has else has[0])
    generator = Generator.load(source, variant)
    images = generator.sample(count, seed).reshape(count, -1)
    lowest, highest = images.min().item(), images.max().item()
    if lowest < 0:  # normalised data: black to white is the largest value shown
        largest = max(-lowest, highest)
        images = (images / largest + 1) / 2
    pixels = (images.clamp(0, 1) * 255).round().byte().numpy()
    columns = min(COLUMNS, count)
    enlarged = max(1, LONGEST_SIDE // (columns * generator.shape[2]))
    files.write_bytes(out, sheet(pixels, generator.shape, columns, enlarged))
    names = {"ema": "averaged weights (EMA)", "raw": "trained weights"}
    print(f"weights      {source}, {names.get(variant, variant)}")
    if about:
        print(f"             {about}")
    print(f"{out} shows {count} samples, none picked, of noise from seed {seed}", flush=True)


def _recorded() -> RecordedGenerator:
    found = recorded_generators()
    if not found:
        raise ReproductionError(
            f"no trained generator is recorded in {RECORDED}", expected="one that `make record` took into git",
            remedy="train one (`make reproduce`) and name its file: "
                   "make samples FROM=artifacts/mnist/models/seed-1.safetensors")
    return found[0]
