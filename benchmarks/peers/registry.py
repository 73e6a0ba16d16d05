"""The systems by the names that the command and the figures use, in the order of the tables."""

from __future__ import annotations

import importlib

from benchmarks.peers.interface import Peer

_CLASSES = {
    "amr": "amr_client:Amr",
    "celery": "celery_chord:CeleryChord",
    "dramatiq": "dramatiq_group:DramatiqGroup",
    "taskiq": "taskiq_gather:TaskiqGather",
    "rq": "rq_dependencies:Rq",
    "rq-simple": "rq_dependencies:RqSimple",
    "saq": "saq_map:Saq",
    "streaq": "streaq_after:Streaq",
    "dask": "dask_futures:Dask",
    "ray": "ray_tasks:RayTasks",
    "lithops": "lithops_localhost:Lithops",
    "lithops-v1": "lithops_localhost:LithopsFirst",
    "pool": "pool:Pool",
    "bare-loop": "bare:Bare",
}

_WITHOUT_REDIS = frozenset({"dask", "ray", "lithops", "lithops-v1", "pool"})

NAMES = tuple(_CLASSES)


def peer_class(name: str) -> type[Peer]:
    """Imports a system's module, and with it its library, and returns its class."""
    module, _, attribute = _CLASSES[name].partition(":")
    found: type[Peer] = getattr(
        importlib.import_module(f"benchmarks.peers.systems.{module}"), attribute
    )
    return found


def uses_redis(name: str) -> bool:
    """Says if a system needs the private Redis."""
    return name not in _WITHOUT_REDIS
