"""Connects, signs on (0800, profile A, len2), is answered and leaves, so many times a second: how long that takes.

    python3 switch/tests/judges/sign_on.py PORT RATE SECONDS

PORT is that of a line of `turnout serve` with a terminal T1. Counted is from when each was due. Exit code 1: one was not answered 00.
"""
import asyncio
import sys
import time


def frame(stan):
    bitmap = sum(1 << (128 - field) for field in (1, 7, 11, 41, 70))
    body = f"0800{bitmap:032X}1122175200{stan:06}T1      001".encode()
    return len(body).to_bytes(2, "big") + body


async def sign_on(port, stan, due, ended):
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frame(stan))
        length = int.from_bytes(await asyncio.wait_for(reader.readexactly(2), 5), "big")
        answer = (await reader.readexactly(length)).decode()
        writer.close()
        # The response code stands behind type, two bitmaps, date and time, and the trace number.
        ended.append((time.monotonic() - due, answer[:4] == "0810" and answer[52:54] == "00"))
    except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
        ended.append((time.monotonic() - due, False))


async def main(port, rate, seconds):
    ended, began, running = [], time.monotonic(), []
    for number in range(rate * seconds):
        due = began + number / rate
        await asyncio.sleep(max(0, due - time.monotonic()))
        running.append(asyncio.create_task(sign_on(port, number % 999_999 + 1, due, ended)))
    await asyncio.gather(*running)
    times = sorted(took for took, _ in ended)
    good = sum(is_good for _, is_good in ended)
    at = lambda part: f"{1000 * times[int((len(times) - 1) * part)]:.1f}"
    print(f"{good} of {len(ended)} signed on in {time.monotonic() - began:.1f} s; p50 {at(0.5)}, p99 {at(0.99)}, longest {at(1)} ms")
    sys.exit(good != len(ended))


asyncio.run(main(*map(int, sys.argv[1:4])))
