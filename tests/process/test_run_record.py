"""What `run` leaves behind: the record on standard error or in a file, and what happens when ours goes wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA = json.loads((DOCS / "record.schema.json").read_text())
RANGE_UJ = 262_143_328_850  # of the common Intel package


def check(record: dict) -> dict:
    jsonschema.validate(record, SCHEMA)
    return record


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with one package, whose counter the command itself moves."""
    root = tmp_path / "machine"
    zone = root / "sys/class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0\n")
    (zone / "energy_uj").write_text("1000000\n")
    (zone / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    return root


def on(cli, machine: Path) -> dict[str, str]:
    return cli.environment | {"ECO2AI_FAST_SYSROOT": str(machine)}


def counter(machine: Path) -> Path:
    return machine / "sys/class/powercap/intel-rapl:0/energy_uj"


def test_json_is_one_line_behind_the_commands_own_output(cli) -> None:
    done = cli.run("run", "--json", "--zone", "FR", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert done.stdout == "out\n"
    first, line = done.stderr.splitlines()
    assert first == "err"
    record = check(json.loads(line))
    assert (record["kind"], record["command"]["exit_code"], record["intensity"]["zone"]) == ("run", 3, "FR")
    assert record["settings"]["zone"] == {"value": "FR", "origin": "argument"}


def test_file_holds_the_same_record_and_replaces_an_old_one_whole(cli, tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    record, link = tmp_path / "real.json", tmp_path / "link.json"
    link.symlink_to(record)
    with record.open() as old:
        done = cli.run("run", "--json", "-o", str(link), "--", "true")
        assert old.read() == "old"  # whoever reads the old file reads it to its end
    assert check(json.loads(record.read_text())) == json.loads(done.stderr)
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "real.json"]


def test_record_may_go_into_a_pipe(cli) -> None:
    read, write = os.pipe()
    cli.run("run", "-q", "-o", f"/dev/fd/{write}", "--", "true", pass_fds=[write])
    os.close(write)
    with os.fdopen(read) as pipe:
        check(json.load(pipe))


def test_file_that_cannot_be_written_is_told_before_the_command_runs(cli, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere" / "record.json", tmp_path):
        done = cli.run("run", "-o", str(path), "--", "touch", str(tmp_path / "ran"))
        assert done.returncode == 2
        assert str(path.parent if path != tmp_path else path) in done.stderr
        assert not (tmp_path / "ran").exists()


def test_file_that_cannot_be_written_any_more_does_not_take_the_exit_code(cli, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    done = cli.run("run", "-o", str(folder / "record.json"), "--", "sh", "-c", f"rm -r {folder}; exit 3")
    assert done.returncode == 3
    assert "coverage" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("eco2ai-fast: no record: FileNotFoundError")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--zone", "nowhere"), "unknown grid zone 'nowhere'"),
        (("--pue", "-1"), "pue = -1.0 (argument): must be a finite number >= 1"),
        (("--pue", "nan"), "pue = nan"),
        (("--repeat", "0"), "0 is not in the range x>=1"),
        (("--no-such-option",), "No such option"),
    ],
)
def test_wrong_option_ends_with_2_before_the_command_runs(cli, tmp_path: Path, options, message: str) -> None:
    done = cli.run("run", *options, "--", "touch", str(tmp_path / "ran"))
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "ran").exists()


def test_wrong_setting_of_the_environment_is_named_with_its_variable(cli) -> None:
    done = cli.run("run", "--", "true", env=cli.environment | {"ECO2AI_FAST_ZONE": "nowhere"})
    assert done.returncode == 2
    assert "unknown grid zone 'nowhere' (from environment ECO2AI_FAST_ZONE)" in done.stderr


@pytest.mark.parametrize("options", [(), ("--warmup", "2"), ("--repeat=2",)])
def test_source_that_was_asked_for_and_is_not_there_is_told_before_the_command_runs(
    cli, tmp_path: Path, options: tuple[str, ...]
) -> None:
    environment = cli.environment | {"ECO2AI_FAST_SOURCES": "powercap", "ECO2AI_FAST_SYSROOT": str(tmp_path)}
    done = cli.run("run", *options, "--", "touch", str(tmp_path / "ran"), env=environment)
    assert done.returncode == 2
    assert "powercap" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_energy_is_exactly_what_the_counter_moved(cli, machine: Path) -> None:
    done = cli.run("run", "--json", "--", "sh", "-c", f"echo 5250000 > {counter(machine)}", env=on(cli, machine))
    record = check(json.loads(done.stderr))
    assert (record["energy_j"], record["measured_j"], record["modelled_j"]) == (4.25, 4.25, 0)
    assert record["missing"] == [{"domain": "dram", "reason": "no source"}]


def test_wrap_of_the_counter_changes_nothing(cli, machine: Path) -> None:
    counter(machine).write_text(f"{RANGE_UJ - 1_000_000}\n")
    done = cli.run("run", "--json", "--", "sh", "-c", f"echo 1999999 > {counter(machine)}", env=on(cli, machine))
    assert json.loads(done.stderr)["energy_j"] == 3.0  # 1 J to the end, 1 uJ for the step to 0, 1.999999 J behind it


@pytest.mark.parametrize("content", ["garbage", "", "-1", "1e9"])
def test_counter_that_cannot_be_read_is_named_and_never_zero(cli, machine: Path, content: str) -> None:
    counter(machine).write_text(content)
    done = cli.run("run", "--json", "--", "sh", "-c", "exit 3", env=on(cli, machine))
    assert done.returncode == 3
    record = check(json.loads(done.stderr))
    assert (record["energy_j"], record["co2e_g"], record["coverage"]) == (None, None, None)
    assert "package" in [one["domain"] for one in record["missing"]]


def test_counter_that_goes_bad_during_the_run_is_flagged(cli, machine: Path) -> None:
    done = cli.run("run", "--json", "--", "sh", "-c", f"echo garbage > {counter(machine)}", env=on(cli, machine))
    record = check(json.loads(done.stderr))
    (package,) = record["domains"]
    assert package["fault"] == "unreadable text"
    assert package["coverage"] < 1
    assert any("a reading failed" in note for note in record["notes"])


def test_machine_where_nothing_can_be_read_runs_the_command_and_says_unknown(cli, tmp_path: Path) -> None:
    environment = cli.environment | {"ECO2AI_FAST_SYSROOT": str(tmp_path / "empty")}
    done = cli.run("run", "--", "sh", "-c", "echo out; exit 3", env=environment)
    assert (done.returncode, done.stdout) == (3, "out\n")
    assert "unknown" in done.stderr
    assert " 0 J" not in done.stderr


def test_series_has_its_runs_and_their_statistics(cli, tmp_path: Path) -> None:
    script = f"echo x >> {tmp_path}/ran"
    done = cli.run("run", "--repeat", "3", "--warmup", "2", "--json", "--", "sh", "-c", script)
    series = check(json.loads(done.stderr))
    assert (tmp_path / "ran").read_text() == "x\n" * 5
    assert (len(series["runs"]), series["asked"], series["warmup"]) == (3, 3, 2)
    durations = [run["duration_s"] for run in series["runs"]]
    spread = series["statistics"]["duration_s"]
    assert (spread["n"], spread["min"], spread["max"]) == (3, min(durations), max(durations))
    assert spread["mean"] == pytest.approx(sum(durations) / 3)


def test_series_ends_with_the_run_that_fails_and_its_exit_code(cli, tmp_path: Path) -> None:
    script = f"echo x >> {tmp_path}/ran; [ $(wc -l < {tmp_path}/ran) -lt 3 ] || exit 6"
    done = cli.run("run", "--repeat", "5", "--", "sh", "-c", script)
    assert done.returncode == 6
    assert (tmp_path / "ran").read_text() == "x\n" * 3
    assert "run 3 of 5 ended with exit code 6" in done.stderr
    assert "2 runs, 5 were asked for" in done.stderr


def test_series_whose_first_run_fails_has_no_summary(cli) -> None:
    done = cli.run("run", "--repeat", "5", "--", "no-such-command")
    assert done.returncode == 127
    assert done.stderr.splitlines() == [
        "eco2ai-fast: no-such-command: No such file or directory",
        "eco2ai-fast: run 1 of 5 ended with exit code 127: no more runs",
    ]
