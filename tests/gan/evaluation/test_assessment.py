"""All measures together on small images: real ones come first, bad ones are caught, and what is missing is told."""

import math
from dataclasses import replace

import pytest
import torch

from gan.evaluation import assessment
from gan.evaluation.assessment import Images, Reference, bad_samples, measure, reference
from gan.evaluation.assessment_settings import FeatureSettings, LikelihoodSettings, MeasureSettings
from gan.evaluation.features import Features, train
from gan.evaluation.measures import CHECKS, MEASURES, is_caught
from gan.evaluation.subsets import evenly_spaced

SHAPE, CLASSES = (1, 8, 8), 4
FEATURES = FeatureSettings([8], 24, 8, 50, 0.1, 0, False)
SETTINGS = MeasureSettings(samples=600, precision_neighbours=3, density_neighbours=5, sure=0.9, classifier_steps=150,
                           bins=20, cells=4, pixel_distances=100, checked=600)


def bars(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Bars of four directions, each at a place, of a thickness and a brightness of its own; and their directions."""
    stream = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (n,), generator=stream)
    at, width, bright = (torch.rand(n, 1, 1, generator=stream) for _ in range(3))
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    along = torch.stack([y, x, (x + y) / 2, (x - y + 7) / 2])[labels]
    pixels = (0.5 + bright / 2) * torch.exp(-((along - 2 - 3 * at) / (0.7 + width / 2)).square())
    return (pixels + 0.05 * torch.rand(n, 8, 8, generator=stream)).clamp(0, 1).flatten(1), labels


class World:
    """Data, features and their reference, made once."""

    def __init__(self, labelled: bool) -> None:
        train_images, labels = bars(2400, 1)
        self.images = Images(train_images, bars(600, 2)[0], bars(600, 3)[0])
        self.labels = labels if labelled else None
        self.features = Features(FEATURES, SHAPE, CLASSES if labelled else 0,
                                 train(FEATURES, SHAPE, train_images, self.labels, 1))
        self.reference = reference(self.images, self.labels, self.features, SETTINGS)

    def measure(self, samples: torch.Tensor, held_out: bool = False, **changes):
        return measure(samples, self.images, self.reference, self.features, replace(SETTINGS, **changes), held_out)


@pytest.fixture(scope="module", params=[True, False], ids=["labelled", "unlabelled"])
def world(request):
    return World(request.param)


@pytest.fixture(scope="module")
def labelled():
    return World(True)


@pytest.fixture(scope="module")
def yardstick(world):
    return world.measure(world.images.validation, held_out=True)


def test_bad_samples_are_each_caught_by_the_measure_made_for_it(world, yardstick):
    bad = bad_samples(world.images, world.labels, SETTINGS.checked)
    due = [check for check in CHECKS if check.samples in bad]
    assert len(due) == (len(CHECKS) if world.labels is not None else len(CHECKS) - 1)
    measured = {name: world.measure(samples) for name, samples in bad.items()}
    verdicts = {(check.samples, check.measure): is_caught(check, measured[check.samples], yardstick) for check in due}
    assert all(verdicts.values()), verdicts


def test_held_out_images_are_what_each_measure_expects_of_real_ones(world, yardstick):
    values = {name: yardstick[name] for name in (one.name for one in MEASURES)}
    if world.labels is None:
        assert all(values.pop(name) == {"why": assessment.UNLABELLED} for name in ("class_imbalance", "sure"))
    else:
        assert values["class_imbalance"]["value"] < 0.1
        assert values["sure"]["value"] > 0.8
    assert abs(values["kernel_distance"]["value"]) < 3.5 * values["kernel_distance"]["standard_error"]
    assert abs(values["two_sample_accuracy"]["value"] - 0.5) < 4 * values["two_sample_accuracy"]["standard_error"]
    assert values["density"]["value"] == pytest.approx(1, abs=0.15)
    assert values["coverage"]["value"] > 0.85
    assert values["different_bins"]["value"] < 0.3
    assert abs(values["copying"]["value"]) < 3
    near = yardstick["nearest_training_image"]
    assert near["median"] == pytest.approx(near["held_out_median"], rel=0.15)
    assert near["nearer_than_all_but_1_percent"] < 0.06


def test_every_measure_has_a_value_with_an_error_and_copies_are_at_no_distance(world):
    found = world.measure(evenly_spaced(world.images.train, 600))
    for name in (one.name for one in MEASURES):
        if "why" not in found[name]:
            assert math.isfinite(found[name]["value"])
            assert found[name]["standard_error"] >= 0
    assert found["nearest_training_image"]["median"] == 0
    assert found["nearest_training_image"]["nearer_than_all_but_1_percent"] == 1
    assert found["samples"] == 600


def test_the_nearest_sample_is_measured_for_the_parzen_estimate(world):
    samples = bars(500, 9)[0]
    found = world.measure(samples)["nearest_sample"]
    n = found["samples"]
    some = evenly_spaced(samples, n).double()
    direct = torch.cdist(world.images.validation[:100].double(), some).square().min(1).values
    assert found["mean_square_validation"] == pytest.approx(float(direct.mean()), rel=1e-5)
    assert (found["dimensions"], found["validation_images"]) == (64, 100)


def test_it_is_the_same_each_time_and_on_what_was_kept(world):
    samples = bars(300, 5)[0]
    first = world.measure(samples)
    assert world.measure(samples) == first
    kept = Reference.of({name: tensor.clone() for name, tensor in world.reference.tensors().items()})
    assert measure(samples, world.images, kept, world.features, SETTINGS) == first


@pytest.mark.parametrize(("n", "without"), [(3, {"frechet_distance", "precision", "copying", "class_imbalance"}),
                                            (19, {"frechet_distance", "copying", "two_sample_accuracy"}),
                                            (1, {one.name for one in MEASURES} - {"kernel"})])
def test_too_few_samples_leave_a_reason_in_the_place_of_each_measure_that_needs_more(labelled, n, without):
    found = labelled.measure(bars(n, 5)[0])
    for name in without:
        assert "needs" in found[name]["why"], name


def test_samples_that_cannot_be_compared_are_refused(labelled):
    samples = bars(50, 5)[0]
    with pytest.raises(ValueError, match="samples must have 64 values each, as the data's images, not 63"):
        labelled.measure(samples[:, 1:])
    with pytest.raises(ValueError, match="samples must hold finite numbers"):
        labelled.measure(samples * math.nan)
    with pytest.raises(ValueError, match=r"samples must be \[n, d\]"):
        labelled.measure(samples[:0])


def test_labels_of_one_class_leave_a_reason(labelled):
    alone = replace(labelled.reference, class_shares=torch.tensor([1.0, 0, 0, 0]).double())
    found = measure(bars(100, 5)[0], labelled.images, alone, labelled.features, SETTINGS)
    assert "all of one class" in found["class_imbalance"]["why"]


@pytest.mark.parametrize(("n", "m"), [(10, 3), (3, 10), (10, 10), (7, 1)])
def test_some_are_spread_evenly(n, m):
    chosen = evenly_spaced(torch.arange(n), m)
    assert len(chosen) == min(n, m)
    assert torch.equal(chosen, chosen.unique())
    assert len(chosen) < 2 or int(chosen.diff().max() - chosen.diff().min()) <= 1


@pytest.mark.parametrize(("kind", "changes", "message"), [
    (MeasureSettings, {"sure": 1.2}, "sure must be above 0 and at most 1"),
    (MeasureSettings, {"bins": 0}, "bins must be finite and above 0"),
    (LikelihoodSettings, {"images": 1}, "images must be 0 or at least 2"),
    (LikelihoodSettings, {"narrowest": 0.0}, "narrowest must be finite and above 0")])
def test_settings_out_of_range_are_refused(kind, changes, message):
    whole = SETTINGS if kind is MeasureSettings else LikelihoodSettings(4, 2, 10, 2, 0.05)
    with pytest.raises(ValueError, match=message):
        replace(whole, **changes)
