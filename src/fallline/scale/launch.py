"""Where this process stands among the workers, told by what a launcher left in the environment.

JAX looks for Slurm, Open MPI and Kubernetes by itself, but its search is switched off here (`join`): it asks
Kubernetes' API instead of the environment, takes the machine of ``mpirun`` for that of process 0, knows
nothing of Open MPI 5, and ends half-set variables in a traceback. The innermost launcher counts: ``mpirun``
inside a Slurm job numbers its own processes, while ``SLURM_PROCID`` then numbers the machines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Mapping

PORT = 9476
"""Where process 0 listens if a launcher names its machine, and nothing tells one job from another."""

_FIRST, _PORTS = 61440, 4096
"""Ports above Linux's ephemeral ones (32768 to 60999), one of which a job's number chooses."""


@dataclass(frozen=True)
class Place:
    """One worker's place among all.

    Attributes:
        coordinator: "host:port" where process 0 listens and all others call.
        processes: how many workers there are.
        process: this one's number, from 0.
        local: its number among those of its machine, or None if unknown.
        launcher: who said so, for sentences: "Slurm", "Open MPI", "by hand", ...
    """

    coordinator: str
    processes: int
    process: int
    local: int | None = None
    launcher: str = "by hand"

    def __post_init__(self) -> None:
        """Check that the numbers can be true.

        Raises:
            FalllineError: if they contradict each other.
        """
        parse_address(self.coordinator)
        for name, number in (("number of processes", self.processes), ("process", self.process)):
            if type(number) is not int:
                raise FalllineError(f"The {name} is a whole number; it was given {number!r}.")
        if self.processes < 1:
            raise FalllineError(f"The number of processes must be 1 or more, not {self.processes}.")
        if not 0 <= self.process < self.processes:
            raise FalllineError(
                f"Among {self.processes} processes, the numbers are 0 to {self.processes - 1}: there is "
                f"no process {self.process} ({self.launcher})."
            )


@dataclass(frozen=True)
class _Found:
    """What a launcher tells; what it does not tell must be given."""

    launcher: str
    process: int
    processes: int | None
    host: str | None
    port: int
    local: int | None
    lacks: str = ""


def find(
    environ: Mapping[str, str],
    *,
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
) -> Place | None:
    """The place that a launcher has given to this process, or None if there is no launcher.

    Args:
        environ: the environment variables.
        coordinator: "host:port" where the launcher's would be another, or is not known.
        processes: how many processes there are, where the launcher does not tell.
        process: this process's number, where the launcher does not tell.

    Raises:
        FalllineError: if the variables, or what is given, are only half of what is needed, or contradict
            each other; the sentence names them.
    """
    found = next((told for look in _LAUNCHERS if (told := look(environ)) is not None), None)
    if found is None:
        return _by_hand(coordinator, processes, process)
    for name, given, told in (
        ("--num-processes", processes, found.processes),
        ("--process-id", process, found.process),
    ):
        if given is not None and told is not None and given != told:
            raise FalllineError(
                f"{name} says {given}, but {found.launcher} says {told}. Leave {name} out, or start "
                "without --distributed auto."
            )
    count = processes if found.processes is None else found.processes
    address = coordinator or (f"{_bracketed(found.host)}:{found.port}" if found.host else None)
    missing = [
        option
        for option, value in (("--coordinator HOST:PORT", address), ("--num-processes N", count))
        if value is None
    ]
    if missing or address is None or count is None:
        raise FalllineError(f"{found.lacks} Add {' and '.join(missing)}.")
    return Place(address, count, found.process, found.local, found.launcher)


def _by_hand(coordinator: str | None, processes: int | None, process: int | None) -> Place | None:
    given = {
        "--coordinator": coordinator,
        "--num-processes": processes,
        "--process-id": process,
    }
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given):
        return None
    if coordinator is None or processes is None or process is None:
        raise FalllineError(
            f"Several processes by hand need all of --coordinator HOST:PORT, --num-processes N and "
            f"--process-id I; {' and '.join(missing)} is missing."
        )
    return Place(coordinator, processes, process)


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of ``"host:port"``; an IPv6 address stands in brackets.

    >>> parse_address("node1:4321")
    ('node1', 4321)
    >>> parse_address("[fe80::1]:4321")
    ('fe80::1', 4321)

    Raises:
        FalllineError: if it is none, or no address that another process could call.
    """
    form = None
    if isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        form = re.fullmatch(r"(\[[^\]]+\]|[^:\s\[\]]+):([0-9]{1,9})", text.strip())
    if form is None or not _may_be_called(form[1]):
        raise FalllineError(
            f"The coordinator's address is HOST:PORT, such as node1:{PORT} or [fe80::1]:{PORT}; it was "
            f"given {text!r}."
        )
    host, port = form[1].strip("[]"), int(form[2])
    if not 0 < port < 65536:
        raise FalllineError(f"Ports are 1 to 65535; the coordinator's address is {text!r}.")
    if host in ("0.0.0.0", "::", "*"):
        raise FalllineError(
            f"{text!r} is no address to call: name the machine of process 0 as the others reach it."
        )
    return host, port


def _may_be_called(host: str) -> bool:
    """Whether a name could be known: no part of it is empty, or longer than 63 letters."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def expand(nodes: str) -> list[str]:
    """The machines of Slurm's short form, in order.

    >>> expand("node[08-10,12],gpu1")
    ['node08', 'node09', 'node10', 'node12', 'gpu1']

    Raises:
        FalllineError: if it is not of that form.
    """
    # Commas inside of brackets part numbers, those outside part machines.
    parts = re.findall(r"(?:\[[^\[\]]*\]|[^,\[\]])+", nodes)
    if not parts or ",".join(parts) != nodes:
        raise FalllineError(f"Slurm's list of machines, {nodes!r}, is not of the form node[1-3,7].")
    return [name for part in parts for name in _expanded(part, nodes)]


def _expanded(part: str, whole: str) -> list[str]:
    form = re.fullmatch(r"([^\[\]]*)\[([^\[\]]*)\](.*)", part)
    if form is None:
        return [part]
    before, inside, after = form.groups()
    numbers: list[str] = []
    for span in inside.split(","):
        ends = re.fullmatch(r"(\d+)(?:-(\d+))?", span)
        if ends is None:
            raise FalllineError(f"Slurm's list of machines, {whole!r}, has no numbers in {span!r}.")
        first, last = ends[1], ends[2] or ends[1]
        numbers += [str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)]
    return [f"{before}{number}{rest}" for number in numbers for rest in _expanded(after, whole)]


def _open_mpi(environ: Mapping[str, str]) -> _Found | None:
    """Open MPI's ``mpirun``, 4 and 5.

    Rank, size, local rank and local size are documented:
    https://docs.open-mpi.org/en/v5.0.x/tuning-apps/environment-var.html. No variable names the machine of
    rank 0, so it must be given unless all processes are on one.
    """
    if "OMPI_COMM_WORLD_RANK" not in environ and "OMPI_COMM_WORLD_SIZE" not in environ:
        return None
    _whole("Open MPI", environ, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")
    size = _number(environ, "OMPI_COMM_WORLD_SIZE")
    here = _optional(environ, "OMPI_COMM_WORLD_LOCAL_SIZE")
    # Of Open MPI 4, and of 5: whatever tells this job from another on the same machine.
    job = environ.get("PMIX_NAMESPACE") or environ.get("OMPI_MCA_ess_base_jobid")
    return _Found(
        "Open MPI",
        _number(environ, "OMPI_COMM_WORLD_RANK"),
        size,
        "127.0.0.1" if here == size else None,
        _port_of(job),
        _optional(environ, "OMPI_COMM_WORLD_LOCAL_RANK"),
        "Open MPI does not tell on which machine its process 0 runs.",
    )


def _hydra(environ: Mapping[str, str]) -> _Found | None:
    """MPICH's and Intel MPI's ``mpiexec`` (Hydra).

    ``PMI_RANK`` and ``PMI_SIZE`` are of its protocol with the processes, PMI-1, and stand in no manual;
    neither do they name a machine, so the coordinator's address must be given.
    """
    if "PMI_RANK" not in environ and "PMI_SIZE" not in environ:
        return None
    if "PMI_SIZE" not in environ and "SLURM_PROCID" in environ:
        # Slurm's own plugins speak the protocol too.
        return None
    _whole("MPICH", environ, "PMI_RANK", "PMI_SIZE")
    return _Found(
        "MPICH",
        _number(environ, "PMI_RANK"),
        _number(environ, "PMI_SIZE"),
        None,
        PORT,
        _optional(environ, "MPI_LOCALRANKID"),
        "MPICH does not tell on which machine its process 0 runs.",
    )


def _torchrun(environ: Mapping[str, str]) -> _Found | None:
    """``torchrun``, and whatever else sets the variables of PyTorch's ``env://``.

    https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables. ``torchrun`` itself listens
    on ``MASTER_PORT`` where it says so by ``TORCHELASTIC_USE_AGENT_STORE``: then the next one is taken.
    """
    names = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    if not all(name in environ for name in ("RANK", "WORLD_SIZE")):
        return None
    _whole("torchrun", environ, *names)
    taken = environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return _Found(
        "torchrun",
        _number(environ, "RANK"),
        _number(environ, "WORLD_SIZE"),
        environ["MASTER_ADDR"],
        _number(environ, "MASTER_PORT") + taken,
        _optional(environ, "LOCAL_RANK"),
    )


def _slurm(environ: Mapping[str, str]) -> _Found | None:
    """A task that Slurm's ``srun`` started.

    https://slurm.schedmd.com/srun.html#SECTION_OUTPUT-ENVIRONMENT-VARIABLES. A batch script has a
    ``SLURM_PROCID`` and ``SLURM_NTASKS`` too, but no ``SLURM_STEP_NODELIST``: what it starts without ``srun``
    runs once, whatever the number of tasks.
    """
    if "SLURM_PROCID" not in environ:
        return None
    tasks = "SLURM_STEP_NUM_TASKS" if "SLURM_STEP_NUM_TASKS" in environ else "SLURM_NTASKS"
    if "SLURM_STEP_NODELIST" not in environ:
        if environ.get(tasks, "1") == "1":
            return None
        raise FalllineError(
            f"This Slurm job has {environ[tasks]} tasks, but no SLURM_STEP_NODELIST: the command was not "
            "started by srun. Put srun in front of it."
        )
    _whole("Slurm", environ, "SLURM_JOB_ID", tasks)
    return _Found(
        "Slurm",
        _number(environ, "SLURM_PROCID"),
        _number(environ, tasks),
        # With srun's block and cyclic distributions alike, task 0 runs on the first machine.
        expand(environ["SLURM_STEP_NODELIST"])[0],
        _port_of(environ["SLURM_JOB_ID"]),
        _optional(environ, "SLURM_LOCALID"),
    )


def _leader_worker_set(environ: Mapping[str, str]) -> _Found | None:
    """A pod of a Kubernetes LeaderWorkerSet, whose leader is worker 0.

    https://lws.sigs.k8s.io/docs/reference/labels-annotations-and-environment-variables/.
    """
    names = ("LWS_LEADER_ADDRESS", "LWS_GROUP_SIZE", "LWS_WORKER_INDEX")
    if not any(name in environ for name in names):
        return None
    _whole("LeaderWorkerSet", environ, *names)
    return _Found(
        "LeaderWorkerSet",
        _number(environ, "LWS_WORKER_INDEX"),
        _number(environ, "LWS_GROUP_SIZE"),
        environ["LWS_LEADER_ADDRESS"],
        PORT,
        None,
    )


def _indexed_job(environ: Mapping[str, str]) -> _Found | None:
    """A pod of a Kubernetes Job with ``completionMode: Indexed``, alone or in a JobSet.

    https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode: the pod's index is in
    ``JOB_COMPLETION_INDEX``, and its host name is the job's name and the index. How many pods there are, and
    by which service they are reached, stands in no variable, so both must be given.
    """
    if "JOB_COMPLETION_INDEX" not in environ:
        return None
    index = _number(environ, "JOB_COMPLETION_INDEX")
    name = environ.get("HOSTNAME", "")
    job = name.removesuffix(f"-{index}") if name.endswith(f"-{index}") else "JOB"
    return _Found(
        "Kubernetes",
        index,
        None,
        None,
        PORT,
        None,
        "Kubernetes tells a pod neither its job's size nor its service (the first pod is called "
        f"{job}-0.SERVICE).",
    )


_LAUNCHERS = (_open_mpi, _hydra, _torchrun, _slurm, _leader_worker_set, _indexed_job)


def _whole(launcher: str, environ: Mapping[str, str], *names: str) -> None:
    missing = [name for name in names if not environ.get(name)]
    if missing:
        has = [name for name in names if environ.get(name)]
        raise FalllineError(
            f"{launcher} has set {' and '.join(has) or 'some of its variables'}, but not "
            f"{' and '.join(missing)}: unset them, or start the command by {launcher} again."
        )


def _number(environ: Mapping[str, str], name: str) -> int:
    text = environ[name].strip()
    if not text.isdecimal():
        _not_a_number(name, text)
    return int(text)


def _optional(environ: Mapping[str, str], name: str) -> int | None:
    return _number(environ, name) if environ.get(name) else None


def _not_a_number(name: str, text: str) -> NoReturn:
    raise FalllineError(f"{name} should be a whole number from 0; it is {text!r}.")


def _port_of(job: str | None) -> int:
    """Two jobs on one machine get two ports."""
    digits = re.sub(r"\D", "", job or "")
    return _FIRST + int(digits) % _PORTS if digits else PORT


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
