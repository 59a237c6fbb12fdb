"""Spans in real processes: forks, exits, threads that come and go."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest


def run(code: str, timeout_s: float = 60) -> str:
    """What a fresh interpreter prints; it must end well."""
    command = [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


def test_a_million_spans_from_eight_threads_are_all_there() -> None:
    out = run(
        """
        import threading
        import eco2ai_fast as eco

        meter = eco.Meter(sources="estimate").start()

        def work(thread):
            for number in range(125_000):
                with meter.span("x", thread=thread):
                    pass

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        [one.start() for one in threads], [one.join() for one in threads]
        spans = meter.spans("share")
        print(len(spans), spans.dropped, spans.overwritten, spans.unmatched, spans.lost)
        parts_uj = round(float((spans["energy_j"] * 1e6).round().sum()))
        print(parts_uj + round((spans.rest_j + spans.open_j) * 1e6) - round(spans.whole_j * 1e6))
        print(sorted((spans["thread"] == number).sum() for number in range(8)) == [125_000] * 8)
        """
    )
    assert out.split("\n")[:3] == ["1000000 0 0 0 0", "0", "True"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_the_child_of_a_fork_tells_its_own_spans_alone() -> None:
    out = run(
        """
        import os, sys, time, warnings
        import eco2ai_fast as eco

        warnings.simplefilter("ignore")  # of Python 3.12 on, that the parent has threads
        meter = eco.Meter(sources="estimate").start()
        with meter.span("parent"):
            time.sleep(0.05)
        outer = meter.begin("around the fork")
        child = os.fork()
        if not child:
            with meter.span("child"):
                time.sleep(0.3)
            meter.end(outer)
            spans = meter.spans()
            good = list(spans.labels("name")) == ["child"] and spans["energy_j"][0] > 0
            good = good and meter.stats()["wakeups"] > 5
            os._exit(0 if good else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        meter.end(outer)
        print(*meter.spans().labels("name"))
        """
    )
    assert out == "0\nparent around the fork\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_every_child_of_a_fork_has_spans_whatever_its_parent_was_just_resolving() -> None:
    out = run(
        """
        import os, threading, warnings
        import eco2ai_fast as eco

        warnings.simplefilter("ignore")
        meter = eco.Meter(sources="estimate").start()
        done = threading.Event()
        len(meter.spans())  # imports: a fork in the middle of another thread's import leaves its lock with the child

        def work():
            while not done.is_set():
                for number in range(500):
                    with meter.span("parent", number=number):
                        pass
                len(meter.spans())  # a pass: holds the book for most of the time
                meter.forget_spans()

        thread = threading.Thread(target=work)
        thread.start()
        bad = 0
        for _ in range(100):
            child = os.fork()
            if not child:
                try:
                    with meter.span("child"):
                        pass
                    os._exit(0 if list(meter.spans().labels("name")) == ["child"] else 1)
                except BaseException:
                    os._exit(2)
            bad += os.waitpid(child, 0)[1] != 0
        done.set()
        thread.join()
        meter.stop()
        print(bad)
        """
    )
    assert out == "0\n"


def test_a_program_may_end_with_an_open_span_and_a_running_meter() -> None:
    run(
        """
        import eco2ai_fast as eco

        meter = eco.Meter(sources="estimate").start()
        span = meter.begin("never ends")
        with meter.span("x"):
            raise SystemExit(0)
        """
    )


def test_no_thread_stays_after_stop() -> None:
    out = run(
        """
        import os, time
        import eco2ai_fast as eco

        before = len(os.listdir("/proc/self/task"))
        for _ in range(3):
            with eco.Meter(sources="estimate") as meter, meter.span("x"):
                pass
        deadline = time.monotonic() + 20
        while len(os.listdir("/proc/self/task")) > before and time.monotonic() < deadline:
            time.sleep(0.01)
        print(len(os.listdir("/proc/self/task")) - before)
        """
    )
    assert out == "0\n"


def test_threads_that_come_and_go_leave_their_spans_and_no_memory() -> None:
    out = run(
        """
        import threading
        import eco2ai_fast as eco

        def resident_kib():
            with open("/proc/self/status") as file:
                return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

        meter = eco.Meter(sources="estimate").start()

        def work():
            with meter.span("x"):
                pass

        def crowd(number):
            for _ in range(number):
                thread = threading.Thread(target=work)
                thread.start()
                thread.join()
            return len(meter.spans())

        crowd(200)
        before = resident_kib()
        print(crowd(1500))
        print(resident_kib() - before < 16_000)
        """
    )
    # 1,500 logs of 32 KiB would be 48 MB.
    assert out == "1700\nTrue\n"
