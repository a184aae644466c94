/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls `call(argument)` and then `cleanup(argument, completed)`, also when the call is left by an
 * exception or by the cancellation of the thread (completed is 0 then). In C, because the C++ part
 * of the runtime is built without exceptions and C programs have no C++ library.
 *
 * Context: interceptor. Thread safety: all.
 */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

void vigil_race_call_with_cleanup(void (*call)(void*), void (*cleanup)(void*, int), void* argument);

#ifdef __cplusplus
}
#endif
