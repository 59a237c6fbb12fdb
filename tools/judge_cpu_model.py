"""How far off the model of the processor is, beside other tools' rules: prints the table of docs/estimates.md.

    python tools/judge_cpu_model.py

Each recorded machine is judged by a model fitted without it. Error of a recording: mean of |model / measured - 1| over
its steps. The stated bands are judged on what they were not chosen on: other vendors' servers, newer servers, other
machines. Needs nothing but the committed recordings, the table of servers and the fitted slopes.
"""

from __future__ import annotations

from collections.abc import Callable
from math import hypot
from statistics import mean, median

import fit_cpu_model as fit
from fit_cpu_model import MODEL, Z_95, Recording, recordings

Rule = Callable[[float], float]
Steps = list[Recording]


def model_row(kind: str, name: str | None = None) -> tuple[float, float, float]:
    """Idle, full and sigma of one row of the model's table."""
    for line in MODEL.read_text().splitlines():
        cells = line.split("\t")
        if cells[0] == kind and name in (None, cells[1]):
            return float(cells[2]), float(cells[3]), float(cells[4])
    raise KeyError((kind, name))


def line(idle_w: float, full_w: float, exponent: float = 1.0) -> Rule:
    return lambda load: idle_w + (full_w - idle_w) * load**exponent


def others(steps: Steps) -> list[Recording]:
    """The recordings of all machines but the one that is judged."""
    return [row for row in recordings() if row.machine != steps[0].machine]


def default(steps: Steps) -> Rule:
    idle, full = fit.curve(model_row("wall")[:2], others(steps))
    return line(idle * steps[0].tdp_w, full * steps[0].tdp_w)


def ends(steps: Steps) -> tuple[float, float]:
    """What a wattmeter shows at the least and at full load."""
    in_order = sorted(steps, key=lambda step: step.load)
    return in_order[0].package_w, in_order[-1].package_w


def calibrated(steps: Steps) -> Rule:
    return line(*ends(steps))


def concave(steps: Steps) -> Rule:
    """The exponent that fits recordings best. Its answer depends on how often it is evaluated: not additive."""
    idle, full = fit.ends(model_row("wall")[:2], others(steps))
    return line(idle * steps[0].tdp_w, full * steps[0].tdp_w, exponent=0.75)


def concave_calibrated(steps: Steps) -> Rule:
    return line(*ends(steps), exponent=0.75)


RULES: dict[str, Callable[[Steps], Rule]] = {
    "default (affine)": default,
    "calibrated by two points (affine)": calibrated,
    "default with load^0.75 (not additive)": concave,
    "calibrated with load^0.75 (not additive)": concave_calibrated,
    "constant, half the TDP": lambda steps: lambda load: 0.5 * steps[0].tdp_w,
    "TDP x load": lambda steps: lambda load: steps[0].tdp_w * load,
    "cubic, TDP x (0.1 + 0.9 load^3)": lambda steps: lambda load: steps[0].tdp_w * (0.1 + 0.9 * load**3),
}


def by_file() -> dict[str, Steps]:
    rows = recordings()
    return {name: [row for row in rows if row.file == name] for name in sorted({row.file for row in rows})}


def errors(rule: Callable[[Steps], Rule]) -> dict[str, float]:
    """Error of each recording."""
    models = {name: rule(steps) for name, steps in by_file().items()}
    return {
        name: mean(abs(models[name](step.load) / step.package_w - 1) for step in steps)
        for name, steps in by_file().items()
    }


def inside(rule: Callable[[Steps], Rule], sigma: Callable[[Steps], float]) -> float:
    """Share of all steps within 95 % bounds of the model."""
    hits = []
    for steps in by_file().values():
        model, bound = rule(steps), Z_95 * sigma(steps)
        hits += [abs(step.package_w / model(step.load) - 1) <= bound for step in steps]
    return sum(hits) / len(hits)


def sigma_of_default(steps: Steps) -> float:
    """SPECpower's for the levels, the other machines' for the shape."""
    return hypot(model_row("levels")[2], fit.calibrated_sigma(others(steps)))


def sigma_of_calibrated(steps: Steps) -> float:
    return fit.calibrated_sigma(others(steps))


def levels_inside(group: Callable[[fit.Server], object]) -> float:
    """Share of the points of servers within the bounds of levels fitted, width and all, without their group."""
    servers, hits = fit.known_servers(), []
    for left_out in {group(server) for server in servers}:
        levels = fit.Levels([one for one in servers if group(one) != left_out], recordings())
        errors = levels.errors([one for one in servers if group(one) == left_out])
        hits += [error <= Z_95 * levels.sigma for error in errors]
    return sum(hits) / len(hits)


def newer_inside(first_year: int = 2021) -> float:
    """The same of servers from a year on, by levels of those before."""
    servers = fit.known_servers()
    levels = fit.Levels([one for one in servers if one.year < first_year], recordings())
    errors = levels.errors([one for one in servers if one.year >= first_year])
    return sum(error <= Z_95 * levels.sigma for error in errors) / len(errors)


def usual_sigma(steps: Steps) -> float:
    """As calibrated_sigma, by the quantile that more machines would give."""
    return fit.sigma(fit.shape_errors(others(steps)))


def bands() -> list[str]:
    """How many points each band holds that had no part in its width, in Markdown."""
    levels = model_row("levels")[2]
    rows = [
        ("levels", "servers of all other vendors", "each vendor's servers", levels_inside(lambda one: one.vendor)),
        ("levels", "servers up to 2020", "servers since 2021", newer_inside()),
        ("default", "servers, and the other machine's largest error of shape", "recordings",
         inside(default, sigma_of_default)),
        ("default", "servers, and the 95th percentile of these errors", "recordings",
         inside(default, lambda steps: hypot(levels, usual_sigma(steps)))),
        ("default", "servers alone", "recordings", inside(default, lambda steps: levels)),
        ("calibrated", "the other machine's largest error of shape", "recordings",
         inside(calibrated, sigma_of_calibrated)),
        ("calibrated", "the 95th percentile of these errors", "recordings", inside(calibrated, usual_sigma)),
    ]  # fmt: skip
    head = ["| band of | width chosen on | judged on | inside |", "|---|---|---|---|"]
    return head + [f"| {model} | {chosen} | {judged} | {100 * share:.0f} % |" for model, chosen, judged, share in rows]


def table() -> list[str]:
    """The table in Markdown."""
    names = list(by_file())
    lines = [f"| rule | {' | '.join(names)} | median | worst |", "|---" * (len(names) + 3) + "|"]
    for title, rule in RULES.items():
        of = errors(rule)
        cells = [of[name] for name in names] + [median(of.values()), max(of.values())]
        lines.append(f"| {title} | {' | '.join(f'{100 * cell:.0f} %' for cell in cells)} |")
    return lines


if __name__ == "__main__":
    print("\n".join([*table(), "", *bands()]))
