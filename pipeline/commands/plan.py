"""Say what this machine can do, and write it down: the profile into params.yaml, and the experiments whose data can be
had into plan.yaml.

`python -m pipeline plan` works on nothing and downloads nothing. Environment: GAN_PROFILE names the profile
instead of the machine; GAN_EXPERIMENTS names the experiments, with commas or spaces between, instead of all that the
profile runs; GAN_LESSONS the lessons, or `all` or `none`, instead of all of them (none where GAN_EXPERIMENTS names
experiments); `all` leaves out those that are run by name alone, which may stand beside it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gan.adversarial.bidirectional_settings import BidirectionalNets
from gan.adversarial.model import AdversarialNetsModel
from gan.adversarial.semi_supervised_settings import SemiSupervisedNets
from gan.adversarial.settings import AdversarialNets, OnClass
from gan.baselines.chains import VARIANTS
from gan.baselines.settings import ChainModel, DeepBeliefNet, DeepGSN, KMeans, StackedCAE
from gan.datasets.sources import Availability
from gan.errors import ParameterError
from gan.evaluation.parzen import search
from gan.evaluation.settings import Grid
from gan.lessons.catalogue import LESSONS
from gan.registry import create
from pipeline.artifacts.raw import data_availability, local_folders, raw_folder
from pipeline.commands import lesson_time, timing
from pipeline.commands.timing import Seconds, on_an_idle_machine, rounds, span
from pipeline.commands.unfinished import changed_stages, unfinished
from pipeline.runtime import machine, site_cache
from pipeline.runtime.names import require_known
from pipeline.runtime.progress import duration
from pipeline.settings import parameters
from pipeline.settings.inheritance import PROFILES, SMOKE
from pipeline.settings.parameters import Parameters
from pipeline.settings.plan import COMMITTED, REPORTS, Plan
from pipeline.settings.plan import FILE as PLAN
from pipeline.settings.schema import Experiment
from pipeline.stages import sample_size

MARKS = {"found": "found in", "downloadable": "to be downloaded from", "unavailable": "unavailable:"}


def main() -> None:
    site_cache.require_working()  # before a file is changed
    current = parameters.load(plan=False)
    device = machine.choose_device()
    profile, why = choose_profile(device)
    print(f"machine      {machine.describe(machine.hardware(device))}")
    print(f"device       {device}")
    print(f"profile      {profile} ({why})", flush=True)
    wanted, left_out = choose_experiments(current, profile)
    lessons, lessons_left_out = choose_lessons(profile)
    datasets = _datasets(current, [*wanted, *_asked_for_data(current, profile)])
    datasets = list(dict.fromkeys([*datasets, *(LESSONS[name].data for name in lessons if LESSONS[name].data)]))
    data = {name: availability(name, current) for name in datasets}
    for name, state in data.items():
        print(f"data         {name}: {MARKS[state.state]} {state.detail}", flush=True)
        if state.remedy and state.state == "unavailable":
            print(f"             {state.remedy}")
    experiments = [name for name in wanted if data[current.dataset_of(name)].state != "unavailable"]
    missing = {name: f"no data set {name}: {state.remedy or state.detail}" for name, state in data.items()
               if state.state == "unavailable"}
    left_out |= {name: missing[current.dataset_of(name)] for name in wanted if name not in experiments}
    left_out |= lessons_left_out | {f"lesson {name}": missing[LESSONS[name].data] for name in lessons
                                    if LESSONS[name].data in missing}
    on_data = {name: LESSONS[name].data for name in lessons if LESSONS[name].data and LESSONS[name].data not in missing}
    plan = Plan(list(dict.fromkeys([*_datasets(current, experiments), *on_data.values()])),
                {name: current.dataset_of(name) for name in experiments},
                [name for name in lessons if not LESSONS[name].data], on_data, left_out,
                REPORTS.get(profile, COMMITTED))
    planned = replace(current, profile=profile, plan=plan)
    for folder in ("artifacts", "data/raw", "reports/figures"):  # the report depends on them, even where nothing is run
        Path(folder).mkdir(parents=True, exist_ok=True)
    changed = [str(path) for path, is_changed in ((parameters.FILE, parameters.write_profile(profile)),
                                                  (PLAN, plan.write())) if is_changed]
    _print_experiments(planned, device)
    written = " and ".join(changed)
    print(f"plan         {f'written into {written}: `git diff` shows how' if changed else 'as it was'}", flush=True)


def choose_profile(device: torch.device) -> tuple[str, str]:
    """The profile and the reason for it. ParameterError if GAN_PROFILE names one that does not exist."""
    named = os.environ.get("GAN_PROFILE", "").strip()
    if named:
        require_known(named, PROFILES, "profile", "GAN_PROFILE")
        return named, "named by GAN_PROFILE"
    if device.type == "cuda":
        return "paper", "there is a CUDA GPU; GAN_PROFILE=cpu or smoke for less"
    return "cpu", "there is no CUDA GPU; GAN_PROFILE=paper runs the paper's numbers all the same"


def choose_experiments(current: Parameters, profile: str) -> tuple[list[str], dict[str, str]]:
    """The experiments to run if their data can be had, in the order of params.yaml; and why others are left out."""
    named = os.environ.get("GAN_EXPERIMENTS", "").replace(",", " ").split()
    known = current.raw["experiments"]
    for name in named:
        require_known(name, known, "experiment", "GAN_EXPERIMENTS")
    if named:
        runs = [name for name in known if name in named]
        return runs, {name: "not among those that GAN_EXPERIMENTS named" for name in known
                      if name not in named and profile in _runs_in(current, name)}
    return [name for name in known if profile in _runs_in(current, name)], {}


def choose_lessons(profile: str) -> tuple[list[str], dict[str, str]]:
    """The lessons to run if their data can be had, in the order in which they are read; and why others are left out."""
    named = os.environ.get("GAN_LESSONS", "").replace(",", " ").split()
    asked_for = "takes hours and data of your own; GAN_LESSONS={} runs it"
    for name in named:
        require_known(name, [*LESSONS, "all", "none"], "lesson", "GAN_LESSONS")
    if "none" in named and len(set(named)) > 1:
        raise ParameterError("GAN_LESSONS names lessons and none", expected="lessons, or none alone",
                             found=", ".join(named))
    if "all" in named:
        named, reasons = [*named, *(name for name, lesson in LESSONS.items() if not lesson.by_name)], {}
    elif named:
        reasons = dict.fromkeys(LESSONS, "not among those that GAN_LESSONS named")
    elif os.environ.get("GAN_EXPERIMENTS", "").strip():
        named, reasons = [], dict.fromkeys(LESSONS, "GAN_EXPERIMENTS named experiments; GAN_LESSONS=all adds these")
    else:  # smoke asks for no data from elsewhere
        named = [name for name, lesson in LESSONS.items()
                 if not lesson.by_name and (profile != SMOKE or not lesson.data)]
        reasons = dict.fromkeys(LESSONS, f"profile {SMOKE} asks for no data from elsewhere; GAN_LESSONS=all does")
    reasons |= {name: asked_for.format(name) for name, lesson in LESSONS.items() if lesson.by_name}
    return ([name for name in LESSONS if name in named],
            {f"lesson {name}": reasons[name] for name in LESSONS if name not in named})


def _asked_for_data(current: Parameters, profile: str) -> list[str]:
    """Experiments of the profile, whether wanted or not: the state of their data is worth a line."""
    return [name for name in current.raw["experiments"] if profile in _runs_in(current, name)]


def _runs_in(current: Parameters, experiment: str) -> list[str]:
    return list(current.entry(experiment, "paper")["runs_in"])


def availability(dataset: str, current: Parameters) -> Availability:
    """As `data_availability`; what DVC's cache holds counts as found, for `dvc repro` takes it from there."""
    state = data_availability(dataset, current.datasets[dataset])
    if state.state == "unavailable" and _in_cache(dataset):
        return Availability("found", "DVC's cache")
    return state


def _in_cache(dataset: str) -> bool:
    """Whether DVC's cache holds what `prepare` made of a data set, by dvc.lock."""
    try:
        lock = YAML(typ="safe").load(Path("dvc.lock").read_text())
        outs = lock["stages"][f"prepare@{dataset}"]["outs"]
        return all((Path(".dvc/cache/files/md5") / out["md5"][:2] / out["md5"][2:]).exists() for out in outs)
    except (OSError, YAMLError, KeyError, TypeError):
        return False


def _datasets(current: Parameters, experiments: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(current.dataset_of(name) for name in experiments))


def _print_experiments(planned: Parameters, device: torch.device) -> None:
    total: Seconds = np.zeros(2)
    speeds: dict[tuple[int, ...], Speed] = {}
    machine.reuse_freed_memory()  # as trainings do
    changed = changed_stages()
    todo, lessons = unfinished(planned.plan, changed), unfinished_lessons(planned.plan, changed)
    others = timing.Others()
    for name in planned.plan.experiments:
        experiment = planned.experiment(name)
        seconds: Seconds = np.zeros(2)
        if name in todo:
            seconds = on_an_idle_machine(estimate(planned, name, experiment, device, speeds), others.share())
        total = total + seconds
        own = f", profile {experiment.profile}" if experiment.profile else ""
        seeds = f"{len(experiment.train.seeds)} seed{'s' if len(experiment.train.seeds) != 1 else ''}"
        state = f"about {span(seconds)}" if name in todo else "done"
        print(f"experiment   {name}: {experiment.title}, {seeds}{own}, {state}", flush=True)
    share = others.share()
    of_lessons = lesson_time.known_seconds(lessons, planned.profile)
    total = total + of_lessons
    if planned.plan.lesson_stages:
        about = f", about {duration(of_lessons)}" if of_lessons else ""
        state = f"{len(lessons)} to do{about}" if lessons else "done"
        print(f"lessons      {len(planned.plan.lesson_stages)}: {state}")
    for name in (name for name in lessons if LESSONS[name].by_name):
        needs = lesson_time.needs(planned, name, device)
        total = total + needs.seconds
        print(f"lesson       {name}: {needs}", flush=True)
    for name, reason in planned.plan.left_out.items():
        print(f"left out     {name}: {reason.partition(':')[0]}")
    if todo and share > timing.BUSY:
        count = len(others.processors)
        print(f"busy machine other programs use {share * count:.1f} of {count} processor{'s' if count != 1 else ''}: "
              "the lower ends are for an idle machine, the upper ones for one as busy as this")
    print(f"time         about {span(total)} on this machine for what is not done yet, one stage after "
          f"another, measured just now"
          f"{' (lessons: as measured on two cores of an AMD EPYC)' if lessons else ''}" if todo or lessons
          else "time         everything is done")


def unfinished_lessons(plan: Plan, changed: set[str] | None) -> list[str]:
    """The lessons that DVC has to run, or for whose data; all where it cannot say."""
    if changed is None:
        return [*plan.lesson_stages]
    new = {name for name in plan.datasets if {f"download@{name}", f"prepare@{name}"} & changed}
    return [name for name, stage in plan.lesson_stages.items()
            if stage in changed or plan.lessons_on_data.get(name) in new]


_CHAINS, _STATES = 1000, 50  # of which a few steps are timed


@dataclass(frozen=True)
class Speed:
    """Of this machine, on images of one size: seconds per pair of image and sample, in k-means and in Parzen."""

    centroid_pair: Seconds | float
    parzen_pair: Seconds | float


def estimate(planned: Parameters, name: str, experiment: Experiment, device: torch.device,
             speeds: dict[tuple[int, ...], Speed]) -> Seconds | float:
    """Seconds that the stages of an experiment will take, from a few steps of each kind timed on random images."""
    loader = planned.datasets[experiment.dataset]
    sizes = loader.sizes(raw_folder(experiment.dataset), local_folders())
    profile, dataset = planned.profile_of(name), experiment.dataset
    parzen, monitor = planned.parzen(profile, dataset), planned.monitor(profile, dataset)
    if loader.shape not in speeds:
        speeds[loader.shape] = measure(math.prod(loader.shape), len(parzen.refined_grid.bandwidths()), device)
    speed = speeds[loader.shape]
    seeds, variants = len(experiment.train.seeds), 1
    model = experiment.train.model
    fitting: Seconds | float = 0.0
    if isinstance(model, KMeans):
        fitting = model.iterations * model.clusters * sizes["train"] * speed.centroid_pair
    elif isinstance(model, ChainModel):
        variants = len(VARIANTS)
        looks = 1 if model.chosen_epoch == "last" else fitted_epochs(model) // monitor.every
        drawing, fitting = seconds_of_chains(model, sizes["train"], loader.shape, device)
        sampling = drawing * (parzen.samples + max(sample_size.available(
            parzen.sample_sizes.sizes, model.kind, sizes["train"], chains=True), default=0) / seeds)
        scored = variants * monitor.images * speed.parzen_pair
        fitting = fitting + sampling + looks * monitor.samples * (drawing + scored)
    elif isinstance(model, AdversarialNets):
        variants = len(AdversarialNetsModel.variants)
        checks = model.recipe.epochs / monitor.every * variants
        share = len(monitor.grid.bandwidths()) / len(parzen.refined_grid.bandwidths())
        fitting = (sum(seconds_per_update(game, loader.shape, device) * game.recipe.epochs
                       * math.ceil(sizes["train"] / game.recipe.batch_size) for game in games_apart(model))
                   + checks * monitor.samples * monitor.images * speed.parzen_pair * max(share, 0.3))
    elif isinstance(model, BidirectionalNets | SemiSupervisedNets):
        variants = len(AdversarialNetsModel.variants)
        epochs = model.epochs if isinstance(model, SemiSupervisedNets) else \
            model.recipe.epochs + model.afterwards_epochs
        scored = epochs // monitor.every * variants * (monitor.samples * monitor.images * speed.parzen_pair)
        fitting = seconds_per_image(model, loader.shape, device) * epochs * sizes["train"] + scored
    searched = min(parzen.validation_images, sizes["validation"])
    scoring = parzen.samples * (searched + 0.2 * sizes["test"]) * speed.parzen_pair
    more = parzen.sample_sizes
    counted = sum(sample_size.available(more.sizes, model.kind, sizes["train"], isinstance(model, ChainModel))) * (
        min(more.validation_images, sizes["validation"]) + 0.2 * min(more.test_images, sizes["test"]))
    starting = 31.5  # nine stages, each of which starts Python and reads its files
    return seeds * (fitting + variants * scoring) + variants * counted * speed.parzen_pair + starting


def games_apart(model: AdversarialNets) -> list[AdversarialNets]:
    """The games of a model, each as one that can be played without the other."""
    if model.pretraining is None:
        return [model]
    first, last = model.games()
    whole = replace(first.generator, hidden=[*last.generator.hidden, *first.generator.hidden])
    return [first, replace(last, generator=whole, pretraining=None)]


def seconds_per_update(model: AdversarialNets, shape: tuple[int, int, int], device: torch.device) -> Seconds:
    """Of one game, of whose images there is one minibatch, or as many as have one of each class that is told."""
    condition, size = model.condition, model.recipe.batch_size
    labels = None
    if isinstance(condition, OnClass):
        labels = torch.arange(size * math.ceil(condition.classes / size)) % condition.classes
    images = size if labels is None else len(labels)
    training = create(model, torch.rand(images, math.prod(shape)), 0, device, shape, labels=labels)
    return rounds(training.fit_epoch) / (images // size)


def seconds_per_image(model: BidirectionalNets | SemiSupervisedNets, shape: tuple[int, int, int],
                      device: torch.device) -> Seconds:
    """Of an epoch, from a minibatch or, where labels have to be drawn from more images, a few."""
    least = model.labels[-1] if isinstance(model, SemiSupervisedNets) else 0
    images = max(least, model.recipe.batch_size if isinstance(model, BidirectionalNets) else model.batch_size)
    labels = torch.arange(images) % model.classes if isinstance(model, SemiSupervisedNets) else None
    fitted = create(model, torch.rand(images, math.prod(shape)), 0, device, shape, labels=labels)
    return rounds(fitted.fit_epoch) / images


def fitted_epochs(model: ChainModel) -> int:
    return model.epochs if isinstance(model, DeepGSN) else sum(layer.epochs for layer in model.layers)


def seconds_of_chains(model: ChainModel, images: int, shape: tuple[int, int, int], device: torch.device
                      ) -> tuple[Seconds, Seconds]:
    """Of one sample by each variant, and of fitting: updates of each layer timed, and a few steps of the chains."""
    few, repeated = 2, 4
    short: ChainModel
    match model:
        case DeepGSN():
            short, epochs = replace(model, epochs=repeated + 1), [model.epochs]
        case StackedCAE():
            short = replace(model, layers=[replace(layer, epochs=repeated + 1) for layer in model.layers])
            epochs = [layer.epochs for layer in model.layers]
        case DeepBeliefNet():
            short = replace(model, layers=[replace(layer, epochs=repeated + 1) for layer in model.layers])
            epochs = [layer.epochs for layer in model.layers]
    batch = torch.rand(short.batch_size, math.prod(shape))
    fitted = create(short, batch, 0, device, shape)
    fitting: Seconds = np.zeros(2)
    for number in epochs:
        update = rounds(fitted.fit_epoch, least=repeated, most=repeated)
        fitting = fitting + update * number * math.ceil(images / short.batch_size)
    stream = torch.Generator(device).manual_seed(0)
    weights = fitted.weights("parallel") | {"burn_in": torch.tensor(few)}
    parallel = rounds(lambda: fitted.sample(weights, _CHAINS, stream), most=5)
    one_chain = rounds(lambda: fitted.sample(fitted.weights("raw"), _STATES, stream), most=5)
    return parallel / _CHAINS * model.burn_in / few + one_chain / _STATES, fitting


def measure(d: int, bandwidths: int, device: torch.device) -> Speed:
    images, samples = torch.rand(256, d, device=device), torch.rand(2048, d, device=device)
    kmeans = create(KMeans("kmeans", clusters=1000, iterations=2), samples, 0, device)
    return Speed(rounds(kmeans.fit_epoch, most=5) / (2048 * 1000),
                 rounds(lambda: search(images, samples, [Grid(0.1, 0.5, bandwidths)]), most=5) / (256 * 2048))
