"""`run` without click understands what click does, and leaves the rest to it."""

from __future__ import annotations

from itertools import product

import click
import pytest

from eco2ai_fast.cli import plain
from eco2ai_fast.cli.run import command

OPTIONS = (
    [], ["--zone", "FR"], ["--pue", "1.2"], ["--pue", "x"], ["--pue"], ["--repeat", "3"], ["--repeat", "0"],
    ["--repeat", "1.5"], ["--warmup", "0"], ["--warmup", "-1"], ["--json"], ["-q"], ["--quiet", "--json"], ["-o", "f"],
    ["--output", "f", "-o", "g"], ["--project", "p", "--stage", "s"], ["--zone=FR"], ["-of"], ["--zo", "FR"],
    ["--zone", "--pue"], ["--zone", ""], ["-qo", "f"], ["--help"], ["--nonsense"],
)  # fmt: skip
COMMANDS = ([], ["true"], ["--", "true"], ["--"], ["--", "--", "a"], ["a", "--", "-q"], ["--", "-q"], ["", "b"], ["-"])


def by_click(words: list[str]) -> dict[str, object] | None:
    try:
        return dict(command.make_context("run", list(words)).params)
    except (click.exceptions.Exit, click.UsageError):
        return None


@pytest.mark.parametrize("words", [one + rest for one, rest in product(OPTIONS, COMMANDS)], ids=" ".join)
def test_plain_words_mean_what_they_mean_to_click(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    found = plain.read(words)
    if found is not None:
        argv, options = found
        values = {name: getattr(options, name) for name in plain.Options.__slots__}
        assert by_click(words) == values | {"argv": argv}


def test_usual_command_lines_are_plain() -> None:
    for words in (["true"], ["--", "true"], ["--zone", "FR", "-q", "-o", "f", "--repeat", "3", "--", "a", "-c", ""]):
        assert plain.read(words) is not None


def test_every_option_of_run_has_a_place() -> None:
    assert {one.name for one in command.params} == {*plain.Options.__slots__, "argv"}
    spelled = {name for one in command.params if isinstance(one, click.Option) for name in one.opts}
    assert spelled == {*plain._VALUES, *plain._FLAGS}
