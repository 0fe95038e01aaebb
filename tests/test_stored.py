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
from litmlp.randomness import DEAL, ORDER, generator
from litmlp.tasks.dealing import Dealer
from litmlp.tasks.stored import Field, Layout, StoredSplit, blocks_for, layout_of
from litmlp.tasks.stored_loader import StoredLoader
from tests.test_loader import BATCH_SIZES, EPOCHS, SEEDS, WORLD_SIZES, as_lists, steps

FIELDS = (Field((2,), "float32"), Field((), "int64"))


def write(folder: Path, rows: int, blocks: int, seed: int = 0, chunk: int = 7, window: int = 4) -> StoredSplit:
    """A split whose samples are (index, -index) and whose targets are indices, in the order of a sorted source."""
    with Dealer(folder, "train", blocks, FIELDS, seed) as dealer:
        for part in torch.arange(rows).split(chunk):
            dealer.add(torch.stack([part, -part], 1).float(), part)
    return StoredSplit(folder, "train", Layout(tuple(dealer.chunks), blocks, window, FIELDS), dealer.checksums)


@pytest.fixture(scope="session")
def splits(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], StoredSplit]:
    """Splits of some numbers of rows and blocks."""
    sizes = [(1, 1), (5, 2), (9, 9), (40, 3), (70, 11), (70, 1)]
    return {size: write(tmp_path_factory.mktemp("split"), *size) for size in sizes}


SIZES = st.sampled_from([(1, 1), (5, 2), (9, 9), (40, 3), (70, 11), (70, 1)])


def indices_of(tensors: tuple[Tensor, Tensor]) -> list[int]:
    """The targets, whose samples have to be theirs."""
    samples, targets = tensors
    assert torch.equal(samples, torch.stack([targets, -targets], 1).float())
    found: list[int] = targets.tolist()
    return found


def test_a_row_is_in_one_block_and_a_block_has_its_share_of_each_chunk(tmp_path: Path) -> None:
    split = write(tmp_path, 103, 5, chunk=20)
    blocks = [indices_of(split.read([block])) for block in range(5)]
    assert [len(block) for block in blocks] == [21, 21, 21, 20, 20]
    assert sorted(index for block in blocks for index in block) == list(range(103))
    for start in range(0, 100, 20):
        assert [sum(start <= index < start + 20 for index in block) for block in blocks] == [4, 4, 4, 4, 4]
    assert indices_of(split.head()) == [index for block in blocks[:4] for index in block]
    assert indices_of(split.read([3, 1])) == blocks[3] + blocks[1]
    orders = [start + torch.randperm(20, generator=generator(0, DEAL, start // 20)) for start in range(0, 100, 20)]
    last = 100 + torch.randperm(3, generator=generator(0, DEAL, 5))
    assert indices_of(split.tensors) == torch.cat([*orders, last]).tolist()
    assert blocks[1] == [*(index for order in orders for index in order[4:8].tolist()), int(last[1])]


def test_blocks_have_the_same_number_of_rows_however_small_the_chunks_are(tmp_path: Path) -> None:
    split = write(tmp_path, 50, 8, chunk=3)
    blocks = [indices_of(split.read([block])) for block in range(8)]
    assert [len(block) for block in blocks] == [split.layout.rows_of(block) for block in range(8)]
    assert [len(block) for block in blocks] == [7, 7, 6, 6, 6, 6, 6, 6]
    assert sorted(index for block in blocks for index in block) == list(range(50))
    assert [sum(index < 24 for index in block) for block in blocks] == [3] * 8
    assert [sum(index < 48 for index in block) for block in blocks] == [6] * 8


def test_some_rows_of_a_chunk_are_dealt(tmp_path: Path) -> None:
    rows, own = torch.arange(10), numpy.array([1, 2, 5, 7])
    with Dealer(tmp_path, "train", 2, FIELDS, seed=0) as dealer:
        dealt = dealer.add(torch.stack([rows, -rows], 1).float(), rows, own)
        order = torch.randperm(4, generator=generator(0, DEAL, 0))
        assert indices_of(dealt) == own[order.numpy()].tolist()
        expected = indices_of(dealt)
        dealer.add(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))
    split = StoredSplit(tmp_path, "train", Layout(tuple(dealer.chunks), 2, 1, FIELDS), dealer.checksums)
    assert [indices_of(split.read([block])) for block in (0, 1)] == [expected[:2], expected[2:]]
    assert split.layout.chunks == (4, 0)


def test_the_shuffle_depends_on_the_seed_alone(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    first, same = (indices_of(write(tmp_path / name, 50, 4, seed=3).tensors) for name in ("a", "b"))
    assert first == same != indices_of(write(tmp_path / "c", 50, 4, seed=4).tensors)


@pytest.mark.parametrize(
    ("rows", "memory", "blocks"),
    [(100, 8 * 16 * 8, 50), (100, 10**9, 1), (2**20, 10**9, 16), (2**20 - 1, 10**9, 15), (3, 1, 3)],
)
def test_a_window_has_a_quarter_million_rows_or_an_eighth_of_the_memory(rows: int, memory: int, blocks: int) -> None:
    assert blocks_for(rows, FIELDS, memory) == blocks
    window = layout_of([rows], blocks, FIELDS, memory).window
    assert window == (1 if blocks in (1, 3) else 4)


@pytest.mark.parametrize(("rows", "window"), [(2**20, 4), (2**22, 1), (2**18, 16), (2**20 * 9 // 8, 4), (0, 16)])
def test_a_window_has_fewer_blocks_where_these_have_more_rows_than_expected(rows: int, window: int) -> None:
    chunks = [rows - rows // 3, rows // 3]
    assert layout_of(chunks, 16, FIELDS, 10**9) == Layout(tuple(chunks), 16, window, FIELDS)


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
    stored = splits[size].read(range(size[1]))[1].tolist()
    whole = [stored[start : start + batch_size * world_size] for start in range(0, size[0], batch_size * world_size)]
    assert found == [[step[rank::world_size] for rank in range(world_size)] for step in whole]


def test_an_epoch_is_blocks_by_the_epoch_and_rows_by_the_window(tmp_path: Path) -> None:
    split = write(tmp_path, 23, 6)
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
    split = write(tmp_path, 60, 6, chunk=30)
    path = tmp_path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1  # at the beginning of block 3's piece of the first chunk
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
        StoredSplit(tmp_path, "train", split.layout, split.checksums)
    path.unlink()
    with pytest.raises(Failure, match=f"^{re.escape(line)}$"):
        split.read([0])


def test_images_keep_their_bytes(tmp_path: Path) -> None:
    fields = Field((1, 2, 3), "uint8"), Field((), "int64")
    images = torch.from_numpy(numpy.random.RandomState(0).randint(0, 256, (20, 1, 2, 3)).astype(numpy.uint8))
    with Dealer(tmp_path, "train", 3, fields, seed=0) as dealer:
        dealer.add(images, torch.arange(20))
    samples, targets = StoredSplit(tmp_path, "train", Layout((20,), 3, 3, fields), dealer.checksums).tensors
    assert samples.dtype == torch.uint8
    assert torch.equal(samples, images[targets])
