"""amr: an asynchronous MapReduce over Redis Streams."""

__version__ = "0.1.0"
