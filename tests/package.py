#!/usr/bin/env python3
"""Installs the Debian package below a scratch folder, compares its man pages and completions with
what the programs say, talks to them under systemd-socket-activate and to two chats that share a port
and a room, and removes it: nothing stays but dpkg's own records.

Usage, as root on Debian: make test-deb
"""

import gzip
import os
import re
import shlex
import shutil
import socket
import string
import subprocess
import sys
import tempfile

PATIENCE = 20  # seconds after which what is awaited counts as missing
OF_DPKG = ("var/lib/dpkg", "var/log")
GUESTS = 16  # of two servers: that one of them gets none is a matter of 1 in 32,768


class Process:
    """A process that is there once it has logged what is awaited, and ends with this."""

    def __init__(self, command, awaited, stream="stderr"):
        self.process = subprocess.Popen(command, **{stream: subprocess.PIPE}, text=True)
        self.log = []
        for line in getattr(self.process, stream):
            self.log.append(line)
            if awaited in line:
                return
        sys.exit(f"{command} is not started: {self.log}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=PATIENCE)


class Server(Process):
    """A program that systemd-socket-activate starts when its first client comes."""

    def __init__(self, program):
        self.address = free_address()
        command = ["systemd-socket-activate", "--listen={}:{}".format(*self.address), program]
        super().__init__(command, "Listening on")

    def __exit__(self, error, *_):
        self.process.terminate()
        self.log += self.process.communicate(timeout=PATIENCE)[1].splitlines(True)
        if error is None:
            check("its exit code", self.process.returncode, 0)
            check("warnings", [line for line in self.log if "warning:" in line], [])

    def client(self):
        return connect(self.address)


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()


def connect(address):
    return socket.create_connection(address, PATIENCE)


def check(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: {found!r}, and not {expected!r}")


def expect(client, pattern):
    """Reads until this has come."""
    read = b""
    while not re.search(pattern, read):
        part = client.recv(4096)
        if not part:
            sys.exit(f"closed before {pattern!r}: {read!r}")
        read += part


def talk(programs):
    with Server(programs + "/smol-echo") as server, server.client() as client:
        client.sendall(b"\x00hello\xff\n")
        expect(client, rb"^\x00hello\xff\n$")
    with Server(programs + "/smol-time") as server, server.client() as client:
        expect(client, rb"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d\r\n")
    with Server(programs + "/smol-chat") as server, server.client() as ann:
        expect(ann, rb"\*\*\* welcome, you are guest1\. nobody else is here yet\r\n")
        with server.client() as bob:
            bob.sendall(b"hello\r\n")
            expect(ann, rb"<guest2> hello\r\n")


def share(root, folder):
    """Two instances of smol-chat@.service, started as it says, have one port and one room."""
    unit = f"{root}/usr/lib/systemd/system/smol-chat@.service"
    restarts(unit)
    with open(unit, encoding="utf-8") as lines:
        text = lines.read()
    # Users of their own could not share the port.
    check("who runs all instances", re.findall(r"^User=(.*)", text, re.M), ["smol-chat"])
    engine, address = f"{folder}/engine.sock", free_address()
    variables = {"LISTEN": "{}:{}".format(*address), "RELAY": f"unix:{engine}", "OPTIONS": ""}
    line = re.search(r"^ExecStart=(.*)", text, re.M)[1]
    command = shlex.split(string.Template(root + line).substitute(variables))
    redis = shutil.which("redis-server")
    if not redis:
        print("left out, since there is no redis-server: a line from one chat to the other")
        with Process(command, "cut off from the other servers"):
            return
    options = ["--port", "0", "--unixsocket", engine, "--dir", folder, "--save", ""]
    with Process([redis, *options], "eady to accept connections", "stdout"), Process(command, "shares its room"):
        with Process(command, "shares its room"):
            guests = [connect(address) for _ in range(GUESTS)]
            for guest in guests:
                expect(guest, rb"\*\*\* welcome, you are guest")
            guests[0].sendall(b"hello\r\n")
            for guest in guests[1:]:
                expect(guest, rb"> hello\r\n")


def documented(usr, name):
    """Each option that a program lists is on its man page and in its completions."""
    said = subprocess.run([f"{usr}/bin/{name}", "-h"], check=True, stdout=subprocess.PIPE, text=True).stdout
    options = re.findall(r"^  (?:-\w, )?--([\w-]+)", said, re.M)
    check(f"options of {name}", "listen" in options and "help" in options, True)
    with gzip.open(f"{usr}/share/man/man1/{name}.1.gz", "rt", encoding="utf-8") as page:
        texts = [page.read().replace("\\-", "-")]
    for path in (f"bash-completion/completions/{name}", f"zsh/vendor-completions/_{name}", f"fish/vendor_completions.d/{name}.fish"):
        with open(f"{usr}/share/{path}", encoding="utf-8") as completions:
            texts.append(completions.read())
    for text in texts:
        check(f"left out of {text[:40]!r}", [it for it in options if not re.search(rf"--{it}\b|-l {it}\b", text)], [])
    run("bash", "-n", f"{usr}/share/bash-completion/completions/{name}")


def restarts(unit):
    """What is started anew after a failure never comes to the limit, which would end its socket too."""
    with open(unit, encoding="utf-8") as lines:
        seconds, most, pause = (int(it) for it in re.findall(r"^(?:StartLimit\w+|RestartSec)=(\d+)$", lines.read(), re.M))
    check(f"{seconds // pause} restarts in {seconds} s stay below {most}", seconds // pause < most, True)


def files(root):
    """The files and folders below, without dpkg's own."""
    found = set()
    for folder, folders, names in os.walk(root):
        below = os.path.relpath(folder, root)
        folders[:] = [name for name in folders if os.path.normpath(f"{below}/{name}") not in OF_DPKG]
        found.update(os.path.normpath(f"{below}/{name}") for name in folders + names)
    return found


def run(*command):
    subprocess.run(command, check=True)


def main(package):
    if os.geteuid() != 0:
        sys.exit("dpkg --root takes root; become root")
    with tempfile.TemporaryDirectory() as root:
        of_dpkg = [f"var/lib/dpkg/{folder}" for folder in ("info", "triggers", "updates")]
        for folder in [*of_dpkg, "var/log", "etc/systemd/system"]:
            os.makedirs(os.path.join(root, folder))
        open(os.path.join(root, "var/lib/dpkg/status"), "w", encoding="ascii").close()
        before = files(root)
        # Its own scripts run without a chroot, in which there would be no shell; nor is there a libc6.
        dpkg = ["dpkg", f"--root={root}", "--force-script-chrootless", "--force-depends"]
        run(*dpkg, "--install", package)
        installed = files(root) - before
        check("files under /etc", [name for name in installed if name.startswith("etc/")], [])
        for name in ("echo", "time", "chat"):
            run("systemctl", "--quiet", f"--root={root}", "enable", f"smol-{name}.service")
            documented(f"{root}/usr", f"smol-{name}")
            restarts(f"{root}/usr/lib/systemd/system/smol-{name}.service")
        run("systemctl", "--quiet", f"--root={root}", "enable", "smol-chat@1.service", "smol-chat@2.service")
        enabled = {name for name in files(root) if name.endswith((".wants/smol-chat.socket", ".wants/smol-chat.service"))}
        check("units that are enabled", len(enabled), 2)
        talk(root + "/usr/bin")
        with tempfile.TemporaryDirectory() as folder:
            share(root, folder)
        run(*dpkg, "--purge", "smol-servers")
        check("files that are left", files(root) - before, set())
    print("installed, talked to and removed without a trace")


main(*sys.argv[1:])
