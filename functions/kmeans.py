"""k-means: points to the nearest center, each center to the middle of its points, round by round.

The points stay in their files. What goes from round to round is a task for each file: its path, and
the centers.
"""

import json
import math


def assign(task):
    """Adds up the points of ``{"points": {"path"}, "centers"}`` by the center nearest to each."""
    centers = task["centers"]
    sums = [[0.0] * len(center) for center in centers]
    counts = [0] * len(centers)
    with open(task["points"]["path"]) as file:
        for line in file:
            point = json.loads(line)
            distances = [math.dist(point, center) for center in centers]
            nearest = distances.index(min(distances))
            sums[nearest] = [sum(pair) for pair in zip(sums[nearest], point, strict=True)]
            counts[nearest] += 1
    return {**task, "sums": sums, "counts": counts}


def move(body):
    """Returns the tasks of the next round: those of this one, with the centers that it gives."""
    moved = [found["center"] for found in clusters(body)]
    return [{"points": part["points"], "centers": moved} for part in body["inputs"]]


def clusters(body):
    """Returns ``{"center", "points"}`` of each: the middle of its points, and how many they are.

    A center that has no point stays where it was.
    """
    found = []
    for at, center in enumerate(body["inputs"][0]["centers"]):
        count = sum(part["counts"][at] for part in body["inputs"])
        axes = zip(*(part["sums"][at] for part in body["inputs"]), strict=True)
        middle = [sum(axis) / count for axis in axes] if count else center
        found.append({"center": middle, "points": count})
    return found
