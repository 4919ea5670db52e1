# SPDX-License-Identifier: MIT
"""How bench/run and bench/http tell what they measured: medians, times, tables, plots."""
import os
import statistics
import subprocess
from pathlib import Path

BENCH = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("B") or BENCH.parent / "build").resolve()


def middle(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def duration(ns):
    """Three digits and a unit."""
    for size, unit in ((1, "ns"), (1e3, "us"), (1e6, "ms"), (1e9, "s")):
        number = ns / size
        if number < 1000 or unit == "s":
            return f"{number:.{2 if number < 10 else 1 if number < 100 else 0}f} {unit}"


def table(head, rows):
    """Markdown that is aligned, so that it reads well in a terminal too."""
    widths = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]

    def line(cells):
        figures = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
        return "| " + " | ".join([cells[0].ljust(widths[0])] + figures) + " |\n"

    rules = ["-" * (widths[0] + 2)] + ["-" * (width + 1) + ":" for width in widths[1:]]
    return line(head) + "|" + "|".join(rules) + "|\n" + "".join(line(row) for row in rows)


class Figures:
    """Nanoseconds for each task, by the row's title, executor and number of workers."""

    def __init__(self, results):
        self.values = {}
        for result in results:
            key = result["row"], result["executor"], result["workers"]
            self.values.setdefault(key, []).append(result["ns"] / max(result["tasks"], 1))

    def ns(self, row, executor, workers):
        """The median; None if it was not measured."""
        workers = 1 if executor == "serial" else workers
        return middle(self.values.get((row.title, executor, workers), []))

    def executors(self, rows):
        """Those that have figures for any of these rows, in the order in which they ran."""
        titles = {row.title for row in rows}
        return list(dict.fromkeys(key[1] for key in self.values if key[0] in titles))


def workers_text(workers):
    return "1 worker" if workers == 1 else f"{workers} workers"


def section(figures, rows, title):
    """For each row and number of workers the time of a task and how it compares to plain C."""
    executors = figures.executors(rows)
    lines = []
    for row, workers in [(row, workers) for row in rows for workers in row.workers]:
        cells = []
        serial = figures.ns(row, "serial", 1)
        for executor in executors:
            ns = figures.ns(row, executor, workers)
            ratio = f" {serial / ns:5.2f}x" if ns and serial and executor != "serial" else ""
            cells.append(duration(ns) + ratio if ns else "-")
        if any(cell != "-" for cell in cells):
            lines.append([f"{row.title}, {workers_text(workers)}"] + cells)
    return f"{title}:\n\n{table(['bench'] + executors, lines)}" if lines else ""


def details(figures, rows):
    """Everything, with its spread and both ratios."""
    by_title = {row.title: row for row in rows}
    lines = []
    for (title, executor, workers), values in figures.values.items():
        row, ns = by_title[title], middle(values)
        bases = figures.ns(row, "serial", 1), figures.ns(row, "filch", workers)
        lines.append([title, str(workers), executor, duration(ns)]
                     + [duration(min(values)), duration(max(values))]
                     + [f"{100 * (max(values) - min(values)) / ns:.0f} %"]
                     + [f"{ns / base:.2f}" if base else "-" for base in bases])
    lines.sort(key=lambda line: (list(by_title).index(line[0]), int(line[1])))
    head = ["bench", "workers", "executor", "median", "best", "worst", "spread"]
    return table(head + ["/ serial", "/ filch"], lines)


def plot(figures, rows, title, svg):
    """Bars on a logarithmic scale, with all workers."""
    executors = figures.executors(rows)
    lines = ["bench " + " ".join(executors)]
    for row in rows:
        cells = [figures.ns(row, executor, row.workers[-1]) for executor in executors]
        if any(cells):
            lines.append(f'"{row.title}" ' + " ".join(f"{ns:.3f}" if ns else "?" for ns in cells))
    if len(lines) > 1:
        data = svg.with_suffix(".dat")
        data.write_text("\n".join(lines) + "\n")
        subprocess.run(["gnuplot", "-c", BENCH / "plot", data, svg, title], check=True)
