"""`eco2ai-fast shim -- python old.py`: a program that imports another tracker gets this one, unedited."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from .. import compat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SITE = Path(compat.__file__).parent / "shim"
# What a shell says of a command that it does not find, or may not run.
NOT_FOUND, NOT_EXECUTABLE = 127, 126


@click.command("shim", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--only", metavar="NAME", multiple=True, type=click.Choice(compat.TABLES), help="Replace this one alone.")
@click.argument("argv", nargs=-1, required=True, metavar="-- CMD...", type=click.UNPROCESSED)
def command(only: Sequence[str], argv: Sequence[str]) -> None:
    """Runs CMD with the names of other trackers in place: `import eco2ai` imports this package.

    Holds for every Python that CMD starts, of any environment (not for `python -S`, `-I` and `-E`), whether or not the
    original is installed. CMD takes the place of this process: signals, streams and exit code are its own.
    """
    try:
        os.execvpe(argv[0], list(argv), environment(os.environ, only or compat.TABLES))
    except OSError as error:
        click.echo(f"eco2ai-fast shim: {argv[0]}: {error.strerror}", err=True)
        sys.exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)


def environment(before: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """The environment in which Python finds our sitecustomize first."""
    paths = [str(SITE), *filter(None, [before.get("PYTHONPATH")])]
    return {**before, "PYTHONPATH": os.pathsep.join(paths), "ECO2AI_FAST_SHIM": ",".join(names)}
