"""The network whose features the measures see: what it learns, what it is without labels, and that it is the same."""

import pytest
import torch

from gan.evaluation.assessment_settings import FeatureSettings
from gan.evaluation.features import Features, digest, one_cycle, train

SHAPE = (1, 8, 8)
SETTINGS = FeatureSettings([6], 12, 6, 20, 0.1, 0, False)


def stripes(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of horizontal, vertical or no stripes, under noise, and which."""
    stream = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (n,), generator=stream)
    bars = (torch.arange(8) % 2).float()
    kinds = torch.stack([bars.view(8, 1).expand(8, 8), bars.view(1, 8).expand(8, 8), torch.full((8, 8), 0.5)])
    return (kinds[labels] + 0.3 * torch.randn(n, 8, 8, generator=stream)).flatten(1), labels


def features(labelled: bool = True, settings: FeatureSettings = SETTINGS, seed: int = 1) -> Features:
    images, labels = stripes(400, 1)
    weights = train(settings, SHAPE, images, labels if labelled else None, seed)
    return Features(settings, SHAPE, 3 if labelled else 0, weights)


def test_a_classifier_is_right_on_images_that_it_has_not_seen():
    images, labels = stripes(300, 2)
    seen = features()(images)
    assert seen.features.shape == (300, 12)
    assert seen.probabilities.shape == (300, 3)
    assert torch.allclose(seen.probabilities.sum(1), torch.ones(300))
    assert float((seen.probabilities.argmax(1) == labels).float().mean()) > 0.97


def test_what_it_says_of_an_image_does_not_depend_on_the_others():
    network, (images, _) = features(), stripes(1100, 3)
    assert torch.allclose(network(images).features[600:700], network(images[600:700]).features, atol=1e-5)


def test_without_labels_it_has_no_classes_and_its_features_are_normalised_on_the_images():
    images, labels = stripes(400, 1)
    seen = features(labelled=False)(images)
    assert seen.probabilities is None
    rectified = torch.randn(100_000, generator=torch.Generator().manual_seed(0)).relu()
    assert float(seen.features.mean()) == pytest.approx(float(rectified.mean()), rel=0.15)
    # Random as they are, they tell what is to be told: class means lie apart.
    means = torch.stack([seen.features[labels == kind].mean(0) for kind in range(3)])
    within = torch.stack([seen.features[labels == kind].var(0) for kind in range(3)]).sum(1).mean()
    assert float(torch.pdist(means).min()) > 0.5 * float(within) ** 0.5


def test_the_same_seed_gives_the_same_weights_and_another_one_others():
    images, labels = stripes(100, 1)
    once, again = (train(SETTINGS, SHAPE, images, labels, 1) for _ in range(2))
    torch.manual_seed(123)  # nobody else's random numbers have a say
    third = train(SETTINGS, SHAPE, images, labels, 1)
    assert digest(once) == digest(again) == digest(third)
    assert digest(train(SETTINGS, SHAPE, images, labels, 2)) != digest(once)


def test_it_leaves_the_global_random_numbers_as_they_were():
    images, labels = stripes(60, 1)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(SETTINGS, SHAPE, images, labels, 1)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("labelled", [True, False])
def test_every_image_of_every_epoch_is_reported(labelled):
    images, labels = stripes(100, 1)
    done = []
    train(SETTINGS, SHAPE, images, labels if labelled else None, 1, advance=done.append)
    assert sum(done) == 600


@pytest.mark.parametrize("changes", [{"shift": 2}, {"mirrored": True}, {"channels": [4, 4, 4]}, {"batch_size": 64}])
def test_other_settings_learn_too(changes):
    from dataclasses import replace
    images, labels = stripes(300, 2)
    seen = features(settings=replace(SETTINGS, **changes))(images)
    assert float((seen.probabilities.argmax(1) == labels).float().mean()) > 0.8


def test_fewer_images_than_a_batch_are_one_batch():
    images, labels = stripes(15, 1)
    assert train(SETTINGS, SHAPE, images, labels, 1)


def test_the_learning_rate_rises_and_falls():
    rates = [one_cycle(step / 100) for step in range(100)]
    assert max(rates) == pytest.approx(1, abs=0.01)
    assert rates[0] < 0.1
    assert rates[-1] < 0.01
    assert rates.index(max(rates)) in range(15, 25)


def test_weights_of_another_network_are_refused():
    images, labels = stripes(60, 1)
    weights = train(SETTINGS, SHAPE, images, labels, 1)
    with pytest.raises(RuntimeError):
        Features(FeatureSettings([7], 12, 6, 20, 0.1, 0, False), SHAPE, 3, weights)


@pytest.mark.parametrize(("changes", "message"), [
    ({"channels": []}, "channels must name at least one"), ({"units": 0}, "units must be finite and above 0"),
    ({"shift": -1}, "shift must not be negative"), ({"learning_rate": float("inf")}, "learning_rate must be finite")])
def test_settings_out_of_range_are_refused(changes, message):
    from dataclasses import replace
    with pytest.raises(ValueError, match=message):
        replace(SETTINGS, **changes)
