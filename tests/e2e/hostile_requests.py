# SPDX-License-Identifier: Apache-2.0
"""Requests whose lengths lie around the limits of vigild, in every part of HTTP and RESP.

A generator knows the limits and so whether a request is to be served; it shares no code with the
server. Every choice comes from the random.Random it is given, so a seed replays a run.

    for case in cases(random.Random(7), limits):
        case.protocol, case.what, case.data, case.served
"""

from typing import NamedTuple

THROWING = 65534  # lengths at which libraries below the server have thrown


class Limits(NamedTuple):
    header: int = 16 * 1024  # everything of an HTTP request that is not body
    body: int = 64 * 1024
    line: int = 64 * 1024  # an inline request, or a length
    request: int = 128 * 1024
    arguments: int = 1000

    def flags(self):
        return (
            "--http-body-bytes-max", str(self.body),
            "--request-bytes-max", str(self.request),
            "--request-args-max", str(self.arguments),
        )  # fmt: skip


class Case(NamedTuple):
    protocol: str  # "http" or "resp"
    what: str
    data: bytes
    served: bool


GET = b"GET /healthz HTTP/1.1\r\nHost: v\r\n"
CHUNKED = GET + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"1\r\nx\r\n"
LAST = b"0\r\n\r\n"


def letters(size):
    return b"a" * size


def quoted(size):
    return b'"' + b"a" * (size - 2) + b'"'


def fields(size):
    """Lines of four bytes; the last one is longer."""
    lines = (size - 4) // 4
    return b"a:\r\n" * lines + b"a:" + b"b" * (size - 4 * lines - 4) + b"\r\n"


def extensions(size):
    """Chunks with an extension of four bytes each; that of the last one is longer."""
    chunks = (size - 4) // 4
    return b"1;b=c\r\nx\r\n" * chunks + b"1;" + b"b" * (size - 4 * chunks - 1) + b"\r\nx\r\n"


# What, the bytes before, those that make up the header's length, those behind, and how many of the
# fixed ones are no header: body, or what a chunk needs.
HTTP_PARTS = (
    ("target", b"GET /", letters, b" HTTP/1.1\r\nHost: v\r\n\r\n", 0),
    ("query", b"GET /healthz?", letters, b" HTTP/1.1\r\nHost: v\r\n\r\n", 0),
    ("name", GET, letters, b": b\r\n\r\n", 0),
    ("value", GET + b"a: ", letters, b"\r\n\r\n", 0),
    ("value in use", GET + b"If-None-Match: ", quoted, b"\r\n\r\n", 0),
    ("fields", GET, fields, b"\r\n", 0),
    ("value before a body", GET + b"Content-Length: 4\r\na: ", letters, b"\r\n\r\nbody", 4),
    ("value before chunks", GET + b"Transfer-Encoding: chunked\r\na: ", letters,
     b"\r\n\r\n" + CHUNK + LAST, len(CHUNK + LAST)),
    ("extension", CHUNKED + b"1;", letters, b"\r\nx\r\n" + LAST, len(CHUNK + LAST)),
    ("extension's value", CHUNKED + b"1;a=", quoted, b"\r\nx\r\n" + LAST, len(CHUNK + LAST)),
    ("extensions", CHUNKED, extensions, LAST, len(LAST)),
    ("last extension", CHUNKED + CHUNK + b"0;", letters, b"\r\n\r\n", len(CHUNK + LAST)),
    ("zeros", CHUNKED, lambda size: b"0" * size, CHUNK + LAST, len(CHUNK + LAST)),
    ("trailer's name", CHUNKED + CHUNK + b"0\r\n", letters, b":b\r\n\r\n", len(CHUNK + LAST)),
    ("trailer's value", CHUNKED + CHUNK + b"0\r\na: ", letters, b"\r\n\r\n", len(CHUNK + LAST)),
    ("trailers", CHUNKED + CHUNK + b"0\r\n", fields, b"\r\n", len(CHUNK + LAST)),
)  # fmt: skip


def http_header_case(part, size, limits):
    """`part` makes everything that is not body `size` bytes long, or as short as it can be."""
    what, before, filler, after, free = part
    fixed = len(before) + len(after) - free
    size = max(size, fixed + 8)
    return Case("http", what, before + filler(size - fixed) + after, size <= limits.header)


def http_sized_body(size, limits):
    head = GET + b"Content-Length: %d\r\n\r\n" % size
    return Case("http", "body", head + b"x" * size, size <= limits.body)


def http_chunked_body(size, chunk, limits):
    chunks = []
    left = size
    while left > 0:
        part = min(left, chunk)
        chunks.append(b"%x\r\n%s\r\n" % (part, b"x" * part))
        left -= part
    data = CHUNKED + b"".join(chunks) + LAST
    return Case("http", f"chunks of {chunk}", data, size <= limits.body)


def bulk(text):
    return b"$%d\r\n%s\r\n" % (len(text), text)


def resp_inline(size, limits):
    size = max(size, 6)
    return Case("resp", "inline", b"PING" + b" " * (size - 5) + b"\r\n", size <= limits.line)


def resp_quoted(size, limits):
    size = max(size, 9)
    data = b'ECHO "' + b"a" * (size - 8) + b'"\r\n'
    return Case("resp", "quoted argument", data, size <= limits.line)


def resp_arguments(count, limits):
    count = max(count, 2)
    data = b"*%d\r\n" % count + bulk(b"DEL") + bulk(b"") * (count - 1)
    return Case("resp", "arguments", data, count <= limits.arguments)


def resp_argument(size, limits):
    data = b"*2\r\n" + bulk(b"ECHO") + bulk(b"x" * max(size - 40, 0))
    return Case("resp", "argument", data, len(data) <= limits.request)


def resp_whole(size, limits):
    """Arguments of a quarter each: none is long, the request is."""
    quarter = bulk(b"k" * (size // 4))
    data = b"*5\r\n" + bulk(b"DEL") + quarter * 4
    return Case("resp", "request", data, len(data) <= limits.request)


def resp_digits(size, kind):
    return Case("resp", "digits", kind + b"1" * max(size, 20) + b"\r\n", False)


def around(random, limit):
    """A length near `limit`, near one at which libraries threw, or anywhere up to thrice it."""
    kind = random.randrange(4)
    if kind < 2:
        return max(limit + random.randint(-2, 2), 1)
    if kind == 2:
        return max(THROWING + random.randint(-4, 500), 1)
    return random.randint(1, 3 * limit)


def any_case(random, limits):
    kind = random.randrange(10)
    if kind < 4:
        return http_header_case(random.choice(HTTP_PARTS), around(random, limits.header), limits)
    if kind == 4:
        return http_sized_body(around(random, limits.body), limits)
    if kind == 5:
        chunk = random.choice((1, 7, 1000, limits.body, 4 * limits.body))
        return http_chunked_body(around(random, limits.body), chunk, limits)
    if kind == 6:
        return random.choice((resp_inline, resp_quoted))(around(random, limits.line), limits)
    if kind == 7:
        return resp_arguments(around(random, limits.arguments), limits)
    if kind == 8:
        maker = random.choice((resp_argument, resp_whole))
        return maker(around(random, limits.request), limits)
    return resp_digits(around(random, limits.line), random.choice((b"*", b"*1\r\n$")))


def short_cases(limits):
    """One of every form, short enough to be broken off at each of its bytes."""
    for part in HTTP_PARTS:
        yield http_header_case(part, 0, limits)
    yield http_sized_body(20, limits)
    yield http_chunked_body(20, 7, limits)
    yield resp_inline(20, limits)
    yield resp_quoted(20, limits)
    yield resp_arguments(3, limits)
    yield resp_argument(60, limits)
    yield resp_whole(20, limits)


def mutate(random, data):
    """A few bytes changed, put in, taken out, or a piece repeated."""
    data = bytearray(data)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(data) + 1)
        kind = random.randrange(4)
        if kind == 0:
            data[at : at + 1] = bytes([random.randrange(256)])
        elif kind == 1:
            data[at:at] = random.choice((b"\r", b"\n", b"\r\n", b":", b";", b"\0", b"*1\r\n", b"0"))
        elif kind == 2:
            del data[at : at + random.randint(1, 8)]
        else:
            data[at:at] = data[at : at + random.randint(1, 64)]
    return bytes(data)
