#!/usr/bin/python3
"""A service manager's ear: notified.py SOCKET FILE writes every line it is told to FILE."""
import socket
import sys

ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ear.bind(sys.argv[1])
with open(sys.argv[2], "a", buffering=1) as out:
    while True:
        out.write(ear.recv(4096).decode() + "\n")
