"""`eco2ai-fast run -- CMD`: its options, for `--help` and for whatever `plain` leaves to click."""

from __future__ import annotations

import sys
from typing import Any

import click

from . import running
from .plain import Options


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--zone", metavar="ZONE", help="Grid zone: FR, FRA, France.")
@click.option("--pue", type=float, metavar="PUE", help="Energy of the data centre over that of its computers, from 1.")
@click.option("--project", metavar="NAME", help="Label that `report` adds up by.")
@click.option("--stage", metavar="NAME", help="Label of the kind of work: training, inference, ...")
@click.option("--repeat", type=click.IntRange(1), default=1, metavar="N", help="Run CMD N times and show the spread.")
@click.option("--warmup", type=click.IntRange(0), default=0, metavar="K", help="Run CMD K times before, unmeasured.")
@click.option("--json", "as_json", is_flag=True, help="The record as one line of JSON instead of the table.")
@click.option("-o", "--output", "path", metavar="FILE", help="Write the record as JSON to FILE too.")
@click.option("-q", "--quiet", is_flag=True, help="Show nothing; for use with -o.")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] CMD [ARG]...")
def command(argv: tuple[str, ...], **values: Any) -> None:
    """Run CMD and show what it cost, on standard error.

    CMD keeps the terminal, the standard streams and its signals. The exit code is CMD's own: 128 + n if signal n
    killed it, 127 if it was not found, 126 if it could not be executed; 2 if this command line is wrong, and CMD was
    not run. A series ends with the first run that fails.

    With ECO2AI_FAST_DISABLE=1 CMD is run and nothing else happens.
    """
    options = Options()
    for name, value in values.items():
        setattr(options, name, value)
    try:
        code = running.run(argv, options)
    except running.WrongUsage as error:
        raise click.UsageError(str(error)) from None
    sys.exit(code)
