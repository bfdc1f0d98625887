"""Attacks against what can be written down: linearised losses, boxes, linear models; training on small data."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, softplus

from gan.adversarial.layers import Dense, Network
from gan.lessons import adversarial_examples
from gan.lessons.batched import Noise
from gan.lessons.digits import Digits
from gan.lessons.parts.adversarial_examples_attacks import (
    attacked,
    classifier,
    fast_gradient_sign,
    image_gradient,
    logit_gradient,
    losses,
    projected_gradient,
    random_signs,
    train,
)
from gan.lessons.settings import AdversarialExamples

SEEDS = st.integers(0, 2 ** 32 - 1)
EPSILONS = st.floats(0.01, 0.8)


def case(seed, runs=2, n=5, d=6, classes=3):
    """A network of several runs, images in [0, 1] and labels."""
    stream = torch.Generator().manual_seed(seed)
    images = torch.rand(runs, n, d, generator=stream)
    images[:, 0] = images[:, 0].round()  # pixels at the ends, as MNIST has most of them
    return (classifier((d, 8, 8, classes), range(seed % 1000, seed % 1000 + runs)), images,
            torch.randint(classes, (runs, n), generator=stream))


def linear(d=6):
    """A linear model of two classes, and by how much each pixel moves the second one's logit against the first's."""
    stream = torch.Generator().manual_seed(1)
    weight = torch.randn(1, d, 2, generator=stream, dtype=torch.float64)
    return Network([Dense(weight, torch.zeros(1, 2, dtype=torch.float64), "linear")]), weight[0, :, 1] - weight[0, :, 0]


# Gradients.

@given(seed=SEEDS)
def test_gradients_agree_with_automatic_differentiation(seed):
    network, images, labels = case(seed)
    images.requires_grad_()
    logits = network.forward(images)
    leaf = logits.detach().requires_grad_()
    cross_entropy(leaf.flatten(0, 1), labels.flatten(), reduction="sum").backward()
    torch.testing.assert_close(logit_gradient(logits.detach(), labels), leaf.grad)
    x = images
    for layer in network.layers:
        weight, bias = layer.parameters
        x = torch.baddbmm(bias.unsqueeze(1), x, weight)
        x = x.relu() if layer.activation == "relu" else x
    cross_entropy(x.flatten(0, 1), labels.flatten(), reduction="sum").backward()
    torch.testing.assert_close(image_gradient(network, images.detach(), labels), images.grad, rtol=1e-4, atol=1e-6)


# The fast gradient sign.

@given(seed=SEEDS, epsilon=EPSILONS)
def test_the_fast_gradient_sign_is_the_maximum_of_the_linearised_loss(seed, epsilon):
    """Of a linear function over a box, the maximum is at the end of each side that its slope points to."""
    network, images, labels = case(seed)
    slope = image_gradient(network, images, labels).double()
    lowest, highest = (images - epsilon).clamp(0, 1).double(), (images + epsilon).clamp(0, 1).double()
    most = torch.maximum(slope * lowest, slope * highest).sum(-1)
    found = (slope * fast_gradient_sign(network, images, labels, epsilon).double()).sum(-1)
    torch.testing.assert_close(found, most, rtol=1e-5, atol=1e-5)
    stream = torch.Generator().manual_seed(seed)
    other = lowest + (highest - lowest) * torch.rand(images.shape, generator=stream)
    assert bool(((slope * other).sum(-1) <= most + 1e-6).all())


# Boxes.

@given(seed=SEEDS, epsilon=EPSILONS, steps=st.integers(1, 8), begins=st.booleans())
def test_attacks_stay_in_their_box_and_among_images(seed, epsilon, steps, begins):
    network, images, labels = case(seed)
    start = Noise([seed, seed + 1], "start").uniform(*images.shape[1:]) if begins else None
    found = {"fgsm": fast_gradient_sign(network, images, labels, epsilon),
             "pgd": projected_gradient(network, images, labels, epsilon, steps, start),
             "random": random_signs(images, epsilon, Noise([seed, seed + 1], "signs"))}
    for disturbed in found.values():
        assert float((disturbed - images).abs().max()) <= epsilon + 1e-6
        assert float(disturbed.min()) >= 0
        assert float(disturbed.max()) <= 1


def test_random_signs_move_every_pixel_by_epsilon():
    images = torch.full((1, 200, 6), 0.5)
    moved = random_signs(images, 0.25, Noise([1], "signs")) - images
    torch.testing.assert_close(moved.abs(), torch.full_like(moved, 0.25))
    assert abs(float(moved.mean())) < 0.02  # deviation .25/√1200 = .0072


# A linear model, whose worst case is known.

@given(seed=SEEDS, epsilon=st.floats(0.01, 0.3), steps=st.integers(1, 20), begins=st.booleans())
def test_both_attacks_reach_the_worst_case_of_a_linear_model(seed, epsilon, steps, begins):
    """Away from 0 and 1 the margin falls by ε‖w‖₁, from wherever an attack begins."""
    network, w = linear()
    stream = torch.Generator().manual_seed(seed)
    images = 0.3 + 0.4 * torch.rand(1, 7, 6, generator=stream, dtype=torch.float64)
    labels = torch.randint(2, (1, 7), generator=stream)
    start = 2 * torch.rand(images.shape, generator=stream, dtype=torch.float64) - 1 if begins else None
    margin = (2 * labels - 1) * (images @ w)
    worst = softplus(-(margin - epsilon * w.abs().sum()))
    for found in (fast_gradient_sign(network, images, labels, epsilon),
                  projected_gradient(network, images, labels, epsilon, steps, start)):
        torch.testing.assert_close(losses(network.forward(found), labels), worst, rtol=1e-9, atol=1e-9)


def test_at_the_ends_of_the_pixels_a_linear_model_loses_what_is_left_of_the_box():
    network, w = linear()
    images = torch.tensor([[[0.0, 1, 0, 1, 0, 1]]], dtype=torch.float64)
    for label in (0, 1):
        up = (w > 0) == (label == 0)  # the direction that takes from the margin
        free = torch.where(up, images[0, 0] < 1, images[0, 0] > 0)
        margin = (2 * label - 1) * (images[0, 0] @ w) - 0.2 * (w.abs() * free).sum()
        labels = torch.tensor([[label]])
        for found in (fast_gradient_sign(network, images, labels, 0.2),
                      projected_gradient(network, images, labels, 0.2, 5)):
            torch.testing.assert_close(losses(network.forward(found), labels)[0, 0], softplus(-margin))


def test_training_is_done_under_the_attack_that_was_asked_for():
    network, images, labels = case(3)
    assert torch.equal(attacked(network, images, labels, 0.2, 1), fast_gradient_sign(network, images, labels, 0.2))
    assert torch.equal(attacked(network, images, labels, 0.2, 4), projected_gradient(network, images, labels, 0.2, 4))


# Training.

def squares(n=400):
    """Two classes: one pixel tells them apart with certainty and by little, the others by much and not always."""
    stream = torch.Generator().manual_seed(5)
    labels = torch.randint(2, (n,), generator=stream)
    sides = 2.0 * labels.unsqueeze(1) - 1
    sure = 0.5 + 0.05 * sides
    often = torch.where(torch.rand(n, 1, generator=stream) < 0.9, 0.5 + 0.4 * sides, 0.5 - 0.4 * sides)
    return torch.cat((sure, often), 1), labels


def fit(inner, seeds=(1, 2), epsilon=0.2, steps=400):
    images, labels = squares()
    told = []
    network = train(images, labels, 16, 2, list(seeds), batch=40, steps=steps, learning_rate=0.2, epsilon=epsilon,
                    inner=inner, advance=told.append)
    assert sum(told) == steps
    return network


def misread(network, images, labels):
    return float((network.forward(images).argmax(-1) != labels).float().mean(1).max())


def test_training_under_attack_leaves_the_feature_that_an_adversary_can_undo():
    images, labels = (part.expand(2, *part.shape).contiguous() for part in squares())
    plain, robust = fit(0), fit(3)
    assert misread(plain, images, labels) < 0.02  # the small sure pixel
    worst = {name: misread(network, projected_gradient(network, images, labels, 0.2, 20), labels)
             for name, network in (("plain", plain), ("robust", robust))}
    assert worst["robust"] < 0.2  # the large one alone is wrong one time in ten
    assert worst["plain"] > worst["robust"] + 0.1


def test_a_seeds_network_does_not_depend_on_which_others_are_trained():
    together, others = fit(2, seeds=(1, 2), steps=20), fit(2, seeds=(2, 3), steps=20)
    for one, other in zip(together.parameters, others.parameters, strict=True):
        torch.testing.assert_close(one[1], other[0])


def test_all_trainings_begin_alike():
    with_attack, without = fit(1, epsilon=1e-12, steps=1), fit(0, steps=1)
    for one, other in zip(with_attack.parameters, without.parameters, strict=True):
        torch.testing.assert_close(one, other)


# The lesson.

@pytest.mark.parametrize("labels", [None, torch.zeros(19, dtype=torch.int64)])
def test_images_without_labels_are_refused(labels):
    images = torch.rand(20, 16)
    digits = Digits(images, images, lambda x: torch.eye(10)[torch.zeros(len(x), dtype=torch.int64)], labels)
    with pytest.raises(ValueError, match="expected a label for each of 20 training images, found"):
        adversarial_examples.run(AdversarialExamples(), None, digits)


@pytest.mark.parametrize("change", [
    {"seeds": [1]}, {"epsilons": [0.1, 0.2]}, {"epsilons": [0.25, 0.1]}, {"wide": 0.3}, {"wide": 1.5}, {"inner": 1},
    {"attack": 0}, {"epsilon": math.nan}])
def test_settings_out_of_range_are_refused_by_name(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        AdversarialExamples(**change)
