"""A server and its benchmark client, two processes that know nothing of energy; the joules are joined afterwards.

    eco2ai-fast record --out trace -- python examples/serve_and_join.py result.json
    eco2ai-fast join result.json --trace trace --split tokens --idle rest

The server (asyncio) streams the digits of images, one line for each, by a real classifier on the CPU. The client sends
requests at random times and writes what vLLM's `bench serve --save-result --save-detailed` writes.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

REQUESTS = 60
MOST_IMAGES = 24
RATE_HZ = 15
PASSES = 10  # over each image: a classifier this small would be done before it was measured
QUIET_S = 2  # before and after, for the power of the machine at rest


async def serve() -> None:
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    images, labels = load_digits(return_X_y=True)
    model = MLPClassifier((256, 128), max_iter=100, random_state=0).fit(images, labels)
    workers = ThreadPoolExecutor(2)

    def classify(image: int) -> int:
        for _ in range(PASSES):
            (digit,) = model.predict(images[image : image + 1])
        return int(digit)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for image in range(int(await reader.readline())):
            digit = await asyncio.get_running_loop().run_in_executor(workers, classify, image)
            writer.write(f"{digit}\n".encode())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def request(port: int, images: int) -> dict[str, object]:
    """One request, with the clock that vLLM's client reads."""
    start_s = last_s = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{images}\n".encode())
    steps_s = []
    while await reader.readline():
        now_s = time.perf_counter()
        steps_s.append(now_s - last_s)
        last_s = now_s
    writer.close()
    return {"start": start_s, "ttft": steps_s[0], "itl": steps_s[1:], "output": len(steps_s), "input": images}


async def benchmark(port: int, path: str) -> None:
    chance = random.Random(0)
    await asyncio.sleep(QUIET_S)
    running = []
    for _ in range(REQUESTS):
        running.append(asyncio.create_task(request(port, chance.randint(1, MOST_IMAGES))))
        await asyncio.sleep(chance.expovariate(RATE_HZ))
    done = await asyncio.gather(*running)
    columns = {"start_times": "start", "ttfts": "ttft", "itls": "itl", "output_lens": "output", "input_lens": "input"}
    result = {name: [one[key] for one in done] for name, key in columns.items()}
    with open(path, "w") as file:
        json.dump(result | {"errors": [""] * len(done), "boot_id": boot_id()}, file)
    await asyncio.sleep(QUIET_S)


def boot_id() -> str:
    """Ties the result to this boot; with vLLM: --metadata boot_id=$(cat /proc/sys/kernel/random/boot_id)."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def main() -> None:
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
        return
    server = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
    try:
        asyncio.run(benchmark(int(server.stdout.readline()), sys.argv[1]))
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
