"""The graph past one machine: its stages as jobs of a Slurm cluster, or as processes on this machine's cores and GPUs.

    make reproduce                                                    # on this machine, where local.py finds it of use
    make reproduce CLUSTER=slurm OPTIONS="--partition gpu --gpus 1"

**There is no scheduler of ours.** Slurm decides where and when; `submitit` submits; DVC's run cache is the memory that
machines share: a stage that one has run, all others find by the digest of its command, code, data and parameters.

**Coordinator** (`coordinator.py`), in this checkout, until all is done:

1. Whatever is up to date, or in the run cache, is done (`graph.py` asks DVC, stage by stage).
2. Each stage is submitted once all that it depends on is done, those of one moment as one array (`executors.py`). So
   waves follow the graph without waiting for the slowest of a wave. A training of several seeds is first a job for each
   seed (`python -m pipeline.stages.train EXPERIMENT SEED`, which ends with a checkpoint), then the stage, which finds
   them.
3. A worker that is done leaves its record of the run cache; outputs are checked out here, so that what comes next is
   judged by their content: a stage whose inputs came out as they were is not run again.
4. At the end what was done is entered into dvc.lock, in DVC's own order, and `dvc repro --pull` finds it done and runs
   what no worker can: stages with outputs that git has (`collect`, `report`).

**Worker** (`worker.py`), on a node: a clone of its own at the commit, params.yaml and dvc.lock as they are here, the
environment of this checkout, the data that the stage reads, `dvc repro --single-item`, its outputs and its record
pushed. On a node the clone goes when the worker ends, on this machine when the run does; checkpoints lie in this
checkout, so that whoever goes on finds them.

**Jobs die.** The coordinator alone decides what is submitted again (Slurm's own requeue is off, lest two decide): a job
that ended without an outcome, or whose stage was killed, is, up to `--retries` times, and training resumes from its
checkpoint. A stage that fails by an error of its own is not: it would again. What does not depend on it goes on. A
coordinator that was itself killed finds its jobs in `.cluster/` when it is started again.

**Where data travels.** `--data remote`, Slurm's default: DVC's default remote. `--data cache`, the default of local
processes: this checkout's DVC cache, which workers then must see.
"""

from __future__ import annotations

from pipeline.runtime.process_lock import CLUSTER

FOLDER = CLUSTER.parent
"""what a cluster run keeps in the checkout"""
