"""The commands of `eco2ai-fast`, each in a module of its own, imported when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from .._core import __version__

# In the order of `--help`.
COMMANDS = (
    "run",
    "record",
    "join",
    "report",
    "reprice",
    "zones",
    "import",
    "convert",
    "doctor",
    "config",
    "calibrate",
    "shim",
)
# A module cannot bear the name of a keyword and be imported by a statement.
_MODULES = {"import": "import_"}


class _Commands(click.Group):
    """Commands by name; `run` must not pay for importing the others."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f".{_MODULES.get(name, name)}", __package__).command
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="eco2ai-fast", message="%(prog)s %(version)s")
def main() -> None:
    """What a program costs in joules, CO2 and money.

    \b
    eco2ai-fast run -- python train.py      measures a program
    eco2ai-fast doctor                      says what can be measured here
    eco2ai-fast report run.json             reports, in the form that somebody asks for
    eco2ai-fast convert 300W 10h            computes
    """
