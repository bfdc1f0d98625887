"""A trained generator as an MLflow model: weights as safetensors, settings as JSON, code as text; no pickle.

Each is registered as a version of a model named after its experiment, and the alias `best` names the version with the
highest validation log-likelihood.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.runtime import code, files
from pipeline.tracking import gan_generator, media
from pipeline.tracking.names import LONGEST_DATASET_DIGEST, LONGEST_DATASET_NAME, as_text, points

KIND = "generator"
PACKAGES = ("numpy", "pydantic", "safetensors", "torch")
DIGEST = "gan.generator"  # the tag of a run that has one, and of the model
BEST = "best"
SCORE = "gan.validation_log_likelihood"
MODEL = "gan.model_id"
"""tag of a registered version: the logged model that it is"""
PICTURE = "gan.picture"
"""and the path of its samples in its run"""
ALIKE = ("gan.dataset_digest", "gan.samples")
"""tags of versions whose scores can be compared: those with equal values"""
OURS = "Generators of the experiment "


@dataclass(frozen=True)
class GeneratorFiles:
    """Adversarial nets' G: `shape` [C, H, W] of its images, and the seed taken for each variant.

    `weights` are the files of these seeds, as the stage `train` writes them; they describe themselves.
    """

    experiment: str
    shape: Sequence[int]
    seeds: Mapping[str, int]
    weights: Mapping[int, Path]
    validation: Mapping[str, float] = field(default_factory=dict)
    """log-likelihood of each variant, in nats, where it is known: then the generator is registered"""
    tags: Mapping[str, Any] = field(default_factory=dict)
    """of the registered version"""
    picture: str = ""
    """path of its samples in the run"""

    @property
    def name(self) -> str:
        """As dvc.yaml names it: "mnist-generator"."""
        return model_name(self.experiment)

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


def model_name(experiment: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", experiment) + "-generator"


def generator_of(experiment: Path, training: Mapping[str, Any], shape: Sequence[int],
                 seeds: Mapping[str, int], **more: Any) -> GeneratorFiles | None:
    """The generator in the folder of an experiment's artifacts, by variant that of one seed; None for other models.

    `more` are further fields of GeneratorFiles.
    """
    # By kind: `model` is another word for adversarial nets that do more than the paper's, whose G is a generator, too.
    if training["settings"]["model"].get("kind", training["model"]) != "adversarial_nets":
        return None
    weights = {seed: experiment / "models" / f"seed-{seed}.safetensors" for seed in seeds.values()}
    return GeneratorFiles(experiment.name, shape, seeds, weights, **more)


def log(client: Any, run_id: str, generator: GeneratorFiles, scores: Mapping[str, float | None]) -> None:
    """Add the generator to a run, unless it has this very one: `runs:/<run_id>/<name of the generator>`. Its scores
    become the run's and the model's."""
    from mlflow.entities import LoggedModelOutput, Metric

    run, digest = client.get_run(run_id), generator.digest()
    model_id = _logged(client, run, digest)
    if not model_id:
        seeds = {f"{variant}_seed": str(seed) for variant, seed in generator.seeds.items()}
        model = client.create_logged_model(run.info.experiment_id, name=generator.name, source_run_id=run_id,
                                           model_type=KIND, params=seeds, tags={DIGEST: digest})
        model_id = model.model_id
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "model"
            data = save(folder, generator, model_id, run_id)
            client.log_model_artifacts(model_id, str(folder))
            for path in generator.weights.values():
                client.log_model_artifact(model_id, str(path), data)
        client.finalize_logged_model(model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
        client.set_tag(run_id, DIGEST, digest)
    data_set = next((each.dataset for each in run.inputs.dataset_inputs), None)
    of = {} if data_set is None else {"dataset_name": as_text(data_set.name, LONGEST_DATASET_NAME),
                                      "dataset_digest": data_set.digest[:LONGEST_DATASET_DIGEST]}
    measured = [Metric(*point, model_id=model_id, **of) for point in points(scores, 0, int(time.time() * 1000))]
    known = {metric.key: metric.value for metric in client.get_logged_model(model_id).metrics or ()}
    if new := [metric for metric in measured if known.get(metric.key) != metric.value]:
        client.log_batch(run_id, metrics=new)
    if generator.validation:
        _register(client, run, model_id, generator)


def log_metrics(client: Any, run_id: str, values: Mapping[str, float]) -> None:
    """Add `values` to the run's generator, by which its page sorts models; nothing where it has none yet."""
    outputs = client.get_run(run_id).outputs
    for model in (outputs.model_outputs if outputs else [])[-1:]:
        for name, value in values.items():
            client.log_metric(run_id, name, value, model_id=model.model_id)


def _logged(client: Any, run: Any, digest: str) -> str:
    """The id of this generator in a run; empty if it is not there whole."""
    from mlflow.exceptions import MlflowException

    if run.data.tags.get(DIGEST) != digest:
        return ""
    outputs = run.outputs.model_outputs if run.outputs is not None else ()
    for model_id in [output.model_id for output in outputs]:
        with contextlib.suppress(MlflowException):  # it has been deleted
            model = client.get_logged_model(model_id)
            if model.tags.get(DIGEST) == digest and str(model.status) == "READY":
                return str(model_id)
    return ""


def _register(client: Any, run: Any, model_id: str, generator: GeneratorFiles) -> None:
    """A version of the experiment's registered model, `best` for the best of those that can be compared with it."""
    from mlflow.exceptions import MlflowException

    name, variant = generator.name, max(generator.validation, key=lambda each: generator.validation[each])
    tags = {key: str(value) for key, value in {
        **generator.tags, MODEL: model_id, SCORE: float(generator.validation[variant]), "gan.variant": variant,
        PICTURE: generator.picture, DIGEST: generator.digest(), "gan.run": run.info.run_name}.items()}
    try:
        description = client.create_registered_model(name).description
    except MlflowException:  # there is one
        description = client.get_registered_model(name).description
    versions = {str(each.version): each for each in client.search_model_versions(f"name = '{name}'")}
    own = next((each for each in versions.values() if each.tags.get(MODEL) == model_id), None)
    if own is None:
        # By its address: models:/<id> would be looked up in the store that a process has by default, not in this one.
        source = client.get_logged_model(model_id).artifact_location
        own = client.create_model_version(name, source, run.info.run_id, tags, model_id=model_id, await_creation_for=0,
                                          description=_about_version(run, generator, variant))
    else:
        for key, value in tags.items():
            client.set_model_version_tag(name, own.version, key, value)
    versions[str(own.version)] = own = client.get_model_version(name, own.version)
    comparable = [each for each in versions.values() if SCORE in each.tags and all(
        each.tags.get(key) == own.tags.get(key) for key in ALIKE)]
    best = max(comparable, key=lambda each: (float(each.tags[SCORE]), int(each.version)))
    client.set_registered_model_alias(name, BEST, best.version)
    if not description or description.startswith(OURS):  # a reader may have written another
        client.update_registered_model(name, _about_model(generator, best))


def _about_version(run: Any, generator: GeneratorFiles, variant: str) -> str:
    samples = f"\n\n{media.markdown(run.info.run_id, generator.picture)}" if generator.picture else ""
    return (f"Run {run.info.run_name}. Validation log-likelihood {generator.validation[variant]:.1f} nats with the "
            f"weights `{variant}`.{samples}")


def _about_model(generator: GeneratorFiles, best: Any) -> str:
    """With the samples of the best version."""
    picture = best.tags.get(PICTURE)
    samples = f"\n\n{media.markdown(best.run_id, picture)}" if picture and best.run_id else ""
    return (f"{OURS}`{generator.experiment}`, a version for each run that trained one. `{BEST}` is the one with the "
            "highest validation log-likelihood, among those scored with as many samples on the same data as the "
            f"newest: version {best.version}, {float(best.tags[SCORE]):.1f} nats with the weights "
            f"`{best.tags.get('gan.variant', '')}`.{samples}\n\n"
            f"    mlflow.pyfunc.load_model(\"models:/{generator.name}@{BEST}\").predict(16)\n")


def save(folder: Path, generator: GeneratorFiles, model_id: str, run_id: str, root: Path = code.ROOT) -> str:
    """Write all but the weights, which are large and go straight to the store; returns where they belong.

    `root` holds the packages whose code goes with them.
    """
    import mlflow
    from mlflow.models import Model, ModelSignature
    from mlflow.types.schema import ParamSchema, ParamSpec, Schema, TensorSpec

    signature = ModelSignature(
        outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, *generator.shape))]),
        params=ParamSchema([ParamSpec("variant", "string", "ema"), ParamSpec("seed", "long", 0),
                            ParamSpec("class", "long", gan_generator.ALL)]))
    source = folder.parent / "data"
    source.mkdir()
    (source / gan_generator.DESCRIPTION).write_text(generator.description())
    package = _own_package(folder.parent, root)
    mlflow.pyfunc.save_model(
        str(folder), loader_module=f"{package.name}.{Path(gan_generator.__file__).stem}", data_path=str(source),
        code_paths=[str(package)],
        pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in ("mlflow", *PACKAGES)],
        mlflow_model=Model(model_uuid=model_id, model_id=model_id, run_id=run_id, signature=signature))
    saved = Model.load(str(folder))
    saved.model_size_bytes = (saved.model_size_bytes or 0) + generator.size
    saved.save(str(folder / "MLmodel"))
    return str(saved.flavors["python_function"]["data"])


def _own_package(folder: Path, root: Path) -> Path:
    """What of `gan` a generator runs, as a package whose name carries the digest of its code, written into `folder`.

    Python keeps one module of a name in a process: under the name `gan`, a second logged generator, or one beside this
    repository, would run the code of the first.
    """
    modules = code.closure(["gan.generator"], root)
    loader = root / "pipeline/tracking" / Path(gan_generator.__file__).name
    sources = {path.relative_to(root / "gan").as_posix(): path.read_text(encoding="utf-8")
               for path in modules.values()} | {loader.name: loader.read_text(encoding="utf-8")}
    digest = hashlib.sha256(json.dumps(sources, sort_keys=True).encode()).hexdigest()
    package = folder / f"gan_{digest[:16]}"
    for name, text in sources.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(renamed(text, package.name), encoding="utf-8")
    return package


def renamed(source: str, package: str) -> str:
    """Python's source with the imports of `gan` made those of a package of another name."""
    return re.sub(r"^(\s*)(from|import) gan(?=[.\s])", rf"\1\2 {package}", source, flags=re.MULTILINE)
