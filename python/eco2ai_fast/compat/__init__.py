"""The names of other trackers, for programs that import them.

    import eco2ai_fast.compat
    eco2ai_fast.compat.install()     # from now on `import eco2ai` is this package

Programs that shall not be edited are run by `eco2ai-fast shim -- python old.py`.
"""

from __future__ import annotations

from .installer import TABLES, find_spec, install

__all__ = ["TABLES", "find_spec", "install"]
