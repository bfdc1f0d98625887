"""The convolutional game on pictures: shapes, minibatch features, the score."""

import math

import pytest
import torch

from gan.datasets.contrast import normalize_contrast
from gan.errors import DataError, ReproductionError
from gan.evaluation.features import Seen
from gan.lessons import minibatch_gan
from gan.lessons.lesson import Rows, lower_end
from gan.lessons.minibatch_gan import differences
from gan.lessons.pictures import (
    Discriminator,
    Generator,
    PictureGame,
    Pictures,
    classifier_score,
    initialise,
    levels,
    require_playable,
)
from gan.lessons.settings import MinibatchGan
from gan.linear_algebra import random_stream
from pipeline.runtime.progress import Progress


def pictures(n, side=8):
    return torch.randn(n, 3 * side * side, generator=torch.Generator().manual_seed(0))


def game(seed=1, features=3, **changes):
    settings = {"side": 8, "noise": 5, "channels": 4, "batch": 6, "discriminator_rate": 0.001, "generator_rate": 0.001,
                "width": 2}
    return PictureGame(pictures(40), seed=seed, features=features, **{**settings, **changes})


@pytest.mark.parametrize("side", [8, 16, 32])
@pytest.mark.parametrize("features", [0, 5])
def test_pictures_come_out_and_logits(side, features):
    drawn = Generator(7, 4, side)(torch.randn(6, 7))
    assert drawn.shape == (6, 3, side, side)
    assert Discriminator(4, side, features, 3)(drawn).shape == (6,)


def test_the_networks_have_as_many_weights_as_their_layers_by_hand():
    """Side 16, 4 channels: two doublings, widths 8 and 4."""
    networks = {"generator": Generator(7, 4, 16), "without": Discriminator(4, 16, 0, 3),
                "with": Discriminator(4, 16, 5, 3)}
    count = {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()}
    assert count["generator"] == 7 * 8 * 16 + 2 * 8 + 8 * 4 * 16 + 2 * 4 + 4 * 3 * 16 + 3
    assert count["without"] == (3 * 4 * 16 + 4) + (4 * 8 * 16 + 8) + 8 * 16 + 1
    assert count["with"] == count["without"] + 8 * 16 * 5 * 3 + 5


@pytest.mark.parametrize("side", [0, 4, 12, 31, 33])
def test_sides_that_are_no_doubling_are_refused(side):
    with pytest.raises(ValueError, match=f"not {side}"):
        levels(side)


def test_a_game_is_the_same_twice_and_another_with_another_seed():
    def played(seed):
        play = game(seed)
        for _ in range(3):
            play.play()
        return play.samples(10, random_stream(1, "judged"))

    assert torch.equal(played(1), played(1))
    assert not torch.equal(played(1), played(2))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 16), (3, 4, 4), (3, 100, 100)])
def test_shapes_that_no_game_can_be_played_on_are_refused(shape):
    with pytest.raises(ValueError, match="pictures must be"):
        require_playable(shape)


@pytest.mark.parametrize("norm", [None, 1.0, 220.0])
def test_pictures_are_seen_alike_whatever_the_datas_scale(norm):
    bytes_ = torch.randint(256, (3, 192), generator=torch.Generator().manual_seed(0))
    data = bytes_ / 255 if norm is None else normalize_contrast(bytes_, norm)
    seen = Pictures(data, data, 8, lambda images: None, 0.5, contrast_norm=norm).visible(data)
    if norm is None:
        assert torch.equal(seen, data)
    else:
        of_each = bytes_.double()
        deviations = (of_each - of_each.mean(1, keepdim=True)) / of_each.std(1, correction=0, keepdim=True)
        assert torch.allclose(seen, (deviations / 5 + 0.5).clamp(0, 1).float(), atol=1e-5)


def given(test, classes=2):
    def seen(images):
        return Seen(images[:, :2], torch.full((len(images), classes), 1 / classes))

    return Pictures(pictures(40), pictures(test), 8, seen, 0.5)


def test_too_few_test_images_are_told_before_a_game_is_played(monkeypatch):
    monkeypatch.setattr(minibatch_gan, "PictureGame", None)
    with pytest.raises(DataError, match=r"too few test images[\s\S]*needs 6 images, not 5"):
        minibatch_gan.run(MinibatchGan(), Progress, given(5))


def test_fewer_test_images_than_are_judged_are_counted():
    settings = MinibatchGan([3], 1, 1, 4, 2, 4, 0.001, 0.001, 1, 15)
    for test, expected in ((12, 12), (15, None), (20, None)):
        numbers = minibatch_gan.run(settings, Progress, given(test)).numbers
        assert numbers.get("test images, of which there are fewer") == expected


def test_a_game_that_has_diverged_is_named():
    settings = MinibatchGan([3], 1, 1, 4, 2, 4, 1e30, 1e30, 3, 15)
    with pytest.raises(ReproductionError, match=r"without minibatch features, seed 3, has diverged[\s\S]*lower"):
        minibatch_gan.run(settings, Progress, given(20))


def test_both_games_of_a_seed_begin_with_the_same_generator():
    with_features, without = game(features=3), game(features=0)
    assert torch.equal(*(play.samples(4, random_stream(1, "judged")) for play in (with_features, without)))


def test_a_game_on_another_device_draws_the_same_random_numbers(monkeypatch):
    """The "meta" device has shapes alone; what is drawn for it is drawn where it always is."""
    drawn = []
    monkeypatch.setattr(torch, "randint", lambda *words, generator, **more: drawn.append(generator.device.type) or (
        torch.zeros(words[1], dtype=torch.int64)))
    play = game(device="meta")
    play.play()
    assert drawn == ["cpu"]
    assert {p.device.type for network in (play.generator, play.discriminator) for p in network.parameters()} == {"meta"}


def test_playing_moves_both_players():
    play = game()
    before = [p.clone() for network in (play.generator, play.discriminator) for p in network.parameters()]
    play.play()
    after = [p for network in (play.generator, play.discriminator) for p in network.parameters()]
    assert sum(not torch.equal(a, b) for a, b in zip(before, after, strict=True)) >= len(before) - 1


def test_weights_are_drawn_with_the_deviation_of_dcgan():
    network = Generator(64, 16, 32)
    initialise(network, random_stream(3, "generator weights"))
    assert float(network.foot.weight.detach().std()) == pytest.approx(0.02, rel=0.02)


def test_the_score_has_its_closed_forms():
    classes = torch.eye(5, dtype=torch.float64)
    assert classifier_score(classes) == pytest.approx(5)  # sure, and all of them
    assert classifier_score(classes[:1].expand(7, 5)) == pytest.approx(1)  # sure, and always the same
    assert classifier_score(torch.full((7, 5), 0.2)) == pytest.approx(1)  # never sure
    p = torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=torch.float64)
    mean = p.mean(0)
    expected = math.exp(float((p * (p / mean).log()).sum(1).mean()))
    assert classifier_score(p) == pytest.approx(expected, rel=1e-12)


def test_differences_are_taken_seed_by_seed_and_one_seed_says_nothing():
    rows = Rows("game", "seed", "score")
    for seed, without, with_features in ((1, 2.0, 2.5), (2, 3.0, 3.3), (3, 1.0, 1.4)):
        rows.add("without", seed, without)
        rows.add("with", seed, with_features)
    found = differences(rows, "score")
    assert found == pytest.approx([0.5, 0.3, 0.4])
    assert lower_end(found) == pytest.approx(0.4 - 2 * 0.1 / math.sqrt(3))
    assert math.isnan(lower_end([1.0]))
