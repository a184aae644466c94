// SPDX-License-Identifier: Apache-2.0
//
// Names for clang's thread-safety analysis (-Wthread-safety); they expand to nothing elsewhere.
#pragma once

#if defined(__clang__)
#define VIGIL_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define VIGIL_THREAD_ATTRIBUTE(x)
#endif

#define VIGIL_CAPABILITY(name) VIGIL_THREAD_ATTRIBUTE(capability(name))
#define VIGIL_SCOPED_CAPABILITY VIGIL_THREAD_ATTRIBUTE(scoped_lockable)
#define VIGIL_GUARDED_BY(lock) VIGIL_THREAD_ATTRIBUTE(guarded_by(lock))
#define VIGIL_REQUIRES(...) VIGIL_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define VIGIL_EXCLUDES(...) VIGIL_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define VIGIL_ACQUIRE(...) VIGIL_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define VIGIL_RELEASE(...) VIGIL_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define VIGIL_TRY_ACQUIRE(...) VIGIL_THREAD_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define VIGIL_NO_THREAD_SAFETY_ANALYSIS VIGIL_THREAD_ATTRIBUTE(no_thread_safety_analysis)
