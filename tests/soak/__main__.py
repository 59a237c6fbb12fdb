"""A random user for so many minutes: nothing may grow, nothing may fail, and no file may be torn.

    PYTHONPATH=tests python -m soak [--minutes 30] [--seed N] [--gpus]

He opens windows and spans, starts and stops meters and trackers, reads from threads, forks, and kills programs of his
at random points. What fails is counted and told, and not tried again. Exit code 1 if anything failed or a line is not
flat.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .flat import Usage, lines, shown, usage
from .user import User
from .victims import Victims

SAMPLES = 120
# Killing costs half a second, most else some milliseconds.
SHARE_OF_KILLS = 0.01
S_PER_MINUTE = 60
# glibc gives back the free end of a thread's arena only from a threshold on, which rises to twice the largest block
# that was ever freed: 2 MB in each of up to eight arenas a CPU, reached one after the other, which looks like a leak
# for an hour. Set to what it starts with, it stays there.
TRIM = {"MALLOC_TRIM_THRESHOLD_": "131072"}


def with_trim() -> None:
    """Starts this program over with that threshold: glibc reads it once, before Python runs."""
    if not TRIM.keys() <= os.environ.keys():
        os.execve(sys.executable, [sys.executable, "-m", "soak", *sys.argv[1:]], os.environ | TRIM)


def act(what: str, work: object, tried: Counter[str], failed: Counter[str]) -> None:
    tried[what] += 1
    try:
        work()  # type: ignore[operator]
    except Exception as error:
        failed[f"{what}: {error!r}"] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=None, help="default: drawn, and printed")
    parser.add_argument("--gpus", action="store_true", help="meters over GPUs too: their history grows for 14 hours")
    arguments = parser.parse_args()
    with_trim()
    seed = random.SystemRandom().randrange(1 << 32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}, {arguments.minutes:g} minutes", flush=True)
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_CONFIG_HOME"] = name
        folder = Path(name)
        return soak(folder, seed, arguments.minutes, arguments.gpus)


def soak(folder: Path, seed: int, minutes: float, gpus: bool) -> int:
    user, victims = User(folder, seed, gpus), Victims(folder, seed + 1)
    actions = user.actions()
    names = list(actions)
    tried: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    at: list[float] = []
    samples: list[Usage] = []
    begin = time.monotonic()
    while (now := (time.monotonic() - begin) / S_PER_MINUTE) < minutes:
        user.tree.move()
        if user.chance.random() < SHARE_OF_KILLS:
            act("program killed", victims.kill_one, tried, failed)
        else:
            what = user.chance.choice(names)
            act(what, actions[what], tried, failed)
        if now >= minutes * len(at) / SAMPLES:
            gc.collect()
            at.append(now)
            samples.append(usage())
    act("files judged", lambda: print(f"files: {victims.judge()}"), tried, failed)
    stats = user.meter.stats()
    user.meter.stop()
    print(f"tried {tried.total():,}: " + ", ".join(f"{what} {count:,}" for what, count in sorted(tried.items())))
    print(f"{victims.kills} programs killed alive, {victims.survivors} had ended before")
    print(f"the meter: {stats['wakeups']:,.0f} wake-ups, {stats['missed']:,.0f} missed, {stats['cpu_s']:.1f} s of CPU")
    print(f"failed: {failed.total()}" + "".join(f"\n  {count} x {what}" for what, count in failed.items()))
    found = lines(at, samples)
    for line in found:
        print(shown(line, 60, "hour"))
    return 0 if not failed and all(line.is_flat for line in found) else 1


if __name__ == "__main__":
    sys.exit(main())
