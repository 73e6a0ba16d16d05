"""Pi by throwing darts: the classic of this kind of machine."""

import random


def mapper(points):
    """Throws ``points`` darts at a square and returns how many hit the circle in it."""
    inside = 0
    draw = random.random
    for _ in range(points):
        x, y = draw(), draw()
        inside += x * x + y * y <= 1.0
    return inside


def reducer(body):
    """Adds the hits of all mappers up; ``body["points"]`` is how many darts were thrown."""
    return 4 * sum(body["inputs"]) / body["points"]
