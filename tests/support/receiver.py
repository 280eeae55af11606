"""A subscriber's endpoint, as the tests use it: it keeps what it was sent and answers as it is told to."""
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Received:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body, self.at = path, headers, body, time.time()

    @property
    def event(self):
        return json.loads(self.body)


class Receiver:
    """answer may be a status, or a function of what was received that gives one; it may also sleep."""

    def __init__(self, answer=204, host="127.0.0.1", port=0):
        self.answer, self.got, self.lock, self.answer_headers = answer, [], threading.Lock(), {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received = Received(self.path, dict(self.headers), body)
                with receiver.lock:
                    receiver.got.append(received)
                status = receiver.answer(received) if callable(receiver.answer) else receiver.answer
                self.send_response(status)
                for name, value in receiver.answer_headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 128
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

            def handle_error(self, *_):     # a caller that hangs up is no concern of a test's
                pass

        self.server = Server((host, port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://{host}:{self.port}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def events(self, of=None):
        with self.lock:
            return [received.event for received in self.got if of is None or received.event["type"] == f"it.portico.{of}"]

    def ids(self):
        with self.lock:
            return [received.headers.get("webhook-id") for received in self.got]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
