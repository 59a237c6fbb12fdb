"""`python -m eco2ai_fast.cli` is `eco2ai-fast`."""

from .start import main

main()
