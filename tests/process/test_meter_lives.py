"""A started meter in real processes: fork, spawn, exec, exit, signals, threads, sub-interpreters."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

# A meter on a counter of exactly 1 W by the machine's clock: it works on any machine, and its truth is time itself.
PRELUDE = """
import os, signal, sys, threading, time
import eco2ai_fast as eco
from eco2ai_fast.testing import ScriptedDomain

START_NS = time.perf_counter_ns() - 1_000_000_000
READINGS = [(START_NS + tick * 1_000_000, tick * 1_000 % 20_000_000) for tick in range(60_000)]

def started(**options):
    package = ScriptedDomain("package", READINGS, range_uj=20_000_000, max_power_w=20)
    return eco.Meter(sources=[package], **options).start()

def watts(meter, seconds=0.3):
    t0_ns = time.perf_counter_ns()
    time.sleep(seconds)
    m = meter.energy_between(t0_ns, time.perf_counter_ns())
    return round(m.energy_j / m.duration_s, 1)

def threads(expected=0):
    # A thread that was joined may need a moment to leave the kernel's list.
    for _ in range(200):
        found = len(os.listdir("/proc/self/task"))
        if found <= expected:
            break
        time.sleep(0.01)
    return found
"""


def run(code: str, *, timeout: float = 30, **options: object) -> subprocess.CompletedProcess[str]:
    program = PRELUDE + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=timeout,
        **options,  # type: ignore[call-overload]
    )


def lines(code: str) -> list[str]:
    answer = run(code)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    return answer.stdout.split()


def test_start_stop_and_restart_keep_the_curve_and_leave_no_thread() -> None:
    assert lines("""
        meter = started(rate_hz=200)
        print(threads(2), watts(meter))
        meter.stop()
        print(threads(1), meter.is_sampling)
        meter.start()
        print(threads(2), watts(meter))
        meter.stop()
        print(threads(1))
    """) == ["2", "1.0", "1", "False", "2", "1.0", "1"]


def test_a_forked_child_goes_on_with_threads_of_its_own_and_the_parent_is_untouched() -> None:
    assert lines("""
        import warnings; warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of fork beside threads
        meter = started(rate_hz=200)
        pid = os.fork()
        if pid == 0:
            before = threads()
            meter.read()
            ok = before == 1 and threads() == 2 and watts(meter) == 1.0
            meter.stop()
            os._exit(0 if ok and threads(1) == 1 else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), threads(), watts(meter))
        meter.stop()
    """) == ["0", "2", "1.0"]


def test_a_forked_child_that_never_looks_at_the_meter_exits_at_once() -> None:
    assert lines("""
        import warnings; warnings.simplefilter("ignore", DeprecationWarning)
        meter = started(rate_hz=200)
        with eco.measure(meter=meter):
            pid = os.fork()
            if pid == 0:
                sys.exit(0)  # the whole of Python's exit, with destructors of meter and window
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), watts(meter))
        meter.stop()
    """) == ["0", "1.0"]


def test_a_window_open_over_a_fork_is_right_in_the_parent_and_flagged_in_a_child_that_waited_too_long() -> None:
    """The child has no thread that follows its parent's window: within a wrap it is right, beyond it is told."""
    assert lines("""
        import warnings; warnings.simplefilter("ignore", DeprecationWarning)
        meter = eco.Meter(sources=[ScriptedDomain("package", READINGS, range_uj=20_000_000, max_power_w=20)])
        with eco.measure(meter=meter) as m:
            time.sleep(0.2)
            pid = os.fork()
            time.sleep(3.0)
        is_flagged = any("wrap" in note for note in m.notes)
        if pid == 0:
            os._exit(0 if is_flagged else 1)
        # One printer only: lines of two processes in one pipe may mix.
        print(round(m.energy_j / m.duration_s, 1), is_flagged, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """) == ["1.0", "False", "0"]


def test_a_reset_costs_a_window_no_more_than_a_second_of_guesswork() -> None:
    """Nobody but the keep-alive reads in between: of a counter of 1 W that falls to 0 it knows the power until then."""
    assert lines("""
        meter = eco.Meter(sources=[ScriptedDomain("package", [
            (START_NS + tick * 1_000_000, tick * 1_000 if tick < 3_500 else (tick - 3_500) * 1_000)
            for tick in range(20_000)
        ], range_uj=262_143_000_000, max_power_w=200)])
        with eco.measure(meter=meter) as m:
            time.sleep(4.0)
        print(abs(m.energy_j - m.duration_s) <= m.uncertainty_j < 3, any("anew" in note for note in m.notes))
    """) == ["True", "True"]


def test_a_spawned_worker_measures_for_itself() -> None:
    assert lines("""
        import multiprocessing
        def main():
            meter = started(rate_hz=100)
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.apply(len, ("four",)), watts(meter))
            meter.stop()
        if __name__ == "__main__":
            main()
    """) == ["4", "1.0"]


def test_exec_leaves_nothing_behind() -> None:
    assert lines("""
        meter = started(rate_hz=1000)
        with eco.measure(meter=meter):
            os.execv(sys.executable, [sys.executable, "-c", "import os; print(len(os.listdir('/proc/self/task')))"])
    """) == ["1"]


def test_leaving_with_open_windows_and_running_threads_is_quiet() -> None:
    assert lines("""
        meter = started(rate_hz=1000)
        window = eco.measure(meter=meter)
        window.__enter__()
        threading.Thread(target=lambda: time.sleep(0.2), daemon=True).start()
        print("bye")
    """) == ["bye"]


def test_ctrl_c_is_the_programs_own_and_the_meter_stops_with_it() -> None:
    program = PRELUDE + textwrap.dedent("""
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
        with started(rate_hz=1000) as meter, eco.measure(meter=meter) as m:
            try:
                print("ready", flush=True)
                time.sleep(20)
            except KeyboardInterrupt:
                print("interrupted")
        print(threads(1), m.energy_j >= 0)
    """)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    answer, _ = process.communicate(timeout=20)
    assert (answer.split(), process.returncode) == (["interrupted", "1", "True"], 0)


def test_sigkill_ends_it_at_once() -> None:
    program = PRELUDE + 'meter = started(rate_hz=1000)\nprint("ready", flush=True)\ntime.sleep(20)'
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    assert process.wait(timeout=10) == -signal.SIGKILL
    process.stdout.close()


def test_a_step_of_the_wall_clock_changes_nothing() -> None:
    """Nothing subtracts UTC: with a wall clock that jumps (here: a stand-in for time.time) the energy stays right."""
    assert lines("""
        jumps = iter(range(10**6))
        time.time = lambda: 1e9 * next(jumps)
        meter = started(rate_hz=200)
        print(watts(meter))
        meter.stop()
    """) == ["1.0"]


def test_many_threads_read_one_meter() -> None:
    assert lines("""
        meter = started(rate_hz=1000)
        bad = []
        def work():
            last = meter.read()
            for _ in range(2000):
                now = meter.read()
                if now.energy_uj[0] < last.energy_uj[0] or now.t_ns[0] < last.t_ns[0]:
                    bad.append((last, now))
                last = now
        workers = [threading.Thread(target=work) for _ in range(8)]
        [one.start() for one in workers]
        [one.join() for one in workers]
        print(len(bad), threads(2))
        meter.stop()
    """) == ["0", "2"]


def test_a_sub_interpreter_is_refused_with_a_clear_error() -> None:
    code = "import eco2ai_fast"
    program = f"""
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            import _interpreters as interpreters
        one = interpreters.create()
        try:
            answer = interpreters.run_string(one, {code!r})
        except Exception as error:
            answer = error
        print("sub-interpreters" in str(answer) or "subinterpreters" in str(answer))
    """
    answer = run(program)
    if "No module named" in answer.stderr:
        pytest.skip("this Python has no module for sub-interpreters")
    assert answer.stdout.strip() == "True", (answer.stdout, answer.stderr)


def test_a_meter_that_is_dropped_stops_its_thread() -> None:
    assert lines("""
        meter = started(rate_hz=1000)
        meter.read()
        del meter
        print(threads(1))
    """) == ["1"]


def test_switched_off_the_implicit_meter_is_never_made() -> None:
    code = "import eco2ai_fast as eco\nwith eco.measure() as m: pass\nprint(m.domains, eco.stopwatch._implicit)"
    env = os.environ | {"ECO2AI_FAST_DISABLE": "1"}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert answer.stdout.split() == ["{}", "None"]


def test_a_counter_that_stands_still_does_not_keep_a_core_busy() -> None:
    # Its next change is looked for by polling: without a bound that took nine tenths of a core. Two thousand readings
    # are the turns; the rest shows that it is looked for all the same.
    answer = lines("""
        still = ScriptedDomain("package", [(0, 5), (1, 5)])
        meter = eco.Meter(sources=[still], rate_hz=1000).start()
        time.sleep(2)
        stats = meter.stats()
        meter.stop()
        print(stats["polls"] > 10_000, stats["cpu_s"] < 0.25 * 2)
    """)
    assert answer == ["True", "True"]
