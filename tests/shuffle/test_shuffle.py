"""Any pairs, in any tasks, runs and partitions: the groups are those of a plain loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amr.errors import PermanentError
from amr.reducers import builtin_combiner, builtin_reducer
from amr.shuffle.collect import Collector
from amr.shuffle.folds import find_fold
from amr.shuffle.keys import KeyTypeError, as_key, partitions_by_hash, rank
from amr.shuffle.mapped import Mapped, Table, lay_out, name_parts, pack, part_name, unpack
from amr.shuffle.merge import merge, merge_folded
from amr.shuffle.ranges import key_range
from amr.shuffle.runs import Block, read_blocks, write_blocks

SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, 2.0, "", "a", "é"])
KEYS = st.recursive(SCALARS, partial(st.lists, max_size=2), max_leaves=3)
PAIRS = st.lists(st.tuples(KEYS, st.integers(0, 9)), max_size=30)


def partition_by_hash(key: Any, partitions: int) -> int:
    return partitions_by_hash([key], partitions)[0]


def sequential(tasks: Iterable[list[tuple[Any, Any]]]) -> list[tuple[Any, list[Any]]]:
    """Groups pairs as a plain loop does."""
    groups: dict[Any, list[Any]] = {}
    for key, value in chain.from_iterable(tasks):
        groups.setdefault(as_key(key), []).append(value)
    return [(key, groups[key]) for key in sorted(groups, key=rank)]


def store(task: int, collector: Collector, parts: dict[str, bytes], *, samples: bool) -> Table:
    """Keeps a task's runs as Redis does, on the way that they go."""
    table, written = lay_out(collector.runs(), collector.samples if samples else [])
    table_json, named = unpack(pack(name_parts(task, table, written)))
    parts |= dict(named)
    return Table.load(table_json)


def read(parts: dict[str, bytes], partition: int, task: int, run: Any) -> Any:
    data = b"".join(parts[part_name(partition, task, part.at)] for part in run)
    assert sum(part.length for part in run) == len(data)
    return read_blocks(data)


@given(tasks=st.lists(PAIRS, max_size=4), partitions=st.integers(1, 4), held=st.integers(1, 9))
def test_each_partition_has_its_keys_in_order_with_all_their_values(
    tasks: list[list[Any]], partitions: int, held: int
) -> None:
    parts: dict[str, bytes] = {}
    tables = []
    for task, pairs in enumerate(tasks):
        collector = Collector(
            partitions, partial(partitions_by_hash, partitions=partitions), held_most=held
        )
        collector.add(pairs)
        tables.append(store(task, collector, parts, samples=False))
    found = []
    for partition in range(partitions):
        runs = [
            read(parts, partition, task, run)
            for task, table in enumerate(tables)
            for run in table.runs[partition]
        ]
        groups = [(key, list(values)) for key, values in merge(runs)]
        assert [key for key, _ in groups] == sorted((key for key, _ in groups), key=rank)
        assert all(partition_by_hash(key, partitions) == partition for key, _ in groups)
        found += groups
    assert sorted(found, key=lambda group: rank(group[0])) == sequential(tasks)


@given(tasks=st.lists(PAIRS, max_size=40), pairs_a_block=st.integers(1, 4))
def test_runs_of_many_blocks_are_merged_whatever_keys_the_blocks_end_with(
    tasks: list[list[Any]], pairs_a_block: int
) -> None:
    runs = []
    for task in tasks:
        pairs = sorted(((as_key(key), value) for key, value in task), key=lambda p: rank(p[0]))
        cuts = range(0, len(pairs), pairs_a_block)
        parts = [pairs[at : at + pairs_a_block] for at in cuts]
        runs.append([Block([k for k, _ in part], [v for _, v in part]) for part in parts])
    assert [(key, list(values)) for key, values in merge(runs)] == sequential(tasks)
    fold = find_fold("amr.sum")
    assert fold is not None
    sums = [(key, sum(values)) for key, values in sequential(tasks)]
    assert list(merge_folded(runs, fold)) == sums


@given(tasks=st.lists(PAIRS, max_size=4), partitions=st.integers(1, 5), held=st.integers(1, 9))
def test_ranges_give_one_order_over_all_partitions(
    tasks: list[list[Any]], partitions: int, held: int
) -> None:
    parts: dict[str, bytes] = {}
    tables = []
    for task, pairs in enumerate(tasks):
        collector = Collector(1, None, held_most=held)
        collector.add(pairs)
        tables.append(store(task, collector, parts, samples=True))
    found = []
    for partition in range(partitions):
        keys = key_range([table.samples for table in tables], partitions, partition)
        runs = [
            keys.cut(read(parts, 0, task, keys.parts(run)))
            for task, table in enumerate(tables)
            for run in table.runs[0]
        ]
        found += [(key, list(values)) for key, values in merge(runs)]
    assert found == sequential(tasks)


def test_ranges_are_about_even() -> None:
    collector = Collector(1, None, held_most=5000)
    collector.add((f"{n * 7919 % 100_000:06}", n) for n in range(100_000))
    collector.runs()
    sizes = [0] * 8
    ranges = [key_range([collector.samples], 8, partition) for partition in range(8)]
    for n in range(100_000):
        place = rank(f"{n:06}")
        owners = [
            at
            for at, keys in enumerate(ranges)
            if (keys.low is None or place >= keys.low) and (keys.high is None or place < keys.high)
        ]
        assert len(owners) == 1
        sizes[owners[0]] += 1
    assert max(sizes) < 1.3 * min(sizes)


NUMBERS = st.lists(st.tuples(st.sampled_from(["a", "b", 1, 1.0]), st.integers(-9, 9)), min_size=1)


@pytest.mark.parametrize("name", ["sum", "count", "min", "max", "mean", "list", "first", "top(2)"])
@given(tasks=st.lists(NUMBERS, min_size=1, max_size=4), held=st.integers(1, 9))
def test_a_combiner_of_ours_changes_no_result(name: str, tasks: list[list[Any]], held: int) -> None:
    name = f"amr.{name}"
    runs = []
    for pairs in tasks:
        fold = find_fold(name)
        combine = None if fold else builtin_combiner(name)
        collector = Collector(1, None, fold=fold, combine=combine, held_most=held)
        collector.add(iter(pairs))
        runs += [read_blocks(b"".join(data for _, data in run)) for run in collector.runs()[0]]
    plain, combined = builtin_reducer(name), builtin_reducer(name, name)
    found = {key: combined(key, values) for key, values in merge(runs)}
    assert found == {key: plain(key, values) for key, values in sequential(tasks)}


def test_fewer_pairs_are_sent_with_a_combiner() -> None:
    pairs = [(f"k{n % 10}", 1) for n in range(10_000)]
    sent = []
    for fold in (None, find_fold("amr.sum")):
        collector = Collector(1, None, fold=fold)
        collector.add(pairs)
        (run,) = collector.runs()[0]
        sent.append(sum(len(block.values) for _, data in run for block in read_blocks(data)))
    assert sent == [10_000, 10]


def test_the_values_of_one_key_are_in_many_blocks_and_read_one_at_a_time() -> None:
    blocks = [data for _, data in write_blocks(["k"] * 100_000, range(100_000))]
    assert len(blocks) > 20
    key, values = next(merge([read_blocks(b"".join(blocks))]))
    assert (key, sum(1 for _ in values)) == ("k", 100_000)


@pytest.mark.parametrize("length", [1, 100, 10_000])
def test_blocks_are_about_as_large_however_long_the_values_are(length: int) -> None:
    values = [chr(65 + n % 26) * length for n in range(2_000_000 // (length + 20))]
    keys = [f"{n:08}" for n in range(len(values))]
    blocks = [next(read_blocks(data)) for _, data in write_blocks(keys, values)]
    sizes = [len(orjson.dumps([*block])) for block in blocks]
    assert len(sizes) > 20
    assert max(sizes) < 200_000


def test_one_large_value_makes_no_large_block_of_its_neighbours() -> None:
    sizes = [10] * 5000 + [100_000, 200_000, 10, 900_000, *([1000] * 2000)] + [50_000] * 300
    values = [f"{n}".ljust(size, "x") for n, size in enumerate(sizes)]
    for keys in (list(range(len(values))), ["k"] * len(values)):
        blocks = [next(read_blocks(data)) for _, data in write_blocks(keys, values)]
        assert list(chain.from_iterable(block.values for block in blocks)) == values
        large = [block for block in blocks if len(orjson.dumps([*block])) > 300_000]
        assert [len(block.values) for block in large] == [1]


def test_a_merge_reads_a_few_blocks_ahead_and_not_the_runs() -> None:
    taken = []

    def run(first: int) -> Iterator[Block]:
        for at in range(first, 100_000, 1000):
            taken.append(at)
            yield Block([at], [at])

    merged = merge(map(run, range(40)))
    assert next(merged)[0] == 0
    assert len(taken) < 50
    assert [key for key, _ in merged] == sorted(taken)[1:]


def test_values_that_a_reducer_leaves_are_skipped() -> None:
    run = b"".join(data for _, data in write_blocks(["a", "a", "a", "b"], [1, 2, 3, 4]))
    merged = merge([read_blocks(run), read_blocks(run)])
    assert [(key, next(values)) for key, values in merged] == [("a", 1), ("b", 4)]


def test_the_hash_of_a_key_is_the_same_everywhere() -> None:
    # CRC-32 of the JSON: these numbers are never to change.
    assert [partition_by_hash(key, 1000) for key in ("word", 1, None)] == [349, 583, 391]
    equal = [(1, 1.0), (1, True), (("a", 1), ["a", 1.0])]
    for first, second in equal:
        assert partition_by_hash(as_key(first), 97) == partition_by_hash(as_key(second), 97)


@pytest.mark.parametrize("key", [{"a": 1}, {1}, b"x", float("nan"), object()])
def test_what_cannot_be_a_key_is_refused(key: Any) -> None:
    with pytest.raises(KeyTypeError):
        as_key(key)


def test_an_output_that_is_none_of_a_shuffle_is_left_as_it_is() -> None:
    assert unpack(b'{"a":1}') == Mapped(b'{"a":1}', [])


def test_a_value_that_is_not_json_is_told() -> None:
    collector = Collector(1, None)
    collector.add([("a", {1})])
    with pytest.raises((TypeError, PermanentError), match="set"):
        collector.runs()
