#!/usr/bin/env python3
"""cell.py - TCP between two hosts: `cell.py serve PORT` sends each who comes back what it sent;
`cell.py ask ADDRESS PORT OCTETS` sends so many random ones and compares what comes back."""
import os
import socket
import sys
import threading


def serve(port):
    listener = socket.create_server(("0.0.0.0", port))
    print("ready", flush=True)
    while True:
        s, _ = listener.accept()
        threading.Thread(target=echo, args=(s,), daemon=True).start()


def echo(s):
    while data := s.recv(65536):
        s.sendall(data)
    s.close()


def ask(address, port, octets):
    s = socket.create_connection((address, port), timeout=8)
    want, got = os.urandom(octets), bytearray()
    sender = threading.Thread(target=lambda: (s.sendall(want), s.shutdown(socket.SHUT_WR)))
    sender.start()
    while data := s.recv(65536):
        got += data
    sender.join()
    sys.exit(bytes(got) != want)


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    ask(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
