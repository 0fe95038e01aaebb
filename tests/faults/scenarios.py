"""The runs that are killed: every task, schedule and setting that a resume could get wrong."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, str(ROOT / "scripts" / "fit.py")]
MNIST_DATA = ROOT.parent / "shared" / "data"
NAME = "victim"
ROWS = range(40_000)

SCENARIOS = {
    "digits": "--max_epochs 50 --dropout 0.3",
    "digits-batch_norm": "--max_epochs 40 --dropout 0.3 --batch_norm true --schedule cosine --optimizer adamw"
    " --weight_decay 0.01 --label_smoothing 0.1",
    "digits-early_stopping": "--max_epochs 200 --dropout 0.3 --schedule constant --lr 0.001 --callbacks+=EarlyStopping"
    " --callbacks.monitor=val/loss --callbacks.patience=2",
    "digits-accumulate": "--max_epochs 60 --dropout 0.3 --accumulate_grad_batches 3",
    "digits-accumulate_validate": "--max_epochs 60 --dropout 0.3 --accumulate_grad_batches 4 --val_check_interval 0.3",
    "digits-clip": "--max_epochs 40 --dropout 0.3 --precision bf16-mixed --gradient_clip_val 0.5",
    "digits-val_twice": "--max_epochs 40 --dropout 0.3 --val_check_interval 0.5",
    "digits-conv": "--max_epochs 25 --dropout 0.3 --conv [6] --hidden [32]",
    "digits-augment": "--max_epochs 25 --dropout 0.3 --augment.rotation 10 --augment.shift 1 --augment.elastic 0.5"
    " --augment.flip 0.5 --augment.erase 0.3",
    "digits-average": "--max_epochs 30 --dropout 0.3 --batch_norm true --callbacks+=EMAWeightAveraging"
    " --callbacks.decay=0.9 --callbacks.update_every_n_steps=3",
    "digits-no_validation": "--max_epochs 40 --dropout 0.3 --limit_val_batches 0",
    "digits-keep_best": "--max_epochs 40 --dropout 0.3 --callbacks+=ModelCheckpoint --callbacks.monitor=val/loss"
    " --callbacks.save_top_k=3 --callbacks.filename={epoch}-{step}",
    "digits-keep_steps": "--max_epochs 40 --dropout 0.3 --callbacks+=ModelCheckpoint --callbacks.save_top_k=-1"
    " --callbacks.every_n_train_steps=70 --callbacks.filename={epoch}-{step}",
    "digits-threads": "--max_epochs 40 --dropout 0.3 --threads 2",
    "digits-max_steps": "--max_epochs -1 --max_steps 905 --dropout 0.3 --schedule cosine",
    "log": "--max_epochs 10 --dropout 0.3",
    "log-sgd": "--max_epochs 10 --dropout 0.3 --optimizer sgd --schedule constant --batch_size 100",
    "log_value": "--max_epochs 12 --dropout 0.3 --schedule one_cycle",
    "xor": "--max_epochs 15 --dropout 0.3",
    "table": "--data rows.csv --target y --memory 1MB --data_dir converted --max_epochs 6 --hidden [16] --members 2"
    " --bins 4 --batch_size 512",
    "mnist": "--max_epochs 2 --dropout 0.3 --limit_val_batches 2 --limit_test_batches 2",
    "mnist-conv": "--max_epochs 4 --dropout 0.3 --conv [4,8] --hidden [32] --limit_train_batches 40"
    " --limit_val_batches 2 --limit_test_batches 2 --batch_size 64",
}


def prepare(scenario: str, cwd: Path) -> None:
    """Write the files that a scenario needs: rows that are sorted, and larger than the memory they are allowed."""
    if scenario.partition("-")[0] == "table":
        lines = (f"{number},{number * 7919 % 1000},{(number * 7919 % 1000) ** 0.5 + number / 1e4}" for number in ROWS)
        (cwd / "rows.csv").write_text("a,b,y\n" + "\n".join(lines) + "\n")


def command(scenario: str, data_dir: Path) -> list[str]:
    """The command line of a scenario, the same for every start."""
    task = scenario.partition("-")[0]
    return [*COMMAND, "--task", task, "--run", NAME, "--data_dir", str(data_dir), *SCENARIOS[scenario].split()]


def run_folder(cwd: Path, scenario: str) -> Path:
    """Where the scenario's run lies, started in ``cwd``."""
    return cwd / "lightning_logs" / scenario.partition("-")[0] / NAME
