// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "vigil/server/http/testing.h"

namespace vigil::server {
namespace {

using ::testing::HasSubstr;

class MetricsTest : public ::testing::Test {
 protected:
  prometheus::MetricFamily family(const std::string& name) {
    for (prometheus::MetricFamily& found : Metrics(testbed_.state()).Collect()) {
      if (found.name == name) return std::move(found);
    }
    ADD_FAILURE() << "no metric " << name;
    return {};
  }
  prometheus::ClientMetric::Histogram histogram(const std::string& name) {
    return family(name).metric.at(0).histogram;
  }

  HttpTestbed testbed_;
  ReactorCounters& counters_ = testbed_.context().counters;
};

TEST_F(MetricsTest, EveryShardHasItsLabels) {
  EXPECT_EQ(family("cache_shard_load_factor").metric.size(), testbed_.state().cache.shard_count());
  const auto depth = family("cache_queue_depth");
  EXPECT_EQ(depth.metric.at(1).label.at(0).name, "shard");
  EXPECT_EQ(depth.metric.at(1).label.at(0).value, "1");
}

TEST_F(MetricsTest, WhatTheServerDidShowsUp) {
  testbed_.send(
      "PUT /orders/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{\"status\":\"pending\"}"
      "GET /orders/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /orders/2 HTTP/1.1\r\nHost: x\r\n\r\n"
      "DELETE /orders/1 HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string text = render_metrics(Metrics(testbed_.state()));
  EXPECT_THAT(text, HasSubstr("\ncache_hits_total 1\n"));
  EXPECT_THAT(text, HasSubstr("\ncache_misses_total 1\n"));
  EXPECT_THAT(text, HasSubstr("\ncache_order_events_total{outcome=\"created\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\ncache_evict_total{reason=\"order_deleted\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nvigild_commands_total{family=\"http\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("\ncache_write_latency_seconds_count 2\n"));
  EXPECT_THAT(text, HasSubstr("\ncache_tombstones 1\n"));
}

TEST_F(MetricsTest, HistogramBucketsAreCumulativeAndLoseNothing) {
  for (const std::uint64_t ns : {1ULL, 1'000ULL, 1'000'000ULL, 3'000'000ULL, 1ULL << 50}) {
    counters_.write_latency.record(ns, 2);
  }
  const auto histogram = this->histogram("cache_write_latency_seconds");
  EXPECT_EQ(histogram.sample_count, 10U);
  EXPECT_DOUBLE_EQ(histogram.bucket.front().upper_bound, 128e-9);
  EXPECT_EQ(histogram.bucket.front().cumulative_count, 2U);
  EXPECT_EQ(histogram.bucket.back().cumulative_count, 8U);  // the largest is only in +Inf
  EXPECT_TRUE(std::is_sorted(
      histogram.bucket.begin(), histogram.bucket.end(), [](const auto& a, const auto& b) {
        return a.upper_bound < b.upper_bound && a.cumulative_count <= b.cumulative_count;
      }));
}

// A bound B counts exactly the samples below B, wherever B lies between the reactors' buckets.
TEST_F(MetricsTest, EverySampleIsCountedBelowItsBound) {
  const auto bounds = histogram("cache_expiry_lag_seconds").bucket;
  for (const auto& bound : bounds) {
    const auto bound_ns = static_cast<std::uint64_t>(std::llround(bound.upper_bound * 1e9));
    counters_.expiry_lag.record(bound_ns - 1);
  }
  const auto counted = histogram("cache_expiry_lag_seconds").bucket;
  for (std::size_t i = 0; i < counted.size(); ++i) {
    EXPECT_EQ(counted[i].cumulative_count, i + 1) << counted[i].upper_bound;
  }
}

TEST_F(MetricsTest, NamesAndHelpFollowTheConventions) {
  const auto metrics = std::make_shared<Metrics>(testbed_.state());
  EXPECT_FALSE(metrics->Collect().empty());
  for (const prometheus::MetricFamily& found : metrics->Collect()) {
    EXPECT_FALSE(found.help.empty()) << found.name;
    const bool counter = found.type == prometheus::MetricType::Counter;
    EXPECT_EQ(found.name.ends_with("_total"), counter) << found.name;
  }
}

}  // namespace
}  // namespace vigil::server
