# stranger.py - datagrams nobody should take, for t/net/400-bad-packets.t.
#
#   stranger.py send TO PORT KIND ID	sends those of a kind; says how many, then what came back
#   stranger.py raw TO PORT NMS		with spoofed and impossible sources
#   stranger.py icmp TO PEER		forged ICMP errors about TO's datagrams to PEER
import random, socket, struct, sys, time

HEADER, TAG = 32, 16
random.seed(1)

def message(kind, length=None, body=bytes(28), version=4, token=0, flags=0, ext=0, count=0,
            ident=bytes(16), sequence=None, tail=b""):
    if sequence is None:
        sequence = int(time.time() * 1000) & 0xffffffff
    if length is None:
        length = HEADER + len(body) + TAG
    head = struct.pack("!IBBBBIHBB", random.getrandbits(32), version, flags, kind, count, sequence,
                       length, ext, token)
    return head + ident + body + random.randbytes(TAG) + tail

def short():
    yield b""
    for n in range(1, HEADER + TAG):
        yield message(6)[:n]
    yield message(6, length=0)
    yield message(6, length=75)
    yield message(6, length=77)
    yield message(6, length=65535)
    yield message(6, tail=b"x")
    yield random.randbytes(65507)
    yield message(6, body=bytes(2048), length=1000)

def version():
    for v in (0, 1, 3, 5, 255):
        yield message(6, version=v)

def unknown(ident):
    for t in [3, 4] + list(range(100, 256)):
        yield message(t, ident=ident)

def reserved(ident):
    for t in (1, 5, 9, 10, 19, 20, 26, 32):
        yield message(t, ident=ident)

def flags(ident):
    for f in range(1, 256):
        yield message(6, flags=f, ident=ident)
    for c in (1, 255):
        yield message(6, count=c, ident=ident)

def extension(ident):
    def chain(first, body):
        return message(6, ext=first, body=body, ident=ident)
    yield chain(4, bytes([0, 0, 0, 0]))                         # length 0
    yield chain(4, bytes([0, 200, 0, 0]))                       # beyond the end
    yield chain(4, b"")                                         # not there
    yield chain(4, bytes([0]))
    yield chain(4, bytes([4, 1, 0, 0, 0, 1, 0, 0]))             # twice
    yield chain(200, bytes([0, 1, 0, 0]))                       # unknown: refuse
    yield chain(100, bytes([100, 1, 0, 0]) * 200)               # more than eight

def token(ident):
    for t in range(256):
        yield message(6, token=t, ident=ident)

def stranger(ident):
    for t in range(256):
        yield message(6, token=t, ident=random.randbytes(15) + b"\0")

def wrong_way(ident):
    for t in (12, 14, 16, 22, 23, 24, 25, 33):
        yield message(t, ident=ident)

def strange_path(ident):
    for t in (22, 23, 24):
        yield message(t, ident=random.randbytes(16))
        yield message(t, ident=bytes(16))

def capsule(ident):
    # neither direction, no generation, no number opens anything
    for f in (0x00, 0x20, 0x40, 0x60, 0x80, 0xa0, 0xc0, 0xe0, 0x08, 0x88):
        for s in (0, 1, 2**28, 2**31, 2**32 - 1):
            yield message(24, flags=f, sequence=s, ident=ident, body=bytes([0x45]) + bytes(27))

def address(to):
    return socket.AF_INET6 if ":" in to else socket.AF_INET

KINDS = { "short": lambda i: short(), "version": lambda i: version(), "unknown": unknown,
          "reserved": reserved, "flags": flags, "extension": extension, "token": token,
          "stranger": stranger, "wrong_way": wrong_way, "strange_path": strange_path,
          "capsule": capsule }

def send(to, port, kind, ident):
    s = socket.socket(address(to), socket.SOCK_DGRAM)
    n = heard = 0
    for p in KINDS[kind](bytes.fromhex(ident)):
        s.sendto(p, (to, port))
        n += 1
        if n % 32 == 0:
            time.sleep(0.005)
    s.settimeout(0.1)
    try:
        while s.recv(65536):
            heard += 1
    except (socket.timeout, ConnectionRefusedError):
        pass
    print(n, heard)

def checksum(p):
    total = sum(struct.unpack("!%dH" % (len(p) // 2), p[:len(p) // 2 * 2]))
    total += p[-1] << 8 if len(p) % 2 else 0
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff

def ip_packet(source, to, proto, body):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, proto, 0,
                       socket.inet_aton(source), socket.inet_aton(to))
    return head + body

# From port 0, from a service's port, from the receiver's own address, from a group.
def raw(to, port, nms):
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for source, source_port in ((nms, 0), (nms, 4501), (to, port), ("224.0.0.1", 9),
                                ("255.255.255.255", 9), ("127.0.0.1", 9)):
        for p in (message(6), message(24), b"x"):
            udp = struct.pack("!HHHH", source_port, port, 8 + len(p), 0) + p
            s.sendto(ip_packet(source, to, 17, udp), (to, 0))

# Port unreachable and "too big, take 100" about datagrams between the two.
def icmp(to, peer):
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    for ports in ((4503, 4503), (4503, 4501), (4503, 9)):
        quoted = ip_packet(to, peer, 17, struct.pack("!HHHH", ports[0], ports[1], 100, 0))
        for kind, code, rest in ((3, 3, 0), (3, 1, 0), (3, 4, 100), (11, 0, 0)):
            p = struct.pack("!BBHI", kind, code, 0, rest) + quoted
            s.sendto(p[:2] + struct.pack("!H", checksum(p)) + p[4:], (to, 0))

if sys.argv[1] == "send":
    send(sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5])
elif sys.argv[1] == "raw":
    raw(sys.argv[2], int(sys.argv[3]), sys.argv[4])
else:
    icmp(sys.argv[2], sys.argv[3])
