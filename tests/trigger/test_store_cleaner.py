"""Files in the store go with their job, and only with it."""

from __future__ import annotations

import time
from pathlib import Path

from amr.redis_url import RedisTarget
from amr.store.transitions import Done
from amr.task import job_of_store_folder, store_folder_of
from amr.trigger.store_cleaner import StoreCleaner
from tests.support.store_bench import StoreBench


def test_only_files_of_jobs_that_are_over_are_deleted(
    redis_target: RedisTarget, tmp_path: Path
) -> None:
    bench = StoreBench(redis_target)
    for job in ("done", "live", "failed", "cancelled"):
        bench.submit(1, job, reducer=False, policy="collect" if job == "failed" else "fail")
    for task in bench.fetch():
        if task.job == "done":
            bench.link.run(bench.transitions.commit("done", [Done(task, b"1", None)], 1.0))
        elif task.job == "failed":
            bench.fail(task, permanent=True)
    bench.cancel("cancelled")
    created = {job: bench.status(job).created_ms for job in ("done", "live", "failed", "cancelled")}
    folders = [store_folder_of(job, at) for job, at in created.items()]
    others = [store_folder_of("done", created["done"] + 1), store_folder_of("unknown", 5), "mine"]
    for name in (*folders, *others):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.runs").touch()
    StoreCleaner(str(tmp_path), bench.inspector).look()
    assert {path.name for path in tmp_path.iterdir()} == {folders[1], folders[2], *others}


def test_files_of_results_go_with_the_data_of_their_job(
    redis_target: RedisTarget, tmp_path: Path
) -> None:
    bench = StoreBench(redis_target)
    bench.submit(1, reducer=False)
    bench.commit(*bench.fetch())
    folder = tmp_path / store_folder_of("j", bench.status().created_ms)
    stranger = tmp_path / store_folder_of("of-another-stream", 5)
    for each in (folder, stranger):
        each.mkdir()
        (each / "map-000000-x.json").touch()
        (each / "x.runs").touch()
    cleaner = StoreCleaner(str(tmp_path), bench.inspector)
    cleaner.look()
    assert [path.name for path in folder.iterdir()] == ["map-000000-x.json"]
    bench.prune()
    cleaner.look()
    assert list(tmp_path.iterdir()) == [stranger]
    assert len(list(stranger.iterdir())) == 2


def test_a_store_elsewhere_or_nowhere_is_left_alone(
    redis_target: RedisTarget, tmp_path: Path
) -> None:
    bench = StoreBench(redis_target)
    StoreCleaner("s3://bucket", bench.inspector).look()
    StoreCleaner(str(tmp_path / "missing"), bench.inspector).look()


def test_the_folder_of_a_job_names_it() -> None:
    now = time.time_ns()
    assert job_of_store_folder(store_folder_of("a@b", now)) == ("a@b", now)
    assert [job_of_store_folder(name) for name in ("x", "@5", "x@", "x@y")] == [None] * 4
