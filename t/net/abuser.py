# abuser.py - hears a line, and says again what it heard from any address; for t/net/655-abuse.t.
#
#   abuser.py record IFACE PORT TYPE N	prints the next N datagrams of that type to that UDP port
#   abuser.py play SOURCE TIMES		says those again that it reads: from SOURCE, - as they came;
#					*:PORT counts ports up; prints how many, and octets
#   abuser.py count IFACE ADDRESS FILE	writes datagrams and octets to ADDRESS into FILE, always anew
#   abuser.py junk TO PORT N		from random addresses: bad tags, every type and token
#   abuser.py forge TO PORT SOURCE N	the same from one
#   abuser.py stun TO PORT SOURCE N	STUN Binding requests from SOURCE
import os, random, socket, struct, sys

ALL = 3				# ETH_P_ALL
random.seed(655)

def listen(iface):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.bind((iface, 0))
    return s

# source, port, destination, port, payload of an IPv4 UDP frame; None
def udp(frame):
    if len(frame) < 42 or frame[12:14] != b"\x08\x00" or frame[23] != 17:
        return None
    at = 14 + (frame[14] & 15) * 4
    sport, dport, length = struct.unpack("!HHH", frame[at:at + 6])
    return (socket.inet_ntoa(frame[26:30]), sport, socket.inet_ntoa(frame[30:34]), dport,
            frame[at + 8:at + length])

def record(iface, port, kind, n):
    s = listen(iface)
    print("ready", flush=True)
    while n:
        p = udp(s.recv(65536))
        if p and p[3] == port and len(p[4]) > 32 and p[4][6] == kind:
            print(p[0], p[1], p[2], p[3], p[4].hex(), flush=True)
            n -= 1

class Raw:
    def __init__(self):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 21)

    def packet(self, source, sport, to, port, p):
        return struct.pack("!BBHHHBBH4s4sHHHH", 0x45, 0, 28 + len(p), 0, 0, 64, 17, 0,
                           socket.inet_aton(source), socket.inet_aton(to), sport, port,
                           8 + len(p), 0) + p

    def say(self, source, sport, to, port, p):
        self.s.sendto(self.packet(source, sport, to, port, p), (to, 0))

def play(source, times):
    raw, n, octets = Raw(), 0, 0
    for line in sys.stdin:
        if line.startswith("ready"):
            continue
        a, sport, to, port, p = line.split()
        for i in range(times):
            raw.say(a if source == "-" else source, int(sport) if source == "-" else 7000 + i,
                    to, int(port), bytes.fromhex(p))
            n, octets = n + 1, octets + len(p) // 2
    print(n, octets)

def count(iface, address, file):
    s, n, octets = listen(iface), 0, 0
    while True:
        with open(file + ".new", "w") as f:
            f.write("%d %d\n" % (n, octets))
        os.rename(file + ".new", file)
        p = udp(s.recv(65536))
        if p and p[2] == address:
            n, octets = n + 1, octets + len(p[4])

def forged():
    n = 48 + random.randrange(200)
    return struct.pack("!IBBBBIHBB", random.getrandbits(32), 4, 0, random.randrange(40), 0,
                       random.getrandbits(32), n, 0, random.randrange(256)) + random.randbytes(n - 16)

# 5,000 different ones, again and again: making them takes longer than sending them
def junk(to, port, n, source=None):
    raw = Raw()
    some = [raw.packet(source or "%d.%d.%d.%d" % tuple(random.choices(range(1, 223), k=4)),
                       random.randrange(1024, 65536), to, port, forged()) for i in range(5000)]
    for i in range(n):
        raw.s.sendto(some[i % 5000], (to, 0))
    print(n, sum(len(some[i % 5000]) - 28 for i in range(n)))

def stun(to, port, source, n):
    raw, body = Raw(), struct.pack("!HH76s", 0x8022, 76, b" " * 76)
    for i in range(n):
        p = struct.pack("!HHI", 1, 80, 0x2112a442) + random.randbytes(12) + body
        raw.say(source, 8000 + i, to, port, p)
    print(n, n * 100)

a = sys.argv[2:]
if sys.argv[1] == "record":
    record(a[0], int(a[1]), int(a[2]), int(a[3]))
elif sys.argv[1] == "play":
    play(a[0], int(a[1]))
elif sys.argv[1] == "count":
    count(a[0], a[1], a[2])
elif sys.argv[1] == "junk":
    junk(a[0], int(a[1]), int(a[2]))
elif sys.argv[1] == "forge":
    junk(a[0], int(a[1]), int(a[3]), a[2])
else:
    stun(a[0], int(a[1]), a[2], int(a[3]))
