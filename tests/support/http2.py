"""An HTTP/2 client that sends whatever it is told, right or wrong, frame by frame (hyperframe, hpack), and understands what comes back."""
import socket
import ssl

import hpack
from hyperframe.frame import (ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, RstStreamFrame,
                              SettingsFrame, WindowUpdateFrame)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PROTOCOL_ERROR, ENHANCE_YOUR_CALM = 1, 11
GET = [(":method", "GET"), (":scheme", "https"), (":authority", "x"), (":path", "/m/v1/open")]
POST = [(":method", "POST"), (":scheme", "https"), (":authority", "x"), (":path", "/m/v1/open"), ("content-type", "application/json")]


class Exchange:
    """What has come back on one stream."""

    def __init__(self):
        self.status, self.headers, self.body, self.ended, self.reset = None, [], b"", False, None

    def __getitem__(self, name):
        return next((value for field, value in self.headers if field == name), None)


class Http2:
    """A connection over TLS. Windows are opened as bytes come, and settings acknowledged, unless reading is set to False."""

    def __init__(self, port, settings=None, timeout=20):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout), server_hostname="area.example")
        assert self.socket.selected_alpn_protocol() == "h2"
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.exchanges, self.next_stream, self.reading = {}, 1, True
        self.goaway, self.last_stream, self.closed, self.pongs, self.settings = None, None, False, 0, {}
        self.windows = {0: 65535}
        self.block, self.received = None, b""
        self.raw(PREFACE)
        self.send(SettingsFrame(0, settings or {}))

    # ---- Out

    def raw(self, data):
        """False when the other side has already gone."""
        try:
            self.socket.sendall(data)
        except OSError:
            self.closed = True
        return not self.closed

    def send(self, *frames):
        return self.raw(b"".join(frame.serialize() for frame in frames))

    def encoded(self, fields):
        return self.encoder.encode([hpack.NeverIndexedHeaderTuple(name, value) for name, value in fields], huffman=False)

    def head(self, stream, fields, end=True):
        """As HEADERS and as many CONTINUATIONs as it takes."""
        block = self.encoded(fields)
        frames = [HeadersFrame(stream, block[:16384], flags=["END_STREAM"] if end else [])]
        frames += [ContinuationFrame(stream, block[at:at + 16384]) for at in range(16384, len(block), 16384)]
        frames[-1].flags.add("END_HEADERS")
        return frames

    def new_stream(self):
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        self.exchanges[stream] = Exchange()
        return stream

    def ask(self, fields, body=None, end=True):
        """One request, without looking at the windows. Its stream."""
        stream = self.new_stream()
        frames = self.head(stream, fields, end and body is None)
        if body is not None:
            frames.append(DataFrame(stream, body, flags=["END_STREAM"] if end else []))
        self.send(*frames)
        return stream

    def upload(self, stream, body):
        """As far as the windows allow, as they open."""
        at = 0
        self.windows.setdefault(stream, self.settings.get(SettingsFrame.INITIAL_WINDOW_SIZE, 65535))
        while at < len(body):
            room = min(self.windows[0], self.windows[stream], 16384, len(body) - at)
            if room <= 0:
                assert self.take_frame(), "the connection ended under the upload"
                continue
            last = at + room == len(body)
            self.send(DataFrame(stream, body[at:at + room], flags=["END_STREAM"] if last else []))
            self.windows[0] -= room
            self.windows[stream] -= room
            at += room

    # ---- In

    def fill(self, length):
        while len(self.received) < length:
            try:
                piece = self.socket.recv(65536)
            except ConnectionError:
                piece = b""
            except ssl.SSLError as error:
                if isinstance(error, TimeoutError):
                    raise
                piece = b""
            if not piece:
                self.closed = True
                return False
            self.received += piece
        return True

    def take_frame(self):
        """False when the connection has ended."""
        if not self.fill(9):
            return False
        frame, length = Frame.parse_frame_header(memoryview(self.received[:9]))
        if not self.fill(9 + length):
            return False
        frame.parse_body(memoryview(self.received[9:9 + length]))
        self.received = self.received[9 + length:]
        self.take(frame)
        return True

    def take(self, frame):
        exchange = self.exchanges.setdefault(frame.stream_id, Exchange()) if frame.stream_id else None
        if isinstance(frame, (HeadersFrame, ContinuationFrame)):
            self.block = (self.block or b"") + frame.data
            if "END_HEADERS" in frame.flags:
                fields = [(name, value) for name, value in self.decoder.decode(self.block)]
                exchange.status, exchange.headers, self.block = int(fields[0][1]), fields[1:], None
        elif isinstance(frame, DataFrame):
            exchange.body += frame.data
            if self.reading and frame.flow_controlled_length:
                self.send(WindowUpdateFrame(0, frame.flow_controlled_length), WindowUpdateFrame(frame.stream_id, frame.flow_controlled_length))
        elif isinstance(frame, RstStreamFrame):
            exchange.reset = frame.error_code
        elif isinstance(frame, WindowUpdateFrame):
            self.windows[frame.stream_id] = self.windows.get(frame.stream_id, 65535) + frame.window_increment
        elif isinstance(frame, GoAwayFrame):
            self.goaway, self.last_stream = frame.error_code, frame.last_stream_id
        elif isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.settings.update(frame.settings)
            if self.reading:
                self.send(SettingsFrame(0, flags=["ACK"]))
        elif isinstance(frame, PingFrame):
            self.pongs += 1
        if exchange and "END_STREAM" in frame.flags:
            exchange.ended = True

    def until(self, condition):
        """Takes frames until the condition holds; False when the connection ended before."""
        while not condition():
            if not self.take_frame():
                return bool(condition())
        return True

    def answer(self, stream):
        """When it is whole, was cut off, or will not come any more."""
        exchange = self.exchanges[stream]
        self.until(lambda: exchange.ended or exchange.reset is not None or self.goaway)     # 0: it may still come
        return exchange

    def in_step(self):
        """True when the connection still answers."""
        before = self.pongs
        self.send(PingFrame(0, b"in step?"))
        return self.until(lambda: self.pongs > before)

    def wait_for_end(self):
        self.until(lambda: False)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.socket.close()
