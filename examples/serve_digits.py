"""Serves a real model to many clients at once, and tells the joules of each request and of each image.

    python examples/serve_digits.py

A classifier of handwritten digits is trained, then served by asyncio: clients send batches of images of different size
at random times, each batch runs in a worker thread, and several overlap. Every instant's energy is shared among the
requests then active, in proportion to their images.
"""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

import eco2ai_fast as eco

CLIENTS = 8
REQUESTS = 40  # of each client
MOST_IMAGES = 64
PASSES = 20  # over each batch: a classifier this small would be done before it was measured


async def client(seed: int, serve, images) -> None:
    chance = random.Random(seed)
    for _ in range(REQUESTS):
        await asyncio.sleep(chance.expovariate(100))
        await serve(images[: chance.randint(1, MOST_IMAGES)])


async def main() -> None:
    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, _ = train_test_split(images, labels, test_size=0.25, random_state=0)
    with eco.stage("training"):
        model = MLPClassifier((256, 128), max_iter=60, tol=0, random_state=0).fit(train_x, train_y)

    def predict(batch):
        for _ in range(PASSES):
            classes = model.predict(batch)
        return classes

    with eco.Meter(rate_hz=200) as meter, ThreadPoolExecutor(4) as workers, eco.stage("serving"):
        requests = eco.inference(meter, unit="image")
        requests.measure_idle(0.5)

        async def serve(batch) -> None:
            async with requests.request() as request:
                request.units = len(batch)
                await asyncio.get_running_loop().run_in_executor(workers, predict, batch)

        await asyncio.gather(*(client(seed, serve, test_x) for seed in range(CLIENTS)))
        report = requests.report(weights="units")
        total = meter.energy_between(int(report.rows["t0_ns"].min()), int(report.rows["t1_ns"].max()))

    print(report)
    print(f"the meter's own total: {total}")
    if len(report.rows) > 1:
        print(report.plan(0.01))
    print(eco.life_cycle())


if __name__ == "__main__":
    # One thread a request: several with a pool of their own would wait for each other.
    with threadpool_limits(1):
        asyncio.run(main())
