"""search.py finds settings: trials that are runs, none lost or counted twice, whoever is killed."""

import copy
import json
import math
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from litmlp.commands import search
from litmlp.errors import Failure, UsageError
from litmlp.settings.command_line import read_command
from litmlp.studies.finals import best_settings, finalists_of
from litmlp.studies.history import Tried, complete_trials, importances, table_of_best
from litmlp.studies.plots import drawn
from litmlp.studies.search_plan import plan_search, recommended
from litmlp.studies.search_plots import scale_of, search_spec
from litmlp.studies.space import Choice, Interval, Space, extremes, read_space
from litmlp.studies.storage import open_database, open_journal
from litmlp.studies.trials import Trial, Trials
from litmlp.studies.workers import number_of

XOR = ["--task", "xor", "--accelerator", "cpu", "--max_epochs", "6", "--batch_size", "64"]

SPACE = "{lr: [1e-4, 1e-1, log], hidden: [[16],[8,8]], dropout: [0, 0.5], batch_size: [4, 64]}"
LIST_OR_MAPPING = "must be [low, high], [low, high, log] or a choice of values"
MAPPING = "must be a mapping like '{lr: [0.001, 0.1, log], hidden: [[256], [512,256]]}'"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def test_a_space_has_intervals_and_choices() -> None:
    asked = {
        "lr": ["1e-4", "1e-1", "log"],
        "weight_decay": [0, 1],
        "batch_size": [4, 64],
        "max_epochs": [1, 100, "log"],
        "hidden": [[16], [8, 8]],
        "optimizer": ["adam", "sgd"],
        "label_smoothing": [0, 0.1, 0.2],
        "dropout": {"none": 0, "much": 0.5},
    }
    space = read_space(asked, read_command(XOR))
    assert space == {
        "lr": Interval(1e-4, 1e-1, log=True, whole=False),
        "weight_decay": Interval(0, 1, log=False, whole=False),
        "batch_size": Interval(4, 64, log=False, whole=True),
        "max_epochs": Interval(1, 100, log=True, whole=True),
        "hidden": Choice({"[16]": [16], "[8,8]": [8, 8]}),
        "optimizer": Choice({"adam": "adam", "sgd": "sgd"}),
        "label_smoothing": Choice({"0": 0, "0.1": 0.1, "0.2": 0.2}),
        "dropout": Choice({"none": 0, "much": 0.5}),
    }
    assert [settings["batch_size"] for settings in extremes(space)] == [4, 64, 4]
    assert [settings["label_smoothing"] for settings in extremes(space)] == [0, 0.1, 0.2]
    assert [space["lr"].value(drawn) for drawn in (0.00123456, 1e-4, 0.1)] == [0.001235, 1e-4, 0.1]
    assert Interval(0, 0.12345, log=False, whole=False).value(0.12345) == 0.12345
    assert (space["lr"].drawn("1e-2"), space["lr"].drawn(1), space["hidden"].drawn([8, 8])) == (0.01, None, "[8,8]")
    assert space["hidden"].drawn([8]) is None
    assert space["hidden"].value("[8,8]") == [8, 8]


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--space", "{lr"], "--space {lr: isn't YAML"),
        (["--space", "lr"], f"--space lr: {MAPPING}"),
        (["--space", "{}"], f"--space {{}}: {MAPPING}"),
        (["--space", "{1: [2, 3]}"], f"--space {{1: [2, 3]}}: {MAPPING}"),
        (["--space", "{lr: 0.1}"], f"--space lr 0.1: {LIST_OR_MAPPING}"),
        (["--space", "{lr: []}"], f"--space lr []: {LIST_OR_MAPPING}"),
        (["--space", "{lr: [0.1]}"], "--space lr: one value is no choice; give it as --lr"),
        (["--space", "{lr: [0.1, 0.01]}"], "--space lr [0.1,0.01]: the first number must be below the second"),
        (["--space", "{lr: [0, 1, log]}"], '--space lr [0,1,"log"]: the logarithm needs numbers above 0'),
        (["--space", "{lr: [0.1, 0.2, 0.2]}"], "--space lr: 0.2 is there twice"),
        (["--space", "{lr: [-1, 1]}"], "--lr -1.0: must be a number above 0"),
        (["--space", "{dropout: [0, 1]}"], "--dropout 1.0: must be from 0 to below 1"),
        (["--space", "{batch_size: [1, 2.5]}"], "--batch_size 1.0: must be a whole number"),
        (["--space", "{optimizer: [adam, sdg]}"], "--optimizer sdg: must be one of ['adam', 'adamw', 'sgd']"),
        (["--space", "{hiden: [[1], [2]]}"], "there is no flag --hiden; did you mean --hidden?"),
        (["--space", "{seed: [1, 2]}"], "--space seed: this flag can't be searched"),
        (["--space", "{task: [xor, log]}"], "--space task: this flag can't be searched"),
        (["--space", "{lr: [0.1, 1]}", "--lr", "1"], "--lr: the search itself gives it its values; leave it out"),
        (["--trials", "0"], "--trials 0: must be from 1 to 1000000"),
        (["--trials", "many"], "argument --trials: invalid int value: 'many'"),
        (["--minutes", "0"], "--minutes 0.0: must be a number above 0"),
        (["--heartbeat", "0"], "--heartbeat 0: must be from 1 to 3600"),
        (["--jobs", "0"], "--jobs 0: must be from 1 to 1024"),
        (["--seeds", "3"], "--seeds 3: must be a list like '[0,1,2]'"),
        (["--run", "x"], "--run and --resume: a search names its runs itself; use --name"),
        (["--name", "a/b"], "--name a/b: a run's name is made of letters, digits and _ . + = -"),
        (["--logger", "false"], "--logger: a search is drawn from the runs' own curves; leave it out"),
        (["--limit_val_batches", "0"], "--limit_val_batches 0: a search needs validations; leave it out"),
        (["--storage", "nowhere"], "--storage nowhere: must be like postgresql://user@host/database"),
        (["--storage", "no://where"], "--storage no://where: must be like postgresql://user@host/database"),
    ],
)  # fmt: skip
def test_bad_input_is_told_before_the_first_trial(flags: list[str], line: str, here: Path) -> None:
    with pytest.raises(UsageError) as error:
        search.main([*XOR[:6], *flags])
    assert str(error.value) == line
    assert list(here.iterdir()) == []


def test_a_database_that_does_not_answer_is_told_without_its_password(here: Path) -> None:
    url = "postgresql://me:secret@127.0.0.1:1/one"
    with pytest.raises(Failure) as error:
        search.main([*XOR[:6], "--storage", url])
    assert str(error.value).startswith("--storage postgresql://me:***@127.0.0.1:1/one: connection failed: ")
    assert str(error.value).endswith("; resume with the same command")
    assert list(here.iterdir()) == []


def test_a_driver_that_is_missing_is_told() -> None:
    with pytest.raises(Failure) as error:
        search.main([*XOR[:6], "--storage", "mysql://me:secret@here/one"])
    assert str(error.value).startswith("--storage mysql://me:***@here/one: ")
    assert str(error.value).endswith(": pip install -r requirements-search.txt")


def test_without_the_extra_nothing_is_fitted(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(Failure) as error:
        search.main(XOR)
    assert str(error.value) == "search.py needs optuna: pip install -r requirements-search.txt"
    assert list(here.iterdir()) == []


def trials_in(folder: Path, space_text: str = SPACE, epochs: int = 6) -> Trials:
    """The trials of a search, as a process finds them that has just been started."""
    plan = plan_search(space_text, None, XOR[:4])
    folder.mkdir(exist_ok=True)
    return Trials(open_journal(folder / "journal.log"), "xor/xor", plan.asked, plan.space, 0, epochs, recommended(plan))


def next_of(trials: Trials) -> Trial:
    """A trial, of any number."""
    trial = trials.next(None)
    assert trial is not None
    return trial


def judged(trial: Trial) -> float:
    """A score of made-up settings: the best learning rate is 0.01."""
    return 1 - abs(math.log10(trial.settings["lr"] / 0.01)) / 10


def test_trials_are_drawn_as_if_nobody_had_interrupted_the_search(tmp_path: Path) -> None:
    drawn_settings: list[list[dict[str, Any]]] = []
    for name, lifetime in (("undisturbed", 21), ("killed", 3)):
        settings = []
        for _ in range(21 // lifetime):
            trials = trials_in(tmp_path / name)
            for _ in range(lifetime):
                trial = next_of(trials)
                settings.append(trial.settings)
                trials.finish(trial, judged(trial), {"test": 0.5, "seconds": 1.0})
            next_of(trials)  # whoever makes it is killed
        drawn_settings.append(settings)
    undisturbed, killed = drawn_settings
    assert killed == undisturbed
    assert undisturbed[0] == {"lr": 0.02, "hidden": [16], "dropout": 0.0, "batch_size": 4}  # the recommended ones
    assert len({json.dumps(settings) for settings in undisturbed}) == 21
    distances = [abs(math.log10(settings["lr"] / 0.01)) for settings in undisturbed]
    assert sum(distances[15:]) / 6 < sum(distances[1:11]) / 10  # nearer to the best than what is drawn at random


def test_a_trial_of_a_dead_process_is_neither_lost_nor_counted_twice(tmp_path: Path) -> None:
    trials = trials_in(tmp_path)
    begun = [trials.next(3) for _ in range(4)]
    assert begun[3] is None
    assert [trial.number for trial in begun[:3] if trial] == [0, 1, 2]
    assert begun[1] is not None
    assert trials.report(begun[1], 1, 0.5)
    trials.finish(begun[1], 0.7, {"test": 0.5, "seconds": 1.0})
    with (tmp_path / "journal.log").open("ab") as journal:
        journal.write(b'{"op_code": 6, "wor')  # the power failed
    (tmp_path / "journal.log.lock").symlink_to(tmp_path / "journal.log")  # and left Optuna's lock
    trials = trials_in(tmp_path)
    again = [trials.next(3) for _ in range(3)]
    assert again[2] is None
    assert [trial.number for trial in again[:2] if trial] == [0, 2]
    assert [trial and trial.settings for trial in again[:2]] == [trial and trial.settings for trial in begun[:3:2]]
    for trial in again[:2]:
        assert trial is not None
        trials.report(trial, 1, 0.1)
        trials.report(trial, 1, 0.2)  # again, after a resume
        assert trials.known(trial).intermediate_values == {1: 0.1}
        trials.finish(trial, math.nan, {"test": math.nan, "seconds": 1.0})
    assert trials.next(3) is None
    assert [trial.value for trial in trials.of(TrialState.COMPLETE)] == [-math.inf, 0.7, -math.inf]
    assert len(trials.of(*TrialState)) == 3


def test_a_trial_that_passes_from_a_dead_worker_to_another_is_made_once(tmp_path: Path) -> None:
    plan = plan_search(SPACE, None, XOR[:4])
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    first, second = (
        Trials(open_database(url, 60), "xor/xor", plan.asked, plan.space, 0, 6, recommended(plan)) for _ in range(2)
    )
    lost, other = first.next(2), first.next(2)
    assert lost is not None
    assert other is not None
    # Optuna lets a stale trial fail, and then adds one in its place: here two workers do so, of which one is slow.
    first.storage.set_trial_state_values(lost.handle._trial_id, TrialState.FAIL)
    again = second.next(2)
    assert again is not None
    assert (again.number, again.settings) == (lost.number, lost.settings)
    assert isinstance(first.storage, RDBStorage)
    replace = first.storage.get_heartbeat_stale_trial_callback()
    assert replace is not None
    replace(first.study, copy.deepcopy(first.known(lost)))
    assert [first.next(2), second.next(2), first.next(2)] == [None] * 3
    for trials, trial in ((first, other), (second, again)):
        trials.finish(trial, 0.5, {"test": 0.5, "seconds": 1.0})
    assert sorted(number_of(trial) for trial in first.of(TrialState.COMPLETE)) == [0, 1]
    assert first.of(TrialState.RUNNING, TrialState.WAITING) == []
    third = first.next(3)
    assert third is not None
    assert third.number not in (0, 1)
    first.close()
    second.close()


def test_what_is_worse_than_the_median_is_stopped_but_not_at_once(tmp_path: Path) -> None:
    trials = trials_in(tmp_path)
    for _ in range(10):
        trial = next_of(trials)
        for epoch in range(1, 7):
            assert trials.report(trial, epoch, 0.5 + epoch / 100)
        trials.finish(trial, 0.56, {"test": 0.5, "seconds": 1.0})
    bad, good = next_of(trials), next_of(trials)
    assert [trials.report(bad, epoch, 0.4) for epoch in (1, 2)] == [True, False]
    assert trials.was_stopped_at(bad) == 2
    assert [trials.report(good, epoch, 0.9) for epoch in (1, 2)] == [True, True]
    assert trials.was_stopped_at(good) is None
    assert trials.stop(bad) == 2
    assert all(trials.report(good, epoch, 0.9 if epoch == 3 else 0.1) for epoch in (3, 4, 5, 6))
    assert trials.report(next_of(trials), 6, 0.1)  # nothing is gained by stopping it in its last epoch


@pytest.mark.parametrize(
    ("space", "flags", "line"),
    [
        (
            "{lr: [0.1, 1]}",
            [],
            '--space {"lr":[0.1,1]} contradicts the search xor/xor, begun with --space {"lr":[0.1,2]}',
        ),
        ("{lr: [0.1, 2]}", ["--hidden=[3]"], "--hidden [3] contradicts the search xor/xor, begun with --hidden [16]"),
    ],
)
def test_a_search_with_other_settings_is_told(space: str, flags: list[str], line: str, tmp_path: Path) -> None:
    folder = tmp_path / "lightning_logs" / "xor" / "xor-search"
    folder.mkdir(parents=True)
    trials_in(folder, "{lr: [0.1, 2]}")
    with pytest.raises(UsageError) as error:
        search.main([*XOR[:4], "--space", space, *flags])
    assert str(error.value) == f"{line}: choose another --name"


def tried(number: int, lr: float, score: float) -> Tried:
    return Tried(number, {"lr": lr, "hidden": [8, 8]}, score, score - 0.01, 1.25, 60.0 * number)


def test_the_best_trials_and_their_settings() -> None:
    plan = plan_search("{lr: [1e-4, 1e-1, log], hidden: [[16],[8,8]]}", "mine", [*XOR, "--dropout", "0.1"])
    trials = [
        tried(0, 0.02, 0.5),
        tried(1, 0.01, 0.75),
        tried(2, 0.03, 0.75),
        tried(3, 0.04, -math.inf),
        tried(4, 0.05, 0.6),
    ]
    assert [trial.number for trial in finalists_of(trials, plan)] == [1, 2, 4, 0]
    assert table_of_best(trials, "accuracy") == [
        "| trial | validation accuracy (%) |   lr | hidden | training (s) |",
        "| ----- | ----------------------: | ---: | -----: | -----------: |",
        "| 1     |                   75.00 | 0.01 |  [8,8] |          1.2 |",
        "| 2     |                   75.00 | 0.03 |  [8,8] |          1.2 |",
        "| 4     |                   60.00 | 0.05 |  [8,8] |          1.2 |",
        "| 0     |                   50.00 | 0.02 |  [8,8] |          1.2 |",
        "| 3     |                    -inf | 0.04 |  [8,8] |          1.2 |",
    ]
    text = best_settings(trials[1], plan)
    assert text.startswith("# Trial 1 of the search mine.\ntask: xor\n")
    assert yaml.safe_load(text) == {
        "task": "xor",
        "batch_size": 64,
        "hidden": [8, 8],
        "dropout": 0.1,
        "lr": 0.01,
        "accelerator": "cpu",
        "max_epochs": 6,
    }
    Path("best.yaml").write_text(text)
    repeated = read_command(["--config", "best.yaml"])
    assert repeated.text == read_command(plan.flags(trials[1].settings)).text


def test_the_picture_of_a_search() -> None:
    space: Space = {"lr": Interval(0.001, 0.1, log=True, whole=False), "augment.flip": Choice({"0": 0, "0.5": 0.5})}
    trials = [
        Tried(number, {"lr": 0.01 * (number + 1), "augment.flip": 0.5}, score, 0.5, 1.0, ended)
        for number, score, ended in ((1, 0.5, 60), (0, 0.7, 120), (2, -math.inf, 180), (3, 0.6, 240))
    ]
    chart = search_spec("Task xor", "accuracy", trials, 2, {"lr": 0.9, "augment.flip": 0.1}, space)
    rows = chart["data"]["values"]
    assert [(row["trial"], row["minutes"], row["score"]) for row in rows] == [(1, 1, 50), (0, 2, 70), (3, 4, 60)]
    assert [(row["best"], row["best by number"]) for row in rows] == [(50, 70), (70, 70), (70, 70)]
    assert [row["--augment_flip"] for row in rows] == ["0.5"] * 3
    svg, png = drawn(chart)
    texts = {element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    titles = {
        "Task xor",
        "4 complete trials, 2 stopped; points far below the others are cut off",
        "importance",
        "trial",
    }
    titles |= {
        "minutes since the first trial began",
        "test accuracy (%)",
        "validation accuracy (%)",
        "--lr",
        "--augment.flip",
    }
    assert titles <= texts
    assert png.startswith(b"\x89PNG")
    assert scale_of([0.0, 98.0, 99.0])["domain"] == pytest.approx([94 - 0.15, 99.15])
    assert scale_of([99.0])["domain"] == pytest.approx([98.01, 99.99])


def test_the_importance_of_flags(tmp_path: Path) -> None:
    trials = trials_in(tmp_path)
    assert importances(trials) == {}
    for _ in range(30):
        trial = next_of(trials)
        trials.finish(trial, judged(trial), {"test": 0.5, "seconds": 1.0})
    shares = importances(trials)
    assert shares.keys() == {"lr", "hidden", "dropout", "batch_size"}
    assert max(shares, key=shares.__getitem__) == "lr"
    assert len(complete_trials(trials)) == 30
