"""Watched training: its readings against automatic differentiation, its changes, and that it changes nothing itself."""

import dataclasses
import math

import pytest
import torch

from gan.adversarial.networks import draw_noise
from gan.adversarial.settings import Deconvolution, GeneratorLayer
from gan.adversarial.training import Training
from gan.adversarial.watched import Watched


def states_agree(one, other):
    first, second = one.state(), other.state()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("every", [1, 2])
def test_watching_changes_no_bit_and_reads_every_so_many_updates(small_nets, images, every):
    plain, watched = Training(small_nets(), images, 1), Watched(small_nets(), images, 1, every=every)
    for _ in range(4):
        plain.run_epoch()
        watched.run_epoch()
    assert states_agree(plain, watched)
    assert [reading.update for reading in watched.readings] == list(range(every, 13, every))


def test_readings_are_those_of_automatic_differentiation(small_nets, images):
    """By a second pass over the same noise and masks."""
    watched = Watched(small_nets(), images, 1)
    watched.run_epoch()
    before = watched.state()
    rows = watched.order[:20].clone()
    noise = watched.noises[0].get_state()
    watched.update(rows, 0.05, 0.5, True)
    [reading] = watched.readings[3:]

    again = Watched(small_nets(), images, 1)
    again.restore(before)
    again.noises[0].set_state(noise)
    z = draw_noise(again.nets.noise, 20, again.noises[0])
    weights = [p.clone().requires_grad_() for p in again.generator.parameters]
    values, hidden = z, []
    for i in (0, 2):
        values = torch.relu(values @ weights[i] + weights[i + 1])
        hidden.append(values)
    sums = values @ weights[4] + weights[5]
    samples = torch.sigmoid(sums)
    masks = []
    x = torch.cat([images[rows], samples])
    for layer in again.discriminator.layers:
        if layer.parameters:
            if hasattr(layer, "pieces"):
                affine = x @ layer.parameters[0] + layer.parameters[1]
                x = torch.stack(affine.chunk(layer.pieces, 1)).max(0).values
            else:
                x = x @ layer.parameters[0] + layer.parameters[1]
        else:
            x = layer.forward(x)
            masks.append(layer)
    logits = x[:, 0]
    loss = torch.nn.functional.softplus(-logits[20:]).mean()
    gradients = torch.autograd.grad(loss, weights, retain_graph=True)
    (slopes,) = torch.autograd.grad(logits[20:].sum(), samples)
    logits, samples, hidden = logits.detach(), samples.detach(), [h.detach() for h in hidden]
    assert len(masks) == 3
    assert reading.d_on_data == pytest.approx(float(logits[:20].sigmoid().mean()), rel=1e-5)
    assert reading.d_on_samples == pytest.approx(float(logits[20:].sigmoid().mean()), rel=1e-5)
    assert reading.asked == pytest.approx(1 - reading.d_on_samples, rel=1e-5)
    assert reading.slope_of_d == pytest.approx(float(slopes.norm(dim=1).mean()), rel=1e-4)
    assert reading.slope_of_output == pytest.approx(float((samples * (1 - samples)).mean()), rel=1e-5)
    assert reading.gradient_of_g == pytest.approx(math.sqrt(sum(float(g.square().sum()) for g in gradients)), rel=1e-4)
    assert reading.variety == pytest.approx(float(samples.std(0).mean()), rel=1e-5)
    assert reading.dead == tuple(pytest.approx(float((h <= 0).all(0).float().mean())) for h in hidden)


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_a_player_that_is_held_stands_still_while_the_other_goes_on(small_nets, images, player):
    watched = Watched(small_nets(), images, 1)
    watched.run_epoch()
    other = "generator" if player == "discriminator" else "discriminator"
    before = {name: tensor.clone() for name, tensor in watched.state().items()}
    watched.hold(player, 3)  # a whole epoch
    watched.run_epoch()
    now = watched.state()
    for name in before:
        if name.startswith((player, f"velocity.{player}")):
            assert torch.equal(now[name], before[name]), name
    assert not torch.equal(now[f"{other}.0"], before[f"{other}.0"])
    watched.run_epoch()
    assert not torch.equal(watched.state()[f"{player}.0"], before[f"{player}.0"])


def test_a_softer_output_brings_saturated_pixels_back(small_nets, images):
    watched = Watched(small_nets(), images, 1)
    last = watched.generator.layers[-1].parameters
    for parameter in last:
        parameter.mul_(400)
    kept = [parameter.clone() for parameter in last]
    watched.update(watched.order.copy_(torch.arange(50))[:20], 1e-12, 0.0, True)
    watched.soften_output(1 / 400)
    watched.update(watched.order[:20], 1e-12, 0.0, True)
    saturated, soft = (reading.slope_of_output for reading in watched.readings)
    assert saturated < 0.02 < 0.1 < soft
    assert all(torch.allclose(parameter, old / 400, rtol=1e-4) for parameter, old in zip(last, kept, strict=True))


def test_a_new_discriminator_is_the_one_of_the_start(small_nets, images):
    watched, start = Watched(small_nets(), images, 1), Training(small_nets(), images, 1)
    watched.run_epoch()
    generator = [parameter.clone() for parameter in watched.generator.parameters]
    watched.begin_discriminator_anew()
    state, first = watched.state(), start.state()
    for name in state:
        if name.startswith("discriminator"):
            assert torch.equal(state[name], first[name])
        elif name.startswith("velocity.discriminator"):
            assert not state[name].any()
    assert all(torch.equal(one, other) for one, other in zip(generator, watched.generator.parameters, strict=True))


def test_only_dead_units_are_revived(small_nets, images):
    watched = Watched(small_nets(), images, 1)
    weight, bias = watched.generator.layers[1].parameters
    weight[:, 2], bias[2] = -1.0, -5.0
    before = weight.clone()
    others = [unit for unit in range(8) if unit != 2]
    dead = watched.revive(torch.Generator().manual_seed(0))
    assert dead >= 1
    assert (weight[:, 2] != before[:, 2]).all()
    assert weight[:, 2].abs().max() <= 0.5
    assert bias[2] == 0
    if dead == 1:
        assert torch.equal(weight[:, others], before[:, others])


def test_generators_that_are_not_dense_are_refused(small_nets, images):
    nets = small_nets()
    generator = dataclasses.replace(
        nets.generator, hidden=[GeneratorLayer(8, "relu", 0.5)], output=dataclasses.replace(
            nets.generator.output, deconvolution=Deconvolution(2, 2, 3, 1)))
    with pytest.raises(ValueError, match="dense layers"):
        Watched(dataclasses.replace(nets, generator=generator), torch.rand(50, 16), 1, (1, 4, 4))
