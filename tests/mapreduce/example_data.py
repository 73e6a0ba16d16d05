"""The data of the shipped jobs, and some megabytes of the same kinds."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]

_HOSTS = ("news", "blog", "shop", "wiki", "mail", "docs")
_WORDS = ("queue", "stream", *(f"{a}{b}" for a in "abcdefghij" for b in ("ut", "em", "on", "ire")))


class Data(NamedTuple):
    """Files under the names that the shipped jobs give them.

    Attributes:
        folder: where they are.
        batch: inputs of a map task, where the job has batches; None for as many as it says.
        split: size of a split, where the job has splits; None for what it says.
    """

    folder: Path
    batch: int | None = None
    split: str | None = None

    def job(self, name: str, **fields: Any) -> dict[str, Any]:
        """Returns a shipped job that reads these files."""
        document = json.loads((ROOT / "jobs" / f"{name}.json").read_text())
        document["inputs"] = self._moved(document["inputs"])
        if self.batch is not None and "batch" in document:
            document["batch"] = self.batch
        return {**document, **fields}

    def _moved(self, value: Any) -> Any:
        if isinstance(value, dict):
            moved = {key: self._moved(each) for key, each in value.items()}
            return moved | {"split": self.split} if self.split and "split" in value else moved
        if isinstance(value, str) and value.startswith("data/"):
            return str(self.folder / value.removeprefix("data/"))
        return value

    def lines(self, name: str) -> list[str]:
        """Returns the lines of a file."""
        return (self.folder / name).read_text().splitlines()

    def documents(self, pattern: str) -> list[Any]:
        """Returns what is in files of JSON lines."""
        return [
            json.loads(line)
            for path in sorted(self.folder.glob(pattern))
            for line in path.read_text().splitlines()
        ]


SHIPPED = Data(ROOT / "jobs" / "data")


def generate(folder: Path) -> Data:
    """Writes larger files, and returns them; they are the same each time."""
    draw = random.Random(5)
    _write(folder / "book.txt", (_sentence(draw, 12) + "." for _ in range(40_000)))
    _write(
        folder / "records.txt", (f"{draw.randrange(10**10):010} record {n}" for n in range(80_000))
    )
    urls = [f"http://{host}.example/{n}" for host in _HOSTS for n in range(200)]
    pages = ({"url": url, "links": draw.sample(urls, 20)} for url in urls for _ in range(2))
    _write(folder / "pages.jsonl", map(json.dumps, pages))
    texts = ({"id": f"doc-{n}", "text": _sentence(draw, 30)} for n in range(8000))
    _write(folder / "documents.jsonl", map(json.dumps, texts))
    visits = (f"{n},{urls[int(draw.random() ** 3 * len(urls))]},200" for n in range(100_000))
    _write(folder / "access.csv", ("time,url,status", *visits))
    endings = ("", ".jpg", ".png", ".gif", ".pdf")
    addresses = (f"http://cdn.example/{n}{endings[n % 5]}" for n in range(4000))
    _write(folder / "urls.csv", ("url", *addresses))
    middles = ((1.0, 1.0), (6.0, 2.0), (3.0, 7.0))
    for part in range(6):
        chosen = (draw.choice(middles) for _ in range(10_000))
        points = ([draw.gauss(x, 0.8), draw.gauss(y, 0.8)] for x, y in chosen)
        _write(folder / "points" / f"part-{part}.jsonl", map(json.dumps, points))
    return Data(folder, batch=500, split="400kB")


def _sentence(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(_WORDS, k=words))


def _write(path: Path, lines: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
