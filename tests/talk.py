#!/usr/bin/env python3
"""Starts a chat, has one guest say a line that another reads, and ends it with SIGTERM: the goodbye
comes, and the exit code is 0.

Usage: tests/talk.py chat, or the words that start it, as qemu-ppc chat
"""

import re
import socket
import subprocess
import sys
import threading

PATIENCE = 60  # seconds after which what is awaited counts as missing; an emulator is slow


def expect(client, text):
    """Reads until this text has come."""
    read = b""
    while text not in read:
        part = client.recv(4096)
        if not part:
            sys.exit(f"closed before {text!r}: {read!r}")
        read += part


def talk(server):
    log = ""
    while not (listening := re.search(r"listening on 127\.0\.0\.1:(\d+)\n", log)):
        line = server.stderr.readline()
        if not line:
            sys.exit(f"the chat ended before it listened: {log}")
        log += line
    address = ("127.0.0.1", int(listening[1]))
    with socket.create_connection(address, PATIENCE) as ann:
        expect(ann, b"*** welcome, you are guest1. nobody else is here yet\r\n")
        with socket.create_connection(address, PATIENCE) as bob:
            bob.sendall("grüße\r\n".encode())
            expect(ann, "<guest2> grüße\r\n".encode())
            server.terminate()
            expect(ann, b"*** the server is going down, goodbye\r\n")
    log += server.communicate()[1]
    if server.returncode != 0:
        sys.exit(f"its exit code is {server.returncode}: {log}")


def main():
    command = [*sys.argv[1:], "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    patience = threading.Timer(PATIENCE, server.kill)
    patience.start()
    try:
        talk(server)
    finally:
        patience.cancel()
        server.kill()
        server.wait()


main()
