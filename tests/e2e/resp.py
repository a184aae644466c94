# SPDX-License-Identifier: Apache-2.0
"""RESP2/RESP3 client that keeps every difference a reply can show.

Replies decode to Python values that remember their wire type: a simple string is not equal to a
bulk string, an error is not equal to its text, a RESP3 double is not an integer. So two servers
agree on a decoded reply only if they agree on the wire.

Use when: a test has to see or compare replies. Thread safety: one thread per Connection.
"""

import socket


class Simple(bytes):
    """`+OK`: equal only to another Simple with the same bytes."""

    def __eq__(self, other):
        return type(other) is Simple and bytes.__eq__(self, other)

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash((Simple, bytes(self)))

    def __repr__(self):
        return "+" + self.decode("utf-8", "backslashreplace")


class ErrorReply(Exception):
    """`-ERR ...`: equal only to another ErrorReply with the same text."""

    def __init__(self, text):
        super().__init__(text)
        self.text = text

    def __eq__(self, other):
        return isinstance(other, ErrorReply) and self.text == other.text

    def __hash__(self):
        return hash((ErrorReply, self.text))

    def __repr__(self):
        return "-" + self.text


class Null:
    """The two RESP2 nulls (`$-1`, `*-1`) and RESP3's `_`, told apart by `kind`."""

    def __init__(self, kind):
        self.kind = kind

    def __eq__(self, other):
        return isinstance(other, Null) and self.kind == other.kind

    def __hash__(self):
        return hash((Null, self.kind))

    def __bool__(self):
        return False

    def __repr__(self):
        return f"null({self.kind})"


class Push(list):
    """RESP3 `>`: a message outside the request-reply order."""


class ProtocolError(Exception):
    """The peer sent bytes that are not RESP."""


class ConnectionClosed(Exception):
    """The peer closed the connection before the reply was complete."""


def encode(*arguments):
    """One command as a RESP array of bulk strings."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        if isinstance(argument, str):
            argument = argument.encode()
        elif isinstance(argument, int):
            argument = b"%d" % argument
        parts.append(b"$%d\r\n%s\r\n" % (len(argument), argument))
    return b"".join(parts)


class Decoder:
    """Incremental RESP2/RESP3 decoder: feed() bytes, then next() until it answers INCOMPLETE."""

    INCOMPLETE = object()

    def __init__(self):
        self._buffer = bytearray()
        self._at = 0

    def feed(self, data):
        if self._at > 65536:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += data

    def next(self):
        start = self._at
        try:
            return self._value()
        except IndexError:
            self._at = start
            return Decoder.INCOMPLETE

    def _line(self):
        end = self._buffer.find(b"\r\n", self._at)
        if end < 0:
            raise IndexError
        line = bytes(self._buffer[self._at : end])
        self._at = end + 2
        return line

    def _bytes(self, size):
        end = self._at + size
        if len(self._buffer) < end + 2:
            raise IndexError
        if self._buffer[end : end + 2] != b"\r\n":
            raise ProtocolError(f"bulk of {size} bytes is not followed by CRLF")
        data = bytes(self._buffer[self._at : end])
        self._at = end + 2
        return data

    def _value(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return Simple(rest)
        if kind == b"-":
            return ErrorReply(rest.decode("utf-8", "backslashreplace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return Null("$-1") if rest == b"-1" else self._bytes(int(rest))
        if kind == b"*":
            return Null("*-1") if rest == b"-1" else self._values(int(rest))
        return self._resp3_value(kind, rest)

    def _resp3_value(self, kind, rest):
        if kind == b"_":
            return Null("_")
        if kind == b",":
            return float(rest)
        if kind == b"#":
            return rest == b"t"
        if kind == b"(":
            return ("big number", int(rest))
        if kind == b"=":
            return ("verbatim", self._bytes(int(rest)))
        if kind == b"%":
            return {_hashable(self._value()): self._value() for _ in range(int(rest))}
        if kind == b"~":
            return ("set", self._values(int(rest)))
        if kind == b">":
            return Push(self._values(int(rest)))
        raise ProtocolError(f"unknown reply type {kind!r} in line {kind + rest!r}")

    def _values(self, count):
        return [self._value() for _ in range(count)]


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value


class Connection:
    """A blocking client. Every wait is bounded by `timeout_s`."""

    def __init__(self, address, timeout_s=30.0):
        if isinstance(address, str):  # the path of a Unix socket
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout_s)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout=timeout_s)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._decoder = Decoder()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, *arguments):
        self.socket.sendall(encode(*arguments))

    def read(self):
        """The next reply or push message."""
        while True:
            reply = self._decoder.next()
            if reply is not Decoder.INCOMPLETE:
                return reply
            data = self.socket.recv(1 << 18)
            if not data:
                raise ConnectionClosed
            self._decoder.feed(data)

    def call(self, *arguments):
        self.send(*arguments)
        return self.read()

    def pipeline(self, commands):
        """Sends all commands in one write, then reads all replies. Keep batches small enough for
        the socket buffers: nothing is read while sending."""
        self.socket.sendall(b"".join(encode(*command) for command in commands))
        return [self.read() for _ in commands]
