"""What eco2AI's README shows runs unedited under the shim, without a network, and leaves the files it promises."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

RunScript = Callable[..., "subprocess.CompletedProcess[str]"]

# The thirteen columns, byte for byte: the file format of eco2AI 0.3.12.
HEADER = (
    b"id,project_name,experiment_description,epoch,start_time,duration(s),power_consumption(kWh),"
    b"CO2_emissions(kg),CPU_name,GPU_name,OS,region/country,cost\n"
)

WORK = "sum(range(300_000))"

# The README's calls, with our own words where it has placeholders: file each leaves, and its rows' project names.
EXAMPLES = {
    "a tracker around a calculation": (
        f"""
import eco2ai
tracker = eco2ai.Tracker(project_name="YourProjectName", experiment_description="training of a model")
tracker.start()
{WORK}
tracker.stop()
""",
        "emission.csv",
        ["YourProjectName"],
    ),
    "the decorator": (
        f"""
from eco2ai import track
@track
def train_func(model, dataset, optimizer, epochs):
    return {WORK}
assert train_func("model", "dataset", "optimizer", 3) == {WORK}
""",
        "emission.csv",
        ["default project name"],
    ),
    "a second tracker takes the parameters of the first": (
        f"""
import eco2ai
tracker = eco2ai.Tracker(
    project_name="YourProjectName",
    experiment_description="training of a model",
    file_name="my_own.csv",
    )
tracker.start()
{WORK}
tracker.stop()
tracker = eco2ai.Tracker()
tracker.start()
{WORK}
tracker.stop()
""",
        "my_own.csv",
        ["YourProjectName", "YourProjectName"],
    ),
    "set_params": (
        f"""
from eco2ai import set_params, Tracker
set_params(
    project_name="My_default_project_name",
    experiment_description="We trained...",
    file_name="my_emission_file.csv"
)
tracker = Tracker()
tracker.start()
{WORK}
tracker.stop()
""",
        "my_emission_file.csv",
        ["My_default_project_name"],
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_runs_unedited_and_leaves_its_file(name: str, run_shimmed: RunScript, tmp_path: Path) -> None:
    script, file_name, projects = EXAMPLES[name]
    done = run_shimmed(script)
    assert done.returncode == 0, done.stderr
    content = (tmp_path / file_name).read_bytes()
    assert content.startswith(HEADER)
    rows = list(csv.DictReader(content.decode().splitlines()))
    assert [row["project_name"] for row in rows] == projects
    for row in rows:
        assert float(row["power_consumption(kWh)"]) > 0
        assert (row["epoch"], row["OS"], row["region/country"], row["cost"]) == ("N/A", "Linux", "World", "0")
    assert list(tmp_path.glob("*.csv")) == [tmp_path / file_name]
    assert not list(tmp_path.glob(".*.journal"))


def test_all_that_the_interface_offers_runs_in_one_script(run_shimmed: RunScript, tmp_path: Path) -> None:
    done = run_shimmed("""
import eco2ai
from eco2ai.emission_track import IncorrectMethodSequenceError
from eco2ai.utils import NotNeededExtensionError, NoCountryCodeError, IncorrectPricingDict, FileDoesNotExistsError
from eco2ai.tools.tools_gpu import NoGPUWarning
import warnings
warnings.filterwarnings("ignore", category=NoGPUWarning)

tracker = eco2ai.Tracker(
    project_name="p", experiment_description="d, e", file_name="e.csv", measure_period=1, alpha_2_code="RU",
    region="Moscow", cpu_processes="all", pue=2, encode_file=True,
    electricity_pricing={"8:30-19:00": 4, "19:00-6:00": 2, "6:00-8:30": 5}, ignore_warnings=True,
    timezone="Europe/Moscow",
)
assert tracker.emission_level() == 240.56 and tracker.measure_period() == 1 and tracker.id() is None
tracker.start_training(start_epoch=3)
sum(range(3_000_000))
tracker.new_epoch({"loss": 0.5, "acc": 0})
sum(range(3_000_000))
tracker.new_epoch({"loss": 0.25, "acc": 1})
try:
    tracker.start()
except IncorrectMethodSequenceError:
    print("out of turn")
tracker.stop_training()
for wrong, error in (
    (dict(file_name="e.txt"), NotNeededExtensionError),
    (dict(region="Moscow"), NoCountryCodeError),
    (dict(electricity_pricing={"0:00-12:00": 1}), IncorrectPricingDict),
):
    try:
        eco2ai.Tracker(**wrong)
    except error:
        print(error.__name__)
print(len(eco2ai.summary("e.csv")))
eco2ai.available_devices()
try:
    eco2ai.summary("absent.csv")
except FileDoesNotExistsError:
    print("no file")
""")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[:5] == ["out of turn", "NotNeededExtensionError", "NoCountryCodeError", "IncorrectPricingDict", "2"]
    assert said[-1] == "no file"
    rows = list(csv.DictReader((tmp_path / "e.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["epoch: 3, loss: 0.5, acc: 0, ", "epoch: 4, loss: 0.25, acc: 1, "]
    assert rows[0]["id"] == rows[1]["id"] and {row["region/country"] for row in rows} == {"RU/Moscow"}
    for row in rows:
        kwh, kg, cost = (float(row[name]) for name in ("power_consumption(kWh)", "CO2_emissions(kg)", "cost"))
        assert kwh > 0
        assert kg == pytest.approx(kwh * 0.24056)
        assert 2 * kwh * 0.999 <= cost <= 5 * kwh * 1.001
    encoded = (tmp_path / "encoded_e.csv").read_bytes()
    assert encoded.startswith(HEADER) and encoded.count(b"\n") == 3


def test_shim_holds_for_an_environment_that_has_neither_package(run_shimmed: RunScript, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    script = "import eco2ai; eco2ai.Tracker; print(eco2ai.__version__)"
    done = run_shimmed(script, python=str(tmp_path / "bare" / "bin" / "python"))
    assert (done.returncode, done.stdout) == (0, "0.3.12\n"), done.stderr


def test_shim_passes_on_exit_codes_and_runs_the_users_sitecustomize(
    run_shimmed: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import builtins; builtins.from_site = 7")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    assert run_shimmed("import eco2ai, sys; sys.exit(from_site)").returncode == 7


def test_program_that_imports_no_tracker_pays_for_none(run_shimmed: RunScript) -> None:
    done = run_shimmed("import sys; print([name for name in sys.modules if 'eco2ai' in name])")
    assert done.stdout == "[]\n", done.stderr
