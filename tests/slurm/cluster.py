"""A real Slurm cluster of three nodes on this machine: munged, slurmctld and a slurmd each, all started and ended here.

It needs root and Debian's `slurm-wlm` and `munge`, nothing of systemd and no control groups: a plain container will do.
The same folder, hostname and user stand for all nodes, as a shared file system does on a real cluster.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from tests.own_environment import own_environment

ROOT = Path(__file__).parents[2]
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")
NODES = ("n1", "n2", "n3")
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
SlurmctldDebug=info
SlurmdDebug=info
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,bf_interval=1,sched_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout=6
KillWait=30
InactiveLimit=0
OverTimeLimit=0
MessageTimeout=10
MinJobAge=600
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=8 RealMemory=4000 State=UNKNOWN"
START_S = 60.0


class Cluster:
    """A running cluster; `close` ends every process of it and of its jobs."""

    def __init__(self):
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        assert not missing, f"slurm: not installed, expected slurm-wlm and munge of Debian, missing {missing}"
        assert os.geteuid() == 0, "slurm: its daemons start jobs for users, which takes root"
        # short: a socket's path has at most 107 characters
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)
        self.processes = {}
        # jobs inherit it: what they run is this checkout
        self.own = {"SLURM_CONF": str(self.folder / "slurm.conf"), "PYTHONPATH": str(ROOT)}
        self.environment = own_environment(**self.own)
        try:
            self._configure()
            self._munge()
            (self.folder / "state").mkdir()
            self._daemon("slurmctld", "slurmctld", "-D", "-c")
            for node in NODES:
                self.start_node(node)
            self.until(lambda: self.node_states() == {"idle"}, START_S, "nodes that are up")
        except BaseException:
            self.close()
            raise

    def _configure(self):
        host = socket.gethostname().split(".")[0]
        ctld, *ports = _free_ports(1 + len(NODES))
        nodes = [NODE.format(name=name, host=host, port=port) for name, port in zip(NODES, ports, strict=True)]
        text = CONF.format(host=host, ctld=ctld, folder=self.folder, nodes="\n".join(nodes))
        (self.folder / "slurm.conf").write_text(text)

    def _munge(self):
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = {"key": key, "socket": "munge.socket", "pid": "munge.pid", "log": "munge.log", "seed": "munge.seed"}
        names = {"key": "key-file", "socket": "socket", "pid": "pid-file", "log": "log-file", "seed": "seed-file"}
        options = [f"--{names[name]}={self.folder / file}" for name, file in files.items()]
        self._daemon("munged", "munged", "--foreground", "--force", *options)
        self.until((self.folder / "munge.socket").exists, START_S, "munged's socket")

    def _daemon(self, name, *command):
        with (self.folder / f"{name}.out").open("ab") as file:
            self.processes[name] = subprocess.Popen(
                command,
                env=self.environment,
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def start_node(self, name):
        self._daemon(name, "slurmd", "-D", "-N", name)

    def kill_node(self, name):
        """Let a node die: its daemon, its step daemons and all their tasks at once, without a word."""
        tasks = [process for process in self.living() if _variable(process, "SLURMD_NODENAME") == name]
        for process in (self.processes[name], *self._step_daemons(name), *tasks):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.processes[name].wait()

    def living(self):
        """Every process of the cluster and of its jobs; step daemons overwrite their environment and are not found."""
        conf = self.environment["SLURM_CONF"]
        return [process for process in psutil.process_iter() if _variable(process, "SLURM_CONF") == conf]

    def _step_daemons(self, node):
        """Those of one node: each listens on a socket in the node's spool folder."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.name() != "slurmstepd" or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                sockets = [one.laddr for one in process.net_connections("unix")]
                if any(str(path).startswith(f"{self.folder}/{node}/") for path in sockets):
                    found.append(process)
        return found

    def call(self, *command, cwd=None, check=True):
        """Run a command of Slurm, or one that uses it; its standard output."""
        done = subprocess.run(
            [*map(str, command)], env=self.environment, cwd=cwd, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout if check else done

    def node_states(self):
        done = self.call("sinfo", "--noheader", "--Node", "--format=%t", check=False)
        return set(done.stdout.split()) if done.returncode == 0 else {"no controller"}

    def job(self, number):
        """What `scontrol show job` says."""
        words = self.call("scontrol", "show", "--oneliner", "job", number).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def wait_for(self, number, states, timeout_s=120.0):
        """Wait until a job is in one of some states; gives the state."""
        self.until(lambda: self.job(number)["JobState"] in states, timeout_s, f"job {number} in {states}")
        return self.job(number)["JobState"]

    def until(self, condition, timeout_s, what):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}\n{self.said()}"
            time.sleep(0.2)

    def said(self):
        """The last lines of every daemon, and the jobs, for a test that failed."""
        tails = [self.call("squeue", "--all", check=False).stdout] if "slurmctld" in self.processes else []
        for file in self.folder.glob("*.log"):
            tails += [f"{file.name}:", *file.read_text(errors="replace").splitlines()[-12:]]
        return "\n".join(tails)

    def close(self):
        """End every process, of jobs too, and remove every file."""
        steps = [process for node in NODES for process in self._step_daemons(node)]
        for process in (*self.processes.values(), *steps, *self.living()):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for process in self.processes.values():
            process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


def _variable(process, name):
    """A variable of a process's environment; None for one that is gone."""
    try:
        return None if process.pid == os.getpid() else process.environ().get(name)
    except (psutil.Error, FileNotFoundError):
        return None


def _free_ports(count):
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
