"""`eco2ai-fast config`: what is set, by whom, and the user's config file."""

from __future__ import annotations

import click

from .. import carbon, settings
from . import output
from .table import aligned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@click.group("config")
def command() -> None:
    """Show the settings, or keep one in the config file.

    An argument outranks eco2ai_fast.configure(), that the environment (ECO2AI_FAST_ZONE), and that the file.
    """


@command.command("get")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def get(name: str | None, as_json: bool) -> None:
    """Show one setting's value, or all settings with where they are from."""
    try:
        found = {setting.name: (setting, value, origin) for setting, value, origin in settings.all_settings()}
    except settings.SettingsError as error:
        raise click.ClickException(str(error)) from None
    if name is not None and name not in found:
        raise click.UsageError(f"unknown setting {name!r}: there are {', '.join(found)}")
    chosen = found if name is None else {name: found[name]}
    if as_json:
        values = {one: {"value": value, "origin": origin} for one, (_, value, origin) in chosen.items()}
        click.echo(output.as_json(values, indent=2), nl=False)
    elif name is not None:
        click.echo(_shown(found[name][1]))
    else:
        rows = [(one, _shown(value), origin, setting.description) for one, (setting, value, origin) in found.items()]
        click.echo("\n".join([*aligned(rows), f"  file: {settings.config_path()}"]))


@command.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("value")
def set_(name: str, value: str) -> None:
    """Keep a setting: eco2ai-fast config set zone FR."""
    try:
        if name == "zone":
            carbon.intensity(value)
        path = settings.set_in_file(name, value)
    except ValueError as error:  # SettingsError and FactorError
        raise click.UsageError(str(error)) from None
    _written(path, name)


@command.command("unset")
@click.argument("name")
def unset(name: str) -> None:
    """Take a setting out of the config file."""
    try:
        path = settings.set_in_file(name, None)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    _written(path, name)


def _written(path: str, name: str) -> None:
    """Says what holds now: an environment variable may stand before the file."""
    value, origin = settings.resolve(name)
    click.echo(f"{path}: {name} is {_shown(value)} (from {origin})")


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
