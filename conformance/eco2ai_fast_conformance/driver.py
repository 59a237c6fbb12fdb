"""One tool in a process of its own: started and stopped on command, with the instants at which that was.

    python driver.py ADAPTER.py [MODE]

Run by the tool's own interpreter, Python 3.8 or newer; needs nothing installed. Commands are lines of JSON on standard
input, answers are lines of JSON on standard output; whatever the tool prints goes to standard error instead, where the
runner keeps it. Instants are nanoseconds of CLOCK_MONOTONIC.

    {"do": "start", "meter": "cpu"}              -> {"event": "started", "called_ns": ..., "returned_ns": ...}
    {"do": "stop", "meter": "cpu", "at_ns": ...} -> {"event": "stopped", ..., "joules": ..., "doubts": [...]}

Before the first command it says {"event": "ready", "name": ..., "version": ...}, or, where the tool cannot be imported
and where a call raises, {"event": "failed", "where": ..., "error": ...}. `at_ns` delays a call until that instant. The
end of standard input ends it. README.md tells what an adapter is.
"""

import importlib.util
import json
import math
import os
import sys
import time
import traceback

try:
    from importlib.metadata import PackageNotFoundError, version
except ImportError:  # pragma: no cover - Python below 3.8
    version = None


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def load(path, mode):
    """The adapter at a path, under a name that no tool bears: an adapter may be called as its tool is."""
    spec = importlib.util.spec_from_file_location("conformance_adapter", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.MODE = mode or getattr(module, "MODES", [None])[0]
    return module


def distribution_version(adapter):
    """What is installed under the tool's name, or what the adapter says of a tool that pip did not install."""
    if hasattr(adapter, "VERSION"):
        return adapter.VERSION
    try:
        return version(getattr(adapter, "DISTRIBUTION", adapter.NAME))
    except PackageNotFoundError:
        return None


def timed(call, command):
    """A call at its instant: what it returned, and when it was called and came back."""
    time.sleep(max(0, command.get("at_ns", 0) - now_ns()) / 1e9)
    called_ns = now_ns()
    answer = call(command["meter"])
    return answer, {"called_ns": called_ns, "returned_ns": now_ns()}


def start(adapter, command):
    return dict(timed(adapter.start, command)[1], event="started")


def stop(adapter, command):
    joules, instants = timed(adapter.stop, command)
    doubts = [str(doubt) for doubt in getattr(adapter, "doubts", list)()]
    if joules is not None and not math.isfinite(joules):
        joules = None
    return dict(instants, event="stopped", joules=joules, doubts=doubts)


def attempt(where, call, *arguments):
    """What the call answers, or what it raised, as an event. What ends the process (SystemExit) does end it."""
    try:
        return call(*arguments)
    except Exception as error:
        traceback.print_exc()
        return {"event": "failed", "where": where, "error": "%s: %s" % (type(error).__name__, error)}


def ready(adapter):
    python = sys.version.split()[0]
    return {"event": "ready", "name": adapter.NAME, "version": distribution_version(adapter), "python": python}


def serve(path, mode, commands, answer):
    adapter = attempt("import", load, path, mode)
    if isinstance(adapter, dict):
        answer(adapter)
        return
    answer(ready(adapter))
    for line in commands:
        command = json.loads(line)
        answer(attempt(command["do"], {"start": start, "stop": stop}[command["do"]], adapter, command))


def main():
    # The tool must not find this folder's modules, nor write into the answers.
    sys.path = [folder for folder in sys.path if os.path.abspath(folder) != os.path.dirname(os.path.abspath(__file__))]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    mode = sys.argv[2] if len(sys.argv) > 2 else None
    serve(sys.argv[1], mode, sys.stdin, lambda event: answers.write(json.dumps(event) + "\n"))


if __name__ == "__main__":
    main()
