"""What several tests share: the real data, runs and trained checkpoints, their curves, servers, scripts."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
import torch
from hypothesis import settings
from PIL import Image, ImageDraw
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from litmlp import Network, ResumePoints, Spec, load
from litmlp.commands import fit
from litmlp.commands.serve import listen, own_names, url
from litmlp.runs import Run
from litmlp.server.app import make_app
from litmlp.server.server import Server, make_server
from litmlp.signals import INTERRUPTION
from tests.faults.kills import ENVIRONMENT
from tests.warm import processes, run_python

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"

EPOCHS = {"digits": 6, "xor": 5, "log": 2, "log_value": 2, "mnist": 1}

settings.register_profile("fixed", derandomize=True)  # the same examples each time
settings.load_profile("fixed")

Fit = Callable[..., Run]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Also of the commands, which take it for the default, and of the processes that are started."""
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(autouse=True)
def events_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorBoard reads files in the order of their names, where a process's 10th would be before its 9th."""
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(100))


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    """Gives pytest its signal handlers back, which a command takes over, and the process, which isn't the command's."""
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    yield
    INTERRUPTION.command = ""
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.fixture(scope="session")
def real_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the real MNIST and Fashion-MNIST."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets aren't here")
    folder = tmp_path_factory.mktemp("data")
    shutil.copytree(SHARED_DATA, folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    return folder


@pytest.fixture
def run_fit(tmp_path: Path) -> Fit:
    """Run ``fit.py`` in this process, in a folder of its own; gives the run called ``name``."""

    def run(*flags: str, name: str = "run", task: str = "digits", points: ResumePoints | None = None) -> Run:
        where = ["--default_root_dir", str(tmp_path), "--accelerator", "cpu"]
        fit.main(["--task", task, "--run", name, *where, *flags], points)
        return Run(tmp_path / "lightning_logs" / task / name)

    return run


def points_everywhere() -> ResumePoints:
    """Writes resume points wherever resuming is exact, not only as often as they are cheap."""
    return ResumePoints(interruption=INTERRUPTION, fraction=1e9, longest_pause=0.0)


def spec_of(*sample_shape: int, outputs: int = 2, regression: bool = False, task: str = "mine") -> Spec:
    """The spec of a task with samples of this shape; its classes are called 0, 1 and so on."""
    return Spec(task, sample_shape, outputs, None if regression else tuple(map(str, range(outputs))))


def curves(run: Run) -> dict[str, list[tuple[int, float]]]:
    """(step, value) of each scalar in a run's TensorBoard events, as TensorBoard shows them."""
    accumulator = EventAccumulator(str(run.folder), size_guidance={"scalars": 0}).Reload()
    shown = defaultdict(list)
    for tag in accumulator.Tags()["scalars"]:
        shown[tag] = [(event.step, event.value) for event in accumulator.Scalars(tag)]
    return shown


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Gives a task's run, fitted for a few epochs when it is first asked for. MNIST's is skipped without its data."""
    root = tmp_path_factory.mktemp("trained")
    runs: dict[str, Run] = {}

    def run_of(task: str) -> Run:
        if task == "mnist" and not SHARED_DATA.is_dir():
            pytest.skip("the real data sets aren't here")
        if task not in runs:
            if task == "mnist":
                shutil.copytree(SHARED_DATA / "MNIST", root / "data" / "MNIST")
            flags = {"task": task, "run": f"a-{task}", "max_epochs": EPOCHS[task], "data_dir": root / "data"}
            quiet = ["--accelerator=cpu", "--enable_progress_bar=false", f"--default_root_dir={root}"]
            with redirect_stdout(StringIO()):
                fit.main([*(f"--{name}={value}" for name, value in flags.items()), *quiet])
            runs[task] = Run(root / "lightning_logs" / task / f"a-{task}")
        return runs[task]

    return run_of


@pytest.fixture(scope="session")
def flats(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Gives the run of a small network for this column of a table of flats, fitted when it is first asked for."""
    root = tmp_path_factory.mktemp("flats")
    lines = ["area,floor,quarter,built,price,kind"]
    for number in range(60):
        area, floor, quarter = 30 + number * 1.5, number % 5, ["Altstadt", "Nord", "Süd, am See", ""][number % 4]
        built = f"{1990 + number % 30}-0{1 + number % 9}-15"
        known = "" if number % 10 == 4 else str(floor)
        lines.append(
            f'{area},{known},"{quarter}",{built},{area * 5200 + floor * 900},{"large" if area > 75 else "small"}'
        )
    (root / "flats.csv").write_text("\n".join(lines), encoding="utf-8")
    runs: dict[str, Run] = {}

    def run_of(target: str) -> Run:
        if target not in runs:
            other = {"price": "kind", "kind": "price"}[target]
            own = [f"--data={root / 'flats.csv'}", f"--target={target}", f"--columns={{{other}: ignore}}"]
            small = "--hidden=[8] --bins=4 --members=2 --max_epochs=2 --lr=0.03 --batch_size=2 --accelerator=cpu"
            quiet = [f"--run={target}", "--enable_progress_bar=false", f"--default_root_dir={root}"]
            with redirect_stdout(StringIO()):
                fit.main(["--task=table", *own, *small.split(), *quiet])
            runs[target] = Run(root / "lightning_logs" / "table" / target)
        return runs[target]

    return run_of


@pytest.fixture(scope="session")
def digits(trained: Callable[[str], Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of digits, alone in a folder."""
    copy = tmp_path_factory.mktemp("alone") / "digits.ckpt"
    shutil.copy(trained("digits").best, copy)
    return copy


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Network], str]]:
    """Serves networks from this process, each on a port of its own, over real sockets; gives the URL."""
    servers: list[tuple[Server, threading.Thread]] = []

    def start(network: Network) -> str:
        listener = listen("127.0.0.1", 0)
        app = make_app(network, Path("some.ckpt"), own_names(listener))
        server = make_server(app)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        servers.append((server, thread))
        return url(listener)

    yield start
    for server, thread in servers:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def digits_url(serve: Callable[[Network], str], digits: Path) -> str:
    """A server of the digits checkpoint."""
    return serve(load(digits))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a script as a process, in a folder of its own."""
    started: list[subprocess.Popen[str]] = []

    def start_process(name: str, *flags: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *flags]
        env, pipe = {**ENVIRONMENT, **environment}, subprocess.PIPE
        started.append(subprocess.Popen(command, cwd=tmp_path, env=env, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start_process
    for process in started:
        process.kill()
        process.communicate()


def wait_for_line(process: subprocess.Popen[str], beginning: str) -> None:
    """Read the process's output up to a line that begins so."""
    assert process.stdout is not None
    assert any(line.startswith(beginning) for line in process.stdout)


def script(name: str, *flags: str | Path, cwd: Path, output: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a script as a user does; what it prints goes to that file instead, if there is one."""
    arguments = [str(ROOT / "scripts" / f"{name}.py"), *map(str, flags)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # two threads wait for each other where other work goes on
    with NamedTemporaryFile("r", encoding="utf-8") as printed, NamedTemporaryFile("r", encoding="utf-8") as errors:
        files = (str(output or printed.name), errors.name)
        process = processes().Process(target=run_python, args=(arguments, str(cwd), *files, environment))
        process.start()
        process.join(300)
        assert process.exitcode is not None, errors.read()
        return subprocess.CompletedProcess(arguments, process.exitcode, printed.read(), errors.read())


def drawn(strokes: list[list[tuple[float, float]]], side: int = 200, width: int = 18) -> Image.Image:
    """A drawing in black on white; the points' coordinates are from 0 to 1."""
    picture = Image.new("L", (side, side), 255)
    for stroke in strokes:
        ImageDraw.Draw(picture).line([(x * side, y * side) for x, y in stroke], 0, width)
    return picture
