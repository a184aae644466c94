// SPDX-License-Identifier: Apache-2.0
//
// The program whose precompiled headers the tests use (testing.cmake); it is never run.

int main() { return 0; }
