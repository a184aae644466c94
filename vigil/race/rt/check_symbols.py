#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The runtime must not call what it intercepts: it would see itself as a part of the program.

    check_symbols.py LIBVIGIL_RACE_A

Each object may refer to symbols of the runtime's own namespaces and to the functions below, which
neither allocate nor are intercepted, or say why they may be used. A finding says why the symbol is
forbidden and what to write instead. Exit code: 0 clean, 1 findings, 2 usage.
"""
import re
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
    "dlopen": "loads what the linker thought unneeded",
    "dlsym": "finds the real functions",
    "dlvsym": "finds the real functions",
    "dirfd": "reads a structure",
    "fileno": "reads a structure",
    "__tsan_default_suppressions": "the program's own, at start-up",
    "TBB_runtime_interface_version": "only whether it is there",
    "__kmpc_fork_call": "only whether it is there",
    "environ": "for the tool that names findings",
    "fflush": "at the end of the program, when nothing runs any more",
    "getpid": "a plain system call",
    "getuid": "a plain system call",
    "gettid": "a plain system call",
    "pthread_atfork": "once, at start-up",
    "pthread_attr_destroy": "frees what pthread_getattr_np allocated, unrecorded",
    "pthread_attr_getdetachstate": "reads a structure",
    "pthread_attr_getstack": "reads a structure",
    "pthread_attr_init": "fills a structure",
    "pthread_attr_setdetachstate": "fills a structure",
    "pthread_attr_setstacksize": "fills a structure",
    "pthread_exit": "the program asked for it",
    "pthread_getattr_np": "at the start of a thread, unrecorded",
    "pthread_key_create": "once, at start-up",
    "pthread_mutexattr_init": "fills a structure",
    "pthread_mutexattr_settype": "fills a structure",
    "pthread_self": "thread-local address",
    "pthread_setspecific": "no allocation for the first keys",
    "sigaddset": "fills a structure",
    "sigemptyset": "fills a structure",
    "vigil_race_call_with_cleanup": "the runtime's own",
    # Compilers make it of large initialisations; records nothing before a second thread exists.
    "memset": "of the runtime's own memory, at start-up",
}
# Objects that may call the program's heap: for structures that libc or the program frees.
HEAP_USERS = {"pthread_thread.cc.o", "time_timers.cc.o"}
HEAP = {"malloc", "free", "pthread_create"}

# Symbols of race/rt, race/detect and race/sched, and of report.
OWN = re.compile(r"_Z\w{0,6}5vigil(4race|6report)\w*")

# Why the symbols that a pattern matches are forbidden, and what to write instead.
ADVICE = (
    (r"(malloc|calloc|realloc|free|_Zn[wa]m\w*|_Zd[la]Pv\w*)",
     "allocates from the program's heap, which the runtime itself is; use allocate_forever() or"
     " map_array() of raw/memory.h"),
    (r"(mem(cpy|move|set|cmp|chr)|str\w+|bcopy|bzero)(_chk)?",
     "is intercepted and would be recorded as the program's access; use raw_move(), raw_fill() and"
     " their neighbours in raw/copy.h (compilers call them for large copies, too)"),
    (r"pthread_(mutex|rwlock|cond|spin|once|barrier)\w*|sem_\w+",
     "is intercepted and would be a scheduling point of the program; use SpinLock"
     " (race/detect/spin_lock.h) or raw/futex.h"),
    (r"__cxa_guard_\w+|__cxa_atexit|_GLOBAL__sub_I\w*",
     "is a static that is initialised at run time; make it constinit, in the file's State"),
    (r"__cxa_\w+|_ZTI\w*|_ZTV\w*|__gxx_personality_v0",
     "is support for exceptions or RTTI, which C programs lack; the runtime has neither"),
    (r"_Z\w{0,6}5vigil\w+",
     "is of another module of vigil, which may allocate; the runtime uses report, race/detect and"
     " race/sched only"),
    (r"(f|s|sn|v|vf|vsn)?printf|f?puts|fopen|fclose|fwrite|fread",
     "is stdio, which allocates and takes locks; write by raw_syscall(SYS_write, ...)"),
)
OTHERWISE = ("may allocate or be intercepted; use raw_syscall() of raw/syscall.h, or Real<> of"
             " world/real_function.h for the C library's own function. If it does neither, list it"
             " in ALLOWED with the reason")


def advice(symbol):
    for pattern, sentence in ADVICE:
        if re.fullmatch(pattern, symbol):
            return sentence
    return OTHERWISE


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


def finding(member, symbol):
    """What is wrong with a reference of the object to the symbol, or None."""
    if OWN.fullmatch(symbol) or symbol in ALLOWED or (member in HEAP_USERS and symbol in HEAP):
        return None
    return f"{member}: refers to {symbol}, which {advice(symbol)}"


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    found = [finding(*reference) for reference in undefined_symbols(sys.argv[1])]
    found = [sentence for sentence in found if sentence]
    for sentence in found:
        print(sentence)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
