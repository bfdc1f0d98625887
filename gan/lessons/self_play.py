"""Lesson: a player that meets only itself learns to lose to nobody; one that meets only a weak player does not."""

from __future__ import annotations

import numpy as np

from gan.datasets.sources import StartProgress
from gan.lessons.lesson import Criterion, Outcome, Rows
from gan.lessons.one_dimension import Array
from gan.lessons.parts.tic_tac_toe import (
    FIRST,
    SECOND,
    Rule,
    by_odds,
    evenly,
    highest,
    loss,
    lowest,
    met,
    minimax,
    perfect_moves,
    positions,
    score,
    worth,
)
from gan.lessons.parts.value_table import ValueTable
from gan.lessons.settings import SelfPlay

SOURCE = (
    "Slide 2 (2016), “An agent playing against a copy of itself in a board game (Samuel, 1959)”; Samuel 1959, “Some "
    "Studies in Machine Learning Using the Game of Checkers”")
STATEMENT = (
    "Adversarial training is training in the worst case: an adversary chooses the inputs. Its oldest example is a "
    "program that plays against itself. The opponent is always as strong as the player: what mistakes the player "
    "still makes, its copy learns to punish, and the player then learns to avoid. In a finite game of two players "
    "this should end where no opponent at all can win, though no strong player was ever met. A learner that meets "
    "only a weak opponent becomes as good as can be against that one, and nothing makes it safe from others.")
EXPERIMENT = (
    "The game is tic-tac-toe, small enough to check everything: 5,478 positions, 255,168 games, a draw if both play "
    "perfectly. The player has a number for each kind of position that it can leave behind (765 kinds in all, turns "
    "and reflections taken together). All begin at 0, and it moves to where the number is highest. After its next "
    "move the number of the position before goes towards that of the new one, at the end of the game towards the "
    "result: 1 for a win, 0 for a draw, −1 for a loss; the k-th update goes 1/k^{power} of the way. Of its moves a "
    "share of {explore} is made at random, to explore, and teaches nothing. No search, no book. Seeds {seeds}, all "
    "shown, play {rounds} times {at_once} games: once against themselves, once against a player that moves at random. "
    "Then they no longer explore, and the whole game is gone through: every reply in every position for the opponent "
    "that is worst for them, every reply with its odds for the random player. A score is what the result is on "
    "average, moving first and second alike. A move is perfect if it keeps what minimax says the position is worth; "
    "the perfect player takes each of the perfect moves with the same odds.")
TAKEAWAY = (
    "The learner is the same in both; what differs is whom it meets. Against itself it reaches the worst case: there "
    "is nothing left to exploit, and that was checked against all opponents, not against a sample. The best reply to "
    "the random player loses every game as second player to an opponent that knows it. It wins so little more than "
    "the best play that is safe, .960 against .956, that chance decides which of the two a learner ends with: most "
    "seeds can be beaten, not all, and the fifth criterion does not hold. Safety that nobody asks for is an accident. "
    "Nor does training in the worst case give what it was not asked for: all perfect moves are equally good against "
    "perfect play, self-play does not choose among them, and some set a random player fewer traps. So the worst seed "
    "wins less against it than the perfect player, and the third criterion does not hold either. A GAN’s "
    "discriminator is an opponent that grows with the player; a fixed loss is one that stays as it is.")

OPPONENTS = {"itself": "itself", "random": "the random player"}
SIDES = {"first": FIRST, "second": SECOND}


def run(settings: SelfPlay, start: StartProgress) -> Outcome:
    course = Rows("opponent", "seed", "games", "side", "loss", "against_worst", "against_random", "positions",
                  "perfect")
    looks = {0, settings.rounds} | {2 ** k for k in range(settings.rounds.bit_length())}
    with start("self-play", len(OPPONENTS) * settings.rounds, "round") as meter:
        for opponent in OPPONENTS:
            player = ValueTable(settings.seeds, settings.at_once, settings.explore, settings.power,
                                random_opponent=opponent == "random")
            for played in range(settings.rounds + 1):
                if played in looks:
                    _look(course, opponent, settings.seeds, played * settings.at_once, player.odds())
                if played < settings.rounds:
                    player.play()
                    meter.advance(1, f"against {OPPONENTS[opponent]}")
    games = settings.rounds * settings.at_once
    known = references()
    return Outcome(_criteria(course, games, known), {
        "course": course.table, "references": {"play": list(known), "against_random": list(known.values())}},
        _numbers(course, settings, known))


def _look(course: Rows, opponent: str, seeds: list[int], games: int, odds: Array) -> None:
    for side, number in SIDES.items():
        for row in zip(seeds, *exactly(odds, number).values(), strict=True):
            course.add(opponent, row[0], games, side, *map(float, row[1:]))


def exactly(odds: Array, side: int) -> dict[str, Array]:
    """What play by `odds` [runs, n, 9] comes to on `side`, for each run [runs].

    `loss` is the chance of losing to the opponent that makes it largest, `against_worst` the score against the one that
    makes it least; `positions` counts those that may be met, and `perfect` is the share of them in which every move
    that may be made is perfect.
    """
    legal, own, runs = positions().legal, by_odds(odds), len(odds)
    seen = met(odds, side)
    sound = ~((odds > 0) & ~perfect_moves()).any(-1)
    return {"loss": worth(loss(side), side, own, highest(legal), runs)[:, 0],
            "against_worst": worth(score(side), side, own, lowest(legal), runs)[:, 0],
            "against_random": worth(score(side), side, own, by_odds(evenly(legal)), runs)[:, 0],
            "positions": seen.sum(1), "perfect": (seen & sound).sum(1) / seen.sum(1)}


def references() -> dict[str, float]:
    """Scores against the random player, mean of both sides, of ways of play that no learner is needed for."""
    legal, perfect = positions().legal, perfect_moves()
    rules: dict[str, Rule] = {
        "random player": by_odds(evenly(legal)), "perfect player": by_odds(evenly(perfect)),
        "least of perfect play": lowest(perfect), "most of perfect play": highest(perfect),
        "most of all play": highest(legal)}
    at_random = by_odds(evenly(legal))
    return {name: float(np.mean([worth(score(side), side, rule, at_random)[0, 0] for side in SIDES.values()]))
            for name, rule in rules.items()}


def _against_random(course: Rows, opponent: str, games: int) -> Array:
    """[runs]: the mean of both sides"""
    sides = [course.numbers("against_random", opponent=opponent, games=games, side=side) for side in SIDES]
    return np.asarray(np.mean(sides, 0))


def best_reply(side: int) -> Array:
    """[1, n, 9]: the odds of a player who gets most from the random player, equals with even odds."""
    table = positions()
    value = worth(score(side), side, highest(table.legal), by_odds(evenly(table.legal)))[0]
    ahead = np.where(table.legal, value[table.after], -np.inf)
    return evenly(table.legal & (ahead > ahead.max(1, keepdims=True) - 1e-12))[None]


def _criteria(course: Rows, games: int, known: dict[str, float]) -> list[Criterion]:
    return [
        Criterion("trained on itself: chance of losing to the opponent worst for it, either side, worst seed",
                  max(course.numbers("loss", opponent="itself", games=games)), "<", 1e-9),
        Criterion("trained on itself: share of the positions it may meet in which its moves are perfect, either side, "
                  "worst seed", min(course.numbers("perfect", opponent="itself", games=games)), ">", 0.99),
        Criterion("trained on itself: score against the random player less the perfect player’s, worst seed",
                  float(_against_random(course, "itself", games).min()) - known["perfect player"], ">", -0.02),
        Criterion("trained on the random player: score against it less the most that any play can reach, worst seed",
                  float(_against_random(course, "random", games).min()) - known["most of all play"], ">", -0.02),
        Criterion("trained on the random player: chance of losing to the opponent worst for it, as second player, "
                  "least of all seeds",
                  min(course.numbers("loss", opponent="random", games=games, side="second")), ">", 0.5)]


def _numbers(course: Rows, settings: SelfPlay, known: dict[str, float]) -> dict[str, float | int]:
    table, games = positions(), settings.rounds * settings.at_once
    ways = worth(np.where(table.over, 1.0, 0.0), FIRST, _sum(), _sum())[0, 0]
    lost = [int(at) for at, chance in zip(course.numbers("games", opponent="itself"),
                                          course.numbers("loss", opponent="itself"), strict=True) if chance > 0]
    scores = {opponent: _against_random(course, opponent, games) for opponent in OPPONENTS}
    return {
        "positions of the game": len(table.boards), "games of the game": int(ways),
        "score of the first player if both play perfectly": float(minimax()[0]),
        "games of self-play at the last look in which some seed could still lose": max(lost),
        **{f"score against the random player, {name}": value for name, value in known.items()},
        **{f"score against the random player, trained on {name}, {word} seed": float(pick(scores[opponent]))
           for opponent, name in OPPONENTS.items() for word, pick in (("worst", np.min), ("best", np.max))},
        **{f"chance of losing to the worst opponent as {name} player, best reply to the random player": float(
            exactly(best_reply(side), side)["loss"][0]) for name, side in SIDES.items()},
        **{f"seeds trained on the random player that can be beaten as {name} player": sum(
            chance > 0 for chance in course.numbers("loss", opponent="random", games=games, side=name))
           for name in SIDES}}


def _sum() -> Rule:
    legal = positions().legal
    return lambda rows, ahead: np.asarray(np.where(legal[rows], ahead, 0.0).sum(-1))
