"""Several processes under torchrun: one process group for each start, and one run for all starts."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from torch.distributed import PrefixStore, TCPStore, init_process_group


def under_torchrun() -> bool:
    """Whether this is one of torchrun's workers."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def default_devices() -> int | str:
    """``--devices``: under torchrun as many as it started workers on this machine, otherwise what Lightning finds."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if under_torchrun() else "auto"


def default_num_nodes() -> int:
    """``--num_nodes``: the machines that torchrun has workers on, otherwise one."""
    return int(os.environ["WORLD_SIZE"]) // int(os.environ["LOCAL_WORLD_SIZE"]) if under_torchrun() else 1


@cache
def store() -> TCPStore:
    """Torchrun's key-value store, which outlives a start of the workers."""
    hosts_it = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True" and os.environ["RANK"] == "0"
    address, port, world_size = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"], os.environ["WORLD_SIZE"]
    return TCPStore(address, int(port), int(world_size), is_master=hosts_it)


def one_after_the_first(function: Callable[[], object]) -> None:
    """Call a function on every worker of a machine, on the first before the others: so one downloads, and all look."""
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    if not under_torchrun() or first:
        function()
    if under_torchrun():
        key = f"litmlp/prepared {os.environ['TORCHELASTIC_RESTART_COUNT']} {os.environ['GROUP_RANK']}"
        if first:
            store().set(key, "yes")
        else:
            store().wait([key])
            function()


def join(device_type: str, choose_run: Callable[[], Path]) -> Path:
    """Join the process group of this start, and learn the folder of the run.

    torchrun starts all workers again when one has died. Its key-value store outlives them, and holds stale keys
    of the previous start: so each start's process group gets a prefix of its own. The run's folder stays there
    from the first start on, so that later starts resume in it.

    Args:
        device_type: ``cuda``, or another, on which the processes work.
        choose_run: says which folder it shall be; is called on rank 0 of the first start only.
    """
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if rank == 0 and not store().check(["litmlp/run"]):
        store().set("litmlp/run", str(choose_run()))
    if world_size > 1:
        start = PrefixStore(f"litmlp/start {os.environ['TORCHELASTIC_RESTART_COUNT']}", store())
        # Lightning averages whole numbers only where it knows the backend by name.
        backend = "nccl" if device_type == "cuda" else "gloo"
        init_process_group(backend, store=start, rank=rank, world_size=world_size)
    return Path(store().get("litmlp/run").decode())
