# resolver.py ADDRESS - an ordinary resolver for the tests: every A is 192.0.2.80, everything else empty.
import socket, struct, sys, threading

def answer(q):
    end = 12
    while q[end]:
        end += 1 + q[end]
    end += 5
    kind = struct.unpack("!H", q[end - 4:end - 2])[0]
    found = kind == 1
    head = q[:2] + struct.pack("!5H", 0x8180, 1, found, 0, 0)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 80])
    return head + q[12:end] + (record if found else b"")

def stream(s):
    with s:
        n = struct.unpack("!H", s.recv(2, socket.MSG_WAITALL))[0]
        a = answer(s.recv(n, socket.MSG_WAITALL))
        s.sendall(struct.pack("!H", len(a)) + a)

def streams(at):
    with socket.create_server(at) as listener:
        while True:
            stream(listener.accept()[0])

at = (sys.argv[1], 53)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(at)
threading.Thread(target=streams, args=(at,), daemon=True).start()
print("ready", flush=True)
while True:
    q, peer = udp.recvfrom(4096)
    udp.sendto(answer(q), peer)
