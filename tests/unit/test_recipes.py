"""What docs/recipes.md tells to do, done: its Python blocks here, its Rust block as a doc test of the core."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

import eco2ai_fast as eco

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/recipes.md"


def blocks(language: str) -> dict[str, str]:
    """The blocks of a language by the heading they stand under, each padded so that errors name the page's lines."""
    text, found = PAGE.read_text(), {}
    for block in re.finditer(rf"```{language}\n(.*?)```", text, re.DOTALL):
        heading = text.rfind("\n## ", 0, block.start()) + 4
        found[text[heading : text.index("\n", heading)]] = "\n" * text[: block.start()].count("\n") + "\n" + block[1]
    return found


@pytest.fixture
def here(tmp_path: Path, own_config: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def followed(recipe: str, **names: object) -> dict[str, object]:
    """What a program that is the recipe's block holds at its end."""
    exec(compile(blocks("python")[recipe], str(PAGE), "exec"), names)
    return names


def test_the_page_has_the_recipes_and_each_is_followed_here_or_by_the_core() -> None:
    assert list(blocks("python")) == ["A sensor, from Python", "A grid table", "An exporter"]
    assert list(blocks("rust")) == ["A sensor, in Rust"]
    assert 'include_str!("../../../docs/recipes.md")' in (ROOT / "rust/core/src/lib.rs").read_text()


def test_a_sensor_of_ones_own_is_measured_with_its_power(here: Path) -> None:
    m = followed("A sensor, from Python", work=lambda: time.sleep(0.2))["m"]
    assert isinstance(m, eco.Measurement)
    domain = m.domains["psys"]
    assert domain.counted and domain.provenance == "measured" and domain.coverage == 1.0
    assert m.energy_j / m.duration_s == pytest.approx(60, rel=1e-6)


def test_a_sensor_that_changes_is_followed(here: Path) -> None:
    names = followed("A sensor, from Python", work=lambda: None)
    meter, show = names["meter"], names["show"]
    assert isinstance(meter, eco.Meter) and callable(show)
    show(240)
    with meter, eco.measure(meter=meter) as m:
        time.sleep(1.1)  # the file is read once a second
    assert m.energy_j / m.duration_s > 120


def test_a_grid_table_of_ones_own_answers_and_prices_a_measurement(here: Path) -> None:
    names = followed("A grid table", work=lambda: sum(range(10**6)))
    found, m = names["found"], names["m"]
    assert isinstance(m, eco.Measurement)
    assert (found.g_per_kwh, found.basis, found.year) == (182.5, "life-cycle", 2025)  # type: ignore[attr-defined]
    assert m.co2e_g == pytest.approx(m.energy_j * 182.5 / 3.6e6)
    assert eco.carbon.intensity("our-campus", basis="direct", factors_file="grid.csv").g_per_kwh == 121.0
    assert eco.carbon.intensity("France", factors_file="grid.csv").source == "our supplier"
    with pytest.raises(eco.carbon.UnknownZoneError):
        eco.carbon.intensity("our-campsite", factors_file="grid.csv")


def test_an_exporter_tells_each_number_whole(here: Path) -> None:
    names = followed("An exporter", work=lambda: sum(range(10**6)))
    m, line = names["m"], names["line"]
    assert isinstance(m, eco.Measurement) and isinstance(line, bytes)
    told = re.fullmatch(rb"energy,name=train\\,\\ a\\=1 (\S+) (\d+)\n", line)
    assert told
    fields = dict(pair.split("=") for pair in told[1].decode().split(","))
    assert float(fields["energy_j"]) == m.energy_j
    assert float(fields["co2e_g"]) == m.co2e_g
    assert abs(int(told[2]) - m.to_record()["clock_anchor"]["utc_ns"]) < 60e9


def test_an_exporter_leaves_out_what_is_not_known(here: Path) -> None:
    influx = followed("An exporter", work=lambda: None)["influx"]
    record = {"name": None, "t1_ns": 5, "clock_anchor": {"utc_ns": 100, "monotonic_ns": 10}}
    record |= dict.fromkeys(("energy_j", "measured_j", "modelled_j", "uncertainty_j", "co2e_g"))
    assert callable(influx)
    assert influx(record | {"duration_s": 0.5}) == b"energy,name=unnamed duration_s=0.5 95\n"
