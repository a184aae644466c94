// SPDX-License-Identifier: Apache-2.0
//
// Kernel of the overhead measurement: four threads multiply matrices, each its own rows of the
// result: plain accesses only, and all of them to shared memory.
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kThreads = 4;
constexpr std::size_t kSize = 128;

using Matrix = std::vector<double>;

void multiply_rows(const Matrix& a, const Matrix& b, Matrix& product, std::size_t first) {
  for (std::size_t row = first; row < kSize; row += kThreads) {
    for (std::size_t column = 0; column < kSize; ++column) {
      double sum = 0;
      for (std::size_t index = 0; index < kSize; ++index) {
        sum += a[row * kSize + index] * b[index * kSize + column];
      }
      product[row * kSize + column] = sum;
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 1;
  Matrix a(kSize * kSize, 1.5);
  Matrix b(kSize * kSize, 0.5);
  Matrix product(kSize * kSize);
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::thread> threads;
    for (std::size_t first = 0; first < kThreads; ++first) {
      threads.emplace_back([&, first] { multiply_rows(a, b, product, first); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  std::printf("%g\n", product[0]);
}
