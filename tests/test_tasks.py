import hashlib

import pytest
import torch

from litmlp import MLP, TASKS, Failure, UsageError
from litmlp.commands.by_hand import train
from litmlp.model.statistics import mean_and_std, statistics_of

WITHOUT_DOWNLOAD = ["digits", "xor", "log", "log_value"]
TEXTBOOK = [*WITHOUT_DOWNLOAD, "mnist", "fashion_mnist", "kmnist"]


@pytest.mark.parametrize("name", TEXTBOOK)
def test_every_task_states_what_the_model_needs(name):
    task = TASKS[name]()
    assert task.spec.task == name
    model = MLP(task.spec)
    assert model.spec.outputs == (len(task.classes) if task.classes else 1)
    assert model(torch.zeros(3, *task.sample_shape)).shape == (3, model.spec.outputs)


@pytest.mark.parametrize("name", WITHOUT_DOWNLOAD)
def test_samples_and_targets_are_of_the_form_that_is_promised(name):
    task = TASKS[name]()
    for split in ("train", "val", "test"):
        samples, targets = task.split(split)
        assert samples.shape[1:] == task.sample_shape
        if task.classes:
            assert targets.dtype == torch.int64
            assert set(targets.tolist()) == set(range(len(task.classes)))
        else:
            assert targets.dtype == torch.float32
            assert targets.shape == (len(samples), 1)


def test_the_digits_are_uci_s():
    images, digits = zip(*(TASKS["digits"]().load(train) for train in (True, False)), strict=True)
    order = torch.cat([torch.arange(1797)[torch.arange(1797) % 5 != 4], torch.arange(4, 1797, 5)]).argsort()
    content = torch.cat(images)[order].numpy().tobytes() + torch.cat(digits)[order].byte().numpy().tobytes()
    # Of the images and labels of scikit-learn 1.7's load_digits(), as bytes.
    expected = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
    assert hashlib.sha256(content).hexdigest() == expected


def test_validation_samples_come_from_the_training_set_by_the_seed():
    loaded = {tuple(image) for image in TASKS["digits"]().load(train=True)[0].view(-1, 64).tolist()}
    splits: dict[int, list[list[float]]] = {}
    for seed in (0, 0, 1):
        task = TASKS["digits"](seed=seed)
        train, val = (task.split(name)[0].view(-1, 64).tolist() for name in ("train", "val"))
        assert (len(train), len(val)) == (1258, 180)
        assert {*map(tuple, train), *map(tuple, val)} == loaded
        assert splits.setdefault(seed, val) == val
    assert splits[0] != splits[1]


def test_training_never_asks_for_the_test_set():
    task = TASKS["digits"]()
    task.train_dataloader()
    task.val_dataloader()
    assert set(task.splits) == {"train", "val"}
    task.test_dataloader()
    assert set(task.splits) == {"train", "val", "test"}


def test_log_is_what_it_says():
    points, classes = TASKS["log"](seed=3).load(train=False)
    assert points.shape == (10_000, 2)
    assert 0 <= points.min() < 0.001
    assert 0.999 < points.max() < 1
    assert torch.equal(classes.bool(), points[:, 0] + points[:, 1] > 1)
    same_points, values = TASKS["log_value"](seed=3).load(train=False)
    assert torch.equal(points, same_points)
    torch.testing.assert_close(values.exp(), points.sum(1, keepdim=True))
    assert not torch.equal(points, TASKS["log"](seed=4).load(train=False)[0])
    assert not torch.equal(points, TASKS["log"](seed=3).load(train=True)[0][:10_000])


@pytest.mark.slow
def test_xor_is_learned_from_each_of_100_seeds(capsys):
    recommended = TASKS["xor"].recommended
    bits, targets = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]), torch.tensor([0, 1, 1, 0])
    wrong = []
    for seed in range(100):
        task = TASKS["xor"](seed=seed, batch_size=recommended["batch_size"])
        torch.manual_seed(seed)
        settings = {name: recommended[name] for name in ("hidden", "activation", "lr")}
        model = MLP(task.spec, **settings)
        model.network.standardise(statistics_of(model.settings, *task.split("train")))
        epochs = recommended["max_epochs"]
        train(model, task.train_dataloader(), task.val_dataloader(), seed, epochs, autocast=False)
        if not torch.equal(model(bits).argmax(1), targets):
            wrong.append(seed)
    assert wrong == []


def test_the_real_mnist(real_data):
    task = TASKS["mnist"](data_dir=str(real_data))
    task.prepare_data()
    (train, _), (val, _), (test, labels) = (task.split(name) for name in ("train", "val", "test"))
    assert [tuple(split.shape) for split in (train, val, test)] == [
        (55_000, 1, 28, 28),
        (5_000, 1, 28, 28),
        (10_000, 1, 28, 28),
    ]
    assert train.dtype == torch.uint8
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    everything = torch.cat([train, val]).double()
    mean, std = mean_and_std(train)
    assert (float(mean), float(std)) == pytest.approx((33.32, 78.57), abs=0.1)  # of all 60,000, as is well known
    assert float(everything.mean()) == pytest.approx(33.3184, abs=1e-4)


def test_a_damaged_data_file_is_named(real_data, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (real_data / "MNIST" / "raw").glob("*.gz"):
        (raw / file.name).write_bytes(file.read_bytes())
    packed = raw / "train-labels-idx1-ubyte.gz"
    packed.write_bytes(packed.read_bytes()[:-1])
    with pytest.raises(Failure) as error:
        TASKS["mnist"](data_dir=str(tmp_path)).prepare_data()
    expected = f"the data in {packed} is damaged (its MD5 sum is wrong): delete it, to download it again"
    assert str(error.value) == expected


def test_an_archive_that_is_far_too_large_isnt_read(tmp_path):
    packed = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte.gz"
    packed.parent.mkdir(parents=True)
    with packed.open("wb") as file:
        file.truncate(2**40)  # sparse: reading it would take minutes
    with pytest.raises(Failure, match=r"gz is damaged \(its MD5 sum is wrong\): delete it, to download it again$"):
        TASKS["mnist"](data_dir=str(tmp_path)).prepare_data()


def test_values_out_of_range_name_their_flag():
    with pytest.raises(UsageError, match=r"^--batch_size 0: must be from 1 to 2\*\*31 - 1$"):
        TASKS["xor"](batch_size=0)
    with pytest.raises(UsageError, match=r"^--seed -1: must be from 0 to 2\*\*32 - 1$"):
        TASKS["xor"](seed=-1)
