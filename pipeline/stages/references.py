"""Stage `references`: what every measure gives to real images, and to samples that are wrong in a known way.

Of a data set: validation images, which no one has trained on, in place of samples; training images blurred, and without
one class, which the Parzen estimate rewards or hardly minds; and, for each measure, samples that it is made to catch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import TypeAdapter
from scipy.ndimage import gaussian_filter
from torch import Tensor

from gan.evaluation import parzen
from gan.evaluation.assessment import Images, bad_samples, measure
from gan.evaluation.measures import CHECKS, is_caught
from gan.evaluation.settings import Grid
from gan.evaluation.subsets import evenly_spaced
from pipeline.artifacts.assessed import Yardstick, assessment_settings
from pipeline.artifacts.assessments import references_file, references_picture
from pipeline.artifacts.configuration import configuration
from pipeline.artifacts.pixels import pixel_scale, to_pixels
from pipeline.artifacts.sheet import sheet
from pipeline.runtime import files, machine, stage
from pipeline.runtime.progress import Progress

BLUR = 0.7
"""pixels, standard deviation"""
SHOWN = 5
"""samples of each row"""


def main(name: str) -> None:
    device = machine.choose_device()
    settings = configuration(name, "references")
    assess = assessment_settings(settings["assess"])
    real = Yardstick.read(name, assess, device)
    images = real.images
    bad = bad_samples(images, real.labels, assess.measures.checked)
    rows = references(images, real.labels, real.dataset.shape, settings["samples"])
    grid = TypeAdapter(Grid).validate_python(settings["refined_grid"])
    content: dict[str, Any] = {"dataset": name, "profile": settings["profile"], "features": real.described, "rows": {}}
    with Progress(f"{name}, references", len(rows) + len(bad) + 1, "set") as progress:
        for key, (title, samples) in rows.items():
            held_out = key == HELD_OUT
            # Validation images stand for samples in one row: there, σ is chosen on training images in their place.
            n = settings["validation_images"]
            searched = evenly_spaced(images.train, n) if held_out else images.validation[:n]
            content["rows"][key] = {"title": title, "parzen": _parzen(searched, images.test, samples, grid),
                                    **measure(samples, images, real.reference, real.features, assess.measures,
                                              held_out)}
            progress.advance(1, title)
        few = evenly_spaced(images.validation, assess.measures.checked)
        yardstick = measure(few, images, real.reference, real.features, assess.measures, True)
        progress.advance(1, "held-out images, fewer")
        measured = {}
        for key, samples in bad.items():
            measured[key] = measure(samples, images, real.reference, real.features, assess.measures)
            progress.advance(1, key)
    files.write_bytes(references_picture(name), _picture([samples for _, samples in rows.values()], images,
                                                         real.dataset.shape))
    content |= {"shown": SHOWN, "shape": [3, *real.dataset.shape[1:]]}
    content["checks"] = [{
        "samples": check.samples, "measure": check.measure, "claim": check.claim, "images": len(few),
        "held_out": yardstick[check.measure], "bad": measured[check.samples][check.measure],
        "caught": is_caught(check, measured[check.samples], yardstick)}
        for check in CHECKS if check.samples in measured]
    files.write_json(references_file(name), content)
    for check in content["checks"]:
        word = {True: "catches", False: "does not catch", None: "has nothing to say of"}[check["caught"]]
        print(f"{name}: {check['measure']} {word} {check['claim']}", flush=True)


HELD_OUT, BLURRED, WITHOUT = "held_out", "blurred", "without_a_class"


def references(images: Images, labels: Tensor | None, shape: tuple[int, int, int], n: int
               ) -> dict[str, tuple[str, Tensor]]:
    """By key, the titles and samples [n, d] of the reference rows; fewer where there are fewer images."""
    some = evenly_spaced(images.train, n)
    rows = {HELD_OUT: ("Held-out real images", evenly_spaced(images.validation, n)),
            BLURRED: (f"Training images blurred by {BLUR:g} pixels".replace("0.", "."), blurred(some, shape, BLUR))}
    if labels is not None:
        left_out = int(labels.max()) - 1
        kept = images.train[labels.to(images.train.device) != left_out]
        rows[WITHOUT] = (f"Training images without class {left_out}", evenly_spaced(kept, n))
    return rows


def blurred(images: Tensor, shape: tuple[int, int, int], sigma: float) -> Tensor:
    """Images [n, C·H·W] under a Gaussian of `sigma` pixels."""
    pixels = images.cpu().numpy().reshape(-1, *shape)
    smooth = gaussian_filter(pixels, (0, 0, sigma, sigma), mode="nearest")
    return torch.from_numpy(smooth).reshape(len(images), -1).to(images.device)


def _picture(rows: Sequence[Tensor], images: Images, shape: tuple[int, int, int]) -> bytes:
    """The first samples of each row as a PNG."""
    shown = torch.cat([samples[:SHOWN] for samples in rows]).cpu()
    pixels = to_pixels(shown, shape, pixel_scale(images.train, shown)).transpose(0, 3, 1, 2)
    return sheet(pixels.reshape(len(pixels), -1), (3, *shape[1:]), SHOWN)


def _parzen(validation: Tensor, test: Tensor, samples: Tensor, grid: Grid) -> Mapping[str, float]:
    """The estimate of the other rows: σ on one set of images, the score on another, in nats."""
    found, = parzen.search(validation, samples, [grid])
    score, error = parzen.mean_and_standard_error(parzen.log_likelihood(test, samples, [found.chosen])[0])
    return {"bandwidth": found.chosen, "value": score, "standard_error": error}


if __name__ == "__main__":
    stage.run(main, "name")
