#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checks of the runtime are checked: each must reject what it is there to reject."""
import unittest

import check_only_interceptors
import check_symbols

INTERCEPTOR = "VIGIL_INTERCEPTOR int getpid() { return real_getpid(); }\n"


def lines(text):
    return [line for line, _ in check_only_interceptors.findings_in(text + INTERCEPTOR)]


def in_anonymous(text):
    return "namespace vigil::race {\nnamespace {\n" + text + "}  // namespace\n"


class CheckInterceptorsTest(unittest.TestCase):
    def test_accepts_interceptors_and_helpers_in_anonymous_namespaces(self):
        helpers = "struct State { int a = 0; };\nconstinit State state;\nint f() { return 1; }\n"
        self.assertEqual(lines(in_anonymous(helpers)), [])

    def test_rejects_a_function_outside_of_them(self):
        self.assertEqual(lines("namespace vigil::race {\n\nint f() { return 1; }\n"), [3])
        self.assertEqual(lines("static int f(int a) {\n  if (a) { return 1; }\n  return 2;\n}\n"),
                         [1])
        self.assertEqual(lines('extern "C" void free(void*) {}\n'), [1])
        self.assertEqual(lines('extern "C" {\nvoid free(void*) {}\n}\n'), [2])

    def test_rejects_a_template_and_a_method(self):
        self.assertEqual(lines("template <class T>\nT f(T a) { return a; }\n"), [1])
        self.assertEqual(lines("Guard::Guard() : on_(true) {}\n"), [1])

    def test_goes_on_behind_an_anonymous_namespace(self):
        self.assertEqual(lines(in_anonymous("int f() { return 1; }\n") + "int g() { return 2; }\n"),
                         [5])

    def test_rejects_state_and_types(self):
        self.assertEqual(lines("constinit Real<int (*)()> real(\"f\");\n"), [1])
        self.assertEqual(lines("int count = 0;\n"), [1])
        self.assertEqual(lines("struct State {\n  int count;\n};\n"), [1])

    def test_accepts_declarations(self):
        self.assertEqual(lines("using namespace vigil::race;\nstatic_assert(sizeof(int) == 4);\n"
                               'VIGIL_INTERCEPTOR void f() __asm__("longjmp");\n'), [])

    def test_is_not_misled_by_comments_and_strings(self):
        self.assertEqual(lines('// int f() {\n__asm__(R"(f: { )");\n/* g() { */\n'), [])

    def test_looks_into_macros_that_define_functions(self):
        self.assertEqual(lines("#define F(x) \\\n  void x() {}\nF(free)\n"), [1])
        self.assertEqual(lines("#define F(x) \\\n  VIGIL_INTERCEPTOR void x() {}\nF(free)\n"), [])

    def test_rejects_a_file_without_an_interceptor(self):
        found = list(check_only_interceptors.findings_in("// nothing\n"))
        self.assertEqual(found, [(1, "holds no interceptor")])


class CheckSymbolsTest(unittest.TestCase):
    def test_accepts_the_runtime_itself_and_what_is_listed(self):
        self.assertIsNone(check_symbols.finding("x.cc.o", "dlsym"))
        self.assertIsNone(check_symbols.finding("x.cc.o", "_ZNK5vigil4race8SpinLock4waitEv"))
        self.assertIsNone(check_symbols.finding("pthread_thread.cc.o", "malloc"))

    def test_says_why_and_what_to_use_instead(self):
        for symbol, instead in (("malloc", "allocate_forever()"), ("_Znwm", "allocate_forever()"),
                                ("memcpy", "raw_move()"), ("pthread_mutex_lock", "SpinLock"),
                                ("__cxa_guard_acquire", "constinit"), ("snprintf", "SYS_write"),
                                ("_ZN5vigil8SpinLock4lockEv", "race/detect"),
                                ("__cxa_throw", "has neither"), ("open", "raw_syscall()")):
            found = check_symbols.finding("x.cc.o", symbol)
            self.assertIn(f"x.cc.o: refers to {symbol}, which", found)
            self.assertIn(instead, found)


if __name__ == "__main__":
    unittest.main()
