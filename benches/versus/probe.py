"""What does one tool cost the process that it is in? Run by the tool's own interpreter; needs nothing but that.

    python probe.py TOOL once                   # import, construct, start, stop: times, memory, threads, children
    python probe.py TOOL background PERIOD S    # CPU of the process and its descendants over S seconds of sleep
    python probe.py TOOL windows S              # the cost of a window, again and again for about S seconds

PERIOD is in seconds, or "default". The last line of the output is "PROBE" and one JSON object.
"""

import contextlib
import glob
import importlib
import json
import os
import resource
import statistics
import sys
import threading
import time

COUNTERS = "/sys/class/powercap/intel-rapl:*/energy_uj"


class Subject:
    """One way to use one tool; `period` None means its default."""

    module = None

    def load(self):
        self.m = importlib.import_module(self.module) if self.module else None

    def make(self, period):
        pass

    def start(self):
        pass

    def stop(self):
        pass

    def window(self):
        """One measured window, on a tool that is running."""
        raise NotImplementedError("it has no windows inside a run")


class Bare(Subject):
    """What any reader of counters must do: their files kept open, read with the time; here in plain Python."""

    def make(self, period):
        self.period = period
        self.files = [os.open(path, os.O_RDONLY) for path in glob.glob(COUNTERS)]  # noqa: PTH207

    def start(self):
        if self.period:
            threading.Thread(target=self.sample, daemon=True).start()

    def sample(self):
        begin, ticks = time.monotonic(), 0
        while True:
            self.read()
            ticks += 1
            time.sleep(max(0, begin + ticks * self.period - time.monotonic()))

    def read(self):
        return time.perf_counter_ns(), [int(os.pread(file, 32, 0)) for file in self.files]

    def window(self):
        t0_ns, before = self.read()
        t1_ns, after = self.read()
        return t1_ns - t0_ns, sum(after) - sum(before)


class BareClocks(Subject):
    """What any mark in Python must do: a context manager that takes two readings of the clock."""

    def make(self, period):
        clock = time.perf_counter_ns

        class Clocks:
            __slots__ = ("name", "t0_ns", "t1_ns")

            def __init__(self, name):
                self.name = name

            def __enter__(self):
                self.t0_ns = clock()
                return self

            def __exit__(self, *error):
                self.t1_ns = clock()

        self.clocks = Clocks

    def window(self):
        with self.clocks("step"):
            pass


class Ours(Subject):
    """`measure()`: the window is a reused one."""

    module = "eco2ai_fast"

    def make(self, period):
        self.stopwatch = self.m.measure("step")
        self.running = self.stopwatch if period is None else self.m.Meter(rate_hz=1 / period)

    def start(self):
        self.running.__enter__()

    def stop(self):
        self.running.__exit__(None, None, None)

    def window(self):
        with self.stopwatch:
            pass


class OursSampled(Ours):
    """Sampling alone, without hunting the instants at which the meters move."""

    def make(self, period):
        self.running = self.m.Meter(rate_hz=1 / period, edges=False)


class OursSpan(Ours):
    """`meter.span()` on a meter at its default rate."""

    def make(self, period):
        self.running = self.m.Meter()

    def window(self):
        with self.running.span("step"):
            pass


class OursTracker(Subject):
    """The drop-in for eco2AI, which writes the same file."""

    module = "eco2ai_fast"

    def make(self, period):
        period = 10 if period is None else period
        self.tracker = self.m.Tracker("p", "d", "e.csv", period, alpha_2_code="FR", ignore_warnings=True)

    def start(self):
        self.tracker.start()

    def stop(self):
        self.tracker.stop()


class Eco2ai(OursTracker):
    """Its README's tracker, with the country given, or it would ask the network."""

    module = "eco2ai"


class Eco2aiEpochs(Eco2ai):
    """Its windows are epochs, each a row in its file."""

    def start(self):
        self.tracker.start_training()

    def window(self):
        self.tracker.new_epoch({"step": 1})


class CodeCarbon(Subject):
    """Its tracker that asks no network; its windows are tasks."""

    module = "codecarbon"

    def make(self, period):
        options = {} if period is None else {"measure_power_secs": period}
        self.tracker = self.m.OfflineEmissionsTracker(country_iso_code="FRA", log_level="critical", **options)

    def start(self):
        self.tracker.start()

    def stop(self):
        self.tracker.stop()

    def window(self):
        self.tracker.start_task("step")
        self.tracker.stop_task("step")


class CodeCarbonTasks(CodeCarbon):
    """Tasks alone, without start()."""

    def start(self):
        pass


class CarbonTracker(Subject):
    """Its windows are epochs."""

    module = "carbontracker.tracker"

    def make(self, period):
        options = {} if period is None else {"update_interval": period}
        self.tracker = self.m.CarbonTracker(epochs=10**6, epochs_before_pred=0, verbose=0, **options)

    def start(self):
        self.tracker.epoch_start()

    def stop(self):
        self.tracker.epoch_end()
        self.tracker.stop()

    def window(self):
        self.tracker.epoch_end()
        self.tracker.epoch_start()


class Zeus(Subject):
    """A monitor and its windows; there is no period to ask for."""

    module = "zeus.monitor"

    def make(self, period):
        self.monitor = self.m.ZeusMonitor()

    def start(self):
        self.monitor.begin_window("run", sync_execution=False)

    def stop(self):
        self.monitor.end_window("run", sync_execution=False)

    def window(self):
        self.monitor.begin_window("step", sync_execution=False)
        self.monitor.end_window("step", sync_execution=False)


class PyJoules(Subject):
    """A meter over all domains that it finds; there is no period to ask for."""

    module = "pyJoules.energy_meter"

    def make(self, period):
        devices = importlib.import_module("pyJoules.device").DeviceFactory.create_devices()
        self.meter = self.m.EnergyMeter(devices)

    def start(self):
        self.meter.start()

    def stop(self):
        self.meter.stop()

    def window(self):
        self.meter.start()
        self.meter.stop()


class Perun(Subject):
    """Its decorator, around a function that ends when told to."""

    module = "perun"

    def make(self, period):
        options = {} if period is None else {"sampling_period": period}
        self.entered, self.leave = threading.Event(), threading.Event()

        @self.m.perun(**options)
        def region():
            self.entered.set()
            self.leave.wait()

        self.thread = threading.Thread(target=region)

    def start(self):
        self.thread.start()
        while not self.entered.wait(0.05):
            if not self.thread.is_alive():
                raise RuntimeError("it did not call the function")

    def stop(self):
        self.leave.set()
        self.thread.join()


SUBJECTS = {
    "bare": Bare,
    "bare-clocks": BareClocks,
    "eco2ai_fast": Ours,
    "eco2ai_fast-sampled": OursSampled,
    "eco2ai_fast-span": OursSpan,
    "eco2ai_fast-tracker": OursTracker,
    "eco2ai": Eco2ai,
    "eco2ai-epochs": Eco2aiEpochs,
    "codecarbon": CodeCarbon,
    "codecarbon-tasks": CodeCarbonTasks,
    "carbontracker": CarbonTracker,
    "zeus": Zeus,
    "pyjoules": PyJoules,
    "perun": Perun,
}


def descendants():
    """Processes below this one that are alive."""
    parents = {}
    for status in glob.glob("/proc/[0-9]*/stat"):  # noqa: PTH207
        with contextlib.suppress(OSError), open(status) as file:
            pid, rest = file.read().split(" (", 1)
            parents[int(pid)] = int(rest.rpartition(")")[2].split()[1])
    found, new = [], [os.getpid()]
    while new:
        new = [pid for pid, parent in parents.items() if parent in new]
        found += new
    return found


def others_cpu_s():
    """CPU time of this process's children that ended, and of its descendants that live."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = ended.ru_utime + ended.ru_stime
    for pid in descendants():
        with contextlib.suppress(OSError):
            # The CPU clock of another process, as include/linux/posix-timers.h makes its number.
            total += time.clock_gettime((~pid << 3) | 2)
    return total


def rss_mb(pids=("self",)):
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/statm") as file:
            total += int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return total


def threads():
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208


def timed_ms(call, *arguments):
    begin = time.perf_counter()
    call(*arguments)
    return 1e3 * (time.perf_counter() - begin)


def once(subject):
    bare_mb, others0_s, cpu0 = rss_mb(), others_cpu_s(), time.process_time()
    found = {"import_ms": timed_ms(subject.load), "import_cpu_ms": 1e3 * (time.process_time() - cpu0)}
    found["import_mb"] = rss_mb() - bare_mb
    found["make_ms"] = timed_ms(subject.make, None)
    found["start_ms"] = timed_ms(subject.start)
    time.sleep(0.3)
    children = descendants()
    found.update(threads=threads() - 1, children=len(children), running_mb=rss_mb(["self", *children]) - bare_mb)
    found["stop_ms"] = timed_ms(subject.stop)
    found["new_start_stop_ms"] = found["make_ms"] + found["start_ms"] + found["stop_ms"]
    found["cpu_ms"] = 1e3 * (time.process_time() - cpu0 + others_cpu_s() - others0_s)
    return found


def background(subject, period, seconds):
    subject.load()
    subject.make(period)
    subject.start()
    time.sleep(4 if descendants() else 1)  # helpers import before they rest
    # Looking for the others costs CPU itself, so it is done outside of what counts for this process.
    others0_s, own0_s, begin = others_cpu_s(), time.process_time(), time.perf_counter()
    time.sleep(seconds)
    took_s, own_s = time.perf_counter() - begin, time.process_time() - own0_s
    used_s = own_s + others_cpu_s() - others0_s
    return {"core_percent": 100 * used_s / took_s, "threads": threads() - 1}


def windows(subject, seconds):
    """Nanoseconds a window: the median over batches of the mean of a batch."""
    subject.load()
    subject.make(None)
    if type(subject) is not Ours:  # its window is what start() begins
        subject.start()
    size = 1
    while batch_ns(subject, size) < 2e6 and size < 4096:
        size *= 2
    found, end = [], time.perf_counter() + seconds
    while len(found) < 3 or time.perf_counter() < end:
        found.append(batch_ns(subject, size) / size)
    return {"window_us": statistics.median(found) / 1e3, "batches": len(found), "batch": size}


def batch_ns(subject, size):
    begin = time.perf_counter_ns()
    for _ in range(size):
        subject.window()
    return time.perf_counter_ns() - begin


def main():
    subject, action, *rest = SUBJECTS[sys.argv[1]](), *sys.argv[2:]
    if action == "once":
        found = once(subject)
    elif action == "background":
        found = background(subject, None if rest[0] == "default" else float(rest[0]), float(rest[1]))
    else:
        found = windows(subject, float(rest[0]))
    sys.stdout.write("\nPROBE" + json.dumps(found) + "\n")
    sys.stdout.flush()
    if action != "once":
        os._exit(0)  # what a tool does at exit is no part of this, and some take seconds


if __name__ == "__main__":
    main()
