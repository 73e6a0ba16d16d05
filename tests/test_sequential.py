"""`amr run --sequential`: the same results in one process."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from amr.client import Client
from amr.errors import JobFailedError
from amr.invokers.registry import Registry
from amr.jobspec.file import load_job
from amr.jobspec.job import parse_job
from amr.local_run import LocalInstance
from amr.local_run import run as run_here
from amr.sequential import SequentialRun
from amr.wire import NotJsonError
from amr.worker.order import Functions
from tests.mapreduce.conftest import FUNCTIONS
from tests.support.cli import amr

ROOT = Path(__file__).parents[1]
SHIPPED = sorted(path.stem for path in (ROOT / "jobs").glob("*.json"))
PRODUCTS = json.loads((ROOT / "jobs" / "data" / "products.json").read_text())


def sequential(functions: Path, **document: Any) -> Any:
    return json.loads(SequentialRun(parse_job(document), Registry.load(functions)).run())


def test_shipped_jobs_give_what_workers_give(tmp_path: Path) -> None:
    registry = Registry.load(ROOT / "functions")
    served = Functions(str(ROOT / "functions"), {})
    with LocalInstance(served, 2) as instance, Client(instance.target) as client:
        for name in SHIPPED:
            if name in ("pi", "pi-large", "classify"):
                continue  # it is random, or needs an endpoint
            parameters = {"products": PRODUCTS} if name == "cohorts" else {}
            spec = load_job(ROOT / "jobs" / f"{name}.json", parameters)
            if spec.output is not None:
                spec = spec.model_copy(update={"output": None})
            found = json.loads(SequentialRun(spec, registry).run())
            assert found == client.invoke(spec).last().result(60), name


@pytest.mark.parametrize("total", [0, 3, 4, 20, 64, 85])
def test_a_tree_calls_the_reducer_as_workers_do(total: int) -> None:
    inputs = list(range(total))
    document = {"mapper": "trees.letter", "reducer": "trees.joined", "reduce_tree": 4}
    found = sequential(FUNCTIONS, **document, inputs=inputs)
    assert found["text"] == "".join(chr(97 + n % 26) for n in inputs)
    assert found["calls"] == 1 + sum(total // 4**level for level in (1, 2, 3))


def test_a_tree_of_our_own_reducer() -> None:
    document = {"mapper": "trees.same", "reducer": "amr.mean", "reduce_tree": 4}
    assert sequential(FUNCTIONS, **document, inputs=list(range(30))) == 14.5


@pytest.mark.parametrize(
    ("document", "result"),
    [
        ({"mapper": "shapes.double", "inputs": [1, 2]}, [2, 4]),
        ({"mapper": "shapes.later", "inputs": {"range": 3}, "batch": 2}, [100, 101, 102]),
        ({"mapper": "shapes.double", "inputs": [1, 2], "reducer": "amr.sum"}, 6),
        ({"mapper": "shapes.double", "inputs": {"function": "shapes.listed_later"}}, [2, 4, 6]),
        (
            {
                "mapper": "shapes.words",
                "inputs": ["b a", "a"],
                "reducer": "shapes.total_later",
                "shuffle": {"partitions": 1},
            },
            [["a", 2], ["b", 1]],
        ),
        (
            {
                "mapper": "shapes.broken_at_7",
                "inputs": [6, 7],
                "on_failure": "collect",
            },
            {
                "results": {"count": 1, "results": [6]},
                "failures": {
                    "count": 1,
                    "results": [
                        {
                            "index": 1,
                            "input": 7,
                            "error": {
                                "type": "ValueError",
                                "message": "shapes.broken_at_7: seven",
                            },
                            "attempts": 1,
                        }
                    ],
                },
            },
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_results_of_all_shapes(document: dict[str, Any], result: Any) -> None:
    found = json.dumps(sequential(FUNCTIONS, **document))
    assert json.loads(re.sub(r" \(shapes\.py:[0-9]+\)", "", found)) == result


def test_values_go_through_json_as_they_do_with_workers() -> None:
    document = {"mapper": "shapes.nested", "inputs": [1, 2], "reducer": "shapes.kinds"}
    found = sequential(FUNCTIONS, **document)
    assert found == run_here(document, functions=FUNCTIONS, processes=1) == [["list", "list"]] * 2
    with pytest.raises(NotJsonError, match="has a key of type int"):
        sequential(FUNCTIONS, mapper="shapes.by_number", inputs=[1])
    with pytest.raises(JobFailedError, match="has a key of type int"):
        run_here({"mapper": "shapes.by_number", "inputs": [1]}, functions=FUNCTIONS, processes=1)


def test_an_exception_comes_out_as_it_is() -> None:
    with pytest.raises(ValueError, match="seven"):
        sequential(FUNCTIONS, mapper="shapes.broken_at_7", inputs=[7])


def test_a_chain_gives_what_its_last_job_gives(tmp_path: Path) -> None:
    plus = {"mapper": "shapes.plus"}
    collect = {"on_failure": "collect", "mapper": "shapes.broken_at_7"}
    assert sequential(FUNCTIONS, **collect, inputs=[6, 7, 8], then=plus) == [7, 9]
    total = {"mapper": "shapes.double", "reducer": "amr.sum", "then": plus}
    assert sequential(FUNCTIONS, **plus, inputs=[1, 2], batch=2, then=total) == [11]
    written = {"output": str(tmp_path / "{partition}.json"), "then": {"mapper": "shapes.same"}}
    (part,) = sequential(FUNCTIONS, mapper="shapes.double", inputs=[1], batch=1, **written)
    assert json.loads(Path(part["path"]).read_text()) == [2]


def test_parts_are_written(tmp_path: Path) -> None:
    path = str(tmp_path / "{job}-{partition}.json")
    shuffle = {"partitions": 2}
    document = {"mapper": "shapes.words", "inputs": ["a b c"], "reducer": "amr.sum"}
    parts = sequential(FUNCTIONS, **document, shuffle=shuffle, output=path)["parts"]
    assert sum(part["outputs"] for part in parts) == 3
    assert len(json.loads(Path(parts[0]["path"]).read_text())) == parts[0]["outputs"]
    again = sequential(FUNCTIONS, **document | {"inputs": []}, shuffle=shuffle, output=path)
    assert [Path(part["path"]).read_text() for part in again["parts"]] == ["[]\n"] * 2


def test_the_command_runs_without_a_redis(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"mapper": "shapes.double", "inputs": {"param": "numbers"}}))
    functions = ("--functions", str(FUNCTIONS))
    done = amr("run", "--sequential", "--param", "numbers=[1,2]", str(job), *functions)
    assert (done.code, json.loads(done.out)) == (0, [2, 4])
    failed = amr("run", "--sequential", "--param", "numbers=[[]]", str(job), *functions)
    assert (failed.code, json.loads(failed.out)) == (0, [[]])
    failed = amr("run", "--sequential", "--param", "numbers=[{}]", str(job), *functions)
    assert (failed.code, failed.out) == (1, "")
    assert "shapes.py" in failed.err
    assert "TypeError: shapes.double: unsupported operand" in failed.err
    assert "amr/sequential.py" not in failed.err
