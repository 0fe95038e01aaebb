"""Splits in files: what is dealt out to them, their orders in every place, and what becomes of damaged ones."""

import re
from pathlib import Path

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from litmlp import Failure
from litmlp.randomness import ORDER, generator
from litmlp.tasks.dealing import Dealer
from litmlp.tasks.stored import Field, Layout, StoredSplit, layout_of
from litmlp.tasks.stored_loader import StoredLoader
from tests.test_loader import BATCH_SIZES, EPOCHS, SEEDS, WORLD_SIZES, as_lists, steps

FIELDS = (Field((2,), "float32"), Field((), "int64"))


def write(folder: Path, layout: Layout, seed: int = 0, chunk: int = 7) -> StoredSplit:
    """A split whose samples are (index, -index) and whose targets are indices, in the order of a sorted source."""
    indices = torch.arange(layout.rows)
    with Dealer(folder, "train", layout, seed) as dealer:
        for part in indices.split(chunk):
            dealer.add(torch.stack([part, -part], 1).float(), part)
        dealer.close()
    return StoredSplit(folder, "train", layout, dealer.checksums)


@pytest.fixture(scope="session")
def splits(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], StoredSplit]:
    """Splits of some numbers of rows and blocks."""
    sizes = [(1, 1), (5, 2), (9, 9), (40, 3), (70, 11), (70, 1)]
    return {size: write(tmp_path_factory.mktemp("split"), Layout(*size, FIELDS)) for size in sizes}


SIZES = st.sampled_from([(1, 1), (5, 2), (9, 9), (40, 3), (70, 11), (70, 1)])


def indices_of(tensors: tuple[Tensor, Tensor]) -> list[int]:
    """The targets, whose samples have to be theirs."""
    samples, targets = tensors
    assert torch.equal(samples, torch.stack([targets, -targets], 1).float())
    found: list[int] = targets.tolist()
    return found


def test_a_row_is_in_one_block_and_a_block_has_its_share_of_each_chunk(tmp_path: Path) -> None:
    split = write(tmp_path, Layout(103, 5, FIELDS), chunk=20)
    blocks = [indices_of(split.read([block])) for block in range(5)]
    assert [len(block) for block in blocks] == [20, 20, 20, 20, 23]
    assert sorted(index for block in blocks for index in block) == list(range(103))
    for start in range(0, 100, 20):
        assert [sum(start <= index < start + 20 for index in block) for block in blocks] == [4, 4, 4, 4, 4]
    assert indices_of(split.tensors) == [index for block in blocks for index in block]
    assert indices_of(split.head()) == [index for block in blocks[:4] for index in block]
    assert indices_of(split.read([3, 1])) == blocks[3] + blocks[1]
    order = torch.randperm(20, generator=generator(0, 4, 0)).tolist()
    assert blocks[1][:4] == [order[place] for place in (1, 6, 11, 16)]


def test_the_shuffle_depends_on_the_seed_alone(tmp_path: Path) -> None:
    layout = Layout(50, 4, FIELDS)
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    first, same = (indices_of(write(tmp_path / name, layout, seed=3).tensors) for name in ("a", "b"))
    assert first == same != indices_of(write(tmp_path / "c", layout, seed=4).tensors)


@pytest.mark.parametrize(
    ("rows", "memory", "blocks"),
    [(100, 8 * 16 * 8, 50), (100, 10**9, 1), (2**20, 10**9, 16), (2**20 - 1, 10**9, 15), (3, 1, 3)],
)
def test_a_window_has_a_quarter_million_rows_or_an_eighth_of_the_memory(rows: int, memory: int, blocks: int) -> None:
    assert layout_of(rows, FIELDS, memory) == Layout(rows, blocks, FIELDS)


@given(SIZES, BATCH_SIZES, WORLD_SIZES, SEEDS, EPOCHS)
def test_training_visits_every_row_exactly_once_an_epoch(
    splits: dict[tuple[int, int], StoredSplit],
    size: tuple[int, int],
    batch_size: int,
    world_size: int,
    seed: int,
    epoch: int,
) -> None:
    loaders = [StoredLoader(splits[size], batch_size, seed, rank, world_size) for rank in range(world_size)]
    epoch_steps = steps([*loaders], epoch)
    assert [len(loader) for loader in loaders] == [len(epoch_steps)] * world_size
    batches = [batch for step in epoch_steps for batch in step]
    assert all(1 <= len(batch.targets) <= batch_size for batch in batches)
    visited = [index for batch in batches for index in indices_of(batch[:2]) if batch.weight]
    assert sorted(visited) == list(range(size[0]))
    one = steps([StoredLoader(splits[size], batch_size * world_size, seed)], epoch)
    for (whole,), parts in zip(one, epoch_steps, strict=True):
        together = [index for part in parts if part.weight for index in part.targets.tolist()]
        assert sorted(whole.targets.tolist()) == sorted(together)
        assert sum(part.weight for part in parts) == pytest.approx(world_size)


@given(SIZES, BATCH_SIZES, WORLD_SIZES, SEEDS, EPOCHS, st.data())
def test_an_epoch_continues_where_it_was_left(
    splits: dict[tuple[int, int], StoredSplit],
    size: tuple[int, int],
    batch_size: int,
    world_size: int,
    seed: int,
    epoch: int,
    data: st.DataObject,
) -> None:
    whole = [StoredLoader(splits[size], batch_size, seed, rank, world_size) for rank in range(world_size)]
    expected = as_lists(steps([*whole], epoch))
    done = data.draw(st.integers(0, len(expected)))
    rest = [StoredLoader(splits[size], batch_size, seed, rank, world_size) for rank in range(world_size)]
    for loader in rest:
        loader.load_state_dict({"batches_done": done})
    assert as_lists(steps([*rest], epoch)) == expected[done:]
    assert as_lists(steps([*rest], epoch + 1)) == as_lists(steps([*whole], epoch + 1))


@given(SIZES, BATCH_SIZES, WORLD_SIZES)
def test_evaluation_takes_the_rows_as_they_are_stored(
    splits: dict[tuple[int, int], StoredSplit], size: tuple[int, int], batch_size: int, world_size: int
) -> None:
    loaders = [StoredLoader(splits[size], batch_size, None, rank, world_size) for rank in range(world_size)]
    found = [[batch.targets.tolist() for batch in step] for step in steps([*loaders], 0)]
    stored = splits[size].tensors[1].tolist()
    whole = [stored[start : start + batch_size * world_size] for start in range(0, size[0], batch_size * world_size)]
    assert found == [[step[rank::world_size] for rank in range(world_size)] for step in whole]


def test_an_epoch_is_blocks_by_the_epoch_and_rows_by_the_window(tmp_path: Path) -> None:
    split = write(tmp_path, Layout(23, 6, FIELDS))
    loader = StoredLoader(split, 5, seed=9)
    loader.set_epoch(2)
    visited = torch.cat([batch.targets for batch in loader])
    blocks = torch.randperm(6, generator=generator(9, ORDER, 2)).tolist()
    first, second = (split.read(blocks[:4])[1], split.read(blocks[4:])[1])
    orders = [
        torch.randperm(len(window), generator=generator(9, ORDER, 2, number))
        for number, window in enumerate((first, second))
    ]
    assert visited.tolist() == torch.cat([first[orders[0]], second[orders[1]]]).tolist()


@pytest.mark.parametrize("name", ["train.samples", "train.targets"])
def test_a_damaged_file_is_refused_where_it_is_read(name: str, tmp_path: Path) -> None:
    layout = Layout(60, 6, FIELDS)
    split = write(tmp_path, layout)
    path = tmp_path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # at the beginning of block 3
    path.write_bytes(content)
    line = f"{path} is damaged or gone: delete the rest with litmlp cache --delete {tmp_path.name}, and start again"
    split.read([0, 1, 2, 4, 5])
    with pytest.raises(Failure, match=f"^{re.escape(line)}$"):
        split.read([3])
    with pytest.raises(Failure, match=f"^{re.escape(line)}$"):
        list(StoredLoader(split, 10, seed=0))
    path.write_bytes(content[:-1])
    with pytest.raises(Failure, match=f"^{re.escape(line)}$"):
        split.read([5])
    with pytest.raises(Failure, match=f"^{re.escape(line)}$"):
        StoredSplit(tmp_path, "train", layout, split.checksums)
    path.unlink()
    with pytest.raises(Failure, match=f"^{re.escape(line)}$"):
        split.read([0])


def test_more_or_fewer_rows_than_were_counted_are_refused(tmp_path: Path) -> None:
    for rows in (5, 13):
        folder = tmp_path / str(rows)
        folder.mkdir()
        with Dealer(folder, "train", Layout(10, 2, FIELDS), seed=0) as dealer:
            dealer.add(torch.zeros(rows, 2), torch.zeros(rows, dtype=torch.int64))
            with pytest.raises(Failure, match="^the files changed while they were read: start again$"):
                dealer.close()


def test_images_keep_their_bytes(tmp_path: Path) -> None:
    fields = Field((1, 2, 3), "uint8"), Field((), "int64")
    images = torch.from_numpy(numpy.random.RandomState(0).randint(0, 256, (20, 1, 2, 3)).astype(numpy.uint8))
    with Dealer(tmp_path, "train", Layout(20, 3, fields), seed=0) as dealer:
        dealer.add(images, torch.arange(20))
        dealer.close()
    samples, targets = StoredSplit(tmp_path, "train", Layout(20, 3, fields), dealer.checksums).tensors
    assert samples.dtype == torch.uint8
    assert torch.equal(samples, images[targets])
