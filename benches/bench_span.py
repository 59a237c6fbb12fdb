"""What a span costs its caller, beside the cheapest context manager that Python itself can offer.

    python benches/bench_span.py

Each row is the median over rounds of the mean over a round, less the cost of the loop; what is compared takes turns, so
that a busy machine is busy for all.
"""

from __future__ import annotations

import threading
from itertools import pairwise
from statistics import median
from time import perf_counter, perf_counter_ns, process_time

import eco2ai_fast as eco

NAMES = [f"name-{number}" for number in range(100)]
ROUNDS = 200


class TwoClocks:
    """A context manager in Python that takes two readings of the clock and does nothing else."""

    __slots__ = ("name", "t0_ns", "t1_ns")

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> TwoClocks:
        self.t0_ns = perf_counter_ns()
        return self

    def __exit__(self, *error: object) -> None:
        self.t1_ns = perf_counter_ns()


def nothing() -> float:
    start = perf_counter_ns()
    for _ in NAMES:
        pass
    return (perf_counter_ns() - start) / len(NAMES)


def two_clocks() -> float:
    start = perf_counter_ns()
    for name in NAMES:
        with TwoClocks(name):
            pass
    return (perf_counter_ns() - start) / len(NAMES)


def span(meter: eco.Meter) -> float:
    start = perf_counter_ns()
    for name in NAMES:
        with meter.span(name):
            pass
    return (perf_counter_ns() - start) / len(NAMES)


def span_with_attribute(meter: eco.Meter) -> float:
    start = perf_counter_ns()
    for name in NAMES:
        with meter.span(name, tokens=128):
            pass
    return (perf_counter_ns() - start) / len(NAMES)


def scripted(domains: int, rate_hz: float | str = "auto") -> eco.Meter:
    """A meter on the machine's clock, with so many domains of 50 W that move every millisecond for a minute."""
    start_ns = perf_counter_ns()
    readings = [(start_ns + tick * 1_000_000, tick * 50_000) for tick in range(60_000)]
    scripts = [eco.testing.ScriptedDomain("package", readings, package=number) for number in range(domains)]
    return eco.Meter(sources=scripts, rate_hz=rate_hz)


def compare(title: str, meter: eco.Meter) -> None:
    contenders = {
        "loop": nothing,
        "two perf_counter_ns() in Python": two_clocks,
        "span": lambda: span(meter),
        "span with an integer": lambda: span_with_attribute(meter),
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            times[name].append(run())
    loop = median(times.pop("loop"))
    print(title)
    for name, values in times.items():
        ordered = sorted(values)
        low, middle, high = (ordered[len(ordered) * part // 100] - loop for part in (10, 50, 90))
        print(f"  {name:34} {middle:6.0f} ns   (10 to 90 of 100: {low:.0f} to {high:.0f})")


def million() -> None:
    """One million spans of eight threads, then their energies: nothing is resolved before it is asked for."""
    meter = scripted(1)
    meter.record()
    meter._has_spans = True  # no thread samples or resolves meanwhile

    def work() -> None:
        for number in range(125_000):
            if number % 100 == 0:
                meter.tick()  # some 10 kHz over all threads: every change is seen
            with meter.span("x", tokens=number):
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    instants = [(perf_counter(), process_time())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    instants.append((perf_counter(), process_time()))
    meter.span_table([0])
    instants.append((perf_counter(), process_time()))
    spans = meter.spans("share", weights="tokens")
    instants.append((perf_counter(), process_time()))
    print(f"{len(spans):,} spans of 8 threads, each with an integer, {spans.dropped} dropped")
    steps = zip(("written", "resolved", "shared"), pairwise(instants), strict=True)
    # Where others use the machine too, CPU time says what is ours.
    told = (f"{what} in {later[0] - now[0]:.2f} s ({later[1] - now[1]:.2f} of CPU)" for what, (now, later) in steps)
    print("  " + ", ".join(told))


def main() -> None:
    million()
    for domains in (1, 8):
        with scripted(domains) as meter:
            compare(f"{domains} domains at 100 Hz", meter)
    with scripted(8, rate_hz=1000) as meter:
        compare("8 domains at 1 kHz, changes hunted", meter)


if __name__ == "__main__":
    main()
