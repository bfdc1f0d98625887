"""`python -m pipeline VERB`: which verbs there are, what each is given, and what it calls.

What a verb calls is imported when it is called, so that help and a word that is misspelt cost no second.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from pipeline.cluster.options import ClusterOptions
from pipeline.commands import typed
from pipeline.runtime.names import nearest

PROGRAM = "python -m pipeline"
HELP = """Generative Adversarial Nets (Goodfellow et al. 2014), reproduced. `make` has targets of the same names, which
make the environment first.

\b
Heeded in the environment, beside MLFLOW_TRACKING_URI:
""" + "\n".join(f"{name:<23} {meaning}" for name, meaning in typed.ENVIRONMENT.items())


@dataclass(frozen=True)
class Verb:
    calls: str
    """"module:function"; the function is given the parameters by their names, and what it returns, if anything, is the
    exit status"""
    summary: str
    parameters: Sequence[click.Parameter] = ()
    more: str = ""
    alone: bool = False
    """refused while a run works in this checkout, and where it is no clone in which one can"""
    by_dvc: bool = False
    """DVC works in this checkout"""
    on_cluster: bool = False
    """the parameters of CLUSTER are given as one, `cluster`"""

    def call(self, **given: Any) -> None:
        typed.check(spelling=click.get_current_context().find_object(dict))
        if self.alone:
            _function("pipeline.commands.clone_check:require")()
            _function("pipeline.commands.who:free")()
        if self.alone or self.by_dvc:
            _function("pipeline.runtime.site_cache:keep_in_checkout")()
        if self.on_cluster:
            given["cluster"] = ClusterOptions(**{each.name: given.pop(each.name) for each in fields(ClusterOptions)})
        if status := _function(self.calls)(**given):
            sys.exit(status)


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def _is_experiment(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not value and not parameter.required:
        return value
    where = "EXPERIMENT" if os.environ.get("EXPERIMENT") == value else context.command_path
    typed.require(value, typed.experiments(), "experiment", where)
    return value


def choice(option: str, variable: str, meaning: str, *, given: bool = False) -> click.Option:
    """An option that is as good as a variable of the environment; `given` to the function too, where it asks for it."""
    def say(context: click.Context, parameter: click.Parameter, value: str | None) -> str:
        if value is not None:
            os.environ[variable] = value
            context.ensure_object(dict)[variable] = option
        return os.environ.get(variable, "").strip()

    return click.Option([option], expose_value=given, callback=say, metavar="NAMES" if option[-1] == "s" else "NAME",
                        help=f"{meaning} ({variable})")


def option(name: str, text: str, **more: Any) -> click.Option:
    """Of a cluster run, with the default of ClusterOptions."""
    field = next(each for each in fields(ClusterOptions) if each.name == name.replace("-", "_"))
    shown = more.pop("show_default", field.default not in ("", None, 0, ()))
    return click.Option([f"--{name}"], default=field.default, help=text, show_default=shown, **more)


def kind_of_cluster(default: str, more: str = "", *others: str) -> click.Option:
    return click.Option(["--cluster"], type=click.Choice(["slurm", "local", *others]), default=default,
                        show_default=True, help="Stages side by side: as jobs of Slurm, or as processes on this "
                                                f"machine's cores or GPUs.{more}")


EXPERIMENT = click.Argument(["experiment"], callback=_is_experiment)
CHOICES = (choice("--profile", "GAN_PROFILE", "paper, cpu or smoke, instead of what suits this machine"),
           choice("--experiments", "GAN_EXPERIMENTS", "these, instead of all that the profile runs"),
           choice("--lessons", "GAN_LESSONS", "these, or all or none"))
CLUSTER = (
    option("retries", "How often a task whose job was killed is started again.", type=int, metavar="N"),
    option("split-seeds", "A task for each seed of a training; auto: on processors, not on GPUs, where seeds are "
                          "computed together.", type=click.Choice(["auto", "yes", "no"])),
    option("data", "How results travel: DVC's default remote (Slurm's default), or this checkout's cache, which all "
                   "workers must see (the default of local).", type=click.Choice(["remote", "cache"])),
    option("scratch", "Where workers clone (default: the temporary folder of each node).", metavar="FOLDER"),
    option("partition", "Slurm: of each task.", metavar="NAME"),
    option("account", "Slurm: of each task.", metavar="NAME"),
    option("gpus", "Slurm: of each task.", type=int, metavar="N", show_default=True),
    option("cpus", "Slurm: cores, and threads, of each task.", type=int, metavar="N"),
    option("memory", "Slurm: of each task.", type=float, metavar="GIB"),
    option("time", "Slurm: of each task.", type=int, metavar="MINUTES"),
    option("array-size", "Slurm: tasks of one array at most.", type=int, metavar="N"),
    option("at-once", "Slurm: tasks of one array that run at a time.", type=int, metavar="N"),
    option("sbatch", "Slurm: any other option of sbatch; may be given several times.", multiple=True,
           metavar="NAME=VALUE"),
    option("python", "Slurm: Python on the nodes, with this checkout's environment (default: this one).",
           metavar="COMMAND", show_default=False),
    option("workers", "local: how many (default: one for each GPU; else as many as cores, threads and memory allow).",
           type=int, metavar="N"),
    option("threads", "local: of each (default: OMP_NUM_THREADS, else cores / workers).", type=int, metavar="N"))

OR_NOT = (kind_of_cluster("auto", " none: by DVC, one stage after another. auto: local where there are several cores "
                          "or GPUs and the code is committed.", "auto", "none"), *CLUSTER)

WORDS = (click.Argument(["words"], nargs=-1, type=click.UNPROCESSED),)

VERBS = {
    "plan": Verb("pipeline.commands.plan:main", "Say what this machine can do, and keep it as the plan; runs nothing.",
                 CHOICES, alone=True),
    "reproduce": Verb("pipeline.commands.reproduce:reproduce", "Plan, run what is not done yet, and print the table.", (
        *CHOICES, click.Option(["--planned"], is_flag=True, help="By the plan that there is."), *OR_NOT),
        alone=True, on_cluster=True),
    "lessons": Verb("pipeline.commands.reproduce:lessons", "Plan and run the lessons alone.",
                    (CHOICES[0], CHOICES[2], *OR_NOT),
                    "They are the paper's theory and the slides of 2016 as experiments.", alone=True, on_cluster=True),
    "table": Verb("pipeline.commands.table:main", "Print the results beside the paper's."),
    "report": Verb("pipeline.commands.reproduce:report", "Make the page again.", by_dvc=True),
    "page": Verb("pipeline.commands.page:main", "Write the page with these experiments, others as still to come.", (
        click.Argument(["experiments"], nargs=-1),
        click.Option(["--failed"], multiple=True, metavar="NAME", help="One that is not to come, as it has failed."))),
    "pdf": Verb("pipeline.commands.pdf:main", "Print the page to a PDF by a browser.", (
        click.Option(["--out"], type=click.Path(path_type=Path), metavar="FILE", help="Default: beside the page."),)),
    "crate": Verb("pipeline.commands.crate:main", "Pack the results for an archive, as a Workflow Run RO-Crate.", (
        click.Option(["--models"], is_flag=True, help="With the weights, which are hundreds of megabytes."),
        click.Option(["--out"], type=click.Path(path_type=Path), default=Path("crate.zip"), show_default=True))),
    "settings": Verb("pipeline.settings.explain:main", "Print what holds for an experiment, and where it comes from.",
                     (EXPERIMENT, choice("--profile", "GAN_PROFILE", "paper, cpu or smoke, instead of its own",
                                         given=True))),
    "search": Verb("pipeline.commands.search:run", "Score settings that a paper leaves open, on validation images.",
                   (EXPERIMENT,), by_dvc=True),
    "record": Verb("pipeline.commands.record:main", "Keep an experiment's results in git, in reports/recorded/.", (
        click.Argument(["experiment"], required=False, default="", callback=_is_experiment),
        click.Argument(["note"], required=False, default=""),
        click.Option(["--from", "source"], type=click.Path(path_type=Path), multiple=True,
                     help="The results of a bare run instead, from its folder; may be given several times."),
        click.Option(["--weights"], is_flag=True, help="The generator too, in float16, for `samples`."))),
    "collapse": Verb("pipeline.commands.collapse:main", "Watch a start that collapses, and try what brings it back.", (
        EXPERIMENT, click.Option(["--seed"], type=int, required=True, help="One whose curves show that it collapses."),
        click.Option(["--at"], type=int, multiple=True, required=True, metavar="EPOCH",
                     help="After which it is changed; may be given several times."),
        click.Option(["--epochs"], type=click.IntRange(1), default=5, show_default=True, help="After each change."),
        choice("--profile", "GAN_PROFILE", "paper, cpu or smoke, instead of params.yaml's", given=True))),
    "samples": Verb("pipeline.commands.samples:main", "Draw a picture of samples from a trained generator, at once.", (
        click.Option(["--from", "source"], type=click.Path(path_type=Path), metavar="FILE",
                     help="A file of weights, instead of the best generator that is recorded in git."),
        click.Option(["--class", "of_class"], type=int, metavar="N", help="All of this class, from 0."),
        click.Option(["--count"], type=click.IntRange(1, 10_000), default=100, show_default=True),
        click.Option(["--seed"], type=int, default=0, show_default=True, help="Of the noise."),
        click.Option(["--variant"], default="", metavar="NAME", help="ema or raw, instead of ema where there is one."),
        click.Option(["--out"], type=click.Path(path_type=Path), default=Path("samples.png"), show_default=True))),
    "complete": Verb("pipeline.commands.complete:main", "Complete an image by a trained generator, several times.", (
        click.Argument(["image"], type=click.Path(path_type=Path)),
        click.Option(["--given"], type=click.Choice(["left", "right", "top", "bottom"]), default="left",
                     show_default=True, help="The half that is given of an image without transparent pixels."),
        click.Option(["--from", "source"], type=click.Path(path_type=Path), metavar="FILE",
                     help="A file of weights, instead of one that is recorded in git."),
        click.Option(["--count"], type=click.IntRange(1, 100), default=8, show_default=True, help="Answers."),
        click.Option(["--seed"], type=int, default=0, show_default=True, help="Of the noise."),
        click.Option(["--variant"], default="", metavar="NAME", help="ema or raw, instead of ema where there is one."),
        click.Option(["--out"], type=click.Path(path_type=Path), default=Path("completed.png"), show_default=True)),
        "Transparent pixels are completed; of an image without any, the half that is not given."),
    "compare": Verb("pipeline.commands.compare:main", "Write a page with two revisions side by side; nothing is run.", (
        click.Argument(["a"], required=False, default="HEAD"),
        click.Argument(["b"], required=False, default="workspace")),
        "Each is a git commit, branch or tag, a DVC experiment, or `workspace`.", by_dvc=True),
    "experiments": Verb("pipeline.commands.experiments:main",
                        "List DVC's experiments: what was changed, and which results differ.", by_dvc=True),
    "verify": Verb("pipeline.commands.verify:main", "Run the graph once more elsewhere, and compare every output.",
                   CHOICES, "By profile smoke unless another is named.", by_dvc=True),
    "who": Verb("pipeline.commands.who:main", "Say which run works in this checkout, on what and since when."),
    "free": Verb("pipeline.commands.who:free", "Fail if a run works in this checkout; mend what a killed one left."),
    "ui": Verb("pipeline.commands.ui:main", "Serve MLflow's pages on this checkout's runs.", (
        click.Argument(["port"], type=click.IntRange(1, 65535), required=False, default=5000),)),
    "mlflow-gc": Verb("pipeline.commands.mlflow_gc:main", "Say what in MLflow's store nothing needs any more.", (
        click.Option(["--yes"], is_flag=True, help="Remove it for good."),),
        "Generators of deleted runs, which `mlflow gc` alone never frees; and deleted runs and experiments."),
    "sweep": Verb("pipeline.cluster.sweep:main", "Run an experiment with every combination of some settings.", (
        click.Argument(["grid"], type=click.Path(path_type=Path)), kind_of_cluster("local"), *CLUSTER),
        "GRID is a YAML file; docs/training.md shows one.", alone=True, on_cluster=True),
    "cancel": Verb("pipeline.cluster.run:cancel", "End the jobs that a cluster run before this one has left."),
    "scaling": Verb("pipeline.cluster.scaling:main", "Say how long more workers would take, from measured times.", (
        click.Argument(["experiment"], required=False, default=""),
        click.Argument(["note"], required=False, default="")),
        "With an experiment, the times are taken from its last cluster run here first; NOTE stands beside them."),
    "bare-run": Verb("pipeline.commands.bare_run:main", "Run on a machine with a GPU and no package index.", WORDS),
}


class Verbs(click.Group):
    """Makes a verb's command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        verb = VERBS[cmd_name]
        text = f"{verb.summary}\n\n{verb.more}"
        command = click.Command(cmd_name, callback=verb.call, help=text, short_help=verb.summary,
                                params=[*verb.parameters])
        if verb.parameters == WORDS:  # it has options, and help, of its own
            command.add_help_option = False
            command.ignore_unknown_options = True
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]
                        ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            close = nearest(name, VERBS)
            ctx.fail(f"no verb {name!r}.{f' Did you mean {close!r}?' if close else ''}")
        return super().resolve_command(ctx, args)


COMMAND = Verbs("pipeline", help=HELP, subcommand_metavar="VERB …",
                context_settings={"max_content_width": 110, "help_option_names": ["-h", "--help"]})
