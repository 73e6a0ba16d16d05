"""Connections to the node of a Redis Cluster that serves a stream.

All keys of a stream share its hash tag, so they are on one node and no command has to be routed: a
connection finds its node when it is made. When the stream moves to another node, the connection
breaks with SlotMovedError. To everybody above that is a lost link; the next one finds the node.

The node is found by asking a known one for the stream's key: it answers, or MOVED names the node.
Unlike CLUSTER SLOTS, that needs no permission that the stream's own commands do not need, and a
node that has lost sight of the others answers CLUSTERDOWN and not an old map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis
from redis.exceptions import (
    AskError,
    AuthenticationError,
    ClusterDownError,
    MovedError,
    RedisError,
)

Address = tuple[str, int]

#: Refusals with which a node says that it is not, or not yet, the one to ask.
_ELSEWHERE = (AskError, ClusterDownError)  # a MOVED is an AskError


class SlotMovedError(redis.ConnectionError):
    """The node does not serve the stream, for the moment or any more."""


class _FindsNode:
    """Adds to a connection of redis-py that it looks for its node whenever it connects.

    Args:
        nodes: addresses of nodes of the Cluster, asked in this order.
        stream_key: a key of the stream.
        options: of the connection.
    """

    _plain: type[redis.Connection]
    host: str
    port: int

    def __init__(self, *, nodes: Sequence[Address], stream_key: bytes, **options: Any) -> None:
        self._nodes = nodes
        self._stream_key = stream_key
        self._options = options
        host, port = nodes[0]
        super().__init__(host=host, port=port, **options)  # type: ignore[call-arg] # as below

    def _connect(self) -> Any:
        self.host, self.port = self._find_node()
        return super()._connect()  # type: ignore[misc] # of the connection that this is added to

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """Reads a reply; a node that is not the one to ask any more is a lost connection."""
        try:
            return super().read_response(*arguments, **options)  # type: ignore[misc]
        except _ELSEWHERE as error:
            raise SlotMovedError(f"{self.host}:{self.port} answers {_said(error)}") from error

    def _find_node(self) -> Address:
        """Returns where the stream is.

        Raises:
            RedisError: no node could tell; the error of the last one that was asked.
        """
        last: RedisError = redis.ConnectionError("no node is named")
        for address in self._nodes:
            try:
                return self._ask(address)
            except AuthenticationError:
                raise
            except RedisError as error:
                last = error
        raise last

    def _ask(self, address: Address) -> Address:
        """Returns where the node at ``address`` believes the stream to be."""
        host, port = address
        connection: Any = self._plain(host=host, port=port, **self._options)
        try:
            connection.connect()
            connection.send_command("EXISTS", self._stream_key)
            connection.read_response()
        except MovedError as error:
            return error.host or host, error.port
        except AskError:
            return address  # the stream is on its way, and stays ours until all of it has gone
        except ClusterDownError as error:
            raise SlotMovedError(f"{host}:{port} answers {_said(error)}") from error
        finally:
            connection.disconnect()
        return address


def _said(error: Exception) -> str:
    """Returns an answer with its code, which redis-py takes off."""
    return f"{type(error).__name__.removesuffix('Error').upper()} {error}"


class NodeConnection(_FindsNode, redis.Connection):
    """A connection to the node that serves a stream."""

    _plain = redis.Connection


class TlsNodeConnection(_FindsNode, redis.SSLConnection):
    """The same with TLS; nodes have to be known by names that their certificates have."""

    _plain = redis.SSLConnection
