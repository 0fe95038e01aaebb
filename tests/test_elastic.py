"""Training on two hosts under torchrun: a worker killed, the cable cut for a while, a host gone for good."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from select import select

import pytest

from litmlp.runs import Run
from tests.conftest import ROOT, wait_for_line
from tests.faults.compare import differences, load
from tests.faults.kills import ENVIRONMENT
from tests.faults.torchrun import wait_for_worker
from tests.hosts import Host, two_hosts

pytestmark = pytest.mark.slow

FIT = [str(ROOT / "scripts" / "fit.py"), "--task", "digits", "--accelerator", "cpu", "--max_epochs", "60"]
PATIENCE = 20  # seconds
NO_ANSWER = "fit.py: another process of this run doesn't answer: "

Nodes = Callable[..., list[subprocess.Popen[str]]]


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[Host]]:
    try:
        context = two_hosts()
        made = context.__enter__()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespaces here, as they need root and iproute2: {error}")
    yield made
    context.__exit__(None, None, None)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of two processes that nobody disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    command = [sys.executable, *FIT, "--dropout", "0.2", "--run", "two", "--devices", "2"]
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, check=True)
    return folder / "lightning_logs" / "digits" / "two"


@pytest.fixture
def start_nodes(hosts: list[Host], tmp_path: Path) -> Iterator[Nodes]:
    """Starts torchrun on each host, in one folder."""
    nodes: list[subprocess.Popen[str]] = []

    def start(count: str, *flags: str) -> list[subprocess.Popen[str]]:
        for host in hosts:
            host.set_link("up")
            rendezvous = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{hosts[0].address}:29500"]
            rendezvous += ["--rdzv-conf", f"is_host={int(host is hosts[0])},last_call_timeout=15"]
            rendezvous += ["--local-addr", host.address, "--max-restarts", "5"]
            torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", count, "--nproc-per-node", "1"]
            command = host.command(*torchrun, *rendezvous, "--", *FIT, "--run", "mine", *flags)
            env = {**ENVIRONMENT, "GLOO_SOCKET_IFNAME": host.link, "LITMLP_PATIENCE": str(PATIENCE)}
            out, err = subprocess.PIPE, (tmp_path / f"{host.link}.err").open("w")
            nodes.append(subprocess.Popen(command, cwd=tmp_path, env=env, stdout=out, stderr=err, text=True))
            err.close()
        return nodes

    yield start
    for host in hosts:
        for pid in host.processes():
            os.kill(pid, signal.SIGKILL)
    for node in nodes:
        assert node.stdout is not None
        node.stdout.close()
        node.wait()


def errors_of(folder: Path, host: Host) -> str:
    """What a host's processes said on stderr."""
    return (folder / f"{host.link}.err").read_text()


def test_hosts_resume_to_the_same_bits_when_a_worker_is_killed(
    start_nodes: Nodes, hosts: list[Host], undisturbed: Path, tmp_path: Path
) -> None:
    nodes = start_nodes("2", "--dropout", "0.2")
    wait_for_line(nodes[0], "epoch 10/")
    worker = wait_for_worker(nodes[1].pid, 1, restarts=0)
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    printed, _ = nodes[0].communicate()
    nodes[1].communicate()
    assert [node.returncode for node in nodes] == [0, 0]
    assert printed.count("\nresuming at epoch ") == 1
    assert "fit.py: another process of this run has died: " in errors_of(tmp_path, hosts[0])
    assert "Traceback" not in errors_of(tmp_path, hosts[0])
    mine = tmp_path / "lightning_logs" / "digits" / "mine"
    assert [line for line in differences(mine, undisturbed) if not line.startswith("config")] == []


@pytest.mark.parametrize("waits", [False, True], ids=["until it is restored", "until both hosts gave up"])
def test_hosts_end_with_the_same_bits_when_their_cable_is_cut_for_a_while(
    start_nodes: Nodes, hosts: list[Host], undisturbed: Path, tmp_path: Path, waits: bool
) -> None:
    nodes = start_nodes("2", "--dropout", "0.2")
    wait_for_line(nodes[0], "epoch 10/")
    workers = [wait_for_worker(node.pid, rank, restarts=0) for rank, node in enumerate(nodes)]
    hosts[1].set_link("down")
    for worker in workers if waits else []:
        assert worker is not None
        select([os.pidfd_open(worker)], [], [])
    hosts[1].set_link("up")
    printed, _ = nodes[0].communicate()
    nodes[1].communicate()
    assert [node.returncode for node in nodes] == [0, 0]
    assert printed.count("\nresuming at epoch ") == waits
    for host in hosts:
        assert (NO_ANSWER in errors_of(tmp_path, host)) == waits
        assert "Traceback" not in errors_of(tmp_path, host)
    mine = tmp_path / "lightning_logs" / "digits" / "mine"
    assert [line for line in differences(mine, undisturbed) if not line.startswith("config")] == []


def test_a_host_ends_the_run_alone_when_the_other_is_gone_for_good(
    start_nodes: Nodes, hosts: list[Host], tmp_path: Path
) -> None:
    nodes = start_nodes("1:2", "--dropout", "0")
    wait_for_line(nodes[0], "epoch 10/")
    hosts[1].lose_power()
    printed, _ = nodes[0].communicate()
    assert nodes[0].returncode == 0
    assert "device           cpu, " in printed
    assert "\nepoch 60/60 " in printed
    notes = [line for line in errors_of(tmp_path, hosts[0]).splitlines() if line.startswith(("note: ", "fit.py: "))]
    assert notes[0].startswith(NO_ANSWER)
    assert "Traceback" not in errors_of(tmp_path, hosts[0])
    assert notes[-1] == (
        "note: 2 processes trained this run before, 1 now: a step still has 128 samples, but their gradients are summed"
        " in another order, and dropout and augmentation differ"
    )
    mine = Run(tmp_path / "lightning_logs" / "digits" / "mine")
    assert load(mine.last)["global_step"] == 600
    results = mine.read_results()
    assert results is not None
    assert re.fullmatch(r"0\.9[67]\d+", str(results["test"]["accuracy"]))
