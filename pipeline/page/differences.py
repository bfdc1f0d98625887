"""Where this reproduction departs from the paper's protocol, from the settings that were used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.page.experiments import Section
from pipeline.page.formatting import lookup, value_text
from pipeline.page.pictures import takes_last_epoch
from pipeline.results.published import PAPER_DATASETS, dataset_name
from pipeline.results.text import change_in_words, listed
from pipeline.runtime.files import read_json

RAW = Path("data/raw")
PAPER_DATA = (*PAPER_DATASETS, "cifar10")


@dataclass(frozen=True)
class Difference:
    what: str
    effect: str
    reduced: Sequence[str] = ()
    experiment: str = ""
    """Of a reduction by the profile: whose"""


def differences(experiments: Sequence[Section]) -> list[Difference]:
    """Departures from the paper's protocol, from the settings that were used; with the effect where it is known."""
    done = [section for section in experiments if section.entry is not None and not section.smoke]
    compared = [section for section in done if section.entry and section.entry["model"] == "adversarial_nets"
                and section.entry["dataset"] in PAPER_DATA]
    departures = [difference for section in done for difference in _reductions(section)]
    departures += [
        *_recipe_differences(compared),
        *_order_differences(done),
        Difference("Where no stopping rule is known, the log-likelihood of validation images during training chooses "
                   "the epoch.",
                   "The released code records none for MNIST and CIFAR-10, so the epochs behind the paper’s figures "
                   "are unknown. Test images have no part in the choice."),
        Difference("The bandwidth is searched on a finer grid than the paper’s ten values from .1 to 1.",
                   " ".join(["That grid jumps from .167 to .215 over the usual optimum.", _grid_effect(compared)])),
    ]
    if any(len(section.entry["seeds"]) > 1 for section in compared if section.entry):
        departures.append(Difference(
            "Training is repeated from several seeds; the headline is the one with the best validation "
            "log-likelihood.", "The paper reports one run. The mean over seeds stands beside the headline."))
    if any("ema" in section.variants for section in compared):
        departures.append(Difference(
            "Rows marked EMA come from an exponential moving average of the generator’s weights.",
            " ".join(["The paper has no such row, so they are not set against its figure.",
                      _averaging_effect(compared)])))
    departures.append(Difference(
        "Random numbers, the order of the minibatches and the arithmetic are PyTorch’s, not Theano’s.",
        "No run can follow the paper’s step by step; the spread over seeds says what that is worth."))
    return departures


def in_short(found: Sequence[Difference]) -> list[Difference]:
    """Reductions by the profile together, first."""
    names = [difference.experiment for difference in found if difference.experiment]
    together = [Difference(f"{listed(names)} {'was' if len(names) == 1 else 'were'} trained with fewer updates or "
                           "narrower layers.", "What their profile changed is listed with each.")] if names else []
    return [*together, *(difference for difference in found if not difference.experiment)]


def _grid_effect(compared: Sequence[Section]) -> str:
    """What the paper's grid alone would have given."""
    changes = [f"{value_text(section.entry['paper_grid'])} instead of {value_text(section.entry)} nats "
               f"({section.name})" for section in compared if section.entry]
    return f"By it alone the results would be {listed(changes)}." if changes else ""


def _averaging_effect(compared: Sequence[Section]) -> str:
    changes = [f"from {value_text(section.entry)} to {value_text(section.variants['ema'])} nats ({section.name})"
               for section in compared if section.entry and "ema" in section.variants]
    return f"It takes the result {listed(changes)}." if changes else ""


def _order_differences(done: Sequence[Section]) -> Iterator[Difference]:
    """Data whose files had lost the official order, by which the paper splits them."""
    for dataset in dict.fromkeys(str(section.entry["dataset"]) for section in done if section.entry):
        source = RAW / dataset / "source.json"
        if source.is_file() and read_json(source).get("order") == "content":
            yield Difference(
                f"{dataset_name(dataset)}: the files had lost the official order, so the training images were "
                "sorted by their content, and the last of them taken for validation.",
                "It is another split of the same training images; the test images are the official ones.")


def _reductions(section: Section) -> Iterator[Difference]:
    """What the profile took from the training of one experiment."""
    profile, epochs = section.evaluation["profile"], _total_epochs(section.training.get("settings", {}))
    chosen = section.entry["epoch"] if section.entry else None
    reduced = [change_in_words(change) for change in section.reduced]
    if profile != "paper" and epochs and chosen is not None:
        effect = f"Validation log-likelihood was highest in epoch {chosen}."
        if takes_last_epoch(section.training):
            effect = "The last of them was taken, not one chosen on validation."
        elif chosen == epochs:
            effect = "Validation log-likelihood was highest in the last of them: longer training would still gain."
        yield Difference(f"{section.name} was trained for {epochs} epochs, by the profile {profile}.", effect, reduced,
                         section.name)
    elif reduced:
        yield Difference(f"{section.name} was reduced by the profile {profile}.", "", reduced, section.name)


def _total_epochs(settings: Any) -> int:
    """Of pretraining, training and what is learned after it together, as the curves count them."""
    if isinstance(settings, dict):
        own = [settings.get(name) for name in ("epochs", "afterwards_epochs")]
        return sum(each for each in own if isinstance(each, int)) + sum(map(_total_epochs, settings.values()))
    return sum(map(_total_epochs, settings)) if isinstance(settings, list) else 0


_RECIPE_DIFFERENCES = (
    ("updates", "simultaneous", "both players step at once, from the old parameters.",
     "That is what the released code does; the paper’s Algorithm 1 alternates."),
    ("objective", "non_saturating", "the generator minimises −log D(G(z)).",
     "As in the released code and section 3 of the paper; equation 1 has log(1 − D(G(z)))."),
)


def _recipe_differences(sections: Sequence[Section]) -> Iterator[Difference]:
    for key, value, what, effect in _RECIPE_DIFFERENCES:
        names = [section.name for section in sections if lookup(section.training.get("settings", {}), key) == value]
        if names:
            yield Difference(f"{listed(names)}: {what}", effect)
