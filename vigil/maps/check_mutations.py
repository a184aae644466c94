#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the protocols of the maps on purpose, one at a time, and asks whether a test notices.

    check_mutations.py SOURCE_DIR WORK_DIR [--only TEXT] [--sanitizer none|thread|address]

Copies SOURCE_DIR to WORK_DIR/tree, applies one mutation after the other to the copy, builds the
test that should catch it in WORK_DIR/SANITIZER and runs it. A mutation is caught if the test fails
or, where that is what the mutation does, does not end in time. Production code has no switches for
this.

Exit code: 0 every mutation was caught, 1 one survived, 2 usage or a mutation that does not apply.
"""
import argparse
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TEST_SECONDS_MAX = 120


@dataclass
class Mutation:
    what: str
    file: str
    old: str
    new: str
    test: str
    filter: str = "*"
    sanitizer: str = "none"
    hangs: bool = False  # not ending is how it shows; elsewhere that proves nothing


MUTATIONS = [
    Mutation("lock: a reader does not look for a writer after counting itself",
             "internal/distributed_rw_lock.h",
             "if (writer_.load(std::memory_order_seq_cst) == kNone) [[likely]]\n"
             "        return slot;",
             "return slot;",
             "distributed_rw_lock_test", "*AReaderNeverSeesAWriteHalfDone*"),
    Mutation("lock: a writer does not wait for the readers",
             "internal/distributed_rw_lock.h",
             "readers.load(std::memory_order_seq_cst) != 0) backoff.pause();",
             "readers.load(std::memory_order_seq_cst) > 9) backoff.pause();",
             "distributed_rw_lock_test", "*AReaderNeverSeesAWriteHalfDone*"),
    Mutation("lock: a writer wakes nobody",
             "internal/distributed_rw_lock.h", "    writer_.notify_all();\n", "",
             "distributed_rw_lock_test", "*SleepingReadersAreWoken*", hangs=True),
    Mutation("lock: a reader leaves by a relaxed store",
             "internal/distributed_rw_lock.h",
             "fetch_sub(1, std::memory_order_release)", "fetch_sub(1, std::memory_order_relaxed)",
             "distributed_rw_lock_test", "*AReaderNeverSeesAWriteHalfDone*", "thread"),
    Mutation("snapshot: a version is published by a relaxed store",
             "snapshot_map.h",
             "current_.store(next.release(), std::memory_order_release)",
             "current_.store(next.release(), std::memory_order_relaxed)",
             "snapshot_map_test", "*AReloadIsSeenWholeOrNotAtAll*", "thread"),
    Mutation("snapshot: a replaced version is released without waiting for its readers",
             "snapshot_map.h",
             "[&previous](maps::internal::Retired& to) { to.push(&previous); }",
             "[&previous](const maps::internal::Retired&) { previous.release(); }",
             "snapshot_map_test", "*ReadCallbacksMayWrite*", "address"),
    Mutation("snapshot: a read does not say which version it uses",
             "snapshot_map.h",
             "guard_.template protect<0>(version_);", "",
             "snapshot_map_test", "*ReadCallbacksMayWrite*", "address"),
    Mutation("node: a writer that waits does not go before later readers",
             "internal/node.h", "if (seen < kWaiting && word_", "if (seen < kWriter && word_",
             "map_reclamation_test", "*AWriterGetsItsTurn*", hangs=True),
    Mutation("reclaimer: the entries of an iteration are not looked at",
             "internal/reclaimer.h",
             "      for (const Node* node : set->nodes) use(node, 0);\n", "",
             "reclaimer_test", "*ASetKeepsItsNodes*"),
    Mutation("snapshot: a write works on the current version",
             "snapshot_map.h",
             "std::make_unique<Version>(latest().map);",
             "std::make_unique<Version>(std::move(latest().map));",
             "snapshot_map_test", "*ASnapshotDoesNotChange*"),
    Mutation("lazy: readiness is published by a relaxed store",
             "lazy.h", "state_.store(state, std::memory_order_seq_cst);",
             "state_.store(state, std::memory_order_relaxed);",
             "lazy_test", "*HoweverManyThreadsAsk*", "thread"),
    Mutation("lazy: waiting threads are not woken",
             "lazy.h", "    state_.notify_all();\n", "",
             "lazy_test", "*ThoseWhoWaitAreWoken*", hangs=True),
    Mutation("check: a read does not look again at its end",
             "internal/access_check.h",
             "[[gnu::always_inline]] ~Read() { static_cast<void>(still_valid()); }",
             "[[gnu::always_inline]] ~Read() {}",
             "checked_map_test", "*AWriteDuringAReadIsReportedByTheRead*"),
    Mutation("check: a read does not look at its begin",
             "internal/access_check.h", "if (AccessWord::active(before_)) [[unlikely]]",
             "if (AccessWord::active(before_) && operation_ == MapOperation::kNone) [[unlikely]]",
             "checked_map_test", "*AReadDuringAWriteIsReported*"),
    Mutation("check: a write does not look again at its end",
             "internal/access_check.h",
             "if (check_.word_.load(std::memory_order_relaxed) != during) [[unlikely]]",
             "if (during == 0) [[unlikely]]",
             "checked_map_test", "*AWriteDuringAWriteIsReportedByBothSides*"),
    Mutation("check: writes are not counted",
             "internal/access_word.h", "return during + (kOneWrite - kActive);",
             "return during - kActive;",
             "checked_map_test", "*AWriteDuringAReadIsReportedByTheRead*:*LingersWhen*:*Ended*"),
    Mutation("check: nobody lingers",
             "internal/access_check.cc", "if (lingers) linger(mine, operation);", "",
             "checked_map_test", "*AWriteLingersWhenTheWriterChanges*"),
    Mutation("check: an iteration does not look between two entries",
             "internal/guarded_map.h",
             "    map_.for_each([&](const auto& key, const mapped_type& value) {\n"
             "      return visited_goes_on(visitor, key, value) && read.still_valid();",
             "    map_.for_each([&](const auto& key, const mapped_type& value) {\n"
             "      return visited_goes_on(visitor, key, value);",
             "checked_map_test", "*AWriteDuringAnIterationEndsItWithAReport*"),
    Mutation("with_keys: keys that are equal are taken for different ones",
             "internal/key_numbers.h", "if (earlier.same_key(probes[n])) return d - 1;", "",
             "map_with_keys_test", "*EqualKeysShareOneValue*"),
    Mutation("with_keys: tables grow while entries are added",
             "internal/flat/flat_several.h",
             "if (map.find(keys.distinct(n)) == nullptr) map.make_room(count);", "",
             "map_with_keys_test", "*DoesWhatAModelDoes*", "address"),
    Mutation("lazy: set() replaces a value",
             "lazy.h", "      if (state == kReady) return false;\n",
             "      if (state == kReady) { make(maker, on_failure); return true; }\n",
             "lazy_test", "*OnlyTheFirstSetCounts*"),
    Mutation("table: a full group is not marked as overflowed",
             "internal/flat/flat_table.h", "      group.set_overflowed(hash);\n", "",
             "flat_table_test", "*KeysOfOneHashAreAllFound*"),
    Mutation("table: a hash that throws finds entries moved already",
             "internal/flat/flat_table.h", "if constexpr (!kHashIsNoexcept) {",
             "if constexpr (!kHashIsNoexcept && sizeof(Slot) == 1) {",
             "flat_table_test", "*AHashThatFailsDuringGrowthLosesNothing*"),
]


def copy_tree(source, tree):
    if tree.exists():
        shutil.rmtree(tree)
    ignored = shutil.ignore_patterns(".git", "build", "node_modules", "__pycache__")
    shutil.copytree(source, tree, ignore=ignored, symlinks=True)


def configure(tree, build, sanitizer):
    if (build / "build.ninja").exists():
        return
    value = {"none": "", "thread": "thread", "address": "address,undefined"}[sanitizer]
    subprocess.run(["cmake", "-S", tree, "-B", build, "-G", "Ninja", f"-DVIGIL_SANITIZE={value}",
                    "-DCMAKE_BUILD_TYPE=RelWithDebInfo"], check=True, stdout=subprocess.DEVNULL)


def test_fails(build, mutation):
    built = subprocess.run(["ninja", "-C", build, mutation.test], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, check=False)
    if built.returncode != 0:
        print(built.stdout, file=sys.stderr)
        raise SystemExit(2)
    program = next(path for path in build.rglob(mutation.test) if path.is_file())
    repeats = 20 if mutation.sanitizer == "none" else 3
    command = [program, f"--gtest_filter={mutation.filter}", f"--gtest_repeat={repeats}"]
    if mutation.sanitizer == "thread":
        command = ["setarch", "-R"] + command
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=TEST_SECONDS_MAX, check=False).returncode != 0
    except subprocess.TimeoutExpired:
        return mutation.hangs


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", default="", help="part of a mutation's description")
    parser.add_argument("--sanitizer", choices=["none", "thread", "address"])
    arguments = parser.parse_args()
    tree = arguments.work / "tree"
    copy_tree(arguments.source, tree)
    survived = 0
    for mutation in MUTATIONS:
        if arguments.only not in mutation.what:
            continue
        if arguments.sanitizer not in (None, mutation.sanitizer):
            continue
        build = arguments.work / mutation.sanitizer
        configure(tree, build, mutation.sanitizer)
        path = tree / "vigil/maps" / mutation.file
        text = path.read_text(encoding="utf-8")
        if text.count(mutation.old) != 1:
            print(f"does not apply: {mutation.what}", file=sys.stderr)
            return 2
        path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
        caught = test_fails(build, mutation)
        path.write_text(text, encoding="utf-8")
        survived += not caught
        verdict = "caught by" if caught else "SURVIVED"
        suffix = "" if mutation.sanitizer == "none" else f" ({mutation.sanitizer} sanitizer)"
        print(f"{verdict:9} {mutation.test}{suffix}: {mutation.what}", flush=True)
    print(f"mutations: {survived} survived")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
