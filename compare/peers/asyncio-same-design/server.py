#!/usr/bin/env python3
"""Same design: the algorithm of smol-servers on asyncio's protocols and transports.

One bounded log of lines for the room; a cursor for each member; one read buffer for the thread
(BufferedProtocol); socket options set once, on the listener, though asyncio sets TCP_NODELAY again.
A member's writer is `pump`, and its bell is `call_soon` of it: it takes all from its cursor to the
end with one write. What the socket does not take stays in the transport, whose watermarks are 0:
until all of it is gone, nothing more is written, so that no more than one chunk waits there.
What a member is due is a slice of the log without its own lines: nothing is done line by line.
A busy room pauses: it rings at once while it is quiet, then at the end of each pause.
Left out: telnet, cleaning of text, limits on clients, join and leave notices, log and figures.

With --uvloop as an argument, the same protocols run on uvloop.

Slow reader. Echo: it is not read from. Time: it skips to the newest line. Chat: one that is more
than 1 MiB behind is told how many lines it missed and goes on from the oldest kept. In all
three, it is cut off when it has output waiting and takes no byte for 30 s.
"""

import asyncio
import itertools
import resource
import signal
import socket
import sys
import time
from bisect import bisect_left, bisect_right
from collections import deque

BACKLOG = 4096
# Bytes of one read and of one write.
CHUNK = 16 * 1024
# Bytes that a client says in one line; what is longer becomes several.
LINE = 4 * 1024
# Bytes the chat's log keeps, and what a line costs there beside its own, as in ours.
LOG = 1024 * 1024
ENTRY = 16
# Lines of one client before others have their turn.
TURN = 16
# What each member adds to a pause of the chat, and the longest one, in seconds.
PAUSE_FOR_EACH = 0.0001
LONGEST_PAUSE = 0.01
# Bytes that may wait for the end of a pause.
WAITING = 8 * 1024
# Seconds in which a socket must take a byte, and between two looks whether it did.
STALL = 30
LOOK = 3
# Seconds for what one who leaves still has to read.
GRACE = 2

BUFFER = memoryview(bytearray(CHUNK))
# Before which line one leaves who has not left.
NEVER = sys.maxsize


class Room:
    """Lines, the oldest dropped first, and the members that wait for the next one."""

    def __init__(self, loop, limit):
        self.loop = loop
        self.limit = limit
        self.bytes = bytearray()
        self.dropped = 0
        # For each line kept, the bytes ever logged before its end.
        self.ends = deque()
        # Numbers of the oldest line kept and of the next one.
        self.first = self.next = 0
        self.waiting = {}
        # Number of the first line that nobody was woken for yet, and bytes of those from there on.
        self.rung = self.unrung = 0
        self.present = 0
        self.pauses = False

    def publish(self, line):
        """Appends a line, drops the oldest over the limit, and rings unless the room pauses."""
        while self.ends and len(self.bytes) + len(line) + (len(self.ends) + 1) * ENTRY > self.limit:
            end = self.ends.popleft()
            del self.bytes[: end - self.dropped]
            self.dropped = end
            self.first += 1
        self.bytes += line
        self.ends.append(self.dropped + len(self.bytes))
        self.next += 1
        self.unrung += len(line) + ENTRY
        if not self.pauses or self.unrung >= WAITING:
            self.ring()
        # A room that keeps no lines has none to gather.
        if not self.pauses and self.limit:
            self.pause()

    def ring(self):
        """Rings the bells of those who wait."""
        self.rung, self.unrung = self.next, 0
        waiting, self.waiting = self.waiting, {}
        for member in waiting:
            self.loop.call_soon(member.pump)

    def pause(self):
        self.pauses = True
        self.loop.call_later(min(PAUSE_FOR_EACH * self.present, LONGEST_PAUSE), self.end_pause)

    def end_pause(self):
        """Another pause begins, or the room is quiet again."""
        self.pauses = self.unrung > 0
        if self.pauses:
            self.ring()
            self.pause()

    def start(self, number):
        """Where line `number` begins in the bytes kept; for the next line, where it will."""
        return self.ends[number - self.first - 1] - self.dropped if number > self.first else 0

    def fitting(self, number, size):
        """The number of the first line from `number` on that does not end within `size` bytes."""
        start = self.start(number)
        if len(self.bytes) - start <= size:
            return self.next
        return self.first + bisect_right(self.ends, self.dropped + start + size)


class Client(asyncio.BufferedProtocol):
    """A connection that is cut off when its output waits and it takes no byte for 30 s."""

    __slots__ = ("loop", "transport", "timer")

    def __init__(self, loop):
        self.loop = loop
        self.timer = None

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(0)

    def get_buffer(self, _hint):
        return BUFFER

    def pause_writing(self):
        self.watch(0, 0)

    def watch(self, unsent, since):
        """Looks every few seconds whether anything was taken; `timer` is set as long as it does."""
        size, now = self.transport.get_write_buffer_size(), self.loop.time()
        if size != unsent:
            unsent, since = size, now
        if now - since < STALL:
            self.timer = self.loop.call_later(LOOK, self.watch, unsent, since)
        else:
            self.transport.abort()

    def resume_writing(self):
        self.timer.cancel()
        self.timer = None

    def connection_lost(self, _error):
        if self.timer:
            self.timer.cancel()


class Echo(Client):
    """Sends back what it reads; the transport closes when that is written and a FIN has come."""

    __slots__ = ()

    def buffer_updated(self, n):
        self.transport.write(bytes(BUFFER[:n]))

    def pause_writing(self):
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self):
        super().resume_writing()
        self.transport.resume_reading()


class Member(Client):
    """A member of the room, until it leaves; one without a name only listens."""

    __slots__ = ("room", "name", "told", "cursor", "until", "own", "own_dropped", "heard")

    def __init__(self, room, welcome, name=None):
        super().__init__(room.loop)
        self.room = room
        self.name = name
        # For it alone, before the lines at its cursor.
        self.told = welcome
        self.cursor = room.next
        self.until = NEVER
        # Numbers of its own lines from its cursor on, but those the log dropped, which are counted.
        self.own = []
        self.own_dropped = 0
        # What it has said of which no line is made yet.
        self.heard = bytearray()
        room.present += 1

    def connection_made(self, transport):
        super().connection_made(transport)
        self.pump()

    def buffer_updated(self, n):
        if self.name:
            self.heard += BUFFER[:n]
            self.listen()

    def listen(self):
        """Passes lines on; while some are left for another turn, nothing more is read."""
        for _ in range(TURN):
            end = self.heard.find(b"\n", 0, LINE) + 1
            if not end and len(self.heard) < LINE:
                self.transport.resume_reading()
                return
            line = self.heard[: end or LINE]
            del self.heard[: end or LINE]
            self.say(line)
        self.transport.pause_reading()
        self.loop.call_soon(self.listen)

    def say(self, line):
        if text := line.removesuffix(b"\n").removesuffix(b"\r"):
            self.own.append(self.room.next)
            self.room.publish(b"%s%s\r\n" % (self.name, text))
            self.forget_dropped()

    def forget_dropped(self):
        dropped = bisect_left(self.own, self.room.first)
        self.own_dropped += dropped
        del self.own[:dropped]

    def pump(self):
        """Makes one write of what is due, until it has left and taken all of it."""
        if self.timer or self.transport.is_closing():
            return
        if chunk := self.take():
            self.transport.write(chunk)
        if self.timer:
            return
        if self.cursor >= self.until:
            self.transport.close()
        elif self.cursor < self.room.rung or self.until < NEVER:
            self.loop.call_soon(self.pump)
        else:
            self.room.waiting[self] = None

    def take(self):
        """Moves past what is due, in whole lines, and returns it without its own lines."""
        room = self.room
        if self.cursor < room.first:
            self.catch_up()
        parts, self.told = [self.told], b""
        end = min(room.fitting(self.cursor, CHUNK - len(parts[0])), self.until)
        start = room.start(self.cursor)
        own = self.own[: bisect_left(self.own, end)]
        for number in own:
            parts.append(room.bytes[start : room.start(number)])
            start = room.start(number + 1)
        parts.append(room.bytes[start : room.start(end)])
        del self.own[: len(own)]
        self.cursor = end
        return b"".join(parts)

    def catch_up(self):
        """Tells it how many lines of others the log dropped before it came to them."""
        self.forget_dropped()
        reach = min(self.room.first, self.until)
        missed = reach - self.cursor - self.own_dropped
        self.cursor, self.own_dropped = reach, 0
        if missed and self.room.limit:
            self.told += b"*** you missed %d lines\r\n" % missed

    def resume_writing(self):
        super().resume_writing()
        # Not from within: the transport is in the middle of its own write.
        self.loop.call_soon(self.pump)

    def eof_received(self):
        self.say(self.heard)
        self.leave()
        self.loop.call_soon(self.pump)
        self.loop.call_later(GRACE, self.transport.abort)
        return True

    def connection_lost(self, error):
        super().connection_lost(error)
        self.leave()

    def leave(self):
        if self.until == NEVER:
            self.until = self.room.next
            self.room.present -= 1
        self.room.waiting.pop(self, None)


def time_line():
    # gmtime() alone would ask the kernel's coarse clock, which may still be in the second before.
    return time.strftime("%Y-%m-%dT%H:%M:%SZ\r\n", time.gmtime(time.time())).encode()


async def serve(kind, listener):
    loop = asyncio.get_running_loop()
    room = Room(loop, LOG if kind == "chat" else 0)
    guests = itertools.count(1)

    def guest():
        n = next(guests)
        return Member(room, b"*** welcome, you are guest%d\r\n" % n, b"<guest%d> " % n)

    client = {"echo": lambda: Echo(loop), "time": lambda: Member(room, time_line()), "chat": guest}
    server = await loop.create_server(client[kind], sock=listener, backlog=BACKLOG)
    while kind == "time":
        # A millisecond behind the full second: a loop may count in milliseconds.
        await asyncio.sleep(1.001 - time.time() % 1)
        room.publish(time_line())
    await server.serve_forever()


def listen(kind, host, port):
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    send_buffer = 64 * 1024 if kind == "echo" else 16 * 1024
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    listener.bind((host, port))
    return listener


def run():
    arguments = sys.argv[1:]
    with_uvloop = "--uvloop" in arguments
    if with_uvloop:
        arguments.remove("--uvloop")
    if len(arguments) != 2 or arguments[0] not in ("echo", "time", "chat"):
        sys.stderr.write("usage: server.py echo|time|chat ADDR:PORT [--uvloop]\n")
        sys.exit(2)
    kind, (host, _, port) = arguments[0], arguments[1].rpartition(":")
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
        start(serve(kind, listen(kind, host.strip("[]"), int(port))))
    except OSError as error:
        sys.exit(f"cannot listen on {arguments[1]}: {error.strerror}")


if __name__ == "__main__":
    run()
