"""Settings: which value wins, what a wrong one says, and how the file is read and written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eco2ai_fast import settings


@pytest.fixture(autouse=True)
def config(own_config: Path) -> Path:
    return own_config


def write(config: Path, text: str) -> None:
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(text, encoding="utf-8")


def test_each_place_outranks_the_ones_behind_it(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.resolve("zone") == (None, "default")
    write(config, 'zone = "SE"\n')
    assert settings.resolve("zone") == ("SE", f"file {config}")
    monkeypatch.setenv("ECO2AI_FAST_ZONE", "DE")
    assert settings.resolve("zone") == ("DE", "environment ECO2AI_FAST_ZONE")
    settings.configure(zone="FI")
    assert settings.resolve("zone") == ("FI", "configure")
    assert settings.resolve("zone", "FR") == ("FR", "argument")


def test_ranks_follow_the_same_order(config: Path) -> None:
    origins = ["argument", "configure", "environment ECO2AI_FAST_ZONE", f"file {config}", "default"]
    assert [settings.rank(origin) for origin in origins] == [0, 1, 2, 3, 4]


def test_configure_takes_back_a_setting_with_none() -> None:
    settings.configure(pue=1.3)
    settings.configure(pue=None)
    assert settings.resolve("pue") == (1.0, "default")


def test_configure_sets_all_or_nothing() -> None:
    with pytest.raises(settings.SettingsError):
        settings.configure(zone="FR", pue=-1)
    assert settings.resolve("zone") == (None, "default")


def test_unknown_setting_names_the_known_ones() -> None:
    with pytest.raises(
        settings.SettingsError, match=r"unknown setting 'zon' \(configure\): there are zone, "
    ):
        settings.configure(zon="FR")


@pytest.mark.parametrize("bad", [-1, 0.99, "abc", float("nan"), float("inf"), True, [], ""])
def test_pue_below_one_or_no_number_is_refused(bad: object) -> None:
    with pytest.raises(settings.SettingsError, match=r"pue = .* \(argument\): must be a finite number >= 1"):
        settings.resolve("pue", bad)


def test_error_says_which_variable_holds_the_bad_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO2AI_FAST_PUE", "-0.5")
    with pytest.raises(settings.SettingsError, match=r"pue = '-0.5' \(environment ECO2AI_FAST_PUE\)"):
        settings.resolve("pue")


def test_error_says_which_line_holds_the_bad_value(config: Path) -> None:
    write(config, "# mine\n\npue = 0.3\n")
    with pytest.raises(settings.SettingsError, match=rf"\(file {config}:3\): must be a finite number >= 1"):
        settings.resolve("pue")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("intensity_g_per_kwh", 0, -1),
        ("price_per_kwh", -0.02, "dear"),
        ("cpu_tdp_w", 65, 0),
        ("cpu_idle_w", 0, -1),
        ("cpu_max_w", 200.5, 0),
        ("ram_w", "5", -1),
        ("instance_type", "m5.large", ""),
        ("sources", "perf", "guess"),
        ("basis", "direct", "both"),
        ("rate_hz", 100, 0),
        ("rate_hz", "auto", "fast"),
        ("currency", "EUR", ""),
        ("zone", "FR", "two\nlines"),
    ],
)
def test_setting_takes_a_good_value_and_refuses_a_bad_one(name: str, good: object, bad: object) -> None:
    assert settings.resolve(name, good)[1] == "argument"
    with pytest.raises(settings.SettingsError, match=name):
        settings.resolve(name, bad)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("zone\n", ":1: 'zone' is not of the form"),
        ("[carbon]\n", ":1: '\\[carbon\\]' is not of the form"),
        ("\nzon = 1\n", ":2"),
        ('zone = "FR"\nzone = "DE"\n', ":2: zone stands there twice"),
        ("zone = FR\n", ':1: .* a text needs quotes: "FR"'),
        ('zone = "FR\n', ":1: the closing quote is missing"),
        ('zone = "FR" SE\n', ":1: 'SE' stands behind the value"),
        ('zone = "a\\n"\n', ":1: the escape"),
        ("pue = \n", ":1"),
    ],
)
def test_broken_file_is_an_error_with_its_line(config: Path, text: str, complaint: str) -> None:
    write(config, text)
    with pytest.raises(settings.SettingsError, match=complaint):
        settings.resolve("zone")


def test_file_that_is_no_text_is_an_error(config: Path) -> None:
    config.parent.mkdir()
    config.write_bytes(b"zone = \xff\xfe\n")
    with pytest.raises(settings.SettingsError, match="cannot read the config file"):
        settings.resolve("zone")


def test_comments_quotes_and_numbers_are_understood(config: Path) -> None:
    write(
        config,
        '# all\nzone = \'FR\' # Paris\npue=1.25 # ours\ncurrency = "a # \\"b\\" \\\\"\nrate_hz = "auto"\n',
    )
    assert settings.resolve("zone")[0] == "FR"
    assert settings.resolve("pue")[0] == 1.25
    assert settings.resolve("currency")[0] == 'a # "b" \\'
    assert settings.resolve("rate_hz")[0] == "auto"


def test_changed_file_is_read_again(config: Path) -> None:
    write(config, 'zone = "FR"\n')
    assert settings.resolve("zone")[0] == "FR"
    settings.set_in_file("zone", "DE")
    assert settings.resolve("zone")[0] == "DE"
    config.unlink()
    assert settings.resolve("zone") == (None, "default")


def test_set_in_file_keeps_the_other_lines_and_leaves_no_draft(config: Path) -> None:
    write(config, '# mine\npue = 1.1 # room 3\nzone = "FR"')
    assert settings.set_in_file("zone", "US-CAL-CISO") == str(config)
    assert config.read_text() == '# mine\npue = 1.1 # room 3\nzone = "US-CAL-CISO"\n'
    settings.set_in_file("zone", None)
    assert config.read_text() == "# mine\npue = 1.1 # room 3\n"
    assert list(config.parent.iterdir()) == [config]


def test_set_in_file_refuses_a_bad_value_and_writes_nothing(config: Path) -> None:
    with pytest.raises(settings.SettingsError, match=r"pue = -1 \(config set\)"):
        settings.set_in_file("pue", -1)
    assert not config.exists()


def test_set_in_file_keeps_a_link_a_link(config: Path, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").write_text("")
    config.parent.mkdir()
    config.symlink_to(tmp_path / "dotfiles")
    settings.set_in_file("pue", 1.5)
    assert config.is_symlink()
    assert (tmp_path / "dotfiles").read_text() == "pue = 1.5\n"


def test_set_in_file_that_cannot_write_says_so(config: Path) -> None:
    config.parent.write_text("a file where the directory should be")
    with pytest.raises(settings.SettingsError, match=r"cannot (read|write) the config file"):
        settings.set_in_file("pue", 1.5)


def test_relative_xdg_directory_is_ignored_as_its_specification_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "here")
    monkeypatch.setenv("HOME", "/home/someone")
    assert settings.config_path() == "/home/someone/.config/eco2ai_fast/config.toml"


@pytest.mark.parametrize(
    ("text", "off"), [("1", True), ("yes", True), ("", False), ("0", False), ("False", False)]
)
def test_disable_variable(monkeypatch: pytest.MonkeyPatch, text: str, off: bool) -> None:
    monkeypatch.setenv("ECO2AI_FAST_DISABLE", text)
    assert settings.disabled() is off


def test_every_setting_has_a_description_and_a_default_it_accepts() -> None:
    for setting, value, origin in settings.all_settings():
        assert setting.description and origin == "default"
        assert value is None or setting.parse(value) == value


def test_importing_settings_and_carbon_reads_no_config_file(config: Path) -> None:
    write(config, "broken\n")
    code = "import eco2ai_fast.settings, eco2ai_fast.carbon; print('fine')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "fine\n"
