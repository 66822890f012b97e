#!/usr/bin/env python3
"""Draws real talks: `record.py CHAT FOLDER` starts the chat server CHAT, lets two people talk at
pseudo-terminals, and draws what both screens show: FOLDER/talk.svg with telnet and nc, and
FOLDER/edit.svg with a half-typed line in telnet.

The same talk gives the same picture: the server's port, which differs, is drawn as 8002.
"""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from html import escape

PATIENCE = 20  # seconds after which what is awaited counts as missing
PORT = "8002"  # the chat's own port, drawn in place of the one that was free
COLUMNS = 54
LINE, MARGIN, TITLE = 19, 14, 30  # heights and widths in pixels
WIDTH = 458
CURSOR = "█"
STYLE = (
    "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
    "fill:#e6e6e6;white-space:pre}.window{fill:#1b1f27;stroke:#59616f}.title{fill:#9aa4b5;"
    "text-anchor:middle}.server{fill:#7fb8ff}.typed{fill:#ffd580;font-weight:bold}"
    ".program{fill:#9aa4b5}"
)

# Reads commands as bash does at a terminal, but shows everybody the same prompt; a ^C ends the
# command alone.
SHELL = 'trap echo INT; while printf "$ " && read -r line; do eval "$line"; done'

# What the line editor writes beside text: how it sets the terminal, and rows written anew from
# their start, of which nothing older stays.
BEGINS = "\x1b[?1l\x1b[?2004h"
WRITTEN_OVER = re.compile(r".*\r(.*)\x1b\[K")


class Server:
    """The chat server at a free port of this machine."""

    def __init__(self, binary, *options):
        command = [binary, "--listen", "127.0.0.1:0", *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.port = self.logged("listening on").strip().rsplit(":", 1)[1]
        self.logged("only this machine")

    def logged(self, text):
        """The next line of the log that has this text."""
        for line in self.process.stderr:
            if text in line:
                return line
        sys.exit(f"the server ended before it logged {text!r}")

    def has_heard(self, lines):
        """Waits until people have said so many lines."""
        deadline = time.monotonic() + PATIENCE
        while f" lines_in={lines} " not in self.stats():
            if time.monotonic() > deadline:
                sys.exit(f"the server has not heard {lines} lines")

    def stats(self):
        self.process.send_signal(signal.SIGUSR1)
        return self.logged("lines_in=")

    def end(self):
        self.process.terminate()
        self.process.wait()


class Terminal:
    """A person at a terminal."""

    def __init__(self, title):
        self.title, self.typed = title, []
        self.screen, self.looked_at = b"", 0
        self.process, self.master = pty.fork()
        if self.process == 0:
            os.environ.update(TERM="xterm", LANG="C.UTF-8", HOME="/nonexistent")
            os.execvp("sh", ["sh", "-c", SHELL])
        self.shows("$ ")

    def shows(self, text):
        """Waits until the screen shows this text, behind what was awaited before."""
        wanted, deadline = text.encode(), time.monotonic() + PATIENCE
        while (at := self.screen.find(wanted, self.looked_at)) < 0:
            left = max(0, deadline - time.monotonic())
            if not select.select([self.master], [], [], left)[0]:
                sys.exit(f"{self.title} does not show {text!r}: {self.screen!r}")
            self.screen = re.sub(rb"\r+\n", b"\n", self.screen + os.read(self.master, 4096))
        self.looked_at = at + len(wanted)

    def types(self, line):
        """Types a line and Enter."""
        self.begins(line)
        self.presses(b"\r")
        self.shows("\n")

    def begins(self, line):
        """Types a line without Enter."""
        self.typed.append(line)
        self.presses(line.encode())
        self.shows(line)

    def presses(self, key):
        os.write(self.master, key)

    def lines(self):
        """The rows that are written, with the cursor if it stands behind text."""
        text = WRITTEN_OVER.sub(r"\1", self.screen.decode().replace(BEGINS, ""))
        if "\x1b" in text or "\r" in text:
            sys.exit(f"{self.title} shows more than plain text: {text!r}")
        text = text.removesuffix("\n") if text.endswith("\n") else text + CURSOR
        return text.split("\n")

    def end(self):
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


def talk(server, ann, bob):
    """Ann is alone first; Bob reads what she asked, they talk, and he leaves."""
    ann.types(f"telnet 127.0.0.1 {server.port}")
    ann.shows("*** welcome, you are guest1. nobody else is here yet\n")
    ann.types("anybody here?")
    server.has_heard(1)
    bob.types(f"nc 127.0.0.1 {server.port}")
    bob.shows("*** now:\n")
    ann.shows("*** guest2 joined (2 here)\n")
    for speaker, listener, line in [
        (bob, ann, "yes! Доброго ранку from Kyiv 🌞"),
        (ann, bob, "good morning! tea or coffee?"),
        (bob, ann, "tea, please 🍵"),
        (ann, bob, "it is on its way"),
        (bob, ann, "谢谢! I have to go now, see you"),
    ]:
        speaker.types(line)
        listener.shows(f"> {line}\n")
    bob.presses(b"\x03")
    bob.shows("$ ")
    ann.shows("*** guest2 left\n")


def edit(server, ann, bob):
    """Bob goes on talking while Ann types; she has not pressed Enter yet."""
    for person, others in [(ann, "nobody else is here yet"), (bob, "1 other here: guest1")]:
        person.types(f"telnet 127.0.0.1 {server.port}")
        person.shows(f"{others}\n")
        person.shows(BEGINS)
    ann.shows("*** guest2 joined (2 here)\n")
    bob.types("good morning! are you free on Friday?")
    ann.shows("Friday?\n")
    ann.types("yes, all day")
    bob.shows("> yes, all day\n")
    begun = "let's take the boat out, if only"
    ann.begins(begun)
    for line in ["they say it will rain", "tea at my place?", "I am baking a cake"]:
        bob.types(line)
        ann.shows(f"> {line}\n")
    ann.shows(begun)


def kind(line, typed):
    """The class that a line of a screen is drawn in."""
    if line.removeprefix("$ ").removesuffix(CURSOR) in typed:
        return "typed"
    if line.startswith("*** "):
        return "server"
    return "said" if line.startswith("<") else "program"


def text(x, y, line, style):
    return f'<text x="{x}" y="{y}" class="{style}">{escape(line, quote=False)}</text>'


def window(left, height, terminal, port):
    """One terminal with its title."""
    yield f'<rect class="window" x="{left + 0.5}" y="0.5" width="{WIDTH}" height="{height - 1}" rx="8"/>'
    yield text(left + WIDTH // 2, 20, terminal.title, "title")
    for number, line in enumerate(terminal.lines()):
        if len(line) > COLUMNS:
            sys.exit(f"{line!r} is wider than the window")
        style = kind(line, terminal.typed)
        yield text(left + MARGIN, TITLE + LINE * (number + 1), line.replace(port, PORT), style)


def picture(title, terminals, port):
    """The terminals side by side."""
    rows = max(len(terminal.lines()) for terminal in terminals)
    height = TITLE + LINE * rows + MARGIN
    step = WIDTH + 14
    width = step * len(terminals) - 13
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
    yield f"<title>{title}</title>"
    yield f"<style>{STYLE}</style>"
    for number, terminal in enumerate(terminals):
        yield from window(number * step, height, terminal, port)
    yield "</svg>"


def record(file, title, talk, server, client):
    """Draws a talk between Ann, in telnet, and Bob, in this client; ends the server."""
    ann, bob = Terminal("guest1, in telnet"), Terminal(f"guest2, in {client}")
    try:
        talk(server, ann, bob)
    finally:
        for each in (ann, bob, server):
            each.end()
    with open(file, "w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in picture(title, [ann, bob], server.port))


def main():
    binary, folder = sys.argv[1:]
    title = "Two people in the chat, one with telnet and one with nc"
    record(f"{folder}/talk.svg", title, talk, Server(binary), "nc")
    title = "Two people in the chat, one with a half-typed line below what the other says"
    record(f"{folder}/edit.svg", title, edit, Server(binary, "--edit"), "telnet")


main()
