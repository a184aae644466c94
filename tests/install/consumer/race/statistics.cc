// SPDX-License-Identifier: Apache-2.0
namespace {
int requests = 0;
}

void count_request() { ++requests; }
