"""`python -m eco2ai_fast.cli` is `eco2ai-fast`."""

from . import main

main(prog_name="eco2ai-fast")
