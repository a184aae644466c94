// SPDX-License-Identifier: Apache-2.0
//
// What OpenMP orders, and what it does not, each with what must be reported.
#include <omp.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kThreads = 3;
constexpr int kCount = 24;
constexpr const char* kRace = "data race";
constexpr const char* kNothing = "";

int values[kCount];
int shared = 0;

// ---- ordered

void loops_and_reductions() {
  long sum = 0;
#pragma omp parallel for reduction(+ : sum) num_threads(kThreads)
  for (int i = 0; i < kCount; ++i) sum += values[i] = i;
#pragma omp parallel for schedule(dynamic, 2) num_threads(kThreads)
  for (int i = 0; i < kCount; ++i) values[kCount - 1 - i] += 1;
#pragma omp parallel for schedule(guided) num_threads(kThreads)
  for (int i = 0; i < kCount; ++i) values[i] += static_cast<int>(sum);
  shared = values[0];
}

void rounds_of_barriers() {
#pragma omp parallel num_threads(kThreads)
  for (int round = 0; round < 4; ++round) {
    if (omp_get_thread_num() == round % kThreads) shared += round;
#pragma omp barrier
  }
}

void ends_of_loops_are_barriers() {
#pragma omp parallel num_threads(kThreads)
  {
#pragma omp for
    for (int i = 0; i < kCount; ++i) values[i] = i;
#pragma omp for schedule(dynamic)
    for (int i = 0; i < kCount; ++i) values[kCount - 1 - i] *= 2;
  }
}

void critical_sections_and_locks() {
  omp_lock_t lock;
  omp_nest_lock_t nested;
  omp_init_lock(&lock);
  omp_init_nest_lock(&nested);
  int counts[4] = {};
#pragma omp parallel num_threads(kThreads)
  {
#pragma omp critical
    ++counts[0];
#pragma omp critical(named)
    ++counts[1];
    omp_set_lock(&lock);
    ++counts[2];
    omp_unset_lock(&lock);
    omp_set_nest_lock(&nested);
    omp_set_nest_lock(&nested);
    ++counts[3];
    omp_unset_nest_lock(&nested);
    omp_unset_nest_lock(&nested);
#pragma omp atomic
    ++shared;
  }
  omp_destroy_lock(&lock);
  omp_destroy_nest_lock(&nested);
  shared += counts[0] + counts[1] + counts[2] + counts[3];
}

void one_thread_hands_over() {
#pragma omp parallel num_threads(kThreads)
  {
    int* handed = nullptr;
#pragma omp single copyprivate(handed)
    {
      values[0] = 7;
      handed = &values[0];
    }
    if (*handed != 7) std::abort();
  }
}

void in_the_order_of_the_loop() {
#pragma omp parallel for ordered num_threads(kThreads)
  for (int i = 0; i < kCount; ++i) {
#pragma omp ordered
    shared += i;
  }
}

void sections_of_a_program() {
#pragma omp parallel sections num_threads(kThreads)
  {
#pragma omp section
    values[0] = 1;
#pragma omp section
    values[1] = 2;
  }
  shared = values[0] + values[1];
}

void tasks_and_their_creator() {
#pragma omp parallel num_threads(kThreads)
#pragma omp single
  {
    values[0] = 1;
    for (int i = 1; i < kCount; ++i) {
#pragma omp task firstprivate(i)
      values[i] = values[0] + i;
    }
#pragma omp taskwait
    for (const int value : values) shared += value;
#pragma omp taskloop grainsize(3)
    for (int i = 0; i < kCount; ++i) values[i] = 2 * i;
    for (const int value : values) shared += value;
  }
}

void tasks_that_depend() {
  int value = 0;
#pragma omp parallel num_threads(kThreads)
#pragma omp single
  {
#pragma omp task depend(out : value) shared(value)
    value = 1;
#pragma omp task depend(inout : value) shared(value)
    value += 1;
#pragma omp task depend(in : value) shared(value)
    shared = value;
  }
}

void regions_inside_of_regions() {
  omp_set_max_active_levels(2);
  int totals[kThreads] = {};
#pragma omp parallel num_threads(kThreads)
  {
    const int outer = omp_get_thread_num();
    int total = 0;
#pragma omp parallel for reduction(+ : total) num_threads(2)
    for (int i = 0; i < kCount; ++i) total += i;
    totals[outer] = total;
  }
  for (const int total : totals) shared += total;
}

// ---- not ordered

void counting_without_a_lock() {
#pragma omp parallel num_threads(kThreads)
  ++shared;
}

void no_wait_for_the_loop() {
#pragma omp parallel num_threads(kThreads)
  {
#pragma omp for schedule(static, 1) nowait
    for (int i = 0; i < kCount; ++i) values[i] = i;
#pragma omp for schedule(static, 1)
    for (int i = 0; i < kCount; ++i) values[kCount - 1 - i] *= 2;
  }
}

void one_critical_section_of_two_names() {
#pragma omp parallel num_threads(2)
  {
    if (omp_get_thread_num() == 0) {
#pragma omp critical(first)
      ++shared;
    } else {
#pragma omp critical(second)
      ++shared;
    }
  }
}

struct OpenMpCheck {
  const char* name;
  const char* expected;
  void (*run)();
};

#define OPENMP(name, expected) \
  OpenMpCheck { #name, expected, name }

const OpenMpCheck kChecks[] = {
    OPENMP(loops_and_reductions, kNothing),
    OPENMP(rounds_of_barriers, kNothing),
    OPENMP(ends_of_loops_are_barriers, kNothing),
    OPENMP(critical_sections_and_locks, kNothing),
    OPENMP(one_thread_hands_over, kNothing),
    OPENMP(in_the_order_of_the_loop, kNothing),
    OPENMP(sections_of_a_program, kNothing),
    OPENMP(tasks_and_their_creator, kNothing),
    OPENMP(tasks_that_depend, kNothing),
    OPENMP(regions_inside_of_regions, kNothing),
    OPENMP(counting_without_a_lock, kRace),
    OPENMP(no_wait_for_the_loop, kRace),
    OPENMP(one_critical_section_of_two_names, kRace),
};

}  // namespace

// Without an argument: the names of the checks, each with what must be reported.
int main(int argc, char** argv) {
  for (const OpenMpCheck& check : kChecks) {
    if (argc < 2) {
      std::printf("%s: %s\n", check.name, check.expected);
    } else if (std::strcmp(argv[1], check.name) == 0) {
      check.run();
    }
  }
  return 0;
}
