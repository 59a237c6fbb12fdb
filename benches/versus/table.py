"""Which tables do README.md and docs/versus.md show of a run? Written between `<!-- versus -->` and `<!-- /versus -->`.

    PYTHONPATH=benches python -m versus.table [RESULT.json]

Costs are ratios to ours, whose own figure stands in the first column; errors are percent of the true energy. A tool
that gave no figure is shown with why. What is cheaper or nearer than ours is listed under the table, by the same file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .environments import OURS, REPO

Result = dict[str, Any]
Row = tuple[str, list[str]]

RESULT = REPO / "benches" / "results" / "versus.json"
README, PAGE = REPO / "README.md", REPO / "docs" / "versus.md"
BEGIN, END = "<!-- versus -->", "<!-- /versus -->"

RIVALS = ("eco2ai", "codecarbon", "carbontracker", "zeus", "pyjoules", "perun")
TITLES = {
    OURS: "eco2ai_fast",
    "eco2ai": "eco2AI",
    "codecarbon": "CodeCarbon",
    "carbontracker": "carbontracker",
    "zeus": "zeus",
    "pyjoules": "pyJoules",
    "perun": "perun",
}
# A rival's figure that stands for a row, where it goes by another name than the tool's.
WINDOW = {"eco2ai": "eco2ai-epochs", "codecarbon": "codecarbon-tasks"}
# Figure of the file, what the row is called, unit, decimals.
COSTS = (
    ("import_ms", "import", "ms", 1),
    ("import_mb", "memory of the import", "MB", 1),
    ("new_start_stop_ms", "construct, start, stop", "ms", 1),
    ("cpu_ms", "CPU of import, construct, start, stop", "ms", 0),
    ("running_mb", "memory while it runs, helpers included", "MB", 1),
    ("installed_mb", "installed size, dependencies included", "MB", 0),
)
COUNTS = (("threads", "threads while it runs"), ("children_started", "processes started"))
PERIODS = (("1", "1 s"), ("0.1", "0.1 s"), ("0.01", "10 ms"), ("0.001", "1 ms"))
# Asked for less, these take their own: perun 1 s below 0.1 s; carbontracker's reader sleeps a second at each reading.
LEAST_PERIOD_S = {"perun": 0.1, "carbontracker": 1.0}
OUR_MODES = (f"{OURS}:measure", f"{OURS}:meter")
# Differences of errors below this are the harness's noise: in points of percent.
NOISE_POINTS = 0.05


def main() -> None:
    """Writes both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", nargs="?", type=Path, default=RESULT)
    result = json.loads(parser.parse_args().result.read_text())
    put(README, readme(result))
    put(PAGE, page(result))


def put(path: Path, text: str) -> None:
    """Replaces what stands between the markers."""
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{path.name} has no {BEGIN} ... {END}")
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def readme(result: Result) -> str:
    """The short table: the median of each, and nothing of the spread."""
    titles = [TITLES[name] for name in (OURS, *RIVALS)]
    costly = [*cost_rows(result), *window_rows(result), *background_rows(result)]
    wrong = [*error_rows(result), intensity_row(result)]
    return "\n\n".join([grid(["cost", *titles], costly), grid(["error, %", *titles], wrong), under(result)])


def page(result: Result) -> str:
    """All that was measured, with its spread, and who is not in the table and why."""
    columns = ["", *(TITLES[name] for name in (OURS, *RIVALS))]
    parts = [about(result), "### Costs", grid(columns, [*cost_rows(result, True), *window_rows(result)])]
    parts += ["### CPU in the background", grid(columns, background_rows(result)), beside(result)]
    for title, table in tables(result).items():
        parts += [f"### {title}", errors_grid(table)]
    parts += ["### Carbon intensity", intensity_grid(result), "### What gave no figure", failures(result)]
    parts += ["### Where a rival is cheaper or nearer than we are", lost(result)]
    return "\n\n".join(part for part in parts if part)


def grid(columns: list[str], rows: Iterable[Row]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join([name, *cells]) + " |" for name, cells in rows)])


def cost_rows(result: Result, spread: bool = False) -> list[Row]:
    """What one start costs."""
    table = part(result, "cost")
    rows: list[Row] = []
    for key, title, unit, decimals in COSTS:
        if key in table:
            rows.append((title, costs(table[key], unit, decimals, spread)))
    if "new_start_stop_ms" in table:
        rows.insert(3, tracker_row(table["new_start_stop_ms"], spread))
    for key, title in COUNTS:
        if key in table:
            rows.append((title, [count(table[key].get(name)) for name in (OURS, *RIVALS)]))
    return rows


def tracker_row(table: dict[str, Any], spread: bool) -> Row:
    """Our drop-in for eco2AI beside eco2AI: the same work down to the file that both write."""
    cells = costs(table | {OURS: table.get(f"{OURS}-tracker")}, "ms", 1, spread)
    return "the same of our `Tracker`, which writes eco2AI's file", [*cells[:2], *("" for _ in RIVALS[1:])]


def window_rows(result: Result) -> list[Row]:
    """What a window of a running tool costs; perun has none but the whole run."""
    table = part(result, "cost")
    if "window_us" not in table:
        return []
    windows = table["window_us"] | {rival: table["window_us"].get(key) for rival, key in WINDOW.items()}
    whole = table.get("new_start_stop_ms", {}).get("perun")
    windows["perun"] = times(whole, 1e3) if whole else None
    spans = windows | {OURS: windows.get(f"{OURS}-span")}
    return [
        ("a window: " + against(windows, OURS, "bare", "bare reads"), costs(windows, "us", 1)),
        ("a span: " + against(spans, OURS, "bare-clocks", "two clocks in Python"), costs(spans, "us", 2)),
    ]


def background_rows(result: Result) -> list[Row]:
    """CPU while the program sleeps, at the periods that can be asked for."""
    table = part(result, "cost").get("background_percent", {})
    rows = []
    for period, title in PERIODS:
        asked = {name: table.get(f"{name} {period}") for name in (OURS, *RIVALS)}
        rows.append((f"CPU in the background at {title}", background(asked, period)))
        if sampled := table.get(f"{OURS}-sampled {period}"):
            cells = background(asked | {OURS: sampled}, period)
            rows.append((f"the same at {title}, sampling alone, no change hunted", cells))
    return rows if table else []


def background(asked: dict[str, Any], period: str) -> list[str]:
    """Cells of one period; those that take another one are marked."""
    first, *rest = costs(asked, "% of a core", 3)
    is_refused = [float(period) < LEAST_PERIOD_S.get(rival, 0.0) for rival in RIVALS]
    return [first, *(cell + "*" * refused for cell, refused in zip(rest, is_refused, strict=True))]


def beside(result: Result) -> str:
    """What of the background has no column."""
    table = part(result, "cost").get("background_percent", {})

    def to_ours(name: str, period: str, other: str) -> str:
        return ratio(table.get(f"{name} {period}"), table.get(f"{OURS} {other}"))

    def at_periods(name: str) -> str:
        return ", ".join(f"{to_ours(name, period, period)} at {title}" for period, title in PERIODS)

    resting = {"zeus": "zeus", "pyJoules": "pyjoules", "our `Tracker`": f"{OURS}-tracker"}
    defaults = {title: to_ours(name, "default", "default") for title, name in resting.items()}
    return (
        f"Beside them, to ours at the same period: a bare Python loop of the same reads {at_periods('bare')}; "
        f"`perf stat -I` of a software clock {at_periods('perf')}. From 500 Hz on we also hunt the instants "
        f"of change; sampling alone is {to_ours(f'{OURS}-sampled', '0.001', '0.001')} of that. Without a period to "
        f"ask for, to our `measure()`: {', '.join(f'{name} {at_rest}' for name, at_rest in defaults.items())}."
    )


def tables(result: Result) -> dict[str, dict[str, Any]]:
    """Every table of errors, by title."""
    found: dict[str, Any] = {}
    for title, table in part(result, "energy").get("errors_percent", {}).items():
        found[f"Error of {title} on emulated counters, %"] = table
    titles = {"faults": "Error under a fault, %; ! where the tool said a word", "gpu": "Error on a fake GPU, %"}
    return found | {title: part(result, name).get("errors_percent", {}) for name, title in titles.items()}


def error_rows(result: Result) -> list[Row]:
    """The errors in the columns of the costs; ours in its two ways, `measure()` and a `Meter` at 1 kHz."""
    rows: list[Row] = []
    for title, table in tables(result).items():
        kind = title.partition(",")[0].replace("Error of ", "").replace("Error ", "")
        for name, row in table.items():
            if "perf events" in name:  # has a column on the page only
                continue
            ours = " / ".join(signed(row.get(mode)) for mode in OUR_MODES)
            label = name if "waveforms" in kind or "windows" in kind else f"{kind}: {name}"
            rows.append((label, [ours, *(signed(row.get(rival)) for rival in RIVALS)]))
    return rows


def errors_grid(table: dict[str, dict[str, Any]]) -> str:
    names = list({name: None for row in table.values() for name in row})
    cells = [(row, [signed(table[row].get(name), spread=True) for name in names]) for row in table]
    return grid(["", *names], cells) if table else ""


def intensity_row(result: Result) -> Row:
    """Median and worst error of 25 countries."""
    summary = part(result, "intensity").get("summary", {})
    cells = []
    for name in (OURS, *RIVALS):
        one = summary.get(name)
        known = one is not None and "worst" in one
        cells.append(f"{one['median_percent']:.1f} ({one['worst']} {one['worst_percent']:+.0f})" if known else "none")
    return ("carbon intensity of 25 countries, median (worst)", cells)


def intensity_grid(result: Result) -> str:
    table = part(result, "intensity")
    if "countries" not in table:
        return ""
    names = list(table["summary"])

    def error(one: dict[str, Any]) -> str:
        return f"{one['error_percent']:+.1f}" if "error_percent" in one else "none"

    rows = [
        (country, [f"{row['primary']:.1f}", *(error(row[name]) for name in names)])
        for country, row in table["countries"].items()
    ]
    head = ["", "g/kWh", *(f"{TITLES[name]}, %" for name in names)]
    return f"Against {table['source']}.\n\n" + grid(head, rows)


def costs(table: dict[str, Any], unit: str, decimals: int, spread: bool = False) -> list[str]:
    """Our figure, and each rival's as a multiple of it."""
    mine = table.get(OURS)
    first = figure(mine, unit, decimals) + (bounds(mine, decimals) if spread else "")
    return [first, *(ratio(table.get(rival), mine) for rival in RIVALS)]


def figure(one: dict[str, Any] | None, unit: str, decimals: int) -> str:
    if not one or "median" not in one:
        return short(one)
    return f"{one['median']:.{decimals}f} {unit}"


def bounds(one: dict[str, Any] | None, decimals: int) -> str:
    return f" ({one['least']:.{decimals}f} to {one['most']:.{decimals}f})" if one and "median" in one else ""


def ratio(one: dict[str, Any] | None, mine: dict[str, Any] | None) -> str:
    if not one or "median" not in one:
        return short(one)
    if not mine or not mine.get("median"):
        return "?"
    times_ = one["median"] / mine["median"]
    if times_ <= 0:  # what was taken off is as much as there was
        return "~0x"
    return f"{times_:.0f}x" if times_ >= 10 else f"{times_:.2g}x"


def against(table: dict[str, Any], ours: str, bare: str, what: str) -> str:
    return f"{ratio(table.get(ours), table.get(bare))} of {what}"


def count(one: dict[str, Any] | None) -> str:
    return f"{one['median']:.0f}" if one and "median" in one else short(one)


def signed(one: dict[str, Any] | None, spread: bool = False) -> str:
    """An error with its spread; how many tries gave none; ! where all that gave a figure came with a word."""
    if not one:
        return ""
    if "median" not in one:
        return "none" + ("!" if one.get("spoke") else "")
    text = percent(one["median"])
    if spread and one["least"] != one["most"]:
        text += f" [{percent(one['least'])} .. {percent(one['most'])}]"
    if one["failed"]:
        text += f", {one['failed']} of {one['tries']} none"
    return text + ("!" if one.get("spoke") else "")


def percent(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:+.0f}"
    return f"{value:+.1f}" if abs(value) >= 10 else f"{value:+.2f}"


def short(one: dict[str, Any] | None) -> str:
    return "fails" if one and one.get("failed") else "-"


def times(one: dict[str, Any], factor: float) -> dict[str, Any]:
    return one | {key: one[key] * factor for key in ("median", "least", "most") if key in one}


def part(result: Result, name: str) -> dict[str, Any]:
    """A section, empty where it failed as a whole."""
    found = result.get(name, {})
    return found if "message" not in found else {}


def about(result: Result) -> str:
    machine, minutes = result["machine"], result["minutes"]
    versions = ", ".join(f"{name} {one['version']}" for name, one in result["tools"].items() if one["version"])
    kind = "Quick: three repeats, short windows, some rows left out" if result["quick"] else "Five repeats of each"
    return (
        f"{kind}; {result['when']}, {minutes['all']} minutes, seed {result['seed']}. "
        f"{machine['cpu']}, {machine['cpus']} CPUs{' of a virtual machine' if machine['virtual'] else ''}, "
        f"Linux {machine['kernel']}, Python {machine['python']}, load {machine['load_before']} before. {versions}."
    )


def under(result: Result) -> str:
    absent = [f"{name}: {one['failure']}" for name, one in result["tools"].items() if one["failure"]]
    lines = [
        f"{about(result)}",
        "`x`: times our figure; `*`: it reads about once a second whatever is asked. Errors are medians, ours by "
        "`measure()` / by a `Meter` at 1 kHz; `!`: the tool said a word of doubt; eco2AI reads no meter, its error is "
        "that of TDP times load of a sleeping program.",
        *(f"Not installed: {line}." for line in absent),
        "All figures with their spread, who fails with which message, and where a rival is cheaper or nearer: "
        "[docs/versus.md](docs/versus.md).",
    ]
    return "\n".join(lines)


def failures(result: Result) -> str:
    """Each message once, with what gave it."""
    said: dict[str, list[str]] = {}
    for name, one in result["tools"].items():
        if one["failure"]:
            said.setdefault(one["failure"], []).append(f"{name}: installing")
    every = {"costs": part(result, "cost")} | tables(result)
    for title, table in every.items():
        for row, cells in table.items():
            for name, one in cells.items():
                if one.get("failed"):
                    where = f"{name}: {title.partition(',')[0]}, {row}, {one['failed']} of {one['tries']}"
                    said.setdefault(one["message"], []).append(where)
    return "\n".join(f"- {some(places)}: `{message}`" for message, places in said.items())


def some(places: list[str]) -> str:
    return "; ".join(places[:6]) + (f" and {len(places) - 6} more" if len(places) > 6 else "")


def lost(result: Result) -> str:
    """Rows in which a rival's median is better than ours, and those in which nobody is."""
    costs_ = part(result, "cost")
    named = [(key, title) for key, title, *_ in (*COSTS, *COUNTS) if key in costs_]
    lines = [f"- {title}: {who}" for key, title in named if (who := cheaper(costs_[key]))]
    for period, title in PERIODS:
        table = costs_.get("background_percent", {})
        asked = [name for name in (OURS, *RIVALS) if float(period) >= LEAST_PERIOD_S.get(name, 0.0)]
        who = cheaper({name: table[f"{name} {period}"] for name in asked if f"{name} {period}" in table})
        lines += [f"- CPU in the background at {title}: {who}"] * bool(who)
    for title, table in tables(result).items():
        for name, row in table.items():
            lines += [f"- {title.partition(',')[0]}, {name}: {who}" for who in nearer(row)]
    return "\n".join(lines) or "- nowhere"


def cheaper(row: dict[str, Any]) -> str:
    mine = row.get(OURS, {}).get("median")
    found = [rival for rival in RIVALS if mine is not None and row.get(rival, {}).get("median", mine) < mine]
    return ", ".join(TITLES[rival] for rival in found)


def nearer(row: dict[str, Any]) -> list[str]:
    """Who is nearer to the truth than the better of our two ways, or else as near as can be told here."""
    ours = [abs(row[mode]["median"]) for mode in OUR_MODES if "median" in row.get(mode, {})]
    if not ours:
        return []
    beyond = {rival: abs(row[rival]["median"]) - min(ours) for rival in RIVALS if "median" in row.get(rival, {})}
    better = [TITLES[rival] for rival, points in beyond.items() if points < -NOISE_POINTS]
    equal = [TITLES[rival] for rival, points in beyond.items() if abs(points) <= NOISE_POINTS]
    return [f"nearer: {', '.join(better)}"] if better else [f"as near: {', '.join(equal)}"] if equal else []


if __name__ == "__main__":
    main()
