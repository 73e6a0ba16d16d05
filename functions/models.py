"""Several models of the same data, and the best of them."""

import random


def grid(limits):
    """Yields every combination of a degree and a strength of regularisation."""
    for degree in range(1, limits["degrees"] + 1):
        for strength in limits["strengths"]:
            yield {"degree": degree, "strength": strength}


def train(settings):
    """Fits a polynomial to noisy points by gradient descent; returns its error on other points."""
    draw = random.Random(7)
    points = [(x / 20, (x / 20) ** 2 + draw.gauss(0, 0.05)) for x in range(-20, 21)]
    train_on, test_on = points[::2], points[1::2]
    weights = [0.0] * (settings["degree"] + 1)
    for _ in range(300):
        slopes = [settings["strength"] * weight for weight in weights]
        for x, y in train_on:
            off = sum(weight * x**power for power, weight in enumerate(weights)) - y
            for power in range(len(weights)):
                slopes[power] += 2 * off * x**power / len(train_on)
        weights = [weight - 0.3 * slope for weight, slope in zip(weights, slopes, strict=True)]
    error = 0.0
    for x, y in test_on:
        error += (sum(weight * x**power for power, weight in enumerate(weights)) - y) ** 2
    return {**settings, "error": error / len(test_on)}


def best(body):
    """Returns the ``keep`` models with the smallest error."""
    return sorted(body["inputs"], key=lambda model: model["error"])[: body["keep"]]
