#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares verdicts on the test programs of valgrind's drd and helgrind, which nobody here wrote:
the tables of docs/benchmarks/race-peers.md.

    race_peers.py --vigil BUILD/vigil --sources VALGRIND [--only TEXT] [--jobs 2] [--all]

VALGRIND is the unpacked Debian source package (`apt-get source valgrind`); nothing of it is kept.
Each *.vgtest of the two folders is one case: a program and its arguments. It is built three times
(plainly for valgrind, by g++'s ThreadSanitizer, by `vigil race`) and run under helgrind, drd,
ThreadSanitizer, and vigil in free mode (three runs) and controlled mode (20 seeds). What the
annotations of drd.h say to valgrind, they say to the others by the functions that those have.

Printed: for each case whether a tool reports a data race (R) or misuse of locks or of their order
(L); all cases with --all, else those where vigil differs from what JUDGED or, without an entry
there, most of the three peers say. Exit code: 0, or 2 for a wrong command.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LIMIT_S = 60
SEEDS = "20"
PEERS = ("helgrind", "drd", "tsan")
COLUMNS = (*PEERS, "free", "controlled")

# Not for these tools: other tools' tests, other systems', the same program as another case.
LEFT_OUT = re.compile(r"_xml$|^unit_|freebsd|glibc_2_0|^sigaltstack$|^str_tester$")

# Cases whose verdict is not what most of the three peers say, and why: race, locks, reason.
JUDGED = {
    "annotate_publish_hg": (False, False, "valgrind says that it does not know an annotation"),
    "annotate_smart_pointer2": (False, False, "ordered by atomic operations, which valgrind does "
                                "not see"),
    "atomic_var": (False, False, "ordered by atomic operations, which valgrind does not see"),
    "bar_bad": (True, True, "initialises and destroys barriers that other threads use"),
    "omp_matinv": (False, False, "ordered by OpenMP, which the others do not see"),
    "pth_barrier_race": (True, False, "destroys a barrier that another thread may still be in"),
    "pth_cond_destroy_busy": (False, True, "destroys what a thread waits for"),
    "pth_cond_race": (False, False, "signals without the mutex, which POSIX allows"),
    "pth_destroy_cond": (False, False, "the only waiter is woken before, which POSIX allows"),
    "pth_mutex_reinit": (False, True, "a second initialisation: not looked at"),
    "pth_barrier_reinit": (False, True, "a second initialisation: not looked at"),
    "pth_mutex_signal": (False, False, "correct, and expected to be silent by its authors"),
    "pth_uninitialized_cond": (False, True, "never initialised, and looks as if it was"),
    "rwlock_type_checking": (False, False, "a lock that is one by valgrind's requests only"),
    "tc18_semabuse": (False, False, "calls that answer with an error"),
}

ANNOTATIONS = r"""
#ifdef VIGIL_PEERS_ANNOTATE
#ifdef __cplusplus
extern "C" {
#endif
void AnnotateHappensBefore(const char*, int, void*);
void AnnotateHappensAfter(const char*, int, void*);
void AnnotateRWLockCreate(const char*, int, void*);
void AnnotateRWLockDestroy(const char*, int, void*);
void AnnotateRWLockAcquired(const char*, int, void*, long);
void AnnotateRWLockReleased(const char*, int, void*, long);
void AnnotateBenignRaceSized(const char*, int, void*, unsigned long, const char*);
void AnnotateIgnoreReadsBegin(const char*, int);
void AnnotateIgnoreReadsEnd(const char*, int);
void AnnotateIgnoreWritesBegin(const char*, int);
void AnnotateIgnoreWritesEnd(const char*, int);
void AnnotateNewMemory(const char*, int, void*, unsigned long);
#ifdef __cplusplus
}
#endif
#define PEERS_AT __FILE__, __LINE__
#define PEERS_OF(p) (void*)(unsigned long)(p)
#undef ANNOTATE_HAPPENS_BEFORE
#define ANNOTATE_HAPPENS_BEFORE(p) AnnotateHappensBefore(PEERS_AT, PEERS_OF(p))
#undef ANNOTATE_HAPPENS_AFTER
#define ANNOTATE_HAPPENS_AFTER(p) AnnotateHappensAfter(PEERS_AT, PEERS_OF(p))
#undef ANNOTATE_RWLOCK_CREATE
#define ANNOTATE_RWLOCK_CREATE(p) AnnotateRWLockCreate(PEERS_AT, PEERS_OF(p))
#undef ANNOTATE_RWLOCK_DESTROY
#define ANNOTATE_RWLOCK_DESTROY(p) AnnotateRWLockDestroy(PEERS_AT, PEERS_OF(p))
#undef ANNOTATE_RWLOCK_ACQUIRED
#define ANNOTATE_RWLOCK_ACQUIRED(p, w) AnnotateRWLockAcquired(PEERS_AT, PEERS_OF(p), w)
#undef ANNOTATE_RWLOCK_RELEASED
#define ANNOTATE_RWLOCK_RELEASED(p, w) AnnotateRWLockReleased(PEERS_AT, PEERS_OF(p), w)
#undef ANNOTATE_SEM_INIT_PRE
#define ANNOTATE_SEM_INIT_PRE(p, value) AnnotateHappensBefore(PEERS_AT, PEERS_OF(p))
#undef ANNOTATE_SEM_DESTROY_POST
#define ANNOTATE_SEM_DESTROY_POST(p) do { } while (0)
#undef ANNOTATE_SEM_WAIT_PRE
#define ANNOTATE_SEM_WAIT_PRE(p) do { } while (0)
#undef ANNOTATE_SEM_WAIT_POST
#define ANNOTATE_SEM_WAIT_POST(p) AnnotateHappensAfter(PEERS_AT, PEERS_OF(p))
#undef ANNOTATE_SEM_POST_PRE
#define ANNOTATE_SEM_POST_PRE(p) AnnotateHappensBefore(PEERS_AT, PEERS_OF(p))
#undef ANNOTATE_BARRIER_INIT
#define ANNOTATE_BARRIER_INIT(p, count, again) do { } while (0)
#undef ANNOTATE_BARRIER_DESTROY
#define ANNOTATE_BARRIER_DESTROY(p) do { } while (0)
#undef ANNOTATE_BARRIER_WAIT_BEFORE
#define ANNOTATE_BARRIER_WAIT_BEFORE(p) AnnotateHappensBefore(PEERS_AT, PEERS_OF(p))
#undef ANNOTATE_BARRIER_WAIT_AFTER
#define ANNOTATE_BARRIER_WAIT_AFTER(p) AnnotateHappensAfter(PEERS_AT, PEERS_OF(p))
#undef ANNOTATE_BENIGN_RACE_SIZED
#define ANNOTATE_BENIGN_RACE_SIZED(p, size, why) \
  AnnotateBenignRaceSized(PEERS_AT, PEERS_OF(p), size, why)
#undef ANNOTATE_IGNORE_READS_BEGIN
#define ANNOTATE_IGNORE_READS_BEGIN() AnnotateIgnoreReadsBegin(PEERS_AT)
#undef ANNOTATE_IGNORE_READS_END
#define ANNOTATE_IGNORE_READS_END() AnnotateIgnoreReadsEnd(PEERS_AT)
#undef ANNOTATE_IGNORE_WRITES_BEGIN
#define ANNOTATE_IGNORE_WRITES_BEGIN() AnnotateIgnoreWritesBegin(PEERS_AT)
#undef ANNOTATE_IGNORE_WRITES_END
#define ANNOTATE_IGNORE_WRITES_END() AnnotateIgnoreWritesEnd(PEERS_AT)
#undef ANNOTATE_NEW_MEMORY
#define ANNOTATE_NEW_MEMORY(p, size) AnnotateNewMemory(PEERS_AT, PEERS_OF(p), size)
#endif
"""


def cases_of(sources):
    """Yields (name, source, arguments, {tool: its options}), each program and arguments once."""
    found = {}
    for tool in ("helgrind", "drd"):
        for file in sorted((sources / tool / "tests").glob("*.vgtest")):
            if LEFT_OUT.search(file.stem):
                continue
            lines = dict(re.findall(r"^(\w+):[ \t]*(.*)$", file.read_text(), re.MULTILINE))
            if lines.get("prereq", "").startswith("false") and file.stem != "pth_spinlock":
                continue
            program, *arguments = lines["prog"].split()
            arguments += lines.get("args", "").split()
            source = (file.parent / program).resolve()
            options = [o for o in lines.get("vgopts", "").split() if "-annot" in o or
                       o.startswith(("--check-stack-var", "--free-is-write", "--fair-sched"))]
            case = found.setdefault((source, tuple(arguments)), [file.stem, {}])
            case[1][tool] = options
    for (source, arguments), (name, options) in sorted(found.items(), key=lambda item: item[1][0]):
        yield name, source, list(arguments), options


class Peers:
    def __init__(self, arguments, work):
        self.vigil = os.path.abspath(arguments.vigil)
        self.sources = pathlib.Path(arguments.sources).resolve()
        self.tree = work / "tree"
        self.work = work
        self.prepare()

    def prepare(self):
        """A copy of what the programs include, with annotations for tools that are no valgrind."""
        for folder in ("drd", "helgrind", "include", "tests", "coregrind", "memcheck/tests"):
            shutil.copytree(self.sources / folder, self.tree / folder, dirs_exist_ok=True)
        (self.tree / "config.h").write_text(
            "#define HAVE_PTHREAD_SPINLOCK 1\n#define HAVE_PTHREAD_RWLOCK_T 1\n"
            "#define HAVE_PTHREAD_MUTEX_ADAPTIVE_NP 1\n#define HAVE_PTHREAD_MUTEX_ERRORCHECK_NP 1\n"
            "#define HAVE_PTHREAD_MUTEX_RECURSIVE_NP 1\n#define HAVE_PTHREAD_MUTEX_TIMEDLOCK 1\n"
            "#define HAVE_PTHREAD_BARRIER 1\n#define HAVE_PTHREAD_COND_TIMEDWAIT 1\n"
            "#define HAVE_BUILTIN_ATOMIC 1\n#define HAVE_CLOCK_MONOTONIC 1\n"
            "#define HAVE_PTHREAD_COND_T 1\n#define HAVE_SYS_PRCTL_H 1\n"
            "#define HAVE_EPOLL_CREATE 1\n"
            "#define HAVE_PTHREAD_SETNAME_NP 1\n#define VGO_linux 1\n#define VGA_amd64 1\n"
            "#define VGP_amd64_linux 1\n")
        for header in ("drd/drd.h", "helgrind/helgrind.h"):
            with open(self.tree / header, "a", encoding="utf-8") as file:
                file.write(ANNOTATIONS)

    def build(self, source, way):
        """The program's path, or None if it does not build."""
        source = self.tree / source.relative_to(self.sources)
        file = next((f for f in (source.with_suffix(".c"), source.with_suffix(".cpp"))
                     if f.exists()), None)
        if file is None:
            return None
        plain = file.suffix == ".cpp"
        compiler = {"valgrind": ["g++" if plain else "gcc"],
                    "tsan": ["g++" if plain else "gcc", "-fsanitize=thread"],
                    "vigil": [self.vigil, "race", "cxx" if plain else "cc"]}[way]
        program = self.work / way / source.name
        program.parent.mkdir(exist_ok=True)
        flags = ["-g", "-w", "-O0", f"-I{self.tree}", f"-I{self.tree}/include",
                 f"-I{self.tree}/coregrind", "-D_GNU_SOURCE", "-DVGO_linux",
                 '-DTHREAD_WRAPPERS="tsan_thread_wrappers_pthread.h"']
        flags += [] if way == "valgrind" else ["-DVIGIL_PEERS_ANNOTATE"]
        flags += ["-fopenmp"] if source.name.startswith("omp_") else []
        flags += ["-std=c++17"] if plain and "tsan_unittest" not in source.name else []
        libraries = ["-pthread", "-ldl", "-lm"]
        if source.name == "boost_thread":
            libraries.append("-lboost_thread")
        done = subprocess.run([*compiler, *flags, str(file), "-o", str(program), *libraries],
                              cwd=file.parent, capture_output=True, check=False)
        return program if done.returncode == 0 else None

    def output(self, command, folder, **environment):
        done = subprocess.Popen(command, cwd=folder, env=dict(os.environ, **environment),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True)
        try:
            return done.communicate(timeout=LIMIT_S)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            os.killpg(done.pid, 9)
            return done.communicate()[0].decode(errors="replace")

    def valgrind(self, tool, program, arguments, options):
        report = self.work / f"{tool}.{program.name}.{abs(hash(tuple(arguments)))}.xml"
        self.output(["valgrind", f"--tool={tool}", *options, "--xml=yes", f"--xml-file={report}.%p",
                     str(program), *arguments], program.parent)
        kinds = set()
        for file in report.parent.glob(report.name + ".*"):
            kinds |= set(re.findall(r"<kind>(\w+)</kind>", file.read_text(errors="replace")))
        races = {"Race", "ConflictingAccess"}
        return bool(kinds & races), bool(kinds - races - {"HoldtimeErr"})

    def helgrind(self, builds, arguments, options):
        return self.valgrind("helgrind", builds["valgrind"], arguments, options.get("helgrind", []))

    def drd(self, builds, arguments, options):
        usual = ["--check-stack-var=yes"]
        return self.valgrind("drd", builds["valgrind"], arguments, options.get("drd", usual))

    def tsan(self, builds, arguments, _):
        race = locks = False
        for _ in range(3):
            text = self.output(["setarch", "-R", str(builds["tsan"]), *arguments],
                               builds["tsan"].parent, TSAN_OPTIONS="detect_deadlocks=1")
            kinds = set(re.findall(r"WARNING: ThreadSanitizer: ([a-z -]+)", text))
            race |= any(kind.startswith(("data race", "heap-use")) for kind in kinds)
            locks |= any("lock" in kind for kind in kinds)
        return race, locks

    def vigil_run(self, builds, arguments, *options):
        case = f"{builds['vigil'].name}.{abs(hash(tuple(arguments)))}"
        report = self.work / f"vigil.{options[1]}.{case}"
        race = locks = False
        for _ in range(3 if "free" in options else 1):
            report.unlink(missing_ok=True)
            self.output([self.vigil, "race", "run", *options, "--keep-going", "--timeout-s", "20",
                         "--json", str(report), "--", str(builds["vigil"]), *arguments],
                        builds["vigil"].parent)
            if not report.exists():
                return None
            kinds = {f["kind"] for f in json.loads(report.read_text())["findings"]}
            race |= bool(kinds & {"race", "use after free", "use-after-free"})
            locks |= bool(kinds & {"lock misuse", "deadlock", "lock-misuse"})
        return race, locks

    def free(self, builds, arguments, _):
        return self.vigil_run(builds, arguments, "--mode", "free")

    def controlled(self, builds, arguments, _):
        return self.vigil_run(builds, arguments, "--mode", "controlled", "--schedules", SEEDS,
                              "--lock-order")

    def verdicts(self, case):
        name, source, arguments, options = case
        builds = {way: self.build(source, way) for way in ("valgrind", "tsan", "vigil")}
        needs = {"helgrind": "valgrind", "drd": "valgrind", "tsan": "tsan"}
        found = {column: getattr(self, column)(builds, arguments, options)
                 if builds[needs.get(column, "vigil")] else None for column in COLUMNS}
        return name, found


def wanted(name, found):
    """What is right: as judged, else what most of the peers say."""
    if name in JUDGED:
        return JUDGED[name][:2]
    peers = [found[peer] for peer in PEERS if found[peer] is not None]
    return tuple(sum(peer[i] for peer in peers) * 2 > len(peers) for i in (0, 1))


def ours(found):
    runs = [found[mode] for mode in ("free", "controlled") if found[mode] is not None]
    return tuple(any(run[i] for run in runs) for i in (0, 1))


def mark(verdict):
    if verdict is None:
        return "-"
    return ("R" if verdict[0] else "") + ("L" if verdict[1] else "") or "."


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vigil", required=True)
    parser.add_argument("--sources", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="race_peers.") as work:
        peers = Peers(arguments, pathlib.Path(work))
        cases = [case for case in cases_of(peers.sources) if arguments.only in case[0]]
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            results = list(pool.map(peers.verdicts, cases))
    right = [0, 0]
    print("| program | " + " | ".join(COLUMNS) + " | right | why |\n|---" + "|---" * 7 + "|")
    for name, found in results:
        truth, own = wanted(name, found), ours(found)
        right = [right[i] + (truth[i] == own[i]) for i in (0, 1)]
        if arguments.all or truth != own or name in JUDGED:
            print(f"| `{name}` | " + " | ".join(mark(found[c]) for c in COLUMNS) +
                  f" | {mark(truth)} | {JUDGED.get(name, ('', '', ''))[2]} |")
    with_misuse = [(wanted(n, f), ours(f)) for n, f in results if wanted(n, f)[1]]
    print(f"\nraces: {right[0]} of {len(results)} verdicts right; misuse of locks: "
          f"{sum(own[1] for _, own in with_misuse)} of {len(with_misuse)} found, "
          f"{right[1]} of {len(results)} verdicts right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
