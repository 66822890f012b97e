#!/usr/bin/env python3
"""Builds the programs in each way that suits a small machine, and prints what each takes there:
bytes of the files, and of the chat the resident memory and the private dirty part of it (which no
other process shares and no file backs), at the start and with 1,000 idle clients.

Static programs are built with musl where rustup has its target, and otherwise with glibc; to stand
at a fixed address saves them relocations, and costs them the randomness of it.
"""

import os
import re
import resource
import signal
import socket
import subprocess
import sys

CARGO = os.environ.get("CARGO", "cargo")
CLIENTS = 1000
PATIENCE = 20  # seconds after which what is awaited counts as missing
FIXED = "-C relocation-model=static"
UTC = ["--no-default-features", "--features", "one-thread"]


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def static_target():
    """The target of static programs for this machine: its name, and flags for the compiler."""
    host = re.search(r"^host: (.*)", output("rustc", "-vV"), re.M)[1]
    musl = host.replace("-gnu", "-musl")
    library = output("rustc", "--print", "target-libdir", "--target", musl).strip()
    if os.path.isdir(library):
        return musl, FIXED
    return host, f"-C target-feature=+crt-static {FIXED}"


def build(folder, options, target="", flags=""):
    """Builds in a folder of target/ for these options; the folder of the programs."""
    folder = os.path.join("target", "sizes", folder)
    command = [CARGO, "build", "--release", "--locked", "--target-dir", folder, *options]
    if target:
        command += ["--target", target]
    subprocess.run(command, check=True, env={**os.environ, "RUSTFLAGS": flags})
    return os.path.join(folder, target, "release")


class Chat:
    """The chat server at a free port of this machine."""

    def __init__(self, command):
        command = [*command, "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.port = int(self.logged("listening on").strip().rsplit(":", 1)[1])
        self.logged("only this machine")

    def logged(self, text):
        """The next line of the log that has this text."""
        for line in self.process.stderr:
            if text in line:
                return line
        sys.exit(f"the server ended before it logged {text!r}")

    def stats(self):
        """Waits until it has nothing else to do, since it writes its counters then."""
        self.process.send_signal(signal.SIGUSR1)
        return self.logged("lines_in=")

    def memory(self):
        """KiB of resident and of private dirty memory."""
        self.stats()
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as file:
            rollup = file.read()
        return [int(re.search(rf"^{name}: +(\d+)", rollup, re.M)[1]) for name in ("Rss", "Private_Dirty")]

    def guests(self):
        """Clients that have read all there is, and stay."""
        guests = []
        for _ in range(CLIENTS):
            guest = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
            read_to(guest, b"*** welcome")
            guests.append(guest)
            if len(guests) % 100 == 0:
                self.stats()  # reads the log on, whose pipe would be full in the end
        guests[0].sendall(b"is everybody here?\r\n")
        for guest in guests[1:]:
            read_to(guest, b"is everybody here?")
        return guests

    def end(self):
        self.process.kill()
        self.process.wait()


def read_to(guest, text):
    """Reads until this text has come."""
    read = b""
    while text not in read:
        part = guest.recv(65536)
        if not part:
            sys.exit(f"the server closed a connection before {text!r}")
        read += part


def row(name, files, command):
    """One line of the table."""
    for file in files:
        with open(file, "rb") as built:
            os.fsync(built)  # what is not on the disk yet would count as dirty
    chat = Chat(command)
    try:
        start = chat.memory()
        guests = chat.guests()
        idle = chat.memory()
    finally:
        chat.end()
    for guest in guests:
        guest.close()
    sizes = [f"{os.path.getsize(file):,}" for file in files]
    sizes = sizes if len(sizes) == 3 else ["", "", sizes[0]]
    return " | ".join([f"| {name}", *sizes, *(f"{kib:,}" for kib in start + idle)]) + " |"


def main():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    target, flags = static_target()
    libc = "musl" if "musl" in target else "glibc"
    rows = []
    for name, folder, options, *static in [
        ("default", "default", []),
        ("without `local-time`", "utc", UTC),
        (f"static ({libc})", "static", [], target, flags),
        (f"static ({libc}), without `local-time`", "static-utc", UTC, target, flags),
    ]:
        programs = build(folder, options, *static)
        files = [os.path.join(programs, name) for name in ("echo", "time", "chat")]
        rows.append(row(name, files, files[2:]))
    program = os.path.join(build("default", ["-p", "smol-multicall"]), "smol-servers")
    rows.append(row("multi-call: all three in one", [program], [program, "chat"]))
    print("| | echo | time | chat | RSS | private dirty | RSS, 1,000 | private dirty, 1,000 |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    print(*rows, sep="\n")


main()
