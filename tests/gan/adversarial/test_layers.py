"""Layers and networks against torch's automatic differentiation; dropout; sizes and initial weights of the networks."""

import itertools
import math
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML

from gan.adversarial.layers import (
    ACTIVATIONS,
    ConvolutionalMaxout,
    Dense,
    Dropout,
    Maxout,
    Network,
    SpectralNorm,
    TransposedConvolution,
    sparse_normal,
    uniform,
)
from gan.adversarial.networks import discriminator_layers, draw_noise, generator_layers
from gan.adversarial.settings import (
    AdversarialNets,
    Convolution,
    Deconvolution,
    DiscriminatorNetwork,
    DiscriminatorOutput,
    GeneratorLayer,
    GeneratorNetwork,
    GeneratorOutput,
    GradientPenalty,
    MaxoutLayer,
    Noise,
    OnClass,
    OnVisiblePixels,
)
from gan.linear_algebra import random_stream

sides = st.integers(1, 12)
seeds = st.integers(0, 2**32)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed):
    return torch.randn(*shape, generator=stream(seed))


def assert_close(found, expected):
    """Float32 against float64: 1e-5 of the largest element."""
    assert found.shape == expected.shape
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5 * max(1, float(expected.abs().max())))


def with_biases(layer, seed):
    """Biases that are not 0, so that a test sees them."""
    layer.parameters[1].copy_(normal(*layer.parameters[1].shape, seed=seed))
    return layer


def dense(inputs, outputs, activation, seed=0):
    return Dense(uniform((inputs, outputs), 1.0, stream(seed)), torch.zeros(outputs), activation)


def maxout(inputs, units, pieces, seed=0):
    return Maxout(uniform((inputs, pieces * units), 1.0, stream(seed)), pieces)


def dense_reference(activation):
    activate = {"relu": torch.relu, "sigmoid": torch.sigmoid, "linear": lambda x: x}[activation]
    return lambda x, weight, bias: activate(x @ weight + bias)


def maxout_reference(pieces):
    """The definition: the largest of `pieces` affine maps, each with its own weights and bias."""
    return lambda x, weight, bias: torch.stack(
        [x @ w + b for w, b in zip(weight.chunk(pieces, 1), bias.chunk(pieces), strict=True)]).max(0).values


def assert_layer_equals_autograd(layer, reference, n, inputs, last, seed):
    """Output, parameter gradients with and without a weight on each example, and the last rows' input gradients."""
    x = normal(n, inputs, seed=seed)
    variables = [x.double().requires_grad_(), *(p.double().requires_grad_() for p in layer.parameters)]
    expected = reference(*variables)
    y = layer.forward(x)
    assert_close(y, expected.detach())

    gradient, weights = normal(*y.shape, seed=seed + 1), normal(n, 1, seed=seed + 2)
    delta = layer.delta(gradient.clone())
    by_all = torch.autograd.grad(expected, variables, gradient.double(), retain_graph=True)
    layer.differentiate(delta, None)
    for found, wanted in zip(layer.gradients, by_all[1:], strict=True):
        assert_close(found, wanted)
    assert_close(layer.input_gradient(delta), by_all[0])
    assert_close(layer.input_gradient(delta[n - last:]), by_all[0][n - last:])
    weighted = torch.autograd.grad(expected, variables[1:], (gradient * weights).double())
    layer.differentiate(delta, weights)
    for found, wanted in zip(layer.gradients, weighted, strict=True):
        assert_close(found, wanted)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@settings(deadline=None, max_examples=25)
@given(n=sides, inputs=sides, outputs=sides, last=st.integers(1, 12), seed=seeds)
def test_dense_equals_autograd(activation, n, inputs, outputs, last, seed):
    layer = with_biases(dense(inputs, outputs, activation, seed), seed)
    assert_layer_equals_autograd(layer, dense_reference(activation), n, inputs, min(last, n), seed)


@settings(deadline=None, max_examples=40)
@given(n=sides, inputs=sides, units=sides, pieces=st.integers(1, 5), last=st.integers(1, 12), seed=seeds)
def test_maxout_equals_autograd(n, inputs, units, pieces, last, seed):
    layer = with_biases(maxout(inputs, units, pieces, seed), seed)
    assert layer.forward(torch.zeros(n, inputs)).shape == (n, units)
    assert_layer_equals_autograd(layer, maxout_reference(pieces), n, inputs, min(last, n), seed)


def test_where_maxout_pieces_tie_each_gets_the_whole_gradient():
    layer = maxout(2, 3, 2)
    layer.parameters[0][:, 3:] = layer.parameters[0][:, :3]
    layer.forward(normal(4, 2, seed=1))
    gradient = normal(4, 3, seed=2)
    assert torch.equal(layer.delta(gradient), torch.cat([gradient, gradient], 1))


def test_a_relu_at_zero_passes_no_gradient():
    layer = dense(1, 1, "relu")
    assert layer.forward(torch.zeros(3, 1)).tolist() == [[0.0]] * 3
    assert layer.delta(torch.ones(3, 1)).tolist() == [[0.0]] * 3


def test_a_sure_sigmoid_has_a_finite_gradient():
    layer = dense(1, 1, "sigmoid")
    layer.parameters[0].fill_(1)
    y = layer.forward(torch.tensor([[-1000.0], [1000.0]]))
    assert y.view(-1).tolist() == [0, 1]
    assert layer.delta(torch.ones(2, 1)).view(-1).tolist() == [0, 0]


def test_an_unknown_activation_is_refused_and_the_known_ones_are_named():
    with pytest.raises(ValueError, match=r"'tanh'.*relu, sigmoid, linear"):
        dense(1, 1, "tanh")


# --- convolutions ---


def transposed_reference(layer, channels):
    """The definition, without torch's transposed convolution: every input pixel adds a scaled kernel to the output."""
    activate = {"relu": torch.relu, "sigmoid": torch.sigmoid, "linear": lambda x: x}[layer.activation]

    def reference(x, weight, bias):
        maps, kernel, side = weight.shape[0], weight.shape[2], (layer.size - 1) * layer.stride + weight.shape[2]
        x = x.view(len(x), maps, layer.size, layer.size)
        y = x.new_zeros(len(x), channels, side, side)
        for i, j in itertools.product(range(layer.size), repeat=2):
            top, left = i * layer.stride, j * layer.stride
            patch = torch.einsum("nm,mcpq->ncpq", x[:, :, i, j], weight)
            y = y + torch.nn.functional.pad(patch, (left, side - left - kernel, top, side - top - kernel))
        return activate(y.flatten(1) + bias)
    return reference


@pytest.mark.parametrize("activation", ACTIVATIONS)
@settings(deadline=None, max_examples=15)
@given(n=st.integers(1, 5), maps=st.integers(1, 3), channels=st.integers(1, 3), size=st.integers(1, 4),
       kernel=st.integers(1, 4), stride=st.integers(1, 3), seed=seeds)
def test_a_transposed_convolution_equals_its_definition(activation, n, maps, channels, size, kernel, stride, seed):
    side = (size - 1) * stride + kernel
    layer = TransposedConvolution(normal(maps, channels, kernel, kernel, seed=seed), torch.zeros(channels * side**2),
                                  size, stride, activation)
    with_biases(layer, seed)
    assert_layer_equals_autograd(layer, transposed_reference(layer, channels), n, maps * size**2, n, seed)


def convolution_reference(shape, pieces, padding, pool, pool_stride):
    """The definition: the largest of `pieces` correlations at each place, then the largest of each window, which may
    reach over the edge; by unfolding into patches, without torch's convolution or pooling."""
    def windows(x, size, stride, fill):
        over = [-(x.shape[axis] - size) % stride for axis in (2, 3)]  # so much the last window reaches over
        x = torch.nn.functional.pad(x, (0, over[1], 0, over[0]), value=fill)
        return x.unfold(2, size, stride).unfold(3, size, stride)

    def reference(x, weight, bias):
        x = torch.nn.functional.pad(x.view(len(x), *shape), (padding,) * 4)
        sums = torch.einsum("nchwpq,mcpq->nmhw", windows(x, weight.shape[2], 1, 0), weight) + bias.view(-1, 1, 1)
        maxima = sums.unflatten(1, (pieces, -1)).amax(1)
        return windows(maxima, pool, pool_stride, -math.inf).amax((4, 5)).flatten(1)
    return reference


@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 5), channels=st.integers(1, 3), units=st.integers(1, 4), pieces=st.integers(1, 3),
       height=st.integers(4, 7), width=st.integers(4, 7), kernel=st.integers(1, 4), padding=st.integers(0, 2),
       pool=st.integers(1, 3), stride=st.integers(1, 3), last=st.integers(1, 5), seed=seeds)
def test_a_maxout_convolution_equals_its_definition(n, channels, units, pieces, height, width, kernel, padding, pool,
                                                    stride, last, seed):
    stride, shape = min(stride, pool), (channels, height, width)
    assume(min(height, width) + 2 * padding - kernel + 1 >= pool)
    layer = ConvolutionalMaxout(normal(pieces * units, channels, kernel, kernel, seed=seed), shape, pieces, padding,
                                pool, stride)
    with_biases(layer, seed)
    reference = convolution_reference(shape, pieces, padding, pool, stride)
    assert math.prod(layer.output_shape) == layer.forward(torch.zeros(n, math.prod(shape))).shape[1]
    assert_layer_equals_autograd(layer, reference, n, math.prod(shape), min(last, n), seed)


def test_a_convolution_that_leaves_less_than_its_pool_is_refused():
    with pytest.raises(ValueError, match="over 4 pixels leaves 2, fewer than its pool of 3"):
        ConvolutionalMaxout(torch.zeros(2, 1, 3, 3), (1, 4, 4), 2, 0, 3, 1)


# --- norms and sparse weights ---


@pytest.mark.parametrize(("layer", "into_unit"), [
    (dense(30, 8, "relu", 1), lambda w: w.t()), (maxout(30, 4, 2, 1), lambda w: w.t()),
    (ConvolutionalMaxout(normal(8, 3, 4, 4, seed=1), (3, 8, 8), 2, 0, 1, 1), lambda w: w.flatten(1)),
    (TransposedConvolution(normal(8, 3, 4, 4, seed=1), torch.zeros(300), 3, 3, "linear"),
     lambda w: w.transpose(0, 1).flatten(1))])
def test_norms_of_weights_into_units_are_limited_one_by_one(layer, into_unit):
    weight, bias = layer.parameters
    bias.fill_(100)
    before = into_unit(weight.clone())
    limit = float(before.norm(dim=1).median())
    layer.limit_norms(limit)
    norms, wanted = into_unit(weight).norm(dim=1), before.norm(dim=1).clamp(max=limit)
    torch.testing.assert_close(norms, wanted, rtol=1e-6, atol=0)
    assert float(wanted.min()) < limit < float(before.norm(dim=1).max())
    directions = [torch.nn.functional.normalize(w, dim=1) for w in (into_unit(weight), before)]
    torch.testing.assert_close(*directions, rtol=1e-5, atol=1e-6)
    assert bool((bias == 100).all())


def test_sparse_weights_have_so_many_normal_ones_into_each_unit():
    """The paper's TFD output: mean and variance of 100·2304 draws within 5 standard errors of 0 and 1."""
    weight = sparse_normal(8000, 2304, 100, stream(1))
    assert weight.shape == (8000, 2304)
    assert bool(((weight != 0).sum(0) == 100).all())
    drawn = weight[weight != 0]
    assert abs(float(drawn.mean())) <= 5 / math.sqrt(len(drawn))
    assert abs(float(drawn.var()) - 1) <= 5 * math.sqrt(2 / len(drawn))
    by_input = (weight != 0).sum(1).double()  # binomial: each input is drawn by a unit with probability 1/80
    assert float(by_input.mean()) == 100 * 2304 / 8000
    assert float(by_input.var()) == pytest.approx(2304 / 80 * (1 - 1 / 80), rel=0.1)


def test_more_nonzero_weights_than_inputs_are_refused():
    with pytest.raises(ValueError, match="5 non-zero weights into each unit, but there are only 4 inputs"):
        sparse_normal(4, 2, 5, stream())


# --- dropout ---


def mask_of(layer, shape):
    """The mask (0 or 1/keep) that `layer` is about to draw, and the stream as it was before."""
    state = layer.streams[0].get_state()
    mask = layer.forward(torch.ones(shape))
    layer.streams[0].set_state(state)
    return mask


@pytest.mark.parametrize("keep", [0.8, 0.5, 0.1, 0.999, 2**-16, 1 - 2**-16])
def test_dropout_keeps_the_asked_share_and_scales_it_by_its_inverse(keep):
    n = 1_000_000
    y = Dropout(keep, stream(1)).forward(torch.ones(1000, 1000))
    kept = y != 0
    rate = round(keep * 2**16) / 2**16
    assert abs(int(kept.sum()) - n * rate) <= 5 * math.sqrt(n * rate * (1 - rate))  # 5 standard deviations
    assert bool((y[kept] == torch.tensor(1 / keep)).all())


def test_dropout_that_keeps_nearly_everything_keeps_nearly_everything():
    assert float(Dropout(0.999995, stream(1)).forward(torch.ones(100, 100)).mean()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("keep", [0.8, 0.5])
def test_dropout_preserves_the_expectation(keep):
    """Of the mean of 10⁶ elements the standard deviation is √((1 − keep)/keep)/10³ times their root mean square."""
    x = torch.rand(1000, 1000, generator=stream(2)) + 0.5
    bound = 5 * math.sqrt((1 - keep) / keep) / 1000 * float(x.square().mean().sqrt())
    assert float(Dropout(keep, stream(3)).forward(x).mean()) == pytest.approx(float(x.mean()), abs=bound)


def test_neighbours_are_dropped_independently():
    """Four masks come from one random word: chi-square over the 16 patterns of four neighbours, 15 degrees."""
    keep, groups = 0.8, 100_000
    kept = (Dropout(keep, stream(4)).forward(torch.ones(groups, 4)) != 0).long()
    observed = torch.bincount(kept @ torch.tensor([8, 4, 2, 1]), minlength=16).double()
    patterns = itertools.product([0, 1], repeat=4)
    expected = torch.tensor([groups * keep**sum(p) * (1 - keep)**(4 - sum(p)) for p in patterns]).double()
    assert float(((observed - expected).square() / expected).sum()) < 44.3  # exceeded by chance once in 10⁴


def test_every_forward_pass_has_a_new_mask_and_the_same_stream_the_same_ones():
    one, other = Dropout(0.5, stream(5)), Dropout(0.5, stream(5))
    x = torch.ones(10, 10)
    first, second = one.forward(x), one.forward(x)
    assert not torch.equal(first, second)
    assert torch.equal(other.forward(x), first)
    assert torch.equal(other.forward(x), second)


@settings(deadline=None, max_examples=30)
@given(n=sides, inputs=sides, last=st.integers(1, 12), transposed=st.booleans(), seed=seeds)
def test_dropout_multiplies_by_its_mask_forwards_and_backwards(n, inputs, last, transposed, seed):
    layer, last = Dropout(0.5, stream(seed)), min(last, n)
    mask = mask_of(layer, (n, inputs))
    x = normal(inputs, n, seed=seed).t() if transposed else normal(n, inputs, seed=seed)
    assert torch.equal(layer.forward(x), x * mask)
    gradient = normal(n, inputs, seed=seed + 1)
    assert torch.equal(layer.input_gradient(layer.delta(gradient)), gradient * mask)
    assert torch.equal(layer.input_gradient(gradient[n - last:]), (gradient * mask)[n - last:])
    assert layer.parameters == layer.gradients == []


# --- whole networks ---


def small_discriminator(keeps, pieces, inputs, seed):
    """Two maxout layers and the logit, with biases that are not 0, built as the paper's is."""
    discriminator = DiscriminatorNetwork([MaxoutLayer(7, pieces, 1.0, keeps[0]), MaxoutLayer(5, pieces, 1.0, keeps[1])],
                                         DiscriminatorOutput(1.0, keeps[2]))
    network = Network(discriminator_layers(discriminator, (1, 1, inputs), stream(seed), stream(seed + 1)))
    for bias in network.parameters[1::2]:
        bias.copy_(normal(*bias.shape, seed=seed + 2))
    return network


def discriminator_reference(x, parameters, masks, pieces):
    for i in (0, 2):
        x = maxout_reference(pieces)(x * masks[i // 2], parameters[i], parameters[i + 1])
    return (x * masks[2]) @ parameters[4] + parameters[5]


@settings(deadline=None, max_examples=40)
@given(n=st.integers(2, 10), inputs=sides, pieces=st.integers(1, 4), rows=st.integers(0, 10), seed=seeds,
       keeps=st.tuples(*[st.sampled_from([0.5, 0.8, 1.0])] * 3))
def test_a_discriminator_with_its_masks_frozen_equals_autograd(n, inputs, pieces, rows, seed, keeps):
    """One backward pass gives the parameters' gradients weighted by example, and unweighted input gradients."""
    rows = min(rows, n)
    network = small_discriminator(keeps, pieces, inputs, seed)
    twin = stream(seed + 1)  # where keep is 1 nothing is drawn
    masks = [Dropout(keep, twin).forward(torch.ones(n, width)).double() if keep < 1 else torch.tensor(1.0).double()
             for keep, width in zip(keeps, (inputs, 7, 5), strict=True)]
    x, weights, gradient = normal(n, inputs, seed=seed), normal(n, 1, seed=seed + 3), normal(n, 1, seed=seed + 4)
    variables = [x.double().requires_grad_(), *(p.double().requires_grad_() for p in network.parameters)]
    expected = discriminator_reference(variables[0], variables[1:], masks, pieces)
    by_input, = torch.autograd.grad(expected, variables[:1], gradient.double(), retain_graph=True)
    by_parameters = torch.autograd.grad(expected, variables[1:], (weights * gradient).double(), retain_graph=True)
    unweighted = torch.autograd.grad(expected, variables[1:], gradient.double())

    assert_close(network.forward(x), expected.detach())
    found = network.backward(gradient, weights, rows)
    if rows:
        assert_close(found, by_input[n - rows:])
    else:
        assert found is None
    for mine, wanted in zip(network.gradients, by_parameters, strict=True):
        assert_close(mine, wanted)
    before = [g.clone() for g in network.gradients]
    assert_close(network.input_gradient(gradient), by_input)
    assert all(torch.equal(a, b) for a, b in zip(network.gradients, before, strict=True))
    network.backward(gradient)
    for mine, wanted in zip(network.gradients, unweighted, strict=True):
        assert_close(mine, wanted)


@settings(deadline=None, max_examples=25)
@given(n=sides, activations=st.lists(st.sampled_from(ACTIVATIONS), min_size=1, max_size=3), seed=seeds)
def test_a_generator_equals_autograd(n, activations, seed):
    noise, output = Noise(3, "uniform"), GeneratorOutput(activations[-1], 1.0, "marginal_logit")
    generator = GeneratorNetwork([GeneratorLayer(6, a, 1.0) for a in activations[:-1]], output)
    images = torch.rand(10, 4, generator=stream(seed))
    network = Network(generator_layers(generator, 3, images, (1, 2, 2), stream(seed)))
    z = draw_noise(noise, n, stream(seed + 1))
    parameters = [p.double().requires_grad_() for p in network.parameters]
    expected = z.double()
    for activation, weight, bias in zip(activations, parameters[::2], parameters[1::2], strict=True):
        expected = dense_reference(activation)(expected, weight, bias)
    assert_close(network.forward(z), expected.detach())
    gradient = normal(n, 4, seed=seed + 2)
    network.backward(gradient)
    for mine, wanted in zip(network.gradients, torch.autograd.grad(expected, parameters, gradient.double()),
                            strict=True):
        assert_close(mine, wanted)


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 5), m=st.integers(1, 5), channels=st.integers(1, 2), units=st.integers(1, 3),
       pieces=st.integers(1, 3), side=st.integers(4, 6), kernel=st.integers(1, 3), padding=st.integers(0, 1),
       pool=st.integers(1, 2), seed=seeds)
def test_a_penalty_on_the_gradient_equals_autograds_second_derivative(n, m, channels, units, pieces, side, kernel,
                                                                     padding, pool, seed):
    """Of a convolutional network, the first m examples penalised each by a weight of its own."""
    m, shape = min(m, n), (channels, side, side)
    assume(side + 2 * padding - kernel + 1 >= pool)
    kernels = normal(pieces * units, channels, kernel, kernel, seed=seed)
    convolution = ConvolutionalMaxout(kernels, shape, pieces, padding, pool, pool)
    with_biases(convolution, seed)
    network = Network([convolution, dense(math.prod(convolution.output_shape), 1, "linear", seed + 1)])
    x, weights = normal(n, math.prod(shape), seed=seed + 2), normal(n, 1, seed=seed + 3)
    penalties = normal(m, 1, seed=seed + 4).abs()
    variables = [x.double().requires_grad_(), *(p.double().requires_grad_() for p in network.parameters)]
    maxima = convolution_reference(shape, pieces, padding, pool, pool)(*variables[:3])
    logits = maxima @ variables[3] + variables[4]
    [slopes] = torch.autograd.grad(logits.sum(), variables[:1], create_graph=True)
    whole = (weights.double() * logits).sum() + (penalties.double() * slopes[:m].square()).sum() / 2
    expected = torch.autograd.grad(whole, variables[1:])

    network.forward(x)
    found = network.backward_with_penalty(torch.ones(n, 1), weights, penalties)
    assert_close(found, slopes.detach())
    for mine, wanted in zip(network.gradients, expected, strict=True):
        assert_close(mine, wanted)


def test_a_sigmoid_layer_has_no_penalty_on_its_gradient():
    network = Network([dense(3, 2, "sigmoid"), dense(2, 1, "linear")])
    network.forward(torch.rand(4, 3))
    with pytest.raises(ValueError, match="a sigmoid layer is not piecewise linear"):
        network.backward_with_penalty(torch.ones(4, 1), torch.ones(4, 1), torch.ones(4, 1))


def test_a_generators_transposed_convolution_neither():
    layer = TransposedConvolution(torch.rand(2, 1, 3, 3), torch.zeros(25), 3, 1, "linear")
    network = Network([layer])
    network.forward(torch.rand(4, 18))
    with pytest.raises(ValueError, match="for networks of piecewise linear layers"):
        network.backward_with_penalty(torch.ones(4, 25), torch.ones(4, 1), torch.ones(4, 1))


@settings(deadline=None, max_examples=20)
@given(inputs=st.integers(2, 9), outputs=st.integers(1, 9), seed=seeds)
def test_power_iterations_find_the_largest_singular_value(inputs, outputs, seed):
    """To 1 % after 300 passes, however near the second one is; the weights are divided by it, the bias is not."""
    layer = SpectralNorm(dense(inputs, outputs, "linear", seed), stream(seed))
    with_biases(layer, seed)
    for _ in range(300):
        layer.forward(torch.rand(1, inputs))
    singular = float(torch.linalg.matrix_norm(layer.parameters[0], 2))
    assert float(torch.linalg.matrix_norm(layer.layer.parameters[0], 2)) == pytest.approx(1, rel=0.01)
    x = normal(5, inputs, seed=seed)
    torch.testing.assert_close(layer.forward(x), x @ layer.parameters[0] / singular + layer.parameters[1], rtol=0.02,
                               atol=0.02)


def test_backward_passes_leave_the_inputs_alone():
    network = small_discriminator((0.8, 0.5, 0.5), 3, 6, seed=1)
    x, gradient, weights = normal(4, 6, seed=1), normal(4, 1, seed=2), normal(4, 1, seed=3)
    copies = [t.clone() for t in (x, gradient, weights)]
    network.forward(x)
    network.backward(gradient, weights, rows=2)
    assert all(torch.equal(t, copy) for t, copy in zip((x, gradient, weights), copies, strict=True))


def test_a_networks_parameters_are_its_layers_own():
    network = Network([dense(2, 3, "relu"), Dropout(0.5, stream()), maxout(3, 2, 2)])
    assert [tuple(p.shape) for p in network.parameters] == [(2, 3), (3,), (3, 4), (4,)]
    network.parameters[0].fill_(0)
    assert not network.layers[0].parameters[0].any()


# --- the paper's networks ---


@pytest.fixture(scope="module")
def paper():
    content = YAML(typ="safe").load((Path(__file__).parents[3] / "params.yaml").read_text())
    return TypeAdapter(AdversarialNets).validate_python(content["experiments"]["mnist"]["train"]["model"])


@pytest.fixture(scope="module")
def images():
    """784 pixels; the first is always 0, the second always 1, others about ½."""
    train = torch.rand(50, 784, generator=stream(9))
    train[:, 0], train[:, 1] = 0, 1
    return train


@pytest.fixture(scope="module")
def players(paper, images):
    weights = random_stream(1, "initial weights")
    return (Network(generator_layers(paper.generator, 100, images, (1, 28, 28), weights)),
            Network(discriminator_layers(paper.discriminator, (1, 28, 28), weights, stream())))


def test_the_papers_generator_has_the_papers_size(players):
    parameters = players[0].parameters
    assert [tuple(p.shape) for p in parameters] == [(100, 1200), (1200,), (1200, 1200), (1200,), (1200, 784), (784,)]
    # 100·1200 + 1200 = 121,200; 1200·1200 + 1200 = 1,441,200; 1200·784 + 784 = 941,584
    assert sum(p.numel() for p in parameters) == 121_200 + 1_441_200 + 941_584 == 2_503_984
    assert [layer.activation for layer in players[0].layers] == ["relu", "relu", "sigmoid"]


def test_the_papers_discriminator_has_the_papers_size(players):
    parameters = players[1].parameters
    assert [tuple(p.shape) for p in parameters] == [(784, 1200), (1200,), (240, 1200), (1200,), (240, 1), (1,)]
    # five pieces of 240 units each: 784·1200 + 1200 = 942,000; 240·1200 + 1200 = 289,200; 240 + 1 = 241
    assert sum(p.numel() for p in parameters) == 942_000 + 289_200 + 241 == 1_231_441
    assert [layer.keep for layer in players[1].layers if isinstance(layer, Dropout)] == [0.8, 0.5, 0.5]
    assert [type(layer) for layer in players[1].layers] == [Dropout, Maxout, Dropout, Maxout, Dropout, Dense]


def test_the_papers_networks_map_noise_to_images_and_images_to_logits(players, paper):
    samples = players[0].forward(draw_noise(paper.noise, 3, stream()))
    assert samples.shape == (3, 784)
    assert bool(((samples >= 0) & (samples <= 1)).all())
    assert players[1].forward(samples).shape == (3, 1)


def test_initial_weights_are_uniform_within_irange(players):
    """Mean and standard deviation of n draws within 5 standard errors of 0 and irange/√3."""
    for network, irange in zip(players, (0.05, 0.005), strict=True):
        for weight in network.parameters[::2]:
            n, std = weight.numel(), irange / math.sqrt(3)
            assert float(weight.abs().max()) <= irange
            assert n < 1000 or float(weight.abs().max()) > 0.99 * irange
            assert abs(float(weight.mean())) <= 5 * std / math.sqrt(n)
            # of a uniform variable's standard deviation the standard error is std·√(0.2/n), its kurtosis being 1.8
            assert float(weight.std()) == pytest.approx(std, abs=5 * std * math.sqrt(0.2 / n))


def test_biases_start_at_zero_but_for_the_generators_output(players):
    for bias in [*players[0].parameters[1:-1:2], *players[1].parameters[1::2]]:
        assert not bias.any()


def test_the_generators_output_bias_is_the_clipped_logit_of_the_mean_image(players, images):
    bias = players[0].parameters[-1]
    assert float(bias[0]) == pytest.approx(math.log(1e-7 / (1 - 1e-7)), rel=1e-6)
    assert float(bias[1]) == pytest.approx(math.log((1 - 1e-7) / 1e-7), rel=1e-6)
    mean = images[:, 2:].double().mean(0)
    torch.testing.assert_close(bias[2:].double(), (mean / (1 - mean)).log(), rtol=0, atol=1e-6)
    torch.testing.assert_close(bias[2:].sigmoid().double(), mean, rtol=0, atol=1e-6)


def test_the_output_bias_is_zero_where_so_asked(images):
    generator = GeneratorNetwork([], GeneratorOutput("sigmoid", 0.05, "zero"))
    assert not generator_layers(generator, 3, images, (1, 28, 28), stream())[0].parameters[1].any()


def test_a_discriminator_that_keeps_everything_draws_nothing(images):
    dropout = stream()
    before = dropout.get_state()
    discriminator = DiscriminatorNetwork([MaxoutLayer(4, 2, 0.1, 1)], DiscriminatorOutput(0.1, 1))
    network = Network(discriminator_layers(discriminator, (1, 28, 28), stream(), dropout))
    first = network.forward(images)
    assert torch.equal(network.forward(images), first)
    assert torch.equal(dropout.get_state(), before)


def test_initial_weights_depend_on_their_stream_alone():
    assert torch.equal(uniform((4, 5), 0.1, stream(1)), uniform((4, 5), 0.1, stream(1)))
    assert not torch.equal(uniform((4, 5), 0.1, stream(1)), uniform((4, 5), 0.1, stream(2)))


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_noise_has_mean_0_and_variance_1(distribution):
    """Both within 5 standard errors (kurtosis at most 3); uniform noise lies within ±√3."""
    z = draw_noise(Noise(100, distribution), 10_000, stream(1))
    assert z.shape == (10_000, 100)
    n = z.numel()
    assert abs(float(z.mean())) <= 5 / math.sqrt(n)
    assert abs(float(z.var()) - 1) <= 5 * math.sqrt(2 / n)
    if distribution == "uniform":
        assert math.sqrt(3) - 1e-4 < float(z.abs().max()) <= math.sqrt(3) + 1e-6
    else:
        assert float(z.abs().max()) > 4
    assert float((z[:, :-1] * z[:, 1:]).mean()) == pytest.approx(0, abs=5 / math.sqrt(n))  # components independent


# --- settings ---


@pytest.mark.parametrize(("make", "key"), [
    (lambda: Noise(0, "uniform"), "dimensions"),
    (lambda: GeneratorLayer(0, "relu", 0.1), "units"),
    (lambda: GeneratorLayer(1, "relu", 0), "irange"),
    (lambda: GeneratorLayer(1, "relu", math.nan), "irange"),
    (lambda: GeneratorLayer(1, "relu", 0.1, math.nan), "bias"),
    (lambda: GeneratorOutput("sigmoid", -0.1, "zero"), "irange"),
    (lambda: GeneratorOutput("sigmoid", None, "zero", nonzero=0), "nonzero"),
    (lambda: Deconvolution(0, 1, 1, 1), "channels"),
    (lambda: Deconvolution(1, 1, 1, 0), "stride"),
    (lambda: Convolution(0, 0, 1, 1), "kernel"),
    (lambda: Convolution(1, -1, 1, 1), "padding"),
    (lambda: Convolution(1, 0, 2, 3), "pool_stride"),
    (lambda: MaxoutLayer(0, 1, 0.1, 1), "units"),
    (lambda: MaxoutLayer(1, 0, 0.1, 1), "pieces"),
    (lambda: MaxoutLayer(1, 1, 0, 1), "irange"),
    (lambda: MaxoutLayer(1, 1, 0.1, 0), "keep"),
    (lambda: MaxoutLayer(1, 1, 0.1, 1.01), "keep"),
    (lambda: DiscriminatorOutput(0, 1), "irange"),
    (lambda: DiscriminatorOutput(0.1, 0), "keep"),
    (lambda: DiscriminatorOutput(0.1, math.nan), "keep"),
    (lambda: GradientPenalty(0, "data"), "weight"),
    (lambda: GradientPenalty(math.inf, "data"), "weight"),
    (lambda: OnClass("class", 0), "classes"),
    (lambda: OnVisiblePixels("visible_pixels", 1.1), "nothing"),
])
def test_settings_out_of_range_name_their_key(make, key):
    with pytest.raises(ValueError, match=f"^{key} must "):
        make()


@pytest.mark.parametrize("make", [
    lambda: GeneratorOutput("sigmoid", None, "zero"), lambda: GeneratorOutput("sigmoid", 0.1, "zero", nonzero=3)])
def test_output_weights_begin_in_one_way_and_no_other(make):
    with pytest.raises(ValueError, match="either irange or nonzero must be given, and not both"):
        make()


def test_dense_layers_come_after_convolutional_ones():
    with pytest.raises(ValueError, match="convolutional layers must come before dense ones"):
        DiscriminatorNetwork([MaxoutLayer(4, 2, 0.1, 1), MaxoutLayer(4, 2, 0.1, 1, Convolution(3, 1, 2, 2))],
                             DiscriminatorOutput(0.1, 1))


@pytest.mark.parametrize(("kind", "content"), [
    (Noise, {"dimensions": 3, "distribution": "uniform", "dimension": 3}),
    (Noise, {"dimensions": 3, "distribution": "laplace"}),
    (GeneratorLayer, {"units": 3, "activation": "tanh", "irange": 0.1}),
    (MaxoutLayer, {"units": 3, "pieces": 2, "irange": 0.1}),
])
def test_settings_from_a_file_have_these_keys_and_choices_only(kind, content):
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(content)
