// SPDX-License-Identifier: Apache-2.0
//
// resp_load: a closed-loop RESP load generator that costs little CPU, so that the server and not
// the client is what a pipelined run measures.
//
// Use when: a server that is faster than redis-benchmark is measured, several kinds of requests run
// against each other, or every request's latency matters. Use instead: redis-benchmark for figures
// that others can compare with theirs.
//
// How: one thread, one epoll set, non-blocking connections. A connection sends a batch of
// `pipeline` requests in one write, waits for all replies, records the batch's latency once per
// request and sends the next one. All requests of a stream have the same size: a connection's batch
// is built once and only the digits of its keys are rewritten. Closed loop: a stalled server
// receives fewer requests, so a stall counts once per connection that waits in it.
//
// Several streams run at once; the first one that is given a number of requests ends the run.
//
//   resp_load --port 6379 --seconds 3 --stream get,connections=50,pipeline=64,keys=1000000
//   resp_load --port 6379 --stream set,requests=4000000,sequential,pipeline=16 --stream get,loaded
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "vigil/base/random.h"

namespace {

constexpr std::uint64_t kKeysMax = 100'000'000;  // eight of a key's twelve digits vary
constexpr int kReplyTimeout_ms = 60'000;

std::uint64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

[[noreturn]] void fail_with_errno(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

// Counts of nanosecond values in log-linear buckets: 64 per power of two, so a quantile is at most
// 1.6 % above the true one (the layout of HdrHistogram).
class Histogram {
 public:
  void record(std::uint64_t value_ns, std::uint64_t count) {
    counts_[bucket(value_ns)] += count;
    total_ += count;
    max_ns_ = std::max(max_ns_, value_ns);
  }

  [[nodiscard]] double quantile_us(double fraction) const {
    const auto rank = static_cast<std::uint64_t>(fraction * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > rank) return static_cast<double>(std::min(upper_bound_ns(i), max_ns_)) / 1e3;
    }
    return max_us();
  }
  [[nodiscard]] double max_us() const { return static_cast<double>(max_ns_) / 1e3; }

  // How many values lie in (above_ns, up_to_ns]; exact to one bucket.
  [[nodiscard]] std::uint64_t count_between(std::uint64_t above_ns, std::uint64_t up_to_ns) const {
    std::uint64_t count = 0;
    for (std::size_t i = bucket(above_ns) + 1; i <= bucket(up_to_ns); ++i) count += counts_[i];
    return count;
  }

 private:
  static constexpr unsigned kSubBits = 6;
  static constexpr std::size_t kSubBuckets = std::size_t{1} << kSubBits;

  static std::size_t bucket(std::uint64_t value) {
    if (value < kSubBuckets) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
    return (std::size_t{shift} << kSubBits) + (value >> shift);
  }
  static std::uint64_t upper_bound_ns(std::size_t index) {
    if (index < 2 * kSubBuckets) return index;
    const std::size_t shift = (index >> kSubBits) - 1;
    return (((index & (kSubBuckets - 1)) + kSubBuckets + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kSubBits + 1) * kSubBuckets> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ns_ = 0;
};

// Follows a stream of replies without keeping them: simple strings, errors, integers, bulk strings.
class ReplyScanner {
 public:
  std::uint64_t replies = 0;
  std::uint64_t errors = 0;
  std::uint64_t nulls = 0;
  std::string first_error;

  void scan(const char* data, std::size_t size) {
    const char* end = data + size;
    while (data != end) data = skip_ != 0 ? skip_body(data, end) : scan_line(data, end);
  }

 private:
  const char* skip_body(const char* data, const char* end) {
    const auto part = std::min(skip_, static_cast<std::uint64_t>(end - data));
    skip_ -= part;
    if (skip_ == 0) ++replies;
    return data + part;
  }

  const char* scan_line(const char* data, const char* end) {
    const auto* newline =
        static_cast<const char*>(std::memchr(data, '\n', static_cast<std::size_t>(end - data)));
    if (newline == nullptr) {
      partial_.append(data, end);
      return end;
    }
    std::string_view line(data, static_cast<std::size_t>(newline - data));
    if (partial_.empty()) {
      finish_line(line);
    } else {
      partial_.append(line);
      finish_line(partial_);
      partial_.clear();
    }
    return newline + 1;
  }

  void finish_line(std::string_view line) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    switch (line.empty() ? '\0' : line[0]) {
      case '+':
      case ':':
        ++replies;
        return;
      case '-':
        if (errors++ == 0) first_error = line;
        ++replies;
        return;
      case '_':
        ++nulls;
        ++replies;
        return;
      case '$':
        start_bulk(line.substr(1));
        return;
      default:
        throw std::runtime_error("unexpected reply: " + std::string(line));
    }
  }

  void start_bulk(std::string_view digits) {
    std::int64_t size = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), size);
    if (size < 0) {
      ++nulls;
      ++replies;
    } else {
      skip_ = static_cast<std::uint64_t>(size) + 2;
    }
  }

  std::uint64_t skip_ = 0;  // bytes left of a bulk string and its CRLF
  std::string partial_;
};

struct StreamOptions {
  std::string command;
  std::uint64_t connections = 1;
  std::uint64_t pipeline = 1;
  std::uint64_t requests = 0;  // 0: until the run ends
  std::uint64_t keys = 1;
  std::uint64_t first = 0;
  std::uint64_t value_bytes = 100;
  std::uint64_t ttl_s = 0;
  bool sequential = false;  // each key once, in order
  bool loaded = false;      // only keys that the first stream has written
};

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c == ',') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

// The number behind "name=".
bool parse_value(std::string_view word, std::size_t name_size, std::uint64_t* value) {
  if (word.size() <= name_size + 1) return false;
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data() + name_size + 1, end, *value);
  return error == std::errc() && stop == end;
}

// "set,connections=8,sequential"
StreamOptions parse_stream(const std::string& text) {
  StreamOptions options;
  const std::vector<std::pair<std::string_view, std::uint64_t*>> numbers = {
      {"connections", &options.connections},
      {"pipeline", &options.pipeline},
      {"requests", &options.requests},
      {"keys", &options.keys},
      {"first", &options.first},
      {"value-bytes", &options.value_bytes},
      {"ttl", &options.ttl_s}};
  const auto words = split_at_commas(text);
  options.command = words.front();
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const std::string_view name = word.substr(0, word.find('='));
    const auto number = std::find_if(numbers.begin(), numbers.end(),
                                     [&](const auto& entry) { return entry.first == name; });
    if (word == "sequential") {
      options.sequential = true;
    } else if (word == "loaded") {
      options.loaded = true;
    } else if (number == numbers.end() || !parse_value(word, name.size(), number->second)) {
      throw CLI::ValidationError("--stream", "cannot use '" + std::string(word) + "'");
    }
  }
  if (options.connections == 0 || options.pipeline == 0 || options.keys == 0) {
    throw CLI::ValidationError("--stream", "connections, pipeline and keys are at least 1");
  }
  if (options.first + std::max(options.keys, options.requests) > kKeysMax) {
    throw CLI::ValidationError("--stream", "keys stay below 100000000");
  }
  return options;
}

// A batch of equal requests in which only the keys' last eight digits change.
class Batch {
 public:
  explicit Batch(const StreamOptions& options) {
    const std::string request = build_request(options);
    request_size_ = request.size();
    const std::size_t key = request.find(kKey);
    has_key_ = key != std::string::npos;
    digits_offset_ = has_key_ ? key + 8 : 0;
    for (std::uint64_t i = 0; i < options.pipeline; ++i) bytes_ += request;
  }

  void set_key(std::uint64_t request, std::uint64_t key) {
    if (!has_key_) return;
    char* digits = bytes_.data() + request * request_size_ + digits_offset_;
    std::memcpy(digits, four_digits(key / 10'000), 4);
    std::memcpy(digits + 4, four_digits(key % 10'000), 4);
  }
  [[nodiscard]] std::string_view first_requests(std::uint64_t count) const {
    return {bytes_.data(), count * request_size_};
  }

 private:
  static constexpr std::string_view kKey = "key:000000000000";  // 16 bytes

  static std::string build_request(const StreamOptions& options) {
    const std::string value(options.value_bytes, 'x');
    std::vector<std::string> words;
    if (options.command == "ping") {
      words = {"PING"};
    } else if (options.command == "get") {
      words = {"GET", std::string(kKey)};
    } else if (options.command == "set") {
      words = {"SET", std::string(kKey), value};
    } else {
      throw CLI::ValidationError("--stream", "starts with ping, get or set");
    }
    if (options.ttl_s != 0) words.insert(words.end(), {"EX", std::to_string(options.ttl_s)});
    std::string request = "*" + std::to_string(words.size()) + "\r\n";
    for (const auto& word : words) {
      request += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    }
    return request;
  }

  static const char* four_digits(std::uint64_t number) {
    static const std::string table = [] {
      std::string all;
      for (int i = 0; i < 10'000; ++i) {
        const std::string digits = std::to_string(i);
        all += std::string(4 - digits.size(), '0') + digits;
      }
      return all;
    }();
    return table.data() + 4 * number;
  }

  std::string bytes_;
  std::size_t request_size_ = 0;
  std::size_t digits_offset_ = 0;
  bool has_key_ = false;
};

// What the connections of one stream share.
struct Stream {
  StreamOptions options;
  Histogram latency;
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  std::uint64_t errors = 0;
  std::uint64_t nulls = 0;
  std::string first_error;

  [[nodiscard]] bool finite() const { return options.requests != 0; }
  [[nodiscard]] bool finished() const { return finite() && answered >= options.requests; }
};

struct Connection {
  explicit Connection(Stream& owner) : stream(&owner), batch(owner.options) {}

  Stream* stream;
  Batch batch;
  ReplyScanner scanner;
  std::string_view unsent;
  std::uint64_t batch_size = 0;  // 0: nothing is under way
  std::uint64_t batch_start_ns = 0;
  std::uint64_t answered = 0;
  int fd = -1;
  bool waits_for_room = false;
};

class Generator {
 public:
  Generator(const std::string& host, std::uint16_t port, double seconds, std::uint64_t seed,
            const std::vector<StreamOptions>& streams)
      : epoll_(epoll_create1(EPOLL_CLOEXEC)), duration_s_(seconds), random_(seed) {
    if (epoll_ < 0) fail_with_errno("epoll_create1");
    for (const auto& options : streams) {
      streams_.push_back(std::make_unique<Stream>());
      streams_.back()->options = options;
      for (std::uint64_t i = 0; i < options.connections; ++i) {
        connect_one(host, port, *streams_.back());
      }
    }
  }
  ~Generator() {
    for (const auto& connection : connections_) close(connection->fd);
    close(epoll_);
  }
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  void run() {
    const std::uint64_t start = now_ns();
    end_ns_ = duration_s_ > 0 ? start + static_cast<std::uint64_t>(duration_s_ * 1e9) : UINT64_MAX;
    for (const auto& connection : connections_) send_batch(*connection, now_ns());
    std::array<epoll_event, 256> events{};
    while (under_way_ != 0) {
      const int ready = epoll_wait(epoll_, events.data(), events.size(), kReplyTimeout_ms);
      if (ready == 0) throw std::runtime_error("no reply for 60 s");
      if (ready < 0 && errno != EINTR) fail_with_errno("epoll_wait");
      for (int i = 0; i < ready; ++i) {
        const auto& event = events[static_cast<std::size_t>(i)];
        auto& connection = *static_cast<Connection*>(event.data.ptr);
        if ((event.events & EPOLLOUT) != 0) flush(connection);
        if ((event.events & ~std::uint32_t{EPOLLOUT}) != 0) receive(connection);
      }
    }
    seconds_ = static_cast<double>(now_ns() - start) / 1e9;
    for (const auto& connection : connections_) collect_counts(*connection);
  }

  void print_json() const {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto cpu_s = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    std::printf("{\"seconds\": %.3f, \"client_cpu_seconds\": %.3f, \"streams\": [", seconds_,
                cpu_s(usage.ru_utime) + cpu_s(usage.ru_stime));
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      std::printf("%s\n  ", i == 0 ? "" : ",");
      print_stream(*streams_[i]);
    }
    std::printf("]}\n");
  }

  [[nodiscard]] bool had_errors() const {
    return std::any_of(streams_.begin(), streams_.end(),
                       [](const auto& stream) { return stream->errors != 0; });
  }

 private:
  void connect_one(const std::string& host, std::uint16_t port, Stream& stream) {
    auto connection = std::make_unique<Connection>(stream);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
      throw std::runtime_error("--host must be an IPv4 address, not " + host);
    }
    if (connect(connection->fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      fail_with_errno("connect to " + host + ":" + std::to_string(port));
    }
    const int on = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = connection.get();
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->fd, &event) != 0) fail_with_errno("epoll_ctl");
    connections_.push_back(std::move(connection));
  }

  void send_batch(Connection& connection, std::uint64_t now) {
    Stream& stream = *connection.stream;
    std::uint64_t size = stream.options.pipeline;
    if (stream.finite()) size = std::min(size, stream.options.requests - stream.sent);
    if (size == 0 || now >= end_ns_ || stopping_) return;
    for (std::uint64_t i = 0; i < size; ++i) {
      connection.batch.set_key(i, next_key(stream));
      ++stream.sent;
    }
    connection.batch_size = size;
    connection.answered = connection.scanner.replies;
    connection.batch_start_ns = now;
    connection.unsent = connection.batch.first_requests(size);
    ++under_way_;
    flush(connection);
  }

  std::uint64_t next_key(const Stream& stream) {
    const StreamOptions& options = stream.options;
    if (options.sequential) return options.first + stream.sent;
    const Stream& loader = *streams_.front();
    const std::uint64_t keys =
        options.loaded ? std::max<std::uint64_t>(loader.answered, 1) : options.keys;
    return options.first + random_.below(keys);
  }

  void flush(Connection& connection) {
    while (!connection.unsent.empty()) {
      const ssize_t sent = send(connection.fd, connection.unsent.data(), connection.unsent.size(),
                                MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EAGAIN) break;
      if (sent < 0) fail_with_errno("send");
      connection.unsent.remove_prefix(static_cast<std::size_t>(sent));
    }
    const bool wait_for_room = !connection.unsent.empty();
    if (wait_for_room == connection.waits_for_room) return;
    connection.waits_for_room = wait_for_room;
    epoll_event event{};
    event.events = wait_for_room ? std::uint32_t{EPOLLIN | EPOLLOUT} : std::uint32_t{EPOLLIN};
    event.data.ptr = &connection;
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event) != 0) fail_with_errno("epoll_ctl");
  }

  void receive(Connection& connection) {
    const ssize_t size = recv(connection.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) return;
    if (size < 0) fail_with_errno("recv");
    if (size == 0) throw std::runtime_error("the server closed a connection");
    connection.scanner.scan(buffer_.data(), static_cast<std::size_t>(size));
    if (connection.scanner.replies - connection.answered == connection.batch_size) {
      finish_batch(connection);
    }
  }

  void finish_batch(Connection& connection) {
    const std::uint64_t now = now_ns();
    Stream& stream = *connection.stream;
    stream.latency.record(now - connection.batch_start_ns, connection.batch_size);
    stream.answered += connection.batch_size;
    connection.batch_size = 0;
    --under_way_;
    if (stream.finished()) stopping_ = true;
    send_batch(connection, now);
  }

  static void collect_counts(const Connection& connection) {
    Stream& stream = *connection.stream;
    stream.errors += connection.scanner.errors;
    stream.nulls += connection.scanner.nulls;
    if (stream.first_error.empty()) stream.first_error = connection.scanner.first_error;
  }

  void print_stream(const Stream& stream) const {
    const Histogram& latency = stream.latency;
    std::printf(
        "{\"command\": \"%s\", \"requests\": %llu, \"errors\": %llu, \"nulls\": %llu, "
        "\"requests_per_second\": %.0f,\n   \"latency_us\": {\"p50\": %.1f, \"p90\": %.1f, "
        "\"p99\": %.1f, \"p99.9\": %.1f, \"p99.99\": %.1f, \"max\": %.1f},\n   \"histogram\": {",
        stream.options.command.c_str(), static_cast<unsigned long long>(stream.answered),
        static_cast<unsigned long long>(stream.errors),
        static_cast<unsigned long long>(stream.nulls),
        static_cast<double>(stream.answered) / seconds_, latency.quantile_us(0.5),
        latency.quantile_us(0.9), latency.quantile_us(0.99), latency.quantile_us(0.999),
        latency.quantile_us(0.9999), latency.max_us());
    std::uint64_t above_ns = 0;
    for (const std::uint64_t up_to_us : {50, 100, 200, 500, 1'000, 2'000, 5'000, 10'000, 20'000}) {
      std::printf(
          "\"<=%lluus\": %llu, ", static_cast<unsigned long long>(up_to_us),
          static_cast<unsigned long long>(latency.count_between(above_ns, up_to_us * 1'000)));
      above_ns = up_to_us * 1'000;
    }
    std::printf("\">20000us\": %llu}}",
                static_cast<unsigned long long>(latency.count_between(above_ns, UINT64_MAX >> 1)));
  }

  int epoll_;
  double duration_s_;
  double seconds_ = 0;
  std::uint64_t end_ns_ = UINT64_MAX;
  std::uint64_t under_way_ = 0;  // connections that wait for replies
  bool stopping_ = false;        // a finite stream is done
  vigil::Random random_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::array<char, 1 << 18> buffer_{};
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Closed-loop RESP load generator; prints one JSON object.\n"
      "Example: resp_load --port 6379 --seconds 3 --stream "
      "get,connections=50,pipeline=64,keys=1000000");
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  double seconds = 0;
  std::uint64_t seed = 1;
  std::vector<std::string> specs;
  app.add_option("--host", host, "IPv4 address")->capture_default_str();
  app.add_option("--port", port)->required();
  app.add_option("--seconds", seconds, "end the run after this time");
  app.add_option("--seed", seed, "of the random keys")->capture_default_str();
  app.add_option("--stream", specs,
                 "COMMAND[,connections=N][,pipeline=N][,requests=N][,keys=N][,first=N]"
                 "[,value-bytes=N][,ttl=SECONDS][,sequential][,loaded]; COMMAND: ping, get, set")
      ->required();
  try {
    app.parse(argc, argv);
    std::vector<StreamOptions> streams;
    bool finite = seconds > 0;
    for (const auto& spec : specs) {
      streams.push_back(parse_stream(spec));
      finite = finite || streams.back().requests != 0;
    }
    if (!finite) throw CLI::ValidationError("--seconds", "or a stream with requests=N is needed");
    const auto generator = std::make_unique<Generator>(host, port, seconds, seed, streams);
    generator->run();
    generator->print_json();
    return generator->had_errors() ? 1 : 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "resp_load: %s\n", error.what());
    return 3;
  }
}
