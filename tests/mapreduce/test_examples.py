"""The jobs that are shipped give what a plain program gives."""

from __future__ import annotations

import csv
import json
import re
import runpy
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from amr.client import Client
from amr.jobfile import load_job
from amr.local_run import LocalInstance
from amr.worker.order import Functions

ROOT = Path(__file__).parents[2]
JOBS, DATA = ROOT / "jobs", ROOT / "jobs" / "data"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    functions = Functions(str(ROOT / "functions"), {})
    with LocalInstance(functions, 2) as instance, Client(instance.target) as client:
        yield client


def result(client: Client, name: str, **params: Any) -> Any:
    return client.invoke(str(JOBS / f"{name}.json"), params=params).result(60)


def documents(name: str) -> list[Any]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def test_word_count(client: Client) -> None:
    counts = Counter(re.findall(r"[^\W\d_]+", (DATA / "book.txt").read_text().lower()))
    assert dict(result(client, "word-count")) == counts


def test_grep(client: Client) -> None:
    lines = (DATA / "book.txt").read_text().splitlines()
    found = dict(result(client, "grep"))
    for word in ("queue", "stream"):
        assert found[word] == [line for line in lines if word in line.lower()]


def test_inverted_index(client: Client) -> None:
    index = defaultdict(set)
    for document in documents("documents.jsonl"):
        for word in document["text"].split():
            index[word].add(document["id"])
    assert dict(result(client, "inverted-index")) == {w: sorted(ids) for w, ids in index.items()}


def test_link_graph(client: Client) -> None:
    graph = defaultdict(list)
    for page in documents("pages.jsonl"):
        for target in page["links"]:
            graph[target].append(page["url"])
    found = result(client, "link-graph")
    assert dict(found) == {target: sorted(pages) for target, pages in graph.items()}
    # All URLs of a host are in one partition, so that they stand together.
    hosts = [target.split("/")[2] for target, _ in found]
    changes = sum(first != second for first, second in pairwise(hosts))
    assert changes == len(set(hosts)) - 1


def test_sort(client: Client, tmp_path: Path) -> None:
    spec = load_job(JOBS / "sort.json")
    spec = spec.model_copy(update={"output": str(tmp_path / "{partition:05}.jsonl")})
    parts = client.invoke(spec).result(60)["parts"]
    lines = [json.loads(line) for p in parts for line in Path(p["path"]).read_text().splitlines()]
    assert lines == sorted((DATA / "records.txt").read_text().splitlines())
    assert all(part["outputs"] > 150 for part in parts)


def test_url_frequency(client: Client) -> None:
    with (DATA / "access.csv").open() as file:
        counts = Counter(row["url"] for row in csv.DictReader(file))
    assert dict(result(client, "url-frequency")) == counts


def test_best_model(client: Client) -> None:
    models = runpy.run_path(str(ROOT / "functions" / "models.py"))
    trained = map(models["train"], models["grid"]({"degrees": 3, "strengths": [0, 0.01, 0.1]}))
    best = sorted(trained, key=lambda model: model["error"])[:2]
    assert result(client, "best-model") == best
    assert best[0]["degree"] > 1


def test_cohorts(client: Client) -> None:
    table = result(client, "cohorts", products=json.loads((DATA / "products.json").read_text()))
    assert {name: set(row) for name, row in table.items()} == {
        name: {"tea", "bike"} for name in ("young", "old", "new")
    }
    assert table["old"]["tea"] == 1600
