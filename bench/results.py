"""What a scenario gives, and its file: results/<scenario>.json, or build/bench/scaled-down/<scenario>.json for a run of less."""

import dataclasses
import datetime
import json
import os
import pathlib
import platform

from . import REPOSITORY, pipeline, turns

RESULTS = REPOSITORY / "bench/results"
SCALED_DOWN = REPOSITORY / "build/bench/scaled-down"


@dataclasses.dataclass
class Line:
    """One competitor: medians of the rounds."""

    who: str
    seconds: float
    per_second: float  # Rows or changes.
    cpu_seconds: float
    peak_mib: float
    of_floor: float | None = None  # Its rate divided by its floor's; None for a floor.
    goal: str = ""  # For `of_floor`.


@dataclasses.dataclass
class Figure:
    """A single value that a scenario has beside its lines."""

    name: str
    value: float
    unit: str = ""
    goal: str = ""


@dataclasses.dataclass
class Series:
    """Values over something else, for a plot."""

    title: str
    x_title: str
    y_title: str
    points: dict[str, list[tuple[float, float]]]  # By the line's name.


@dataclasses.dataclass
class Result:
    what: str  # What was done, with its size.
    unit: str = ""  # What `per_second` counts.
    lines: list[Line] = dataclasses.field(default_factory=list)
    figures: list[Figure] = dataclasses.field(default_factory=list)
    series: list[Series] = dataclasses.field(default_factory=list)
    rounds: list[dict] = dataclasses.field(default_factory=list)


def from_turns(what, count, unit, taken, titles, floor_of, goals=None):
    """A result whose lines are the competitors of `taken` (turns.take), in the order of `titles`: name → how it is called.
    `count`: the rows or changes that each of them moved. `floor_of`: name → name of its floor; those not in it are floors."""
    lines = []
    for name, title in titles.items():
        median = turns.medians(taken, name)
        of_floor = turns.rate_of(taken, name, floor_of[name]) if name in floor_of else None
        goal = (goals or {}).get(name, "")
        lines.append(Line(title, median.seconds, count / median.seconds, median.cpu_seconds, median.peak_mib, of_floor, goal))
    rounds = [{name: dataclasses.asdict(measure) for name, measure in one.items()} for one in taken]
    return Result(what, unit, lines, rounds=rounds)


def write(name, result, scale_down):
    """Gives the file's path."""
    folder = RESULTS if scale_down == 1 else SCALED_DOWN
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    facts = {
        "scenario": name,
        "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": {"cpus": os.cpu_count(), "model": cpu_model(), "system": platform.platform()},
        "firn": pipeline.version(),
        "scale_down": scale_down,
    }
    path.write_text(json.dumps(facts | dataclasses.asdict(result), indent=1) + "\n")
    return path


def read(name, folder=None):
    """The content of a scenario's file, in RESULTS where no folder is given; None when there is none."""
    path = (folder or RESULTS) / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
