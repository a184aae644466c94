// SPDX-License-Identifier: Apache-2.0
//
// The sentence that says what happened:
//
//   timer/cron (`CleanExpired`, cron/clean.go:33) deletes while HTTP handler (`Get`,
//   cache/cache.go:45) reads `c.data`
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "vigil/tools/evidence/collision.h"

namespace vigil::tools::triage {

std::string verdict(const evidence::Collision& collision);

// "deletes", "reads", "iterates"; "touches" for an unknown operation.
std::string_view verb(report::Operation operation);

// "CleanExpired" of "example.com/svc/cron.CleanExpired", "SessionCache::drop" of
// "svc::SessionCache::drop(int)": enough to find it, short enough for a sentence.
std::string sentence_name(std::string_view function);

// The last two parts of a path: "cron/clean.go".
std::string short_path(std::string_view file);

}  // namespace vigil::tools::triage
