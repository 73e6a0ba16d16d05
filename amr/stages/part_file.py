"""Writes what a task gives as a part file, and leaves its path as the output."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from amr import wire
from amr.invokers.context import Context
from amr.jobspec.job import JobSpec
from amr.jobspec.output import part_path
from amr.sinks.formats import count_outputs, encode
from amr.storage.files import open_file
from amr.storage.publish import PublishError, publish


def write_part(
    spec: JobSpec, outputs: Iterable[bytes], context: Context, *, single: bool = False
) -> bytes:
    """Writes outputs, each of which is JSON, as the part of a task; returns what is told of it.

    The file appears whole. Where the job's id is in its path, the first execution of the task that
    comes so far has written it; else the last one, as after a redrive, which has other outputs.

    Args:
        spec: the job, which has an ``output``.
        outputs: of the task.
        context: of its call.
        single: there is one output, which is no element of a list.

    Raises:
        PublishError: it cannot be written.
    """
    assert spec.output is not None
    path = part_path(spec.output, job=context.job, name=spec.display_name, partition=context.index)
    counted = _Counted(outputs)
    create_only = "{job}" in spec.output and not context.replaces
    encoded = encode(counted, path, single=single)
    size, is_ours = publish(path, encoded, create_only=create_only)
    count = counted.count if is_ours else _count_in(path, has_header=counted.are_objects)
    return wire.dumps({"path": path, "outputs": count, "bytes": size})


def _count_in(path: str, *, has_header: bool) -> int:
    """Returns the outputs in a part that another execution wrote: it may have had others."""
    try:
        with open_file(path) as file:
            return count_outputs(file, path, has_header=has_header)
    except (OSError, EOFError, zlib.error) as error:
        raise PublishError(f"{path} is there already, and is no such part: {error}") from None


class _Counted:
    """Counts what is taken from it."""

    def __init__(self, outputs: Iterable[bytes]) -> None:
        self.count = 0
        self.are_objects = False
        self._outputs = outputs

    def __iter__(self) -> Iterator[bytes]:
        for output in self._outputs:
            self.are_objects = self.are_objects or output.startswith(b"{")
            self.count += 1
            yield output
