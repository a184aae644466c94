// SPDX-License-Identifier: Apache-2.0
int library_value;
void touch_library_value() { ++library_value; }
