"""How often tasks are attempted."""

from __future__ import annotations

from tests.jobspec.test_job import job, mistake


def test_the_default_longest_backoff_follows_a_longer_backoff() -> None:
    assert job(retry={"backoff": "2m"}).retry.max_backoff_s == 120


def test_reduce_tasks_and_merges_may_be_attempted_otherwise() -> None:
    spec = job(retry={"max_attempts": 2}, reduce_retry={"max_attempts": 9})
    stages = ("source", "map", "merge", "reduce")
    assert [spec.retry_of(stage).max_attempts for stage in stages] == [2, 2, 9, 9]
    assert job(retry={"max_attempts": 2}).retry_of("reduce").max_attempts == 2


def test_what_is_wrong_with_them_is_told_at_its_place() -> None:
    assert "did you mean" in mistake("$.reduce_retry.max_atempts", reduce_retry={"max_atempts": 1})
    assert "from 1 to 100" in mistake(
        "$.reduce_retry.max_attempts", reduce_retry={"max_attempts": 0}
    )
    assert "must be an object" in mistake("$.reduce_retry", reduce_retry=3)
