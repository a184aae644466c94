// SPDX-License-Identifier: Apache-2.0
//
// How an interceptor is defined. The files of this folder define nothing else, apart from helpers
// in anonymous namespaces (check_only_interceptors.py):
//
//   VIGIL_INTERCEPTOR int pthread_join(pthread_t handle, void** result) { ... }
//
// Context: any; an interceptor says its own.
#pragma once

// Seen by the program and all its libraries, whatever the runtime's visibility. Weak: a program
// that has a function of that name, its own malloc or its own send, keeps it.
#define VIGIL_INTERCEPTOR extern "C" VIGIL_INTERCEPTOR_CXX

// The same with C++ linkage: operator new and its family.
#define VIGIL_INTERCEPTOR_CXX [[gnu::visibility("default"), gnu::weak]]
