#!/usr/bin/env python3
"""As documented: asyncio streams. Each client is a coroutine with a StreamReader and a StreamWriter.

With --uvloop as an argument, the same coroutines run on uvloop.

Slow reader. Echo: it is not read from while it does not read (drain). Time: a line that finds
the one before still unsent is skipped. Chat: the speaker waits for it (drain); after five
seconds it is cut off, so what waits for it is bounded.
"""

import asyncio
import resource
import signal
import sys
import time

BACKLOG = 4096
READ_BYTES = 64 * 1024
HIGH_WATER_BYTES = 64 * 1024
PATIENCE_SECONDS = 5


async def echo(reader, writer):
    while data := await reader.read(READ_BYTES):
        writer.write(data)
        await writer.drain()


class Clock:
    """Sends the time to everyone at each full second."""

    def __init__(self):
        self.writers = set()

    async def run(self):
        while True:
            # A millisecond behind the full second: a loop may count in milliseconds.
            await asyncio.sleep(1.001 - time.time() % 1)
            line = time_line()
            for writer in self.writers:
                if writer.transport.get_write_buffer_size() == 0:
                    writer.write(line)

    async def serve(self, _reader, writer):
        writer.write(time_line())
        self.writers.add(writer)
        try:
            await writer.wait_closed()
        finally:
            self.writers.discard(writer)


class Chat:
    """Passes each line of a client on to all others."""

    def __init__(self):
        self.writers = set()
        self.guests = 0

    async def serve(self, reader, writer):
        self.guests += 1
        name = f"guest{self.guests}"
        writer.transport.set_write_buffer_limits(HIGH_WATER_BYTES)
        writer.write(f"*** welcome, you are {name}\r\n".encode())
        self.writers.add(writer)
        try:
            while line := await reader.readline():
                if text := line.rstrip(b"\r\n"):
                    await self.say(writer, b"<%s> %s\r\n" % (name.encode(), text))
        finally:
            self.writers.discard(writer)

    async def say(self, speaker, line):
        waiting = []
        for writer in self.writers:
            if writer is not speaker:
                writer.write(line)
                if writer.transport.get_write_buffer_size() > HIGH_WATER_BYTES:
                    waiting.append(writer)
        for writer in waiting:
            try:
                await asyncio.wait_for(writer.drain(), PATIENCE_SECONDS)
            except (asyncio.TimeoutError, ConnectionError):
                self.writers.discard(writer)
                writer.transport.abort()


def time_line():
    # gmtime() alone would ask the kernel's coarse clock, which may still be in the second before.
    return time.strftime("%Y-%m-%dT%H:%M:%SZ\r\n", time.gmtime(time.time())).encode()


def closing(handler):
    """Ends the connection with its handler; a client that is gone or speaks no lines is no error."""

    async def handle(reader, writer):
        try:
            await handler(reader, writer)
        except (ConnectionError, TimeoutError, ValueError):
            pass
        finally:
            writer.close()

    return handle


async def main(kind, host, port):
    clock = Clock()
    handler = {"echo": echo, "time": clock.serve, "chat": Chat().serve}[kind]
    server = await asyncio.start_server(closing(handler), host, port, backlog=BACKLOG)
    async with server:
        if kind == "time":
            await clock.run()
        await server.serve_forever()


def run():
    arguments = sys.argv[1:]
    with_uvloop = "--uvloop" in arguments
    if with_uvloop:
        arguments.remove("--uvloop")
    if len(arguments) != 2 or arguments[0] not in ("echo", "time", "chat"):
        sys.stderr.write("usage: server.py echo|time|chat ADDR:PORT [--uvloop]\n")
        sys.exit(2)
    host, _, port = arguments[1].rpartition(":")
    start = asyncio.run
    if with_uvloop:
        try:
            import uvloop
        except ImportError:
            sys.stderr.write("uvloop is not installed for this Python\n")
            sys.exit(3)
        start = uvloop.run
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        start(main(arguments[0], host.strip("[]"), int(port)))
    except OSError as error:
        sys.exit(f"cannot listen on {arguments[1]}: {error.strerror}")


if __name__ == "__main__":
    run()
