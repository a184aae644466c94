// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/order_http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <array>
#include <set>
#include <string>
#include <thread>

#include "vigil/base/version.h"
#include "vigil/server/http/openapi.h"
#include "vigil/server/http/testing.h"
#include "vigil/server/http/text.h"
#include "vigil/text/json.h"

namespace vigil::server {
namespace {

using ::testing::HasSubstr;

class OrderHttpTest : public ::testing::Test {
 protected:
  // `fields` are complete header lines.
  HttpAnswer request(const std::string& method, const std::string& target,
                     const std::string& body = "", const std::string& fields = "") {
    std::string bytes = method + " " + target + " HTTP/1.1\r\nHost: x\r\n" + fields;
    if (!body.empty()) {
      if (fields.find("Content-Type") == std::string::npos) {
        bytes += "Content-Type: application/json\r\n";
      }
      bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    }
    HttpAnswer answer(testbed_.send(bytes + "\r\n" + body));
    if (testbed_.closed()) testbed_.reconnect();
    if (method != "HEAD" && answer.field("Content-Type") == "application/problem+json") {
      EXPECT_TRUE(text::is_json(answer.body)) << answer.body;
      EXPECT_THAT(answer.body, HasSubstr("\"status\":" + std::to_string(answer.status)));
    }
    return answer;
  }

  HttpTestbed testbed_;
};

TEST_F(OrderHttpTest, PutCreatesThenReplaces) {
  const HttpAnswer created =
      request("PUT", "/orders/A-1", R"({"status":"pending","payload":{"amount" : "12.50"}})");
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(created.field("ETag"), "\"1\"");
  EXPECT_EQ(created.field("Location"), "/orders/A-1");
  EXPECT_THAT(created.body, HasSubstr(R"("version":1,"payload":{"amount":"12.50"})"));

  const HttpAnswer replaced = request("PUT", "/orders/A-1", R"({"status":"paid","ttl_ms":60000})");
  EXPECT_EQ(replaced.status, 200);
  EXPECT_EQ(replaced.field("ETag"), "\"2\"");
  EXPECT_THAT(replaced.body, HasSubstr(R"("payload":null)"));
  EXPECT_THAT(replaced.body, HasSubstr("expires_at_ms"));
  EXPECT_EQ(request("GET", "/orders/A-1").body, replaced.body);
}

TEST_F(OrderHttpTest, PatchKeepsWhatItLeavesOut) {
  request("PUT", "/orders/1", R"({"status":"pending","payload":[1],"ttl_ms":60000})");
  const HttpAnswer status = request("PATCH", "/orders/1", R"({"status":"paid"})");
  EXPECT_EQ(status.status, 200);
  EXPECT_THAT(status.body, HasSubstr(R"("status":"paid","version":2,"payload":[1])"));
  EXPECT_THAT(status.body, HasSubstr("expires_at_ms"));
  const HttpAnswer payload = request("PATCH", "/orders/1", R"({"payload":2,"ttl_ms":null})");
  EXPECT_THAT(payload.body, HasSubstr(R"("status":"paid","version":3,"payload":2)"));
  EXPECT_EQ(payload.body.find("expires_at_ms"), std::string::npos);
  EXPECT_EQ(request("PATCH", "/orders/2", R"({"status":"paid"})").status, 404);
}

TEST_F(OrderHttpTest, IfMatchAppliesOnlyToTheVersionsItNames) {
  request("PUT", "/orders/1", R"({"status":"pending"})");
  const std::string paid = R"({"status":"paid"})";
  const HttpAnswer stale = request("PATCH", "/orders/1", paid, "If-Match: \"9\"\r\n");
  EXPECT_EQ(stale.status, 412);
  EXPECT_THAT(stale.body, HasSubstr("\"version\":1"));
  EXPECT_EQ(request("PATCH", "/orders/1", paid, "If-Match: W/\"1\"\r\n").status, 412);
  EXPECT_EQ(request("PATCH", "/orders/1", paid, "If-Match: \"x\"\r\n").status, 412);
  EXPECT_EQ(request("PATCH", "/orders/1", paid, "If-Match: 1\r\n").status, 400);
  EXPECT_EQ(request("PATCH", "/orders/1", paid, "If-Match: \"9\", \"1\"\r\n").status, 200);
  EXPECT_EQ(request("PATCH", "/orders/1", R"({"payload":1})", "If-Match: *\r\n").status, 200);
  EXPECT_EQ(request("DELETE", "/orders/1", "", "If-Match: \"2\"\r\n").status, 412);
  EXPECT_EQ(request("DELETE", "/orders/1", "", "If-Match: \"3\"\r\n").status, 204);
  EXPECT_EQ(request("PUT", "/orders/1", R"({"status":"pending"})", "If-Match: *\r\n").status, 412);
  EXPECT_EQ(request("PUT", "/orders/1", R"({"status":"pending"})", "If-Match: \"0\"\r\n").status,
            412);
  EXPECT_EQ(request("PATCH", "/orders/2", paid, "If-Match: \"1\"\r\n").status, 412);
  EXPECT_EQ(request("DELETE", "/orders/2", "", "If-Match: *\r\n").status, 412);
}

TEST_F(OrderHttpTest, IfNoneMatchCreatesOnlyAndSavesTransfers) {
  const std::string pending = R"({"status":"pending"})";
  EXPECT_EQ(request("PUT", "/orders/1", pending, "If-None-Match: *\r\n").status, 201);
  EXPECT_EQ(request("PUT", "/orders/1", pending, "If-None-Match: *\r\n").status, 412);
  EXPECT_EQ(request("PUT", "/orders/1", pending, "If-None-Match: \"1\"\r\n").status, 400);

  const HttpAnswer same = request("GET", "/orders/1", "", "If-None-Match: W/\"1\"\r\n");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.field("ETag"), "\"1\"");
  EXPECT_EQ(same.body, "");
  EXPECT_EQ(request("GET", "/orders/1", "", "If-None-Match: *\r\n").status, 304);
  EXPECT_EQ(request("GET", "/orders/1", "", "If-None-Match: \"2\"\r\n").status, 200);
  EXPECT_EQ(request("GET", "/orders/1", "", "If-None-Match: 2\r\n").status, 400);
}

TEST_F(OrderHttpTest, RefusalsSayWhatIsStored) {
  request("PUT", "/orders/1", R"({"status":"pending","version":5})");
  const HttpAnswer late = request("PUT", "/orders/1", R"({"status":"pending","version":5})");
  EXPECT_EQ(late.status, 409);
  EXPECT_THAT(late.body, HasSubstr("urn:vigil:problem:stale-version"));
  EXPECT_THAT(late.body, HasSubstr("\"version\":5"));
  const HttpAnswer illegal = request("PATCH", "/orders/1", R"({"status":"refunded"})");
  EXPECT_EQ(illegal.status, 409);
  EXPECT_THAT(illegal.body, HasSubstr(R"(\"1\" is \"pending\" and cannot become \"refunded\")"));
  const HttpAnswer unknown = request("PATCH", "/orders/1", R"({"status":"payed"})");
  EXPECT_EQ(unknown.status, 422);
  EXPECT_THAT(unknown.body, HasSubstr("expected one of: pending, processing, paid"));
  request("PATCH", "/orders/1", R"({"status":"failed"})");
  const HttpAnswer final_status = request("PATCH", "/orders/1", R"({"status":"paid"})");
  EXPECT_EQ(final_status.status, 409);
  EXPECT_THAT(final_status.body, HasSubstr("terminal-status"));
  request("DELETE", "/orders/1");
  EXPECT_EQ(request("PUT", "/orders/1", R"({"status":"pending","version":6})").status, 409);
}

TEST_F(OrderHttpTest, ARetryWithItsKeyIsAnsweredByteForByteAlike) {
  const std::string key = "Idempotency-Key: k-1\r\n";
  const std::string body = R"({"status":"pending","payload":{"a":1},"ttl_ms":60000})";
  const HttpAnswer first = request("PUT", "/orders/1", body, key);
  EXPECT_EQ(first.status, 201);
  request("PATCH", "/orders/1", R"({"status":"paid"})");
  const HttpAnswer retry = request("PUT", "/orders/1", body, key);
  EXPECT_EQ(retry.status, 201);
  EXPECT_EQ(retry.body, first.body);
  EXPECT_EQ(retry.field("ETag"), first.field("ETag"));
  EXPECT_EQ(first.field("Idempotency-Replayed"), "");
  EXPECT_EQ(retry.field("Idempotency-Replayed"), "true");
  EXPECT_THAT(request("GET", "/orders/1").body, HasSubstr("\"paid\""));

  const HttpAnswer other = request("PUT", "/orders/1", R"({"status":"paid"})", key);
  EXPECT_EQ(other.status, 422);
  EXPECT_THAT(other.body, HasSubstr("idempotency-key-reused"));
  const std::string long_key = "Idempotency-Key: " + std::string(256, 'k') + "\r\n";
  EXPECT_EQ(request("PUT", "/orders/1", body, long_key).status, 400);
}

// The answer has one shape, with a key and without, first and retried.
TEST_F(OrderHttpTest, APatchThatKeepsThePayloadAnswersTheWholeOrderAlsoToARetry) {
  request("PUT", "/orders/1", R"({"status":"pending","payload":{"amount":4200},"ttl_ms":60000})");
  const std::string key = "Idempotency-Key: k-1\r\n";
  const HttpAnswer first = request("PATCH", "/orders/1", R"({"status":"processing"})", key);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, request("GET", "/orders/1").body);
  EXPECT_THAT(first.body, HasSubstr(R"("payload":{"amount":4200},"updated_at_ms":)"));
  EXPECT_THAT(first.body, HasSubstr("expires_at_ms"));
  request("PATCH", "/orders/1", R"({"payload":2,"ttl_ms":null})");
  const HttpAnswer retry = request("PATCH", "/orders/1", R"({"status":"processing"})", key);
  EXPECT_EQ(retry.body, first.body);
  EXPECT_EQ(retry.field("ETag"), first.field("ETag"));
}

TEST_F(OrderHttpTest, DatesFollowASteppedWallClockAndStayAsTheyWereTold) {
  const std::int64_t now_ms = testbed_.clock().unix_ms();
  const std::int64_t wall_ms = now_ms + 7'200'000;
  const auto member = [](const std::string& name, std::int64_t value) {
    return "\"" + name + "\":" + std::to_string(value);
  };
  const std::string key = "Idempotency-Key: k\r\n";
  const std::string body = R"({"status":"pending","ttl_ms":60000})";
  const HttpAnswer before = request("PUT", "/orders/1", body, key);
  EXPECT_THAT(before.body, HasSubstr(member("updated_at_ms", now_ms)));
  EXPECT_THAT(before.body, HasSubstr(member("expires_at_ms", now_ms + 60'000)));

  testbed_.state().wall_clock.follow({.unix_ms = now_ms, .wall_ms = wall_ms});
  EXPECT_EQ(request("PUT", "/orders/1", body, key).body, before.body);
  const HttpAnswer read = request("GET", "/orders/1");
  EXPECT_THAT(read.body, HasSubstr(member("updated_at_ms", now_ms)));
  EXPECT_THAT(read.body, HasSubstr(member("expires_at_ms", wall_ms + 60'000)));
  const HttpAnswer after = request("PUT", "/orders/2", body);
  EXPECT_THAT(after.body, HasSubstr(member("updated_at_ms", wall_ms)));
  EXPECT_THAT(after.body, HasSubstr(member("expires_at_ms", wall_ms + 60'000)));
  EXPECT_THAT(request("GET", "/orders/2/history").body, HasSubstr(member("at_ms", wall_ms)));
}

// The holder of the order's shard waits while two more writers fill its queue and a PATCH comes.
TEST_F(OrderHttpTest, AFullQueueIsBusy) {
  ServerOptions options = HttpTestbed::small_options();
  options.cache.shards = 1;
  options.cache.write_queue_capacity = 2;
  HttpTestbed testbed(options);
  cache::Cache& cache = testbed.state().cache;
  const std::int64_t now_ms = testbed.clock().unix_ms();
  const cache::Key key = cache.key("1");
  std::array<std::thread, 2> waiting;
  std::string answered;
  const cache::WriteStatus held = cache.write(key, now_ms, [&](cache::Slot&) {
    for (std::uint32_t i = 0; i < waiting.size(); ++i) {
      waiting[i] =
          std::thread([&] { static_cast<void>(cache.write(key, now_ms, [](cache::Slot&) {})); });
      while (cache.shard_stats(0).queue_depth <= i) std::this_thread::yield();
    }
    std::thread([&] {
      answered = testbed.send(
          "PATCH /orders/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n{\"status\":\"paid\"}");
    }).join();
  });
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(held, cache::WriteStatus::kApplied);
  const HttpAnswer busy(answered);
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.field("Retry-After"), "1");
  EXPECT_THAT(busy.body, HasSubstr("urn:vigil:problem:busy"));
}

TEST_F(OrderHttpTest, CompressedBodiesAreRefusedWithTheReason) {
  const std::string json = "Content-Type: application/json\r\n";
  for (const std::string encoding : {"gzip", "br", "deflate, gzip"}) {
    std::string field = json;
    field.append("Content-Encoding: ").append(encoding).append("\r\n");
    for (const auto& [method, path] :
         {std::pair("PUT", "/orders/1"), std::pair("PATCH", "/orders/1"),
          std::pair("POST", "/orders:bulk")}) {
      const HttpAnswer answer = request(method, path, "\x1f\x8b", field);
      EXPECT_EQ(answer.status, 415) << method;
      EXPECT_EQ(answer.field("Accept-Encoding"), "identity");
      EXPECT_THAT(answer.body, HasSubstr("Content-Encoding"));
    }
  }
  EXPECT_EQ(request("PUT", "/orders/1", R"({"status":"pending"})",
                    json + "Content-Encoding: identity\r\n")
                .status,
            201);
}

// A client takes them out of the path, so the Location could not be followed.
TEST_F(OrderHttpTest, DotSegmentsAreNoIds) {
  for (const std::string id : {".", "..", "%2e", "%2E%2e", ".%2e", "%2E."}) {
    EXPECT_EQ(request("PUT", "/orders/" + id, R"({"status":"pending"})").status, 400) << id;
    EXPECT_EQ(request("GET", "/orders/" + id + "/history").status, 400) << id;
  }
  for (const std::string id : {"...", ".a", "a..", "%2e%2F.", "%252e"}) {
    const HttpAnswer created = request("PUT", "/orders/" + id, R"({"status":"pending"})");
    EXPECT_EQ(created.status, 201) << id;
    EXPECT_EQ(request("GET", created.field("Location")).status, 200) << id;
  }
  EXPECT_THAT(request("POST", "/orders:bulk", R"([{"id":"..","status":"pending"}])").body,
              HasSubstr("400"));
}

TEST_F(OrderHttpTest, DeleteLeavesNothingToRead) {
  request("PUT", "/orders/1", R"({"status":"pending"})");
  EXPECT_EQ(request("DELETE", "/orders/1").status, 204);
  EXPECT_EQ(request("GET", "/orders/1").status, 404);
  EXPECT_EQ(request("DELETE", "/orders/1").status, 404);
}

TEST_F(OrderHttpTest, HistoryIsOldestFirst) {
  request("PUT", "/orders/1", R"({"status":"pending"})");
  request("PATCH", "/orders/1", R"({"status":"processing"})");
  const HttpAnswer history = request("GET", "/orders/1/history");
  EXPECT_EQ(history.status, 200);
  EXPECT_TRUE(text::is_json(history.body));
  EXPECT_LT(history.body.find(R"({"status":"pending","version":1,)"),
            history.body.find(R"({"status":"processing","version":2,)"));
  EXPECT_EQ(request("GET", "/orders/2/history").status, 404);
}

TEST_F(OrderHttpTest, IdsAreDecodedAndLimited) {
  EXPECT_EQ(request("PUT", "/orders/%E8%AE%A2%E5%8D%95%2F1", R"({"status":"pending"})").status,
            201);
  EXPECT_THAT(request("GET", "/orders/%E8%AE%A2%E5%8D%95%2f1").body,
              HasSubstr("\"id\":\"订单/1\""));
  EXPECT_EQ(request("PUT", "/orders/订单", R"({"status":"pending"})").status, 201);
  EXPECT_EQ(request("GET", "/orders/%E8%AE%A2%E5%8D%95?x=1").status, 200);
  EXPECT_EQ(request("GET", "/orders/%zz").status, 400);
  EXPECT_EQ(request("GET", "/orders/%ff").status, 400);
  EXPECT_EQ(request("GET", "/orders/" + std::string(513, 'a')).status, 400);
  EXPECT_EQ(request("GET", "/orders/" + std::string(512, 'a')).status, 404);
  EXPECT_EQ(request("GET", "/orders/a/b").status, 404);
  EXPECT_EQ(request("GET", "/orders/").status, 404);
  EXPECT_EQ(request("GET", "/ordersX").status, 404);
}

TEST_F(OrderHttpTest, BodiesAreCheckedBeforeAnythingHappens) {
  EXPECT_EQ(request("PUT", "/orders/1", "{").status, 400);
  EXPECT_EQ(request("PUT", "/orders/1", "{}").status, 400);
  EXPECT_EQ(request("PUT", "/orders/1", R"({"status":"pending"} x)").status, 400);
  EXPECT_EQ(request("PUT", "/orders/1", "").status, 400);
  EXPECT_EQ(request("PUT", "/orders/1", "a=b", "Content-Type: text/plain\r\n").status, 415);
  EXPECT_EQ(request("PUT", "/orders/1", R"({"status":"pending"})",
                    "Content-Type: application/json; charset=utf-8\r\n")
                .status,
            201);
  EXPECT_EQ(request("PUT", "/orders/1", std::string(70'000, ' ')).status, 413);
}

TEST_F(OrderHttpTest, OtherMethodsNameThoseThatAreServed) {
  const HttpAnswer post = request("POST", "/orders/1", "{}");
  EXPECT_EQ(post.status, 405);
  EXPECT_EQ(post.field("Allow"), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
  EXPECT_EQ(request("GET", "/orders:bulk").status, 405);
  EXPECT_EQ(request("PUT", "/orders/1/history", "{}").status, 405);
  EXPECT_EQ(request("POST", "/metrics").status, 405);
  EXPECT_EQ(request("PATCH", "/healthz").status, 405);
  const HttpAnswer options = request("OPTIONS", "/orders/1");
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.field("Allow"), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
}

TEST_F(OrderHttpTest, BulkItemsSucceedOrFailOnTheirOwn) {
  const HttpAnswer array = request("POST", "/orders:bulk", R"([
      {"id":"a","status":"pending","payload":1},
      {"id":"a","op":"patch","status":"paid"},
      {"id":"b","op":"patch","status":"paid"},
      {"id":"a","op":"patch","if_version":1,"payload":2},
      {"id":"","status":"pending"},
      {"id":"c"},
      {"id":"a","op":"delete"}])");
  EXPECT_EQ(array.status, 200);
  EXPECT_TRUE(text::is_json(array.body)) << array.body;
  EXPECT_THAT(array.body, ::testing::StartsWith(R"([{"id":"a","status":201,"version":1},)"
                                                R"({"id":"a","status":200,"version":2},)"
                                                R"({"id":"b","status":404,"problem":{)"));
  EXPECT_THAT(array.body, HasSubstr(R"({"id":"a","status":412,"version":2,"problem":{)"));
  EXPECT_THAT(array.body, HasSubstr(R"({"id":"","status":400,"problem":{)"));
  EXPECT_THAT(array.body, HasSubstr(R"({"id":"c","status":400,"problem":{)"));
  EXPECT_THAT(array.body, HasSubstr(R"({"id":"a","status":204,"version":3})"));
  EXPECT_EQ(request("POST", "/orders:bulk", R"([{"id":"z","status":"pending"},{]})").status, 400);
  EXPECT_EQ(request("GET", "/orders/z").status, 404);  // nothing of a broken array is applied
}

TEST_F(OrderHttpTest, BulkLinesAreAnsweredLineByLine) {
  const HttpAnswer lines = request(
      "POST", "/orders:bulk",
      "{\"id\":\"a\",\"status\":\"pending\"}\r\n\nbroken\n{\"id\":\"b\",\"status\":\"paid\"}",
      "Content-Type: application/x-ndjson\r\n");
  EXPECT_EQ(lines.status, 200);
  EXPECT_EQ(lines.field("Content-Type"), "application/x-ndjson");
  EXPECT_THAT(lines.body, HasSubstr("{\"id\":\"a\",\"status\":201,\"version\":1}\n"));
  EXPECT_THAT(lines.body, HasSubstr("{\"status\":400,\"problem\":{"));
  EXPECT_THAT(lines.body, HasSubstr("{\"id\":\"b\",\"status\":409,\"problem\":{"));
  EXPECT_EQ(request("POST", "/orders:bulk", std::string(1001, '\n'),
                    "Content-Type: application/x-ndjson\r\n")
                .status,
            413);
  EXPECT_EQ(request("POST", "/orders:bulk", "x", "Content-Type: text/csv\r\n").status, 415);
}

TEST_F(OrderHttpTest, AStringKeyIsNotAnOrder) {
  cache::Cache& cache = testbed_.state().cache;
  const cache::WriteStatus written =
      cache.write(cache.key("s"), testbed_.clock().unix_ms(), [](cache::Slot& slot) {
        EXPECT_EQ(slot.assign(cache::Kind::kString, "v", cache::kNoDeadline),
                  cache::AssignStatus::kStored);
      });
  ASSERT_EQ(written, cache::WriteStatus::kApplied);
  EXPECT_EQ(request("GET", "/orders/s").status, 404);
  EXPECT_EQ(request("PUT", "/orders/s", R"({"status":"pending"})").status, 409);
}

TEST(HttpAccessTest, SecretsGuardWhatTheyShould) {
  ServerOptions options = HttpTestbed::small_options();
  options.password = "open";
  options.admin_token = "sesame";
  HttpTestbed testbed(options);
  const auto status = [&](const std::string& target, const std::string& secret) {
    const std::string field = secret.empty() ? "" : "Authorization: bearer " + secret + "\r\n";
    return HttpAnswer(testbed.send("GET " + target + " HTTP/1.1\r\nHost: x\r\n" + field + "\r\n"))
        .status;
  };
  EXPECT_EQ(status("/orders/1", ""), 401);
  EXPECT_EQ(status("/orders/1", "opeN"), 401);
  EXPECT_EQ(status("/orders/1", "open"), 404);
  EXPECT_EQ(status("/admin/stats", ""), 401);
  EXPECT_EQ(status("/admin/stats", "open"), 401);
  EXPECT_EQ(status("/admin/stats", "sesame"), 200);
  EXPECT_EQ(status("/debug/threads", "open"), 401);
  EXPECT_EQ(status("/debug/threads", "sesame"), 404);  // nothing is installed in this test
  EXPECT_EQ(status("/healthz", ""), 200);
  EXPECT_EQ(status("/metrics", ""), 200);
}

// What the description promises exists: every path and method answers, with a status it lists.
TEST_F(OrderHttpTest, TheOpenApiDocumentTellsTheTruth) {
  rapidjson::Document document;
  const std::string served = request("GET", "/openapi.json").body;
  ASSERT_EQ(served, openapi_document());
  document.Parse(served.c_str());
  ASSERT_FALSE(document.HasParseError());
  EXPECT_EQ(std::string(document["info"]["version"].GetString()), version());

  request("PUT", "/orders/known", R"({"status":"pending"})");
  std::set<std::string> paths;
  for (const auto& path : document["paths"].GetObject()) {
    std::string target = path.name.GetString();
    paths.insert(target);
    if (const std::size_t at = target.find("{id}"); at != std::string::npos) {
      target.replace(at, 4, "known");
    }
    for (const auto& operation : path.value.GetObject()) {
      std::string method = operation.name.GetString();
      if (method == "parameters") continue;
      for (char& c : method) c = static_cast<char>(c - 'a' + 'A');
      const bool bulk = target == "/orders:bulk";
      const bool body = method == "PUT" || method == "PATCH" || method == "POST";
      const int status =
          request(method, target, body ? (bulk ? "[]" : R"({"status":"pending"})") : "").status;
      EXPECT_TRUE(operation.value["responses"].HasMember(std::to_string(status).c_str()))
          << method << " " << target << " answered " << status;
      if (method == "DELETE") request("PUT", "/orders/known", R"({"status":"pending"})");
    }
  }
  EXPECT_EQ(paths, (std::set<std::string>{"/orders/{id}", "/orders/{id}/history", "/orders:bulk",
                                          "/healthz", "/readyz", "/metrics", "/openapi.json",
                                          "/admin/stats", "/admin/config", "/debug/threads"}));
}

}  // namespace
}  // namespace vigil::server
