"""Tables of what runs came to, as Markdown, CSV, LaTeX or HTML.

A line for each run; for each task, mode and limit with several runs one over their seeds; and, of interquartile means,
one over all tasks and limits of a mode with what can be compared between them.
"""

import csv
import html
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cvpo_jax.runs.comparison.estimates import Estimate, Statistic, over_runs
from cvpo_jax.runs.comparison.figures import COLUMNS, COMPARABLE, Summary

Format = Literal["md", "csv", "latex", "html"]
ALL = "all"
HEAD = ("task", "mode", "limit", "seed")
LATEX = {"\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "±": r"$\pm$", "–": "--"}
PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Runs</title>
<style>
body {{ font: 14px system-ui, sans-serif; margin: 2em }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums }}
th, td {{ padding: .3em .7em; text-align: right; white-space: nowrap; border-bottom: 1px solid #ddd }}
tr.all {{ font-weight: 600; border-bottom: 2px solid #888 }}
</style>
<table>
{rows}
</table>"""


@dataclass(frozen=True)
class Line:
    """One line: what it is about, and its figures, where it has them."""

    about: tuple[str, str, str, str]
    """Task, mode, limit and seed, `all` where the line is over several."""
    figures: Mapping[str, float | Estimate]


def lines(summaries: Sequence[Summary], statistic: Statistic) -> list[Line]:
    """The lines of a table, runs of the same task, mode and limit together."""
    groups = _groups(summaries)
    return [*_by_group(groups, statistic), *(_over_tasks(groups) if statistic == "iqm" else ())]


def _by_group(groups: Sequence[Sequence[Summary]], statistic: Statistic) -> Iterator[Line]:
    for group in groups:
        about = (group[0].task, group[0].mode, f"{group[0].limit:g}")
        yield from (Line((*about, str(each.seed)), each.figures) for each in group)
        if len(group) > 1:
            values = {name: [each.figures[name] for each in group] for name in COLUMNS}
            yield Line((*about, ALL), {name: over_runs([values[name]], statistic) for name in COLUMNS})


def _over_tasks(groups: Sequence[Sequence[Summary]]) -> Iterator[Line]:
    for mode in dict.fromkeys(group[0].mode for group in groups):
        strata = [group for group in groups if group[0].mode == mode]
        if len(strata) > 1:
            values = {name: [[each.figures[name] for each in group] for group in strata] for name in COMPARABLE}
            yield Line((ALL, mode, ALL, ALL), {name: over_runs(values[name], "iqm") for name in COMPARABLE})


def _groups(summaries: Sequence[Summary]) -> list[list[Summary]]:
    """Runs of the same task, mode and limit together, in the order in which they first appear."""
    groups: dict[tuple[str, str, float], list[Summary]] = {}
    for summary in summaries:
        groups.setdefault((summary.task, summary.mode, summary.limit), []).append(summary)
    return list(groups.values())


def table(shown: Sequence[Line], form: Format) -> str:
    """The lines in one of the formats; CSV has the numbers as they are, the others round them for readers."""
    if form == "csv":
        return _csv(shown)
    head, rows = [*HEAD, *COLUMNS.values()], [_cells(line) for line in shown]
    if form == "latex":
        return _latex(head, rows)
    if form == "html":
        body = [_html_row(row, "td", ALL if ALL in row[:4] else "") for row in rows]
        return PAGE.format(rows="\n".join([_html_row(head, "th", ""), *body]))
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)])


def _cells(line: Line) -> list[str]:
    return [*line.about, *(_text(line.figures.get(name)) for name in COLUMNS)]


def _text(figure: float | Estimate | None) -> str:
    if figure is None or math.isnan(figure.value if isinstance(figure, Estimate) else figure):
        return "–"
    if not isinstance(figure, Estimate):
        return _number(figure)
    if figure.symmetric:
        return f"{_number(figure.value)} ± {_number(figure.half)}"
    return f"{_number(figure.value)} [{_number(figure.low)}, {_number(figure.high)}]"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 1 else f"{value:.1f}"


def _csv(shown: Sequence[Line]) -> str:
    """A column for each figure and two for the ends of its interval, empty for single runs."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*HEAD, *(f"{name}{end}" for name in COLUMNS for end in ("", "_low", "_high"))])
    for line in shown:
        parts = (part for name in COLUMNS for part in _with_ends(line.figures.get(name)))
        writer.writerow([*line.about, *parts])
    return text.getvalue().rstrip()


def _with_ends(figure: float | Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (figure.value, figure.low, figure.high) if isinstance(figure, Estimate) else (figure, None, None)


def _latex(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A tabular for the package booktabs."""
    body = [" & ".join("".join(LATEX.get(sign, sign) for sign in cell) for cell in row) + r" \\" for row in rows]
    top = " & ".join(head) + r" \\"
    columns = "ll" + "r" * (len(head) - 2)
    frame = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", top, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(frame)


def _html_row(cells: Sequence[str], tag: str, kind: str) -> str:
    inner = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
    return f'<tr class="{kind}">{inner}</tr>' if kind else f"<tr>{inner}</tr>"
