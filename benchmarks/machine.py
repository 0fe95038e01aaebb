"""What the values were measured on and with."""

import json
import os
import platform
import subprocess
from pathlib import Path

OURS = ("torch", "torchvision", "lightning", "torchmetrics", "tensorboard", "jsonargparse")
PEERS = ("scikit-learn", "keras", "jax")
ASK_VERSIONS = """
import importlib.metadata, json, sys
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


def versions(python: str, packages: tuple[str, ...]) -> dict[str, str | None]:
    """The versions of packages in an interpreter's environment; None for one that isn't there."""
    answer = subprocess.run([python, "-c", ASK_VERSIONS, *packages], capture_output=True, text=True, check=True)  # noqa: S603
    found: dict[str, str | None] = json.loads(answer.stdout)
    return found


def hardware(python: str, accelerator: str) -> str:
    """The processor, its cores, and the GPU if one is used."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    text = f"{model}, {cores} cores"
    if accelerator == "gpu":
        ask = "import torch; print(torch.cuda.get_device_name())"
        answer = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)  # noqa: S603
        text += f", {answer.stdout.strip()}"
    return text
