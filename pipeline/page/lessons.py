"""The chapter of lessons, and their rows in the table of claims."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from gan.lessons.catalogue import LESSONS
from pipeline.artifacts.paths import LESSON_RESULTS
from pipeline.page.claims import Claim, Finding, Verdict
from pipeline.page.embedding import halved, picture_source
from pipeline.page.games import panel
from pipeline.results.lessons import bound_text, measured_text, number, result_file, verdict
from pipeline.runtime.files import read_json
from pipeline.settings.inheritance import SMOKE  # the profile by which no claim is judged

RULE = "A claim of the theory or of a slide holds if every criterion of its lesson does."

_GROUPS = {
    "The paper’s figure 1 and its theory": {
        "figure_1": ("The paper’s figure 1: the course of the game", "in the end D = ½"),
        "optimal_discriminator": ("Proposition 1: the best D for a fixed G", "p/(p + q)"),
        "global_optimum": ("Theorem 1: the global optimum", "−log 4, at p_g = p_data"),
        "convergence": ("Proposition 2: Algorithm 1 converges", "p_g → p_data"),
        "non_saturating": ("Section 3: which loss still teaches G when D is sure", "−log D, not log(1 − D)")},
    "The slides of 2016": {
        "self_play": ("Slide 2: a player against a copy of itself", "training in the worst case"),
        "robust_optimisation": ("Slide 2: robust optimisation is a game", "worst-case inputs, chosen by an adversary"),
        "adversarial_examples": ("Slide 2: training on adversarial examples", "error under FGSM: 89.4 % to 17.9 %"),
        "vector_arithmetic": ("Slide 9: vector space arithmetic", "a − b + c has both attributes"),
        "non_convergence": ("Slide 10: games need not converge", "they may circle for ever"),
        "mode_collapse": ("Slide 11: mode collapse", "min max is not max min"),
        "minibatch_features": ("Slide 12: minibatch features", "they undo collapse"),
        "minibatch_gan": ("Slide 13: a minibatch GAN on CIFAR-10", "samples look like photographs"),
        "minibatch_gan_at_128": ("Slide 14: a minibatch GAN on ImageNet", "parts are recognisable, wholes are wrong"),
        "honest_pictures": ("Slides 15 to 18: cherry-picked results", "they look better than the model is"),
        "problems_measured": ("Slides 16 to 18: counting, perspective, global structure",
                              "samples get them wrong"),
        "image_to_image": ("Slide 19: image to image translation", "L1 blurs, with an adversary it is sharp"),
        "plug_and_play": ("Slides 20 and 21: plug and play", "a classifier steers what is drawn"),
        "many_answers": ("Slide 22: many answers", "GANs can give them all"),
        "next_frame": ("Slide 23: the next frame of a film", "squared error blurs, an adversary chooses"),
        "markets": ("Slide 24: adversarial training for people", "markets, with cycles?")}}


def chapter(folder: Path = LESSON_RESULTS, full: bool = True) -> list[dict[str, Any]]:
    """Every lesson in the order in which they are read, for the template lessons.html.

    `status` is "done" or "not run"; a lesson that has not been run has its title and number alone. The short page has
    the figures at half their size and no animation.
    """
    return [_section(place, name, entry.title, result_file(name, folder), full)
            for place, (name, entry) in enumerate(LESSONS.items(), 1)]


def _section(place: int, name: str, title: str, path: Path, full: bool) -> dict[str, Any]:
    section: dict[str, Any] = {"number": place, "name": name, "title": typeset(of_the_paper(title)),
                               "status": "not run"}
    if not path.is_file():
        return section
    result = read_json(path)
    figure = result["figure"]
    png = Path(figure["file"]).read_bytes()
    width, height = struct.unpack(">II", png[16:24])  # PNG's first chunk begins with them
    image = picture_source(png) if full else halved(png)
    animation = figure["animation"]
    criteria = [{"statement": typeset(criterion["statement"]), "measured": measured_text(criterion),
                 "bound": bound_text(criterion), "holds": criterion["holds"], "verdict": verdict(criterion)}
                for criterion in result["criteria"]]
    return section | {
        "status": "done", "profile": result["profile"], "smoke": result["profile"] == SMOKE,
        **{key: typeset(result[key]) for key in ("source", "statement", "experiment", "takeaway")},
        "criteria": criteria, "numbers": {label: number(value) for label, value in result["numbers"].items()},
        "image": image, "width": width // 2, "height": height // 2,
        "alt": figure["alt"], "caption": typeset(figure["caption"]),
        "caption_brief": typeset(_first_sentence(figure["caption"])), "data": figure["data"],
        "animation": None if animation is None or not full else Markup(Path(animation).read_text()),
        "game": panel(name, result["settings"])}


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[a-z)½][.:]) (?=[A-ZÀ-ÿΑ-Ω|])", text, maxsplit=1)[0]


def of_the_paper(text: str) -> str:
    """Figures of this page have numbers of their own."""
    return re.sub(r"^Figure (\d)", r"The paper’s figure \1", text)


def typeset(text: str) -> Markup:
    """Escaped, with the indices of p_g and p_data set as such."""
    return Markup(re.sub(r"\bp_(g|data)\b", r"p<sub>\1</sub>", str(escape(text))))


def lesson_claims(chapter: Sequence[Mapping[str, Any]], left_out: Mapping[str, str]) -> Iterator[Claim]:
    """A row for each lesson of `chapter`; `left_out` says why some were not asked for."""
    lessons = {lesson["name"]: lesson for lesson in chapter}
    for group, claims in _GROUPS.items() if lessons else ():
        for name, (claim, paper) in claims.items():
            yield _claim(lessons[name], typeset(claim), typeset(paper), group, left_out.get(f"lesson {name}", ""))


def _claim(lesson: Mapping[str, Any], claim: str, paper: str, group: str, reason: str) -> Claim:
    if lesson["status"] != "done":
        return Claim(claim, paper, missing=f"left out: {reason}" if reason else "not run: make lessons", group=group)
    failed = [criterion for criterion in lesson["criteria"] if not criterion["holds"]]
    count = len(lesson["criteria"])
    ours = f"{count - len(failed)} of {count} criteria hold" if failed else \
        f"all {count} criteria hold" if count > 1 else "its criterion holds"
    if lesson["smoke"]:
        judged = Verdict("beside", "not judged: profile smoke")
    elif failed:
        judged = Verdict("no", "does not hold in full", "; ".join(
            f"{criterion['statement'].striptags()}: {criterion['measured']}, bound {criterion['bound']}"
            for criterion in failed))
    else:
        judged = Verdict("yes", "holds")
    return Claim(claim, paper, [Finding(ours, judged, "", [f"profile {lesson['profile']}"], f"lesson-{lesson['name']}",
                                        f"lesson {lesson['number']}")], group=group)
