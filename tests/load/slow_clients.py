"""slow_clients.py PORT COUNT RAMP: so many clients, from many addresses, that send the head of a request a byte at a time and never end it;
one that is turned away begins again. They come one after the other within RAMP seconds. Says "ready" when all are there; at the end of its standard input, what came of it as JSON."""
import collections
import json
import os
import select
import socket
import sys
import time

IP_BIND_ADDRESS_NO_PORT, PAUSE, TICK = 24, 4.0, 0.004
HEAD = b"GET /load/v1/things/0192f0a1-7c3e-7d9a-8b1e-0242ac120002?view=full HTTP/1.1\r\nHost: gateway.example\r\nX-Slow: " + b"a" * 100000


def source(number):
    """40 connections an address: loopback has some 28,000 ports between two of them, and a limit per address is not meant here."""
    return f"127.1.{number // 40 // 250}.{number // 40 % 250 + 1}"


def connect(port, number):
    connection = socket.socket()
    connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    connection.bind((source(number), 0))
    connection.connect(("127.0.0.1", port))
    return connection


class SlowClients:
    def __init__(self, port, count, ramp):
        self.port, self.epoll, self.told = port, select.epoll(), collections.Counter()
        self.connections, self.sent, self.by_fd = [None] * count, [0] * count, {}
        self.start, self.begun, self.pace = time.monotonic(), 0, count / ramp

    def begin_missing(self):
        """As many as are due by now; the last one is announced."""
        while self.begun < min(len(self.connections), (time.monotonic() - self.start) * self.pace):
            self.begin(self.begun)
            self.begun += 1
            if self.begun == len(self.connections):
                print("ready", flush=True)

    def begin(self, number):
        connection = connect(self.port, number)
        connection.setblocking(False)
        self.connections[number], self.sent[number] = connection, 0
        self.by_fd[connection.fileno()] = number
        self.epoll.register(connection, select.EPOLLIN)

    def hear(self, fd):
        """The gateway has answered or hung up: it is counted, and the client comes again."""
        number = self.by_fd.pop(fd)
        try:
            answer = self.connections[number].recv(4096)
        except OSError:
            answer = b""
        self.told[answer[9:12].decode("latin-1") or "closed"] += 1
        self.epoll.unregister(fd)
        self.connections[number].close()
        self.begin(number)

    def send_byte(self, number):
        try:
            self.connections[number].send(HEAD[self.sent[number]:self.sent[number] + 1])
            self.sent[number] += 1
            self.told["bytes"] += 1
        except OSError:
            pass                # told by an event of its own

    def run(self):
        """Each tick those whose turn it is send a byte, so that all have sent one when the pause is over."""
        turns, turn = round(PAUSE / TICK), 0
        self.epoll.register(sys.stdin, select.EPOLLIN)
        while True:
            until = time.monotonic() + TICK
            self.begin_missing()
            for number in range(turn, self.begun, turns):
                self.send_byte(number)
            turn = (turn + 1) % turns
            while (left := until - time.monotonic()) > 0:
                for fd, _ in self.epoll.poll(left, 8):
                    if fd == sys.stdin.fileno():
                        return
                    self.hear(fd)


def main():
    clients = SlowClients(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    clients.run()
    print(json.dumps(clients.told), flush=True)
    os._exit(0)                 # closing them one by one would only take time


main()
