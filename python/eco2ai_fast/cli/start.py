"""The door of `eco2ai-fast`: to the program under measurement on the shortest way, else to click.

Importing click takes longer than all the rest that stands between `eco2ai-fast run` and the begin of CMD.
"""

from __future__ import annotations

import sys

from . import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

PROGRAM = "eco2ai-fast"


def main() -> NoReturn:
    """Does what the command line asks for, and ends the process."""
    words = sys.argv[1:]
    asked = plain.read(words[1:]) if words[:1] == ["run"] else None
    if asked is None:
        from .commands import main

        main(prog_name=PROGRAM)
        raise SystemExit  # click has ended the process before
    try:
        from .running import WrongUsage, run

        try:
            sys.exit(run(*asked))
        except WrongUsage as error:
            _refuse(str(error))
    except KeyboardInterrupt:  # before CMD was started: as it would have ended then
        from .process import die_of_interrupt

        die_of_interrupt()
        raise


def _refuse(reason: str) -> NoReturn:
    """As click does it."""
    from click import Context, UsageError

    from .commands import main
    from .run import command

    context = Context(command, info_name="run", parent=Context(main, info_name=PROGRAM))
    UsageError(reason, context).show()
    sys.exit(UsageError.exit_code)
