"""Several processes under torchrun: one process group for each start, and one run for all starts."""

import os
from collections.abc import Callable
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


def join(device_type: str, choose_run: Callable[[], Path]) -> Path:
    """Join the process group of this start, and learn the folder of the run.

    torchrun starts all workers again when one has died. Its key-value store outlives them, and holds stale keys
    of the start before: so each start's process group gets a prefix of its own. The run's folder stays there
    from the first start on, so that later starts go on in it.

    Args:
        device_type: ``cuda``, or another, on which the processes work.
        choose_run: says which folder it shall be; is called on rank 0 of the first start only.
    """
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    hosts_store = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True" and rank == 0
    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), world_size, is_master=hosts_store)
    if rank == 0 and not store.check(["litmlp/run"]):
        store.set("litmlp/run", str(choose_run()))
    if world_size > 1:
        start = PrefixStore(f"litmlp/start {os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
        # Lightning averages whole numbers only where it knows the backend by name.
        backend = "nccl" if device_type == "cuda" else "gloo"
        init_process_group(backend, store=start, rank=rank, world_size=world_size)
    return Path(store.get("litmlp/run").decode())
