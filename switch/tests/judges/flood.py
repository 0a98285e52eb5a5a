"""A merchant that runs away over lines: plain sales of the terminals of M2 in a load's roster, which nobody pays.

    flood.py PORT RATE SECONDS CONNECTIONS FIRST

Terminals FIRST, FIRST + 2, FIRST + 4, … (`loadtest roster --merchants 2` gives M2 the even ones) ask RATE times a second over
CONNECTIONS to a line that speaks `iso87-ascii` in `len2`, whether or not they are answered. At the end it says how often
each response code was told (docs/performance.md, Overload).
"""
import asyncio
import collections
import sys
import time

port, rate, seconds, connections, first = map(int, sys.argv[1:6])
TERMINALS = 4000
AFTERWARDS = 12
sent_at = time.gmtime()
DAY, CLOCK = time.strftime("%m%d", sent_at), time.strftime("%H%M%S", sent_at)
BITMAP = "%016X" % sum(1 << (64 - field) for field in (3, 4, 7, 11, 12, 13, 25, 41, 42, 49))
# Where DE 39 stands in an answer without DE 38: type, bitmap, 3, 4, 7, 11, 12, 13, 25, 37.
CODE = slice(78, 80)
told = collections.Counter()


def sale(number):
    terminal, trace = first + 2 * (number % TERMINALS), number // TERMINALS + 1
    who = f"T{terminal:07}" + "M2".ljust(15)
    body = f"0200{BITMAP}000000000000001250{DAY}{CLOCK}{trace:06}{CLOCK}{DAY}00{who}978".encode()
    return len(body).to_bytes(2, "big") + body


async def listen(reader):
    try:
        while True:
            length = int.from_bytes(await reader.readexactly(2), "big")
            told[(await reader.readexactly(length))[CODE].decode()] += 1
    except (asyncio.IncompleteReadError, ConnectionError):
        pass


async def main():
    lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)]
    listening = [asyncio.create_task(listen(reader)) for reader, _ in lines]
    began, asked = time.monotonic(), 0
    while (elapsed := time.monotonic() - began) < seconds:
        while asked < int(elapsed * rate):
            lines[asked % connections][1].write(sale(asked))
            asked += 1
        await asyncio.sleep(0.004)
    await asyncio.sleep(AFTERWARDS)
    print(f"asked {asked} times, told {dict(told)}, {sum(not task.done() for task in listening)} lines still open")


asyncio.run(main())
