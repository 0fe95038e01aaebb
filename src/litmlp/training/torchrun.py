"""Several processes under torchrun: one process group for each start, and one run for all starts."""

import os
import re
import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from uuid import uuid4

from torch.distributed import DistError, DistStoreError, PrefixStore, TCPStore, init_process_group

from litmlp.errors import Failure, UsageError

DIED = re.compile("Connection (closed|reset) by peer|Broken pipe")
# Whatever gloo's sockets report, such as "[…/gloo/transport/tcp/unbound_buffer.cc:78] Timed out waiting 20000ms …", and
# what operations beside that one hear of it.
NO_ANSWER = re.compile(r"^\[\S*/gloo/transport/|Application timeout caused pair closure|connectFullMesh failed")


def under_torchrun() -> bool:
    """Whether this is one of torchrun's workers."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def default_devices() -> int | str:
    """``--devices``: under torchrun as many as it started workers on this machine, otherwise what Lightning finds."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if under_torchrun() else "auto"


def default_num_nodes() -> int:
    """``--num_nodes``: the machines that torchrun has workers on, otherwise one."""
    return int(os.environ["WORLD_SIZE"]) // int(os.environ["LOCAL_WORLD_SIZE"]) if under_torchrun() else 1


def patience() -> timedelta:
    """How long a process waits for the others before it takes them for lost.

    Raises:
        UsageError: if the variable that says it doesn't.
    """
    seconds = os.environ.get("LITMLP_PATIENCE", "300")
    if not re.fullmatch("[1-9][0-9]{0,5}", seconds):
        raise UsageError(f"LITMLP_PATIENCE={seconds}: must be a whole number of seconds above 0")
    return timedelta(seconds=int(seconds))


def loss_in_words(error: RuntimeError) -> str:
    """What an error of torch's says of another process that can't be reached; empty if it is about something else."""
    if DIED.search(str(error)):
        return "another process of this run has died"
    if isinstance(error, DistError) or NO_ANSWER.search(str(error)):
        return "another process of this run doesn't answer"
    return ""


@cache
def store() -> TCPStore:
    """Torchrun's key-value store, which outlives a start of the workers."""
    hosts_it = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True" and os.environ["RANK"] == "0"
    address, port, world_size = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"], os.environ["WORLD_SIZE"]
    return TCPStore(address, int(port), int(world_size), is_master=hosts_it, timeout=patience())


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


def name_this_start(rank: int, world_size: int) -> str:
    """Agree with the other workers of this start on a name for it, which no earlier start had.

    The store says nothing of starts: a machine's own count of them isn't that of the others, as a machine whose workers
    were well doesn't count. So each worker asks under a name that is new, and the first answers all questions, also
    stale ones, until every worker of this start has thanked for this name.

    Args:
        rank: of this worker.
        world_size: how many workers there are.
    """
    mine = uuid4().hex
    if rank > 0:
        store().set(f"litmlp/question {rank}", mine)
        name = store().get(f"litmlp/answer {mine}").decode()
        store().set(f"litmlp/thanks {rank} {name}", "yes")
        return name
    absent, begun = set(range(1, world_size)), time.monotonic()
    while absent:
        if time.monotonic() - begun > patience().total_seconds():
            raise DistStoreError(f"timed out waiting for {len(absent)} workers")
        for other in [*absent]:
            if store().check([f"litmlp/question {other}"]):
                question = store().get(f"litmlp/question {other}").decode()
                store().set(f"litmlp/answer {question}", mine)
            if store().check([f"litmlp/thanks {other} {mine}"]):
                absent.remove(other)
        time.sleep(0.01)
    return mine


def join(device_type: str, choose_run: Callable[[], Path]) -> Path:
    """Join the process group of this start, and learn the folder of the run.

    torchrun starts all workers again when one has died. Its key-value store outlives them, and holds stale keys
    of the previous start: so each start's process group gets a prefix of its own. The run's folder stays there
    from the first start on, so that later starts resume in it.

    Args:
        device_type: ``cuda``, or another, on which the processes work.
        choose_run: says which folder it shall be; is called on rank 0 of the first start only.

    Raises:
        Failure: if the other processes don't answer.
    """
    try:
        return meet(device_type, choose_run)
    except RuntimeError as error:
        if not (loss := loss_in_words(error)):
            raise
        raise Failure(f"{loss}: start the same command again") from error


def meet(device_type: str, choose_run: Callable[[], Path]) -> Path:
    """What :func:`join` does, with the errors of torch."""
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if rank == 0 and not store().check(["litmlp/run"]):
        store().set("litmlp/run", str(choose_run()))
    if world_size > 1:
        start = PrefixStore(f"litmlp/start {name_this_start(rank, world_size)}", store())
        # Lightning averages whole numbers only where it knows the backend by name.
        backend = "nccl" if device_type == "cuda" else "gloo"
        init_process_group(backend, store=start, rank=rank, world_size=world_size, timeout=patience())
    return Path(store().get("litmlp/run").decode())
