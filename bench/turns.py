"""Rounds in which all that is compared takes turns, so that a slow or busy machine slows all alike."""

import dataclasses
import statistics

from .measure import Measure


def take(rounds, steps):
    """`steps`: name → function that gives a Measure. Each round has all of them, every other round in reverse order, as
    the first warms caches for the next. The rounds' measures, each by name."""
    taken = []
    for number in range(rounds):
        names = list(steps) if number % 2 == 0 else list(reversed(steps))
        measures = {name: steps[name]() for name in names}
        taken.append({name: measures[name] for name in steps})
        print(f"  round {number + 1}: " + ", ".join(f"{name} {measures[name].seconds:.2f} s" for name in steps), flush=True)
    return taken


def medians(taken, name):
    """The median of each measured value on its own."""
    values = {field.name: statistics.median(getattr(one[name], field.name) for one in taken) for field in dataclasses.fields(Measure)}
    return Measure(**values)


def rate_of(taken, name, other):
    """The median of the rounds' ratios of rates: 1 is as fast as the other, 0.5 half as fast."""
    return statistics.median(one[other].seconds / one[name].seconds for one in taken)


def cpu_of(taken, name, other):
    """The median of the rounds' ratios of CPU seconds."""
    return statistics.median(one[name].cpu_seconds / one[other].cpu_seconds for one in taken)
