"""What becomes of the variables of the environment that the programs read which this one uses.

A run takes place in whatever environment it is begun in: a notebook's, a cluster job's, one with a debugger's switches.
RULES says of each variable whether it is heeded, overridden or refused; docs/environment.md is made of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from gan.errors import ReproductionError


@dataclass(frozen=True)
class Rule:
    """Of variables with these names, in which * stands for any letters."""

    of: str
    """the program that reads them"""
    names: str
    decision: Literal["heeded", "overridden", "refused"]
    why: str
    value: str | None = None
    """what an overridden one is set to when a process of the pipeline begins; None where it is overridden elsewhere"""
    unset: bool = False
    """whether it is unset then"""
    allowed: tuple[str, ...] = ("",)
    """of one that is refused, the values that do no harm"""

    def is_of(self, name: str) -> bool:
        return any(fnmatchcase(name, each) for each in self.names.split())


RULES = (
    Rule("matplotlib", "MPLBACKEND", "overridden", "Jupyter names a backend that is not installed here; figures are "
         "files: `agg`", value="agg"),
    Rule("matplotlib", "MATPLOTLIBRC", "overridden", "figures have a style of their own, whatever a matplotlibrc says"),
    Rule("matplotlib", "MPLCONFIGDIR XDG_*", "heeded", "where it keeps its list of fonts"),
    Rule("matplotlib", "MPL_IGNORE_SYSTEM_FONTS SOURCE_DATE_EPOCH _MPLHIDEEXECUTABLES", "heeded", "changes no picture: "
         "the font comes with matplotlib, and no date is written"),
    Rule("matplotlib", "DISPLAY WAYLAND_DISPLAY QT_*", "heeded", "without effect: nothing is shown on a screen"),

    Rule("torch", "NVIDIA_TF32_OVERRIDE", "refused", "it overrules `precision` of params.yaml, and the estimate's "
         "float32, in NVIDIA's own libraries"),
    Rule("torch", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "overridden", "`precision` of params.yaml decides; the estimate "
         "is float32", unset=True),
    Rule("torch", "PYTORCH_NO_CUDA_MEMORY_CACHING PYTORCH_CUDA_MEMCHECK", "refused", "updates captured on a GPU need "
         "torch's own memory", allowed=("", "0")),
    Rule("torch", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD TORCH_FORCE_WEIGHTS_ONLY_LOAD", "overridden", "nothing is "
         "unpickled", unset=True),
    Rule("torch", "CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER", "heeded", "which GPUs there are, and their numbers in "
         "`GAN_DEVICE`"),
    Rule("torch", "OMP_WAIT_POLICY GOMP_SPINCOUNT", "heeded", "how long threads wait for each other awake. With "
         "neither set, 10,000 turns, after which they sleep: on a busy machine updates take a fraction of the time. "
         "Changes no result"),
    Rule("torch", "OMP_* GOMP_* KMP_* MKL_* MKLDNN_* DNNL_* ONEDNN_* OPENBLAS_* ATEN_* NUMEXPR_*", "heeded", "threads "
         "and instruction sets: as another processor would, they may change the last bits, and with them a training's "
         "bytes. The number of threads is on the page"),
    Rule("torch", "CUBLAS_* CUBLASLT_* CUDNN_* CUDA_* NVIDIA_* NCCL_* NVSHMEM_*", "heeded", "the GPU's own libraries: "
         "where they are, which algorithms they take"),
    Rule("torch", "TORCHINDUCTOR_* TORCHDYNAMO_* TORCH_COMPILE_* TORCH_DYNAMO_* AOT_* AOTINDUCTOR_* TRITON_* "
         "PYTORCH_JIT* INDUCTOR_*", "heeded", "without effect: nothing is compiled"),
    Rule("torch", "RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE MASTER_ADDR MASTER_PORT TORCH_NCCL_* TORCH_DIST* "
         "TORCHELASTIC_*", "heeded", "without effect: a training is one process"),
    Rule("torch", "TORCH_* PYTORCH_* TORCHVISION_* KINETO_* LTC_* LOGLEVEL", "heeded", "what it logs, and where it "
         "keeps what it has downloaded"),

    Rule("torch", "HIP_* ROCM_* ROCR_* ZE_* NVTOOLSEXT_PATH", "heeded", "without effect: GPUs of other makers, a "
         "profiler's place"),
    Rule("torch", "COMPILE_STROBELIGHT_* *_CUPTI* *PYTORCH_EXECUTION_TRACE* FX_* HELION_* MAST_HPC_JOB_NAME "
         "TORCHCOMM_* TORCHEXPORT_* USE_LIBUV ProgramFiles PIP_*", "heeded", "without effect: compilers, profilers, "
         "exports and processes that talk to each other, of which a stage has none"),

    Rule("MLflow", "MLFLOW_TRACKING_URI MLFLOW_EXPERIMENT_NAME", "heeded", "the store, and the heading of our runs; a "
         "relative path is the checkout's"),
    Rule("MLflow", "MLFLOW_EXPERIMENT_ID MLFLOW_RUN_ID MLFLOW_RUN_CONTEXT MLFLOW_ACTIVE_MODEL_ID "
         "_MLFLOW_ACTIVE_MODEL_ID", "overridden", "the run of whatever is around this: a training has a run of its own",
         unset=True),
    Rule("MLflow", "MLFLOW_ENABLE_ASYNC_LOGGING", "overridden", "a thread of ours sends, and has to know what has "
         "arrived", value="false"),
    Rule("MLflow", "MLFLOW_HTTP_REQUEST_TIMEOUT MLFLOW_HTTP_REQUEST_MAX_RETRIES MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR "
         "MLFLOW_DISABLE_TELEMETRY MLFLOW_LOGGING_LEVEL MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "heeded", "unset, "
         "they have defaults of ours: a server that is silent is given up after seconds, and nothing is reported"),
    Rule("MLflow", "MLFLOW_* _MLFLOW_* DISABLE_MLFLOWDBFS DATABRICKS_* AWS_* AZURE_* GOOGLE_*", "heeded", "who may "
         "log, how it is sent, what a server does; no result depends on it"),

    Rule("DVC", "DVC_SITE_CACHE_DIR", "heeded", "unset, it is `.dvc/tmp/site_cache` in the checkout, not the "
         "/var/tmp/dvc of all users"),
    Rule("DVC", "DVC_STAGE DVC_ROOT DVC_EXP_*", "heeded", "DVC's own, by which a stage knows its name and the checkout "
         "of its experiment"),
    Rule("DVC", "DVC_* STUDIO_*", "heeded", "DVC's configuration, and what it reports to whom"),
    Rule("DVC", "SHELL", "overridden", "DVC runs stages by it: the verbs and `make` give it /bin/sh. Plain `dvc repro` "
         "needs one that understands `-c`"),
    Rule("DVC", "PATH", "overridden", "`python` in a stage is the one that began the run"),
    Rule("DVC", "GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_COMMON_DIR", "heeded", "where they name "
         "this clone; where they name another repository, by `clone_check`, refused: results would name its commit"),
    Rule("DVC", "GIT_* SSH_ASKPASS", "heeded", "how git asks and connects"),

    Rule("Slurm", "SLURM_CONF SLURM_CONF_SERVER SLURM_CLUSTERS SLURM_JWT", "heeded", "where Slurm is, and who asks"),
    Rule("Slurm", "SBATCH_*", "heeded", "a user's defaults for what `OPTIONS` leaves open: account, partition"),
    Rule("Slurm", "SLURM_* SLURMD_* SRUN_* SUBMITIT_* PMI_* PMIX_*", "overridden", "of the job within which this runs: "
         "jobs are submitted without them, else they would have its binding, memory and tasks; nor with the GPUs that "
         "Slurm gave it"),
    Rule("Slurm", "SQUEUE_* SINFO_* SCANCEL_*", "overridden", "filters for a user's own questions: they would hide our "
         "jobs"),
)
"""The first that a name fits holds"""


def rule_of(name: str) -> Rule | None:
    """None for a variable that none of these programs reads."""
    return next((rule for rule in RULES if rule.is_of(name)), None)


def settle() -> None:
    """Override what RULES overrides, for this process and those that it begins. ReproductionError if something is set
    that they refuse."""
    for rule, name in _set():
        if rule.unset:
            del os.environ[name]
        elif rule.decision == "refused" and os.environ[name].strip() not in rule.allowed:
            raise ReproductionError(f"{name} is set", expected="none", found=f"{name}={os.environ[name]}",
                                    remedy=f"unset {name}: {rule.why}")
    os.environ.update({rule.names: rule.value for rule in RULES if rule.value is not None})


def _set() -> Iterator[tuple[Rule, str]]:
    for name in list(os.environ):
        if (rule := rule_of(name)) is not None:
            yield rule, name


def table() -> str:
    """RULES in Markdown."""
    lines = ["| read by | variables | decision | why |", "|---|---|---|---|"]
    for rule in RULES:
        names = ", ".join(f"`{name}`" for name in rule.names.split())
        lines.append(f"| {rule.of} | {names} | {rule.decision} | {rule.why} |")
    return "\n".join(lines)
