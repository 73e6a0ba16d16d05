"""The jobs that are shipped give what a plain program gives: on their data, and on megabytes."""

from __future__ import annotations

import csv
import json
import math
import re
import runpy
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from amr.client import Client
from amr.local_run import LocalInstance
from amr.local_run import run as run_here
from amr.worker.order import Functions
from tests.mapreduce.example_data import ROOT, SHIPPED, Data, generate
from tests.support.cli import amr

JOBS = ROOT / "jobs"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The endpoint that is shipped, on a port of its own; gives its URL."""
    command = [sys.executable, str(JOBS / "endpoint.py"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


@pytest.fixture(scope="module")
def functions(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions that are shipped, with the endpoint's address where its own is."""
    folder = tmp_path_factory.mktemp("shipped") / "functions"
    shutil.copytree(ROOT / "functions", folder)
    manifest = (folder / "functions.toml").read_text()
    assert "http://127.0.0.1:8750/classify" in manifest
    (folder / "functions.toml").write_text(
        manifest.replace("http://127.0.0.1:8750/classify", endpoint)
    )
    return folder


@pytest.fixture(scope="module")
def client(functions: Path) -> Iterator[Client]:
    with (
        LocalInstance(Functions(str(functions), {}), 2) as instance,
        Client(instance.target) as client,
    ):
        yield client


@pytest.fixture(scope="module", params=["shipped", "generated"])
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Data:
    """The data that is shipped, and larger data of the same kinds."""
    return SHIPPED if request.param == "shipped" else generate(tmp_path_factory.mktemp("data"))


def result(client: Client, data: Data, name: str, **fields: Any) -> Any:
    job = client.invoke(data.job(name, **fields))
    found = job.last().result(60)
    assert job.status().total >= 3
    return found


def test_pi_knows_nothing_of_amr() -> None:
    assert "amr" not in (ROOT / "functions" / "pi.py").read_text()


def test_word_count(client: Client, data: Data) -> None:
    counts = Counter(re.findall(r"[^\W\d_]+", "\n".join(data.lines("book.txt")).lower()))
    assert dict(result(client, data, "word-count")) == counts


def test_grep(client: Client, data: Data) -> None:
    found = dict(result(client, data, "grep"))
    for word in ("queue", "stream"):
        assert found[word] == [line for line in data.lines("book.txt") if word in line.lower()]


def test_inverted_index(client: Client, data: Data) -> None:
    index = defaultdict(set)
    for document in data.documents("documents.jsonl"):
        for word in document["text"].split():
            index[word].add(document["id"])
    found = dict(result(client, data, "inverted-index"))
    assert found == {word: sorted(ids) for word, ids in index.items()}


def test_link_graph(client: Client, data: Data) -> None:
    graph = defaultdict(list)
    for page in data.documents("pages.jsonl"):
        for target in page["links"]:
            graph[target].append(page["url"])
    found = result(client, data, "link-graph")
    assert dict(found) == {target: sorted(pages) for target, pages in graph.items()}
    # All URLs of a host are in one partition, so that they stand together.
    hosts = [target.split("/")[2] for target, _ in found]
    changes = sum(first != second for first, second in pairwise(hosts))
    assert changes == len(set(hosts)) - 1


def test_sort(client: Client, data: Data, tmp_path: Path) -> None:
    parts = result(client, data, "sort", output=str(tmp_path / "{partition:05}.jsonl"))["parts"]
    lines = [json.loads(line) for p in parts for line in Path(p["path"]).read_text().splitlines()]
    assert lines == sorted(data.lines("records.txt"))
    assert all(part["outputs"] > len(lines) * 0.15 for part in parts)


def test_url_frequency(client: Client, data: Data) -> None:
    counts = Counter(row["url"] for row in csv.DictReader(data.lines("access.csv")))
    assert dict(result(client, data, "url-frequency")) == counts


def test_k_means(client: Client, data: Data) -> None:
    points = data.documents("points/*.jsonl")
    centers: list[Any] = [[0, 0], [1, 0], [0, 1]]
    for _ in range(6):
        near: list[list[Any]] = [[] for _ in centers]
        for point in points:
            near[min(range(3), key=lambda at: math.dist(point, centers[at]))].append(point)
        centers = [[sum(axis) / len(group) for axis in zip(*group, strict=True)] for group in near]
    found = result(client, data, "k-means")
    assert [each["points"] for each in found] == [len(group) for group in near]
    assert [each["center"] for each in found] == [pytest.approx(center) for center in centers]


def test_a_center_without_points_stays_where_it_was() -> None:
    document = SHIPPED.job("k-means")
    document["inputs"]["product"]["centers"] = [[[0, 0], [1000, 1000]]]
    found = run_here(document, functions=ROOT / "functions")
    assert found[1] == {"center": [1000, 1000], "points": 0}
    assert found[0]["points"] == 150


def test_k_means_runs_from_a_clone() -> None:
    ended = amr("run", "-q", "jobs/k-means.json", cwd=ROOT)
    assert ended.code == 0
    assert sum(cluster["points"] for cluster in json.loads(ended.out)) == 150


def test_urls_go_to_an_endpoint_and_failures_into_the_summary(
    client: Client, data: Data, tmp_path: Path
) -> None:
    urls = [row["url"] for row in csv.DictReader(data.lines("urls.csv"))]
    good = [url for url in urls if re.search(r"\.[a-z]+$", url)]
    bad = [url for url in urls if url not in set(good)]
    assert len(bad) == len(urls) / (10 if data is SHIPPED else 5)
    job = client.invoke(data.job("classify", output=str(tmp_path / "{job}" / "summary.json")))
    (part,) = job.result(60)["parts"]
    assert job.status().total == len(urls)
    summary = json.loads((tmp_path / job.id / "summary.json").read_text())
    assert part["path"] == str(tmp_path / job.id / "summary.json")
    assert summary["batchId"] == job.id
    assert (summary["failures"]["count"], summary["results"]["count"]) == (len(bad), len(good))
    assert [each["url"] for each in summary["results"]["results"]] == good
    assert {each["result"].partition("/")[0] for each in summary["results"]["results"]} <= {
        "application",
        "image",
        "text",
    }
    assert [each["url"] for each in summary["failures"]["results"]] == bad
    assert all("answered 422" in each["result"] for each in summary["failures"]["results"])


def test_the_summary_is_the_same_without_a_redis(functions: Path) -> None:
    job = json.dumps(SHIPPED.job("classify", output=None))
    ended = amr("run", "--sequential", "-", "--functions", str(functions), stdin=job)
    assert (ended.code, ended.err) == (0, "")
    summary = json.loads(ended.out)
    assert (summary["failures"]["count"], summary["results"]["count"]) == (20, 180)


def test_an_endpoint_may_be_called_alone(functions: Path) -> None:
    body = ("--json", '{"url": "https://x.example/a.png"}')
    ended = amr("functions", "invoke", "classify", *body, "--functions", str(functions))
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["result"] == "image/png"


def test_best_model(client: Client) -> None:
    models = runpy.run_path(str(ROOT / "functions" / "models.py"))
    trained = map(models["train"], models["grid"]({"degrees": 3, "strengths": [0, 0.01, 0.1]}))
    best = sorted(trained, key=lambda model: model["error"])[:2]
    assert client.invoke(str(JOBS / "best-model.json")).result(60) == best
    assert best[0]["degree"] > 1


def test_cohorts(client: Client) -> None:
    path = SHIPPED.folder / "products.json"
    products = json.loads(path.read_text())
    job = client.invoke(str(JOBS / "cohorts.json"), params={"products": products})
    table = job.result(60)
    assert {name: set(row) for name, row in table.items()} == {
        name: {"tea", "bike"} for name in ("young", "old", "new")
    }
    assert table["old"]["tea"] == 1600
    assert job.status().total == 6
    ended = amr("run", "--sequential", "jobs/cohorts.json", "--param", f"products=@{path}")
    assert (ended.code, json.loads(ended.out)) == (0, table)
