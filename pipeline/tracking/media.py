"""What a run holds beside numbers: pictures of samples, the data set in words, readings of the machine."""

from __future__ import annotations

import json
import math
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runtime import files
from pipeline.tracking.names import LONGEST_DATASET_DIGEST, LONGEST_DATASET_NAME, Point, as_text, finite

if TYPE_CHECKING:  # imported where needed: torch takes seconds, and descriptions do without
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from gan.datasets.dataset import Dataset

PICTURE_WIDTH = 512  # pixels, at least, where images are enlarged
IMAGES_FOR_THE_SCALE = 1000


def describe(file: Path) -> dict[str, Any]:
    """A prepared data set from its file: `name`, `digest` (SHA-256), `shape` [C, H, W], number of `images` by split,
    and the `contrast_norm` of its images, None where they are in [0, 1]."""
    import safetensors

    from gan.datasets.dataset import SPLITS
    with safetensors.safe_open(str(file), framework="pt") as content:
        header = json.loads(content.metadata()["about"])
        images = {split: content.get_slice(split).get_shape()[0] for split in SPLITS}
    return {"name": header["name"], "digest": files.sha256(file), "shape": header["shape"], "images": images,
            "contrast_norm": header.get("contrast_norm")}


def dataset_input(dataset: Mapping[str, Any]) -> Any:
    """What `describe` returned (or a name and a digest) as MLflow has it: with schema, profile and its use."""
    import numpy as np
    from mlflow.data.schema import TensorDatasetSchema
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.types.schema import Schema, TensorSpec
    name, digest = as_text(dataset["name"], LONGEST_DATASET_NAME), as_text(dataset.get("digest", ""))
    source = json.dumps({"sha256": digest})  # MLflow's own field for the digest is too short for it
    schema = profile = None
    if "shape" in dataset:
        images = TensorSpec(np.dtype(np.float32), (-1, *dataset["shape"]))
        schema = json.dumps(TensorDatasetSchema(Schema([images])).to_dict())
        profile = json.dumps({f"{split}_images": n for split, n in dataset["images"].items()}
                             | {"image_shape": dataset["shape"], "contrast_norm": dataset["contrast_norm"]})
    return DatasetInput(Dataset(name, digest[:LONGEST_DATASET_DIGEST], "local", source, schema, profile),
                        [InputTag("mlflow.data.context", "training")])


def picture(samples: torch.Tensor, dataset: Dataset) -> NDArray[np.uint8]:
    """Samples [n, d] in the data set's scale as one picture [height, width, 3], row by row in a square.

    Centred data keep one scale through all of training: black to white is as far as training images go.
    """
    import numpy as np

    from pipeline.artifacts.pixels import blank, pixel_scale, to_pixels
    scale = pixel_scale(dataset.train[:IMAGES_FOR_THE_SCALE], dataset.train[:IMAGES_FOR_THE_SCALE])
    columns = math.isqrt(max(len(samples) - 1, 0)) + 1
    images = [np.pad(image, ((1, 1), (1, 1), (0, 0)), constant_values=255)
              for image in to_pixels(samples, dataset.shape, scale)]
    empty = np.pad(blank(dataset.shape), ((1, 1), (1, 1), (0, 0)), constant_values=255)
    images += [empty] * (-len(images) % columns)
    rows = [np.concatenate(images[first:first + columns], 1) for first in range(0, len(images), columns)]
    whole = np.concatenate(rows)
    times = max(1, math.ceil(PICTURE_WIDTH / whole.shape[1]))
    return whole.repeat(times, 0).repeat(times, 1)


def markdown(run_id: str, path: str) -> str:
    """A picture that is attached to a run, for a description: MLflow's pages show those of their own server only."""
    return f"![{Path(path).stem}](get-artifact?{urllib.parse.urlencode({'path': path, 'run_uuid': run_id})})"


class Meter:
    """MLflow's own readings of processor, memory, disk, network and GPUs, each with the next step.

    They are taken in the thread of whoever asks; a reading takes less than a millisecond on a CPU.
    """

    def __init__(self, run_id: str, store: str, step: int) -> None:
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
        self._monitor = SystemMetricsMonitor(run_id, tracking_uri=store)
        self._monitor.collect_metrics()  # the processor's load is that since the reading before
        self._step, self._last = step, time.monotonic()

    @property
    def seconds_left(self) -> float:
        """Until the next reading is due; MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL says how long that is, else 10 s."""
        return max(0.0, float(self._monitor.sampling_interval) - self.seconds_since)

    @property
    def seconds_since(self) -> float:
        """Since the last reading."""
        return time.monotonic() - self._last

    def read(self) -> Sequence[Point]:
        for monitor in self._monitor.monitors:
            monitor.clear_metrics()
        self._monitor.collect_metrics()
        values = finite(self._monitor.aggregate_metrics())
        now = int(time.time() * 1000)
        points = [Point(f"system/{name}", value, now, self._step) for name, value in values]
        self._step, self._last = self._step + 1, time.monotonic()
        return points
