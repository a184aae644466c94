#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The runtime must not call what it intercepts: it would see itself as a part of the program.

    check_symbols.py LIBVIGIL_RACE_A

Each object may refer to symbols of the runtime's own namespace and to the functions below, which
neither allocate nor are intercepted, or say why they may be used. Exit code: 0 clean, 1 findings,
2 usage.
"""
import subprocess
import sys

ALLOWED = {
    "_GLOBAL_OFFSET_TABLE_": "the linker's",
    "__errno_location": "thread-local address",
    "__tls_get_addr": "thread-local address",
    "_Unwind_Resume": "only in the C file that is left by exceptions",
    "__gcc_personality_v0": "only in the C file that is left by exceptions",
    "_ZSt15get_new_handlerv": "operator new without memory",
    "_ZSt17__throw_bad_allocv": "operator new without memory",
    "dlsym": "finds the real functions",
    "dlvsym": "finds the real functions",
    "fflush": "at the end of the program, when nothing runs any more",
    "getpid": "a plain system call",
    "gettid": "a plain system call",
    "pthread_atfork": "once, at start-up",
    "pthread_attr_destroy": "frees what pthread_getattr_np allocated, unrecorded",
    "pthread_attr_getdetachstate": "reads a structure",
    "pthread_attr_getstack": "reads a structure",
    "pthread_attr_init": "fills a structure",
    "pthread_attr_setdetachstate": "fills a structure",
    "pthread_exit": "the program asked for it",
    "pthread_getattr_np": "at the start of a thread, unrecorded",
    "pthread_key_create": "once, at start-up",
    "pthread_mutexattr_init": "fills a structure",
    "pthread_mutexattr_settype": "fills a structure",
    "pthread_self": "thread-local address",
    "pthread_setspecific": "no allocation for the first keys",
    "pthread_testcancel": "a cancellation point where the real function has one",
    "sigaddset": "fills a structure",
    "sigemptyset": "fills a structure",
    "vigil_race_call_with_cleanup": "the runtime's own",
    # Compilers make it of large initialisations; records nothing before a second thread exists.
    "memset": "of the runtime's own memory, at start-up",
}
# Objects that may call the program's heap: for structures that libc or the program frees.
HEAP_USERS = {"pthread_thread.cc.o", "time_timers.cc.o"}
HEAP = {"malloc", "free", "pthread_create"}


def undefined_symbols(archive):
    listing = subprocess.run(["nm", "--undefined-only", archive], capture_output=True, text=True,
                             check=True).stdout
    member = ""
    for line in listing.splitlines():
        words = line.split()
        if line.endswith(":"):
            member = line[:-1]
        elif words:
            yield member, words[-1]


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    findings = 0
    for member, symbol in undefined_symbols(sys.argv[1]):
        own = symbol.startswith("_Z") and "5vigil" in symbol[:12]
        if own or symbol in ALLOWED or (member in HEAP_USERS and symbol in HEAP):
            continue
        print(f"{member}: refers to {symbol}")
        findings += 1
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
