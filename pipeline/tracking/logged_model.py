"""A trained generator as an MLflow model: weights as safetensors, settings as JSON, code as text; no pickle."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.runtime import files
from pipeline.tracking import gan_generator

NAME = "generator"
PACKAGES = ("numpy", "pydantic", "safetensors", "torch")
DIGEST = "gan.generator"  # the tag of a run that has one


@dataclass(frozen=True)
class GeneratorFiles:
    """Adversarial nets' G: `shape` [C, H, W] of its images, and the seed taken for each variant.

    `weights` are the files of these seeds, as the stage `train` writes them; they describe themselves.
    """

    shape: Sequence[int]
    seeds: Mapping[str, int]
    weights: Mapping[int, Path]

    @property
    def size(self) -> int:
        """Bytes of the weights' files; those that are missing count as 0."""
        return sum(path.stat().st_size for path in self.weights.values() if path.is_file())

    def description(self) -> str:
        """What `gan_generator` reads, as JSON."""
        variants = {variant: {"file": self.weights[seed].name, "seed": seed} for variant, seed in self.seeds.items()}
        return json.dumps({"variants": variants}, indent=2) + "\n"

    def digest(self) -> str:
        """SHA-256 over the description and the weights."""
        content = [self.description(), *(files.sha256(path) for _, path in sorted(self.weights.items()))]
        return hashlib.sha256("\n".join(content).encode()).hexdigest()


def generator_of(experiment: Path, training: Mapping[str, Any], shape: Sequence[int],
                 seeds: Mapping[str, int]) -> GeneratorFiles | None:
    """The generator in the folder of an experiment's artifacts, by variant that of one seed; None for other models."""
    if training["model"] != "adversarial_nets":
        return None
    weights = {seed: experiment / "models" / f"seed-{seed}.safetensors" for seed in seeds.values()}
    return GeneratorFiles(shape, seeds, weights)


def log(client: Any, run_id: str, generator: GeneratorFiles) -> None:
    """Add the generator to a run, unless it has this very one: `runs:/<run_id>/generator`."""
    from mlflow.entities import LoggedModelOutput
    run, digest = client.get_run(run_id), generator.digest()
    if run.data.tags.get(DIGEST) == digest:
        return
    seeds = {f"{variant}_seed": str(seed) for variant, seed in generator.seeds.items()}
    model = client.create_logged_model(run.info.experiment_id, name=NAME, source_run_id=run_id, model_type=NAME,
                                       params=seeds, tags={DIGEST: digest})
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        data = _save(folder, generator, model.model_id, run_id)
        client.log_model_artifacts(model.model_id, str(folder))
        for path in generator.weights.values():
            client.log_model_artifact(model.model_id, str(path), data)
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    client.set_tag(run_id, DIGEST, digest)


def log_metrics(client: Any, run_id: str, values: Mapping[str, float]) -> None:
    """Add `values` to the run's generator, by which its page sorts models; nothing where it has none yet."""
    outputs = client.get_run(run_id).outputs
    for model in (outputs.model_outputs if outputs else [])[-1:]:
        for name, value in values.items():
            client.log_metric(run_id, name, value, model_id=model.model_id)


def _save(folder: Path, generator: GeneratorFiles, model_id: str, run_id: str) -> str:
    """Write all but the weights, which are large and go straight to the store; returns where they belong."""
    import mlflow
    from mlflow.models import Model, ModelSignature
    from mlflow.types.schema import ParamSchema, ParamSpec, Schema, TensorSpec

    signature = ModelSignature(
        outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, *generator.shape))]),
        params=ParamSchema([ParamSpec("variant", "string", "ema"), ParamSpec("seed", "long", 0)]))
    source = folder.parent / "data"
    source.mkdir()
    (source / gan_generator.DESCRIPTION).write_text(generator.description())
    code = Path(gan_generator.__file__)
    mlflow.pyfunc.save_model(
        str(folder), loader_module=code.stem, data_path=str(source),
        code_paths=[str(code), str(code.parents[2] / "gan")],
        pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in ("mlflow", *PACKAGES)],
        mlflow_model=Model(model_uuid=model_id, model_id=model_id, run_id=run_id, signature=signature))
    saved = Model.load(str(folder))
    saved.model_size_bytes = (saved.model_size_bytes or 0) + generator.size
    saved.save(str(folder / "MLmodel"))
    return str(saved.flavors["python_function"]["data"])
