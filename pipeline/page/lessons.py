"""The lessons' rows in the table of claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.page.claims import Claim, Finding, Verdict
from pipeline.stages.lesson import typeset

RULE = "A claim of the theory or of a slide holds if every criterion of its lesson does."

_GROUPS = {
    "Figure 1 and the theory": {
        "figure_1": ("Figure 1: the course of the game", "in the end D = ½"),
        "optimal_discriminator": ("Proposition 1: the best D for a fixed G", "p/(p + q)"),
        "global_optimum": ("Theorem 1: the global optimum", "−log 4, at p_g = p_data"),
        "convergence": ("Proposition 2: Algorithm 1 converges", "p_g → p_data"),
        "non_saturating": ("Section 3: which loss still teaches G when D is sure", "−log D, not log(1 − D)")},
    "The slides of 2016": {
        "non_convergence": ("Slide 10: games need not converge", "they may circle for ever"),
        "mode_collapse": ("Slide 11: mode collapse", "min max is not max min"),
        "minibatch_features": ("Slide 12: minibatch features", "they undo collapse"),
        "many_answers": ("Slide 22: many answers", "GANs can give them all"),
        "honest_pictures": ("Slides 15 to 18: cherry-picked results", "they look better than the model is")}}


def lesson_claims(chapter: Sequence[Mapping[str, Any]], left_out: Mapping[str, str]) -> Iterator[Claim]:
    """A row for each lesson of `pipeline.stages.lesson.chapter`; `left_out` says why some were not asked for."""
    lessons = {one["name"]: one for one in chapter}
    for group, claims in _GROUPS.items() if lessons else ():
        for name, (claim, paper) in claims.items():
            yield _claim(lessons[name], typeset(claim), typeset(paper), group, left_out.get(f"lesson {name}", ""))


def _claim(lesson: Mapping[str, Any], claim: str, paper: str, group: str, reason: str) -> Claim:
    if lesson["status"] != "done":
        return Claim(claim, paper, missing=f"left out: {reason}" if reason else "not run: make lessons", group=group)
    failed = [one for one in lesson["criteria"] if not one["holds"]]
    number = len(lesson["criteria"])
    ours = f"{number - len(failed)} of {number} criteria hold" if failed else \
        f"all {number} criteria hold" if number > 1 else "its criterion holds"
    if lesson["smoke"]:
        verdict = Verdict("beside", "not judged: profile smoke")
    elif failed:
        verdict = Verdict("no", "does not hold in full", "; ".join(
            f"{one['statement'].striptags()}: {one['measured']}, bound {one['bound']}" for one in failed))
    else:
        verdict = Verdict("yes", "holds")
    return Claim(claim, paper, [Finding(ours, verdict, "", [f"profile {lesson['profile']}"], f"lesson-{lesson['name']}",
                                        f"lesson {lesson['number']}")], group=group)
