"""The results of all scenarios as tables and plots, in README.md between its marks."""

import operator
import re

from . import REPOSITORY, plots, results

README = REPOSITORY / "bench/README.md"
PLOTS = "results"  # Beside README.md.
MEETS = {"≤": operator.le, "≥": operator.ge, "<": operator.lt, ">": operator.gt}
MARKS = ("<!-- results: written by make bench -->", "<!-- end of results -->")


def update(names):
    """`names`: all scenarios, in the order of the report. A scenario without a file of results has no rows."""
    found = [result for result in map(results.read, names) if result]
    before, rest = README.read_text().split(MARKS[0])
    _, after = rest.split(MARKS[1])
    README.write_text(f"{before}{MARKS[0]}\n{markdown(found)}{write_plots(found)}{MARKS[1]}{after}")


def markdown(found):
    """Both tables."""
    lines = []
    with_lines = [result for result in found if result["lines"]]
    if with_lines:
        lines += [
            "| scenario | | seconds | per second | CPU seconds | per CPU second | peak MiB | of the floor's rate |",
            "|---|---|--:|--:|--:|--:|--:|--:|",
        ]
        for result in with_lines:
            lines += [_line(result, number, line) for number, line in enumerate(result["lines"])]
        lines.append("")
    with_figures = [result for result in found if result["figures"]]
    if with_figures:
        lines += ["| scenario | figure | value | goal |", "|---|---|--:|--:|"]
        for result in with_figures:
            lines += [_figure(result, figure) for figure in result["figures"]]
        lines.append("")
    lines += ["| scenario | what was done | when, on what |", "|---|---|---|"]
    lines += [_facts(result) for result in found]
    return "\n".join(lines) + "\n"


def _line(result, number, line):
    count = line["per_second"] * line["seconds"]
    per_cpu_second = f"{count / line['cpu_seconds']:,.0f}" if line["cpu_seconds"] else ""
    of_floor = "1"
    if line["of_floor"] is not None:
        of_floor = f"{line['of_floor']:.2f}" + (f" (goal {_goal(line['of_floor'], line['goal'])})" if line["goal"] else "")
    scenario = result["scenario"] if number == 0 else ""
    return (
        f"| {scenario} | {line['who']} | {line['seconds']:.2f} | {line['per_second']:,.0f} {result['unit']} | {line['cpu_seconds']:.2f}"
        f" | {per_cpu_second} | {line['peak_mib']:.0f} | {of_floor} |"
    )


def _figure(result, figure):
    value = f"{number_text(figure['value'])} {figure['unit']}".rstrip()
    return f"| {result['scenario']} | {figure['name']} | {value} | {_goal(figure['value'], figure['goal'])} |"


def _goal(value, goal):
    """Says so where it is not reached."""
    found = re.match(r"([≤≥<>]) ([\d.,]+)", goal)
    is_missed = found and not MEETS[found[1]](value, float(found[2].replace(",", "")))
    return f"{goal}, **missed**" if is_missed else goal


def number_text(value):
    """A whole number as it is, others with three digits at least."""
    if isinstance(value, int):
        return f"{value:,}"
    for limit, digits in ((100, 0), (10, 1), (1, 2)):
        if abs(value) >= limit:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}"


def _facts(result):
    count = len(result["rounds"])
    rounds = f"; {count} round{'s' if count > 1 else ''}" if count else ""
    machine = f"{result['machine']['cpus']} × {result['machine']['model']}"
    return f"| {result['scenario']} | {result['what']}{rounds} | {result['when'][:10]}, {machine}, firn {result['firn']} |"


def write_plots(found):
    """Writes the plots' files, and gives the Markdown that shows them."""
    shown = []
    for result in found:
        drawn = [plots.bars(f"{result['scenario']}: {result['unit']} per second", _rates(result))] if result["lines"] else []
        drawn += [plots.lines(series["title"], series["x_title"], series["y_title"], series["points"]) for series in result["series"]]
        for number, svg in enumerate(drawn):
            name = f"{PLOTS}/{result['scenario']}{f'-{number + 1}' if number else ''}.svg"
            (README.parent / name).write_text(svg)
            shown.append(f"![{result['scenario']}]({name})\n")
    return "".join(f"\n{image}" for image in shown)


def _rates(result):
    return [(line["who"].replace("`", "").replace("**", ""), line["per_second"]) for line in result["lines"]]
