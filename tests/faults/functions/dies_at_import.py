"""Ends its worker as it is imported, as a library built for another processor does."""

import os

os._exit(3)


def mapper(body):
    return body
