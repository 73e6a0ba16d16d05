"""Object stores, as moto serves one: sources, splits, part files and runs."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator

import pytest

from amr.client import Client
from amr.jobspec.sources import parse_source
from amr.local_run import LocalInstance
from amr.sources.expand import expand
from amr.sources.records import RecordReader
from amr.sources.splits import Split, read_split
from amr.storage.files import find_files, open_file
from amr.storage.info import SourceError
from amr.storage.objects import put_object
from amr.storage.publish import PublishError, publish
from amr.worker.order import Functions
from tests.mapreduce.conftest import FUNCTIONS

pytest.importorskip("obstore")
moto = pytest.importorskip("moto.server")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of a server of our own, which credentials of the environment lead to."""
    import boto3

    server = moto.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ALLOW_HTTP", "true")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_REGION", "us-east-1")
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="things")
        yield "s3://things"
    server.stop()


def test_objects_are_found_by_patterns_and_read_from_anywhere(bucket: str) -> None:
    for name in ("b", "a", "sub/c"):
        put_object(f"{bucket}/find/{name}.txt", name.encode() * 100, create_only=False)
    found = find_files((f"{bucket}/find/*.txt",))
    assert [(info.path.rpartition("/")[2], info.size) for info in found] == [
        ("a.txt", 100),
        ("b.txt", 100),
        ("c.txt", 500),
    ]
    with open_file(f"{bucket}/find/sub/c.txt", 497) as file:
        assert file.read() == b"b/c"
    with pytest.raises(SourceError, match="cannot be read"):
        find_files((f"{bucket}/find/nothing.txt",))
    with pytest.raises(SourceError, match="matches no object"):
        find_files((f"{bucket}/find/*.csv",))


@pytest.mark.parametrize("split", [None, 1000])
def test_lines_of_objects(bucket: str, split: int | None) -> None:
    lines = [f"line {n} é" for n in range(2000)]
    data = "\n".join(lines).encode()
    put_object(f"{bucket}/lines/a.txt", data, create_only=False)
    put_object(f"{bucket}/lines/b.txt.gz", gzip.compress(data), create_only=False)
    source = parse_source({"lines": f"{bucket}/lines/*", "split": split})
    found = []
    for item in expand(source, lambda _: ()):
        if isinstance(item, Split):
            found += RecordReader(read_split(json.loads(json.dumps(item.document())))).values()
        else:
            found.append(item)
    assert found == lines * 2


def test_an_object_is_created_once(bucket: str) -> None:
    path = f"{bucket}/once/x"
    publish(path, [b"a", b"b"], create_only=True)
    publish(path, [b"c"], create_only=True)
    with open_file(path) as file:
        assert file.read() == b"ab"
    publish(path, [b"c"], create_only=False)
    with open_file(path) as file:
        assert file.read() == b"c"
    with pytest.raises(PublishError, match="cannot be written"):
        publish("s3://no-such-bucket/x", [b"c"], create_only=False)


def test_a_shuffled_job_lives_in_a_bucket(bucket: str) -> None:
    text = "".join(f"{n * 0x9E3779B97F4A7C15 % 2**64:016x} w{n % 10}\n" for n in range(90_000))
    put_object(f"{bucket}/books/all.txt", text.encode(), create_only=False)
    spec = {
        "mapper": "shapes.words",
        "inputs": {"lines": f"{bucket}/books/*.txt", "split": "1MB"},
        "reducer": "amr.count",
        "shuffle": {"partitions": 2, "store": f"{bucket}/runs"},
        "output": bucket + "/out/{job}/{partition}.jsonl.gz",
    }
    served = Functions(str(FUNCTIONS), {})
    with LocalInstance(served, 2) as instance, Client(instance.target) as client:
        parts = client.invoke(spec).result(60)["parts"]
        summary = {"mapper": "shapes.double", "inputs": [1, 2], "reducer": "amr.sum"}
        path = bucket + "/out/{job}/summary.json"
        (written,) = client.invoke(summary | {"output": path}).result(60)["parts"]
    with open_file(written["path"]) as file:
        assert json.loads(file.read()) == 6
    counts = {}
    for part in parts:
        with open_file(part["path"]) as file:
            counts |= dict(json.loads(line) for line in file)
    assert counts == Counter(text.split())
    assert len(find_files((f"{bucket}/runs/*",))) == 2
