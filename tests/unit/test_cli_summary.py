"""The tables: what stands in them, and that they never say zero for unknown."""

from __future__ import annotations

import copy

import pytest

from eco2ai_fast.cli import series, summary
from eco2ai_fast.cli.table import aligned, command_line, duration

DOMAIN = {
    "id": "package-0", "kind": "package", "parent": None, "source": "powercap", "provenance": "measured", "detail": "",
    "counted": True, "energy_j": 3600.0, "measured_j": 3600.0, "modelled_j": 0.0, "uncertainty_j": 36.0,
}  # fmt: skip
RUN = {
    "kind": "run", "duration_s": 60.0, "energy_j": 3600.0, "measured_j": 3600.0, "modelled_j": 0.0,
    "uncertainty_j": 36.0, "coverage": 1.0, "missing": [{"domain": "dram", "reason": "no source"}], "notes": [],
    "domains": [DOMAIN, DOMAIN | {"id": "core-0", "parent": "package-0", "counted": False, "energy_j": 1800.0}],
    "co2e_g": 0.5, "pue": 1.2, "carbon_error": None,
    "intensity": {
        "unit": "gCO2e/kWh", "g_per_kwh": 500.0, "year": 2025, "zone": "FR", "zone_name": "France",
        "basis": "life-cycle", "source": "a table", "found_by": "argument",
    },
    "command": {
        "argv": ["train", "--lr", "0.1"], "exit_code": 0, "signal": None, "cpu_s": 30.0, "busy_s": 60.0,
        "cpu_share": 0.5, "share_error": None, "energy_j": 1800.0, "domains_j": {}, "co2e_g": 0.25, "left_running": 0,
    },
    "own_cost": {"cpu_s": 0.01, "energy_j": 0.6, "total_cpu_s": 0.07},
}  # fmt: skip


def changed(**values) -> dict:
    """RUN with other values; a dictionary changes the part of that name."""
    run = copy.deepcopy(RUN)
    for key, value in values.items():
        run[key] = run[key] | value if isinstance(value, dict) else value
    return run


def cells(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_run_shows_joules_watt_hours_error_and_origin() -> None:
    text = summary.of_run(RUN)
    assert "train --lr 0.1 (exit code 0)" in text
    assert ["package-0", "3.60", "kJ", "1.00", "Wh", "36", "J", "measured", "(powercap)"] in cells(text)
    assert "in package-0: not added" in text
    assert "measured 3.60 kJ, modelled 0 J" in text
    assert "by CPU-time share" in text
    assert "500 mg of the machine, 250 mg of the command" in text
    assert "France 2025" in text
    assert "PUE 1.2" in text
    assert "50 % of the 60.0 s" in text
    assert "10 ms CPU (600 mJ) meanwhile, 70 ms in all" in text
    assert ["missing", "dram:", "no", "source"] in cells(text)


def test_commands_energy_is_told_in_its_two_parts_where_the_power_at_rest_is_known() -> None:
    text = summary.of_run(changed(command={"static_j": 600.0, "dynamic_j": 1200.0}))
    assert ["static", "600", "J", "167", "mWh", "its", "share", "of", "the", "machine", "at", "rest"] in cells(text)
    assert ["dynamic", "1.20", "kJ"] in [line[:3] for line in cells(text)]
    assert "static" not in summary.of_run(changed(command={"static_j": None, "dynamic_j": None}))
    runs = [changed(command={"static_j": 600.0, "dynamic_j": dynamic_j}) for dynamic_j in (1000.0, 1400.0)]
    text = summary.of_series(series.of_runs(["train"], runs, asked=2, warmup=0))
    assert ["dynamic", "1.20", "kJ", "2.5", "kJ", "280", "J"] in [line[:7] for line in cells(text)]


def test_unknown_energy_is_unknown_and_not_zero() -> None:
    domain = DOMAIN | dict.fromkeys(("energy_j", "measured_j", "modelled_j", "uncertainty_j"))
    unknown = dict.fromkeys(("energy_j", "measured_j", "modelled_j", "uncertainty_j", "coverage", "co2e_g"))
    nothing = {"cpu_share": None, "share_error": "why", "energy_j": None, "co2e_g": None}
    text = summary.of_run(changed(**unknown, domains=[domain], command=nothing, own_cost={"energy_j": None}))
    assert " 0 J" not in text
    assert text.count("unknown") >= 4
    assert "why" in text


def test_carbon_that_cannot_be_computed_says_why() -> None:
    run = changed(co2e_g=None, carbon_error="unknown grid zone 'x'")
    run["intensity"] = None
    assert "unknown grid zone 'x'" in summary.of_run(run)


@pytest.mark.parametrize(("found_by", "hint"), [("default", True), ("argument", False)])
def test_hint_stands_beside_the_number_only_where_nobody_named_a_zone(found_by: str, hint: bool) -> None:
    assert ("no zone is set" in summary.of_run(changed(intensity={"found_by": found_by}))) is hint


def test_processes_left_behind_are_told() -> None:
    assert "2 of its processes still run" in summary.of_run(changed(command={"left_running": 2}))


def of(*energies: float | None, asked: int | None = None) -> dict:
    runs = [changed(energy_j=energy, domains=[DOMAIN | {"energy_j": energy}]) for energy in energies]
    return series.of_runs(["train"], runs, asked=asked or len(energies), warmup=1)


def test_series_shows_mean_interval_deviation_and_range() -> None:
    text = summary.of_series(of(10.0, 12.0, 14.0))
    assert "(3 runs after 1 to warm up)" in text
    assert ["machine", "12.0", "J", "5.0", "J", "2.0", "J", "10.0", "J", "..", "14.0", "J"] in [
        row[:12] for row in cells(text)
    ]
    assert "Student's t" in text


def test_series_that_ended_early_says_so() -> None:
    assert "(2 runs after 1 to warm up, 5 were asked for)" in summary.of_series(of(10.0, 12.0, asked=5))


def test_series_leaves_out_what_is_unknown() -> None:
    statistics = of(10.0, None, 14.0)["statistics"]
    assert statistics["energy_j"]["n"] == 2
    assert statistics["duration_s"]["n"] == 3
    assert "energy_j" not in of(None, None)["statistics"]
    assert "known in 2 of 3 runs" in summary.of_series(of(10.0, None, 14.0))
    assert ["machine"] not in [row[:1] for row in cells(summary.of_series(of(None, None)))]


def test_columns_are_aligned_and_lines_have_no_tail() -> None:
    assert aligned([("a", "bbb", "x"), ("aaa", "b", "")]) == ["  a    bbb  x", "  aaa  b"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00123, "1.23 ms"),
        (119, "119 s"),
        (120, "2 min 0 s"),
        (3599.6, "1 h 0 min 0 s"),
        (90061, "25 h 1 min 1 s"),
        (None, "unknown"),
    ],
)
def test_duration_is_read_without_a_calculator(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_command_stands_on_one_line_as_a_shell_takes_it() -> None:
    assert command_line(["sh", "-c", "a b"]) == "sh -c 'a b'"
    assert command_line(["printf", "a\nb\x1b[31m"]) == "printf 'a?b?[31m'"
    assert len(command_line(["x" * 500])) == 80
