#!/usr/bin/env python3
"""stream.py - one TCP stream at a steady pace, watched piece by piece.

stream.py take PORT FILE           takes one connection; FILE gets a line for each piece that came:
                                   time, octets, and how old its newest tick is, ms
stream.py give NAME PORT MBIT FILE sends until FILE.stop is there: each tick of 10 ms its share,
                                   stamped with the time.  FILE gets a line for each tick: time,
                                   retransmissions so far, round trip time in ms
stream.py look TOOK GAVE T0 T1     what happened between two times: NAME=VALUE ...
stream.py pause PINGED T0 T1       the longest time without an answer in what ping -D said, ms
"""
import os
import socket
import struct
import sys
import time

TICK = 0.01


def take(port, path):
    listener = socket.create_server(("0.0.0.0", port))
    print("ready", flush=True)
    s, _ = listener.accept()
    rest, share, age, begun = b"", 0, 0.0, False
    with open(path, "w", buffering=1) as out:
        while data := s.recv(1 << 20):
            now = time.time()
            rest += data
            if not begun and len(rest) >= 4:
                share, begun, rest = struct.unpack("!I", rest[:4])[0], True, rest[4:]
            while begun and len(rest) >= share:
                age, rest = now - struct.unpack("!d", rest[:8])[0], rest[share:]
            out.write("%.6f %d %.3f\n" % (now, len(data), 1000 * age))
        out.write("end\n")


def tcp_info(s):
    info = struct.unpack("8B24I", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104))
    return info[8 + 23], info[8 + 15] / 1000


def give(name, port, mbit, path):
    share = int(mbit * 1e6 / 8 * TICK)
    s = socket.create_connection((name, port), timeout=10)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.settimeout(30)
    s.sendall(struct.pack("!I", share))
    due = time.time()
    with open(path, "w", buffering=1) as out:
        while not os.path.exists(path + ".stop"):
            s.sendall(struct.pack("!d", time.time()) + bytes(share - 8))
            out.write("%.6f %d %.3f\n" % (time.time(), *tcp_info(s)))
            due += TICK
            time.sleep(max(0, due - time.time()))
    s.close()


def lines(path):
    with open(path) as f:
        return [tuple(map(float, x.split())) for x in f if x[0] != "e"]


def look(took, gave, begin, end):
    """mbit: goodput; gap, p99: longest time between two pieces, and what 99 of 100 stay below, ms;
    age: from sending to arrival, median, ms; rtt: as TCP measured it, at most, ms; again: segments
    sent again."""
    at = [p for p in lines(took) if begin <= p[0] <= end]
    before = [p[0] for p in lines(took) if p[0] < begin][-1:]
    times = before + [p[0] for p in at]
    gaps = sorted(1000 * (b - a) for a, b in zip(times, times[1:]))
    ages = sorted(p[2] for p in at)
    ticks = [p for p in lines(gave) if begin <= p[0] <= end]
    print("mbit=%.1f gap=%.1f p99=%.1f age=%.1f rtt=%.1f again=%d" % (
        sum(p[1] for p in at) * 8e-6 / (end - begin), gaps[-1], gaps[len(gaps) * 99 // 100],
        ages[len(ages) // 2], max(p[2] for p in ticks), ticks[-1][1] - ticks[0][1]))


def pause(path, begin, end):
    with open(path) as f:
        at = [float(x[1:18]) for x in f if x[0] == "[" and "bytes from" in x]
    times = [begin] + [t for t in at if begin <= t <= end] + [end]
    print("%.1f" % max(1000 * (b - a) for a, b in zip(times, times[1:])))


if sys.argv[1] == "look":
    look(*sys.argv[2:4], *map(float, sys.argv[4:6]))
elif sys.argv[1] == "pause":
    pause(sys.argv[2], *map(float, sys.argv[3:5]))
elif sys.argv[1] == "take":
    take(int(sys.argv[2]), sys.argv[3])
else:
    give(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
