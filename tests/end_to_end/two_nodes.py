"""A Slurm of two nodes on this machine, made for the tests alone: its daemons, ports, keys and files are its own."""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
NODES = ("n1", "n2")
PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
PARTITION = "test"


def missing() -> str:
    """Why no Slurm can be made here; empty if one can."""
    lacking = [name for name in PROGRAMS if shutil.which(name, path=PLACES) is None]
    if lacking:
        return f"{', '.join(lacking)} not installed; on Debian and Ubuntu: apt install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "Slurm's daemons start jobs as other users: only root can try them"


@dataclass
class Cluster:
    """A running Slurm."""

    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> Mapping[str, str]:
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(self, *words: str) -> str:
        """What a command of Slurm prints."""
        ended = subprocess.run(words, env={**os.environ, **self.environment, "PATH": PLACES}, text=True, timeout=60,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert ended.returncode == 0, f"{' '.join(words)}: {ended.returncode}\n{ended.stdout}"
        return ended.stdout

    def signal(self, name: str, job: str) -> None:
        """Send a signal to a job's processes. Of an array's tasks scancel reports failure where it has done so."""
        subprocess.run(["scancel", f"--signal={name}", job], env={**os.environ, **self.environment, "PATH": PLACES},
                       timeout=60, capture_output=True)

    def start(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [shutil.which(words[0], path=PLACES) or words[0], *words[1:]], stdout=log, stderr=log,
                start_new_session=True, env={**os.environ, **self.environment, "PATH": PLACES})

    def start_node(self, node: str) -> None:
        self.start(node, "slurmd", "-D", "-N", node)

    def wait_for_nodes(self, *wanted: str, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while True:
            with contextlib.suppress(AssertionError):
                states = dict(line.split() for line in self.run("sinfo", "-h", "-N", "-o", "%N %T").splitlines())
                if all(states.get(node, "").startswith(("idle", "mixed", "alloc")) for node in wanted or NODES):
                    return
            assert time.monotonic() < until, self.logs()
            time.sleep(0.2)

    def logs(self) -> str:
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}"
                         for path in sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")]))

    def stop(self) -> None:
        for name in (*NODES, "slurmctld", "munged"):
            process = self.processes.get(name)
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """`folder` must be short: sockets lie in it."""
    cluster = Cluster(folder)
    ports = free_ports(1 + len(NODES))
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    folder.chmod(0o755)
    (folder / "state").mkdir()
    host = platform.node()
    nodes = "\n".join(f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=4000"
                      for node, port in zip(NODES, ports[1:], strict=True))
    (folder / "slurm.conf").write_text(f"""\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1
ReturnToService=2
KillWait=10
SlurmdTimeout=10
{nodes}
PartitionName={PARTITION} Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP
""")
    try:
        cluster.start("munged", "munged", "--foreground", "--force", f"--key-file={key}",
                      f"--socket={folder}/munge.socket", f"--pid-file={folder}/munged.pid",
                      f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed")
        until = time.monotonic() + 20
        while not (folder / "munge.socket").exists():
            assert time.monotonic() < until, cluster.logs()
            time.sleep(0.05)
        cluster.start("slurmctld", "slurmctld", "-D")
        for node in NODES:
            cluster.start_node(node)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        with contextlib.suppress(AssertionError, subprocess.SubprocessError):
            cluster.run("scancel", "--user=root")
        cluster.stop()


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
