# SPDX-License-Identifier: Apache-2.0
"""Random Redis commands: every command that vigild shares with Redis, with valid, borderline and
wrong arguments.

The generator stays where Redis's answer does not depend on when it was asked: a deadline is at
least 1,000 seconds away, or already over, or out of Redis's range (vigild keeps deadlines up to the
year 2109 and moves later ones there). Within that, anything goes: option clashes, wrong arity,
integers that overflow, binary values, mixed case.

    stream = CommandStream(random.Random(7), prefix=b"a:")
    stream.next()   # [b"sEt", b"a:3", b"\\r\\n", b"NX", b"PXAT", b"abc"]
"""

import time

INTEGERS = [b"0", b"1", b"-1", b"2", b"10", b"-10", b"100"]
ODD_INTEGERS = [
    b"", b" 1", b"1 ", b"+1", b"01", b"-0", b"1.0", b"1e3", b"0x10", b"abc", b"\xff", b"-",
    b"2147483647", b"2147483648", b"-2147483649", b"4294967296",
    b"9223372036854775807", b"9223372036854775806", b"9223372036854775808",
    b"-9223372036854775808", b"-9223372036854775807", b"-9223372036854775809",
    b"18446744073709551615", b"18446744073709551616", b"1" * 40,
]  # fmt: skip
FLOATS = [b"0.1", b"-0.1", b"1.5", b"3.0e3", b"-1.5e-5", b"1e10", b"0", b"5", b"100.000001"]
ODD_FLOATS = [
    b"nan", b"inf", b"-inf", b"+Infinity", b"abc", b"", b" 1", b"1 ", b"1e400", b"-1e5000",
    b"1e-400", b"0x1p3", b"1_000", b"1,5", b".5", b"5.", b"12345678901234567890.125", b"1e17",
    b"0.00000000000000001", b"9007199254740993", b"\x001",
]  # fmt: skip
ODD_TIMES = [b"0", b"-1", b"-1000", b"-9223372036854775808", b"abc", b"", b" 7", b"1.5", b"1" * 30]
PATTERNS = [
    b"*",
    b"?",
    b"a*",
    b"*[0-4]",
    b"*[^0-4]",
    b"*:[13-5]",
    b"\\*",
    b"*\\",
    b"",
    b"[",
    b"*[]",
]
UNKNOWN = [b"NOSUCH", b"get ", b"", b"se t", b"G\xc3\x89T", b"x" * 200, b"a\r\nb"]


class CommandStream:
    """One client's commands on its own keys."""

    def __init__(self, random, prefix):
        self.random = random
        self.keys = [prefix + b"%d" % i for i in range(8)]
        self.keys += [prefix + b"long" * 20, prefix + b"very long" * 40, prefix + b"\x00\r\n\xff"]
        self._makers = [maker for maker, weight in MAKERS for _ in range(weight)]

    def next(self):
        command = self.random.choice(self._makers)(self)
        if self.random.random() < 0.02:
            self._break_arity(command)
        if self.random.random() < 0.2:
            command[0] = bytes(self._flip_case(byte) for byte in command[0])
        return command

    def _break_arity(self, command):
        """At the end only: a shifted argument would become a key that other streams use too."""
        if len(command) > 1 and self.random.random() < 0.6:
            command.pop()
        else:
            command.append(self.random.choice([self.key(), self.value(), b"EX", b"NX"]))

    def _flip_case(self, byte):
        letter = 65 <= byte <= 90 or 97 <= byte <= 122
        return byte ^ 32 if letter and self.random.random() < 0.5 else byte

    def choose(self, *options):
        return self.random.choice(options)

    # --- Arguments -------------------------------------------------------------------------------

    def key(self):
        return self.random.choice(self.keys)

    def some_keys(self):
        return [self.key() for _ in range(self.random.randint(1, 5))]

    def value(self):
        kind = self.random.random()
        if kind < 0.35:
            return b"%d" % self.random.randint(-1000, 1000)
        if kind < 0.45:
            return self.random.choice(ODD_INTEGERS)
        if kind < 0.55:
            return self.random.choice(FLOATS + ODD_FLOATS)
        if kind < 0.6:
            return self.random.randbytes(self.random.choice([255, 256, 4000, 20_000]))
        return self.random.randbytes(self.random.randint(0, 40))

    def integer(self):
        kind = self.random.random()
        if kind < 0.5:
            return self.random.choice(INTEGERS)
        if kind < 0.7:
            return self.random.choice(ODD_INTEGERS)
        return b"%d" % self.random.randint(-(10**6), 10**6)

    def float(self):
        kind = self.random.random()
        if kind < 0.35:
            return self.random.choice(FLOATS)
        if kind < 0.5:
            return self.random.choice(ODD_FLOATS)
        return repr(self.random.uniform(-1000, 1000)).encode()

    def index(self):
        if self.random.random() < 0.9:
            return b"%d" % self.random.randint(-30, 30)
        return self.random.choice(ODD_INTEGERS)

    def offset(self):
        """Of SETRANGE: near, negative, or beyond every string."""
        if self.random.random() < 0.8:
            return b"%d" % self.random.randint(0, 200)
        return self.choose(b"-1", b"abc", b"536870912", b"9223372036854775807", b"1" * 30, b"")

    def span(self, unit):
        """A relative deadline: far away, over, or wrong. `unit`: 1 for seconds, 1000 for ms."""
        if self.random.random() < 0.7:
            return b"%d" % self.random.randint(1000 * unit, 10**6 * unit)
        return self.choose(*ODD_TIMES, b"9223372036854775807", b"9223372036854775806")

    def instant(self, unit):
        """An absolute deadline: far away, over, or wrong."""
        if self.random.random() < 0.7:
            now = int(time.time() * unit)
            return b"%d" % (now + self.random.randint(1000 * unit, 10**6 * unit))
        too_far = b"9223372036854776" if unit == 1 else b"9223372036854775808"
        return self.choose(*ODD_TIMES, b"1", b"1500000000", too_far)

    def expire_option(self):
        option = self.choose(b"EX", b"PX", b"EXAT", b"PXAT")
        unit = 1000 if option[:1] == b"P" else 1
        absolute = option.endswith(b"AT")
        value = self.instant(unit) if absolute else self.span(unit)
        return [self.choose(option, option.lower()), value]


def _key_command(*names):
    return lambda s: [s.choose(*names), s.key()]


def _keys_command(*names):
    return lambda s: [s.choose(*names), *s.some_keys()]


def _set(s):
    command = [b"SET", s.key(), s.value()]
    for _ in range(s.choose(0, 0, 0, 1, 1, 2, 3)):
        kind = s.random.random()
        if kind < 0.4:
            command += s.expire_option()
        elif kind < 0.95:
            command.append(
                s.choose(b"NX", b"XX", b"GET", b"KEEPTTL", b"nx", b"xx", b"get", b"Keepttl")
            )
        else:
            command.append(s.choose(b"PERSIST", b"", b"EX", b"bogus"))
    return command


def _getex(s):
    command = [b"GETEX", s.key()]
    for _ in range(s.choose(0, 1, 1, 1, 2)):
        if s.random.random() < 0.7:
            command += s.expire_option()
        else:
            command.append(s.choose(b"PERSIST", b"persist", b"KEEPTTL", b"NX", b"bogus"))
    return command


def _setex(s):
    name, unit = s.choose((b"SETEX", 1), (b"PSETEX", 1000))
    return [name, s.key(), s.span(unit), s.value()]


def _expire(s):
    name, unit = s.choose((b"EXPIRE", 1), (b"PEXPIRE", 1000))
    return [name, s.key(), s.span(unit), *_expire_conditions(s)]


def _expire_at(s):
    name, unit = s.choose((b"EXPIREAT", 1), (b"PEXPIREAT", 1000))
    return [name, s.key(), s.instant(unit), *_expire_conditions(s)]


def _expire_conditions(s):
    count = s.choose(0, 0, 0, 1, 1, 2, 3)
    return [s.choose(b"NX", b"XX", b"GT", b"LT", b"gt", b"lt", b"bogus") for _ in range(count)]


def _pairs(*names):
    return lambda s: [s.choose(*names)] + [
        f() for _ in range(s.choose(1, 2, 3)) for f in (s.key, s.value)
    ]


def _get_keys(s):
    command = s.choose([b"GET", s.key()], [b"MSET", b"a", b"1", b"b", b"2"], [b"PING"])
    return [b"COMMAND", b"GETKEYS", *command]


def _scan(s):
    options = s.choose([b"COUNT", b"0"], [b"COUNT", b"abc"], [b"MATCH"], [b"bogus", b"1"])
    return [b"SCAN", b"0", *options]


def _unknown(s):
    arguments = [s.value() for _ in range(s.choose(0, 1, 2, 20))]
    return [s.random.choice(UNKNOWN), *arguments]


MAKERS = [
    (_key_command(b"GET"), 10),
    (_set, 20),
    (_getex, 5),
    (_setex, 4),
    (_expire, 8),
    (_expire_at, 8),
    (_pairs(b"MSET"), 3),
    (_pairs(b"MSETNX"), 3),
    (_keys_command(b"MGET"), 4),
    (_keys_command(b"DEL", b"UNLINK"), 3),
    (_keys_command(b"EXISTS", b"TOUCH"), 3),
    (_key_command(b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME"), 8),
    (_key_command(b"PERSIST", b"TYPE", b"STRLEN", b"GETDEL"), 6),
    (_key_command(b"INCR", b"DECR"), 5),
    (lambda s: [s.choose(b"INCRBY", b"DECRBY"), s.key(), s.integer()], 8),
    (lambda s: [b"INCRBYFLOAT", s.key(), s.float()], 8),
    (lambda s: [s.choose(b"GETRANGE", b"SUBSTR"), s.key(), s.index(), s.index()], 6),
    (lambda s: [b"SETRANGE", s.key(), s.offset(), s.value()], 5),
    (lambda s: [s.choose(b"APPEND", b"GETSET", b"SETNX"), s.key(), s.value()], 6),
    (lambda s: [s.choose(b"RENAME", b"RENAMENX"), s.key(), s.key()], 4),
    (lambda s: [b"PING"] if s.random.random() < 0.5 else [b"PING", s.value()], 1),
    (lambda s: [b"ECHO", s.value()], 1),
    (lambda s: [b"SELECT", s.choose(b"0", b"0", b"16", b"-1", b"9999", b"abc", b"")], 1),
    (lambda s: [b"PUBLISH", s.value(), s.value()], 1),
    (lambda s: [b"CLIENT", b"SETNAME", s.choose(b"", b"a", b"a b", b"\n", b"\xff", b"ok")], 1),
    (lambda s: [b"CLIENT", b"GETNAME"], 1),
    (lambda s: [b"CONFIG", b"GET", s.choose(b"nosuch", b"nosuch*")], 1),
    (lambda s: [b"CONFIG", b"SET", b"nosuch", s.value()], 1),
    (lambda s: [s.choose(b"CLIENT", b"CONFIG", b"PUBSUB"), s.choose(b"NOSUCH", b"nosuch")], 1),
    (lambda s: [b"PUBSUB", b"NUMSUB", s.value()], 1),
    (lambda s: [b"AUTH", *s.choose([b"x"], [b"default", b"x"], [b"nobody", b"x"])], 1),
    (lambda s: [b"HELLO", s.choose(b"4", b"1", b"abc", b"")], 1),
    (lambda s: [b"HELLO", s.choose(b"2", b"3"), s.choose(b"AUTH", b"SETNAME", b"bogus")], 1),
    (_get_keys, 1),
    (lambda s: [b"SCAN", s.choose(b"abc", b"1x", b"1" * 30)], 1),
    (_scan, 1),
    (_unknown, 2),
]  # fmt: skip
