#!/usr/bin/env python3
"""One TCP connection through whatever happens to the tunnel under it.

echo.py serve                    echoes whoever connects to port 7
echo.py ask NAME FILE            connects, sends a numbered line every 10 ms, checks that every
                                 line comes back once and in order, and keeps FILE up to date:
                                 lines that came back, and the longest time without one in ms
                                 since FILE.reset was last seen.  Ends when FILE.stop is there.
"""
import os, socket, sys, threading, time

def serve():
    s = socket.create_server(("::", 7), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        c, _ = s.accept()
        threading.Thread(target=echo, args=(c,), daemon=True).start()

def echo(c):
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := c.recv(65536):
        c.sendall(data)

def ask(name, out):
    s = socket.create_connection((name, 7), timeout=10)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.setblocking(False)
    sent = seen = 0
    rest = b""
    last = time.monotonic()
    gap = 0.0
    while not os.path.exists(out + ".stop"):
        now = time.monotonic()
        if os.path.exists(out + ".reset"):
            os.unlink(out + ".reset")
            gap = 0.0
        try:
            s.send(b"%d\n" % sent)
            sent += 1
        except BlockingIOError:
            pass
        try:
            rest += s.recv(65536)
        except BlockingIOError:
            pass
        *lines, rest = rest.split(b"\n")
        for line in lines:
            if int(line) != seen:
                sys.exit("line %d came instead of %d" % (int(line), seen))
            seen += 1
        if lines:
            gap = max(gap, now - last)
            last = now
        with open(out + ".new", "w") as f:
            f.write("%d %d\n" % (seen, max(gap, now - last) * 1000))
        os.rename(out + ".new", out)
        time.sleep(0.01)

if sys.argv[1] == "serve":
    serve()
else:
    ask(sys.argv[2], sys.argv[3])
