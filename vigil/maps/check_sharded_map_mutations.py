#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_mutations.py for ShardedMap: the same options, its own list of broken protocols.

One store of a release weakened to relaxed is not among them: a reader's acquire of a slot word and
that of the group's control word order the same things, so each of the two may be missing alone, and
x86 would show neither.
"""
import sys

import check_mutations
from check_mutations import Mutation

MUTATIONS = [
    Mutation("group: filling a free slot leaves the sequence as it was",
             "internal/group.h",
             "const std::uint64_t odd = begin_write(group);\n"
             "    store_words(group, index, 0, words.data(), Layout::kSlotWords);",
             "const std::uint64_t odd = begin_write(group) - 2 * Control::kSequenceStep;\n"
             "    store_words(group, index, 0, words.data(), Layout::kSlotWords);",
             "group_test", "*InsertionIntoAFreeSlotInterruptsAReader*"),
    Mutation("group: erasing leaves the sequence as it was",
             "internal/group.h",
             "std::uint64_t high = begin_write(group) + Control::kSequenceStep;",
             "std::uint64_t high = begin_write(group) - Control::kSequenceStep;",
             "group_test", "*ErasingInterruptsAReader*"),
    Mutation("group: emptying for recycling leaves the sequence as it was",
             "internal/group.h",
             "return (word_ & ~(kSequenceStep - 1)) + kSequenceStep;",
             "return (word_ & ~(kSequenceStep - 1)) - kSequenceStep;",
             "group_test", "*EmptyingAGroupForRecyclingInterruptsAReader*"),
    Mutation("group: a reader that starts during a write does not notice",
             "internal/group.h",
             "((word_ & ~kSequenceStep) ^ later.word_)", "(word_ ^ later.word_)",
             "group_test", "*AReaderThatStartsDuringAWriteIsInterrupted*"),
    Mutation("group: a value is replaced although the group changed since",
             "internal/group.h",
             "std::uint64_t expected = control.word();",
             "std::uint64_t expected = word.load(std::memory_order_relaxed);",
             "group_test", "*NoValueIsReplacedAfterAnyChange*"),
    Mutation("group: a value is replaced although the group is frozen",
             "internal/group.h",
             "if (control.writing() || control.frozen()) return false;",
             "if (control.writing()) return false;",
             "group_test", "*NoValueIsReplacedInAFrozenGroup*"),
    Mutation("group: a value is replaced while somebody writes",
             "internal/group.h",
             "if (control.writing() || control.frozen()) return false;",
             "if (control.frozen()) return false;",
             "group_test", "*NoValueIsReplacedWhileSomebodyWrites*"),
    Mutation("table: values may be replaced in a segment whose entries move",
             "internal/table.h", "      freeze(source);\n", "",
             "concurrent_map_stress_test", "*NoAssignmentIsUndone*"),
    Mutation("writer: a value may be replaced between reading and changing it",
             "internal/sharded_map_impl.h",
             "      if (place.found()) map_.table_.freeze(place);\n", "",
             "concurrent_map_stress_test", "*NoAssignmentIsUndone*"),
    Mutation("map: a callback that may not write replaces a value without the lock",
             "sharded_map.h",
             "!probe.needs_confirm() &&\n           !maps::internal::HeldMap::is_held(this);",
             "!probe.needs_confirm();",
             "concurrent_map_test", "*ACallbackOfAWriteThatWritesTheMapIsStopped*"),
    Mutation("table: an entry with a deadline is replaced without the lock",
             "internal/table.h",
             "if (slot[Layout::kDeadlineAt].load(std::memory_order_acquire) != 0)",
             "if (slot[Layout::kDeadlineAt].load(std::memory_order_acquire) == 1)",
             "sharded_map_model_test", "*"),
    Mutation("directory: replacing a segment does not raise the version",
             "internal/directory.h",
             "raise_versions(hash, depth);\n  }\n\n  // The two segments",
             "}\n\n  // The two segments",
             "segment_test", "*ARecycledSegmentBackInItsPlaceDoesNotLookUnchanged*"),
    Mutation("directory: doubling does not raise the versions",
             "internal/directory.h", "    }\n    raise_versions(0, 0);\n  }\n", "    }\n  }\n",
             "segment_test", "*AReaderWithTheMaskBeforeADoublingNoticesIt*"),
    Mutation("directory: halving does not raise the versions",
             "internal/directory.h",
             "    raise_versions(0, 0);\n    memory_.discard", "    memory_.discard",
             "segment_test", "*ItHalvesWhenTwoLevelsAreUnusedAndReadersNotice*"),
    Mutation("directory: only one of the classes that a segment spans sees its change",
             "internal/directory.h",
             "const std::uint64_t step = std::min(kStripes, std::uint64_t{1} << depth);",
             "const std::uint64_t step = kStripes + 0 * depth;",
             "segment_test", "*EverySpannedClassOfHashesSeesASplit*"),
    Mutation("table: a miss is believed without asking the directory again",
             "internal/table.h",
             "return directory_.unchanged(hash, version) ? Search::kAbsent : Search::kInterrupted;",
             "return directory_.unchanged(hash, version) ? Search::kAbsent : Search::kAbsent;",
             "sharded_map_stress_test", "*ReaderNeverMissesAKeyDuringGrowth*"),
    Mutation("table: a slot is believed without looking at the sequence again",
             "internal/table.h",
             "return groups.still_at(group, control);", "return true;",
             "sharded_map_stress_test", "*ReaderNeverSeesATornOrForeignValue*"),
    Mutation("table: a miss in the home group is believed although keys overflowed",
             "internal/table.h",
             "return view.control.overflow() == 0 ? confirmed_miss",
             "return view.control.overflow() < 16 ? confirmed_miss",
             "sharded_map_model_test", "*"),
    Mutation("shards: one that has handed on its hashes stays live",
             "internal/shard.h", "    from.set_forward(&array);\n",
             "    static_cast<void>(from);\n",
             "shard_test", "*AShardThatHandedOnItsHashesSaysSo*"),
]

if __name__ == "__main__":
    check_mutations.MUTATIONS = MUTATIONS
    sys.exit(check_mutations.main())
