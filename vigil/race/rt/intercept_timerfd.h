// SPDX-License-Identifier: Apache-2.0
//
// Timer descriptors in virtual time: an event descriptor in disguise. Reading gives the number of
// expirations and starts again from zero, which is what an eventfd does with what is added to it.
//
// Thread safety: the caller holds the token. Context: interceptor.
#pragma once

namespace vigil::race {

void timerfd_closing(int descriptor);

}  // namespace vigil::race
