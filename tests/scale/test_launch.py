from __future__ import annotations

import pytest

from fallline.errors import FalllineError
from fallline.scale.launch import Place, expand, find, parse_address

SLURM = {
    "SLURM_JOB_ID": "70000",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NTASKS": "8",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NODELIST": "node[07-08],gpu1",
}
OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
}
LEADER = {
    "LWS_LEADER_ADDRESS": "train-0.train.default",
    "LWS_GROUP_SIZE": "3",
    "LWS_WORKER_INDEX": "2",
}
TORCH = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "29500"}
INDEXED = {"JOB_COMPLETION_INDEX": "2", "HOSTNAME": "train-2"}


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({}, None),
        # A batch script of one task, without srun.
        ({"SLURM_JOB_ID": "1", "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, None),
        (SLURM, Place(f"node07:{61440 + 70000 % 4096}", 4, 3, 1, "Slurm")),
        (OPEN_MPI, Place("127.0.0.1:9476", 2, 1, 1, "Open MPI")),
        (LEADER, Place("train-0.train.default:9476", 3, 2, None, "LeaderWorkerSet")),
        (TORCH, Place("a:29500", 2, 1, None, "torchrun")),
        (
            {**TORCH, "LOCAL_RANK": "0", "TORCHELASTIC_USE_AGENT_STORE": "True"},
            Place("a:29501", 2, 1, 0, "torchrun"),
        ),
        # The innermost launcher counts: Slurm has started mpirun's helpers, one on each machine.
        ({**SLURM, **OPEN_MPI}, Place("127.0.0.1:9476", 2, 1, 1, "Open MPI")),
        # A name with IPv6 addresses.
        ({**TORCH, "MASTER_ADDR": "fe80::1"}, Place("[fe80::1]:29500", 2, 1, None, "torchrun")),
    ],
)
def test_the_place_a_launcher_gives(environ, place):
    assert find(environ) == place


def test_what_a_launcher_does_not_tell_is_given():
    assert find({}, coordinator="a:1", processes=2, process=1) == Place("a:1", 2, 1)
    assert find(INDEXED, coordinator="train-0.train:1", processes=4) == Place(
        "train-0.train:1", 4, 2, None, "Kubernetes"
    )
    spread = {**OPEN_MPI, "OMPI_COMM_WORLD_LOCAL_SIZE": "1"}
    assert find(spread, coordinator="a:1") == Place("a:1", 2, 1, 1, "Open MPI")
    assert find({"PMI_RANK": "0", "PMI_SIZE": "2"}, coordinator="a:1") == Place(
        "a:1", 2, 0, None, "MPICH"
    )


@pytest.mark.parametrize(
    ("environ", "given", "said"),
    [
        ({}, {"coordinator": "a:1"}, "--num-processes and --process-id is missing"),
        ({}, {"coordinator": "a", "processes": 1, "process": 0}, "HOST:PORT, such as"),
        ({}, {"coordinator": "a:1", "processes": 2, "process": 2}, "there is no process 2"),
        ({}, {"coordinator": "0.0.0.0:1", "processes": 2, "process": 1}, "no address to call"),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, {}, "Put srun in front"),
        ({k: v for k, v in SLURM.items() if k != "SLURM_JOB_ID"}, {}, "not SLURM_JOB_ID"),
        (
            {**SLURM, "SLURM_PROCID": "x"},
            {},
            "SLURM_PROCID should be a whole number from 0; it is 'x'",
        ),
        ({**SLURM, "SLURM_PROCID": "4"}, {}, "no process 4 (Slurm)"),
        ({**SLURM, "SLURM_STEP_NODELIST": "n[1-"}, {}, "not of the form"),
        (SLURM, {"processes": 5}, "--num-processes says 5, but Slurm says 4"),
        ({"OMPI_COMM_WORLD_RANK": "0"}, {}, "but not OMPI_COMM_WORLD_SIZE"),
        ({**OPEN_MPI, "OMPI_COMM_WORLD_LOCAL_SIZE": "1"}, {}, "Add --coordinator HOST:PORT."),
        ({"PMI_RANK": "0", "PMI_SIZE": "2"}, {}, "on which machine"),
        ({"LWS_GROUP_SIZE": "2"}, {}, "not LWS_LEADER_ADDRESS and LWS_WORKER_INDEX"),
        (INDEXED, {}, "train-0.SERVICE). Add --coordinator HOST:PORT and --num-processes N."),
        ({"RANK": "0", "WORLD_SIZE": "2"}, {}, "but not MASTER_ADDR and MASTER_PORT"),
    ],
)
def test_half_and_contradictory_variables_are_a_sentence(environ, given, said):
    with pytest.raises(FalllineError) as caught:
        find(environ, **given)
    assert said in str(caught.value)


def test_slurm_s_lists_of_machines():
    assert expand("a") == ["a"]
    assert expand("a,b") == ["a", "b"]
    assert expand("node[1-3,7],other") == ["node1", "node2", "node3", "node7", "other"]
    assert expand("n[098-101]-ib") == ["n098-ib", "n099-ib", "n100-ib", "n101-ib"]
    assert expand("r[1-2]n[1-2]") == ["r1n1", "r1n2", "r2n1", "r2n2"]


def test_addresses():
    assert parse_address("10.0.0.1:80") == ("10.0.0.1", 80)
    for wrong in ("a", "a:", ":1", "a:0", "a:70000", "a:b", "fe80::1:80", "a b:1"):
        with pytest.raises(FalllineError):
            parse_address(wrong)
