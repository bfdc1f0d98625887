"""Beyond the paper: what its closing section proposes, each row with what it can do beside drawing samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gan.evaluation import abilities
from gan.evaluation.abilities import Ability
from pipeline.artifacts.paths import FIGURES
from pipeline.page.embedding import smaller, with_loss
from pipeline.page.experiments import Section
from pipeline.page.formatting import anchor, over_seeds, signed, value_text
from pipeline.page.pictures import Numbering, made_by
from pipeline.results.assessment import of_seed, read_assessment
from pipeline.results.assessment import over_seeds as values_over_seeds
from pipeline.results.metrics import mean_and_deviation, variants_of
from pipeline.results.published import BEYOND
from pipeline.results.text import plain, setting_text, with_error
from pipeline.runtime.files import read_json

UNITS = {"share": "%", "distance": "RMS of a pixel", "variance": "of its variance"}


@dataclass(frozen=True)
class Line:
    """One thing that was measured."""

    what: str
    question: str
    values: Sequence[str]
    """by variant"""
    over_seeds: Sequence[str]
    published: str
    differs: Sequence[str]
    """in what the published figure is of another experiment, or how far ours is from it"""


@dataclass(frozen=True)
class Shown:
    number: int
    alt: str
    caption: str
    source: str
    width: int
    """in pixels of the data"""


@dataclass(frozen=True)
class Beyond:
    """An experiment."""

    id: str
    title: str
    gist: str
    """the last variant's likelihood and first ability"""
    asks: str
    variants: Sequence[str]
    lines: Sequence[Line]
    pictures: Sequence[Shown]
    link: str


def beyond_the_paper(sections: Sequence[Section], numbers: Numbering, full: bool) -> list[Beyond]:
    """One for each experiment of a model that the paper proposes and does not have."""
    return [_beyond(section, numbers, full) for section in sections
            if section.entry is not None and section.entry["model"] in BEYOND]


def _beyond(section: Section, numbers: Numbering, full: bool) -> Beyond:
    assert section.entry is not None
    model, lines = str(section.entry["model"]), [_likelihood(section), *_measured(section)]
    gist = "; ".join(f"{line.what}: {line.values[-1]}" for line in lines[:2])
    return Beyond(anchor("beyond", section.name), section.title, gist, BEYOND[model], [*section.variants], lines,
                  [*_pictures(section, numbers, full)], anchor("experiment", section.name))


def _likelihood(section: Section) -> Line:
    rows = [*section.variants.values()]
    return Line("test log-likelihood, nats", "The paper’s estimate, by its own protocol.",
                [value_text(row) for row in rows], [over_seeds(row) for row in rows],
                *_beside("test_log_likelihood", section, rows[0]["seed_mean"], 1, 1))


def _measured(section: Section) -> Iterator[Line]:
    assessment = read_assessment(section.name)
    if assessment is None:
        return
    rows = section.variants
    found = {variant: of_seed(assessment, row["seed"], variant).get("abilities", {}) for variant, row in rows.items()}
    order = [*abilities.BY_NAME]
    names = dict.fromkeys(name for each in found.values() for name in each)
    for name in sorted(names, key=lambda name: order.index(name) if name in order else len(order)):
        ability = abilities.ability(name)
        spread = [values_over_seeds(assessment, variant, abilities=True).get(name, []) for variant in rows]
        factor, decimals = _scale(ability)
        yield Line(f"{ability.title}, {UNITS[ability.unit]}", ability.question,
                   [_value(each.get(name), factor, decimals) for each in found.values()],
                   [_seeds(each, factor, decimals) for each in spread],
                   *_beside(name, section, mean_and_deviation(spread[0])[0] if spread[0] else None, factor, decimals))


def _value(one: Mapping[str, float] | None, factor: float, decimals: int) -> str:
    return "–" if one is None else with_error(factor * one["value"], factor * one["standard_error"], decimals)


def _scale(ability: Ability) -> tuple[float, int]:
    return (100.0, 1) if ability.unit == "share" else (1.0, 3)


def _seeds(values: Sequence[float], factor: float, decimals: int) -> str:
    if len(values) < 2:
        return "one seed" if values else ""
    mean, deviation = mean_and_deviation([factor * value for value in values])
    return f"{with_error(mean, deviation, decimals)} over {len(values)} seeds"


def _beside(what: str, section: Section, mean: float | None, factor: float, decimals: int) -> tuple[str, list[str]]:
    """The published figure, and what is to be said of it; `mean` over seeds of the weights as trained."""
    assert section.entry is not None
    one = abilities.published(what, section.entry["model"], section.entry["dataset"])
    if one is None:
        return "", []
    said = [] if mean is None else [
        f"Trained weights, mean over seeds: {signed(factor * (mean - one.value))} from it."]
    said += [f"{name.removeprefix('recipe.').replace('_', ' ').replace('.', ', ')}: there {setting_text(theirs)}, here "
             f"{setting_text(ours)}." for name, theirs, ours in abilities.differs(
                 one, section.training["settings"]["model"])]
    said += [one.otherwise] if one.otherwise else []
    return f"{plain(factor * one.value)} ± {plain(factor * one.error)} ({one.source})", said


def _pictures(section: Section, numbers: Numbering, full: bool) -> Iterator[Shown]:
    """Of the last variant, whose weights are averaged where there are two."""
    variant = variants_of(section.evaluation)[-1]
    prefix = f"ability-{variant}-"
    for path in sorted((FIGURES / section.name).glob(f"{prefix}*.json")):
        about: Mapping[str, object] = read_json(path)
        picture = path.with_suffix(".png").read_bytes()
        shape = about["shape"]
        assert isinstance(shape, list)
        title = str(about["title"])
        yield Shown(numbers.next(), f"{about['rows']} rows of images of {section.name}: {title}.",
                    f"{title[0].upper()}{title[1:]}; none picked. {made_by(section.evaluation, variant)}",
                    smaller(picture) if full else with_loss(picture), int(str(about["columns"])) * shape[2])
