#include "http.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include <intact/base/thread.h>

#include "libcurl.h"
#include "transfer.h"

namespace intact::registry {
namespace {

constexpr long kMaxConnections = 8;  // to one host

/// Drives transfers on a thread of its own.
class Loop {
 public:
  ~Loop() {
    stop_ = true;
    if (multi_) libcurl().multi_wakeup(multi_);
    if (thread_.joinable()) thread_.join();
    for (const auto& [easy, transfer] : running_) end(easy, *transfer);
    for (const auto& transfer : new_) transfer->finish(CURLE_ABORTED_BY_CALLBACK);
    if (multi_) libcurl().multi_cleanup(multi_);
  }

  Result<void> start() {
    TRY(load_libcurl());
    multi_ = libcurl().multi_init();
    if (!multi_) return Error(ErrorKind::io, "libcurl: out of memory");
    libcurl().multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, kMaxConnections);
    thread_ = TRY(start_thread([this] { run(); }));
    return {};
  }

  void add(const std::shared_ptr<Transfer>& transfer) {
    {
      const std::lock_guard lock(mutex_);
      new_.push_back(transfer);
    }
    wake();
  }
  void wake() { libcurl().multi_wakeup(multi_); }

 private:
  void run() {
    while (!stop_) {
      take_new();
      for (auto it = running_.begin(); it != running_.end();) {
        if (it->second->cancelled()) {
          end(it->first, *it->second);
          it = running_.erase(it);
        } else {
          it->second->resume();
          ++it;
        }
      }
      int active = 0;
      libcurl().multi_perform(multi_, &active);
      take_finished();
      libcurl().multi_poll(multi_, nullptr, 0, 1000, nullptr);
    }
  }

  void take_new() {
    std::vector<std::shared_ptr<Transfer>> added;
    {
      const std::lock_guard lock(mutex_);
      added.swap(new_);
    }
    for (const std::shared_ptr<Transfer>& transfer : added) {
      running_.emplace(transfer->easy(), transfer);
      libcurl().multi_add_handle(multi_, transfer->easy());
    }
  }

  void take_finished() {
    int left = 0;
    while (const CURLMsg* message = libcurl().multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      const auto found = running_.find(message->easy_handle);
      if (found == running_.end()) continue;
      const std::shared_ptr<Transfer> transfer = found->second;
      running_.erase(found);
      libcurl().multi_remove_handle(multi_, transfer->easy());
      transfer->finish(code);
    }
  }

  void end(CURL* easy, Transfer& transfer) {
    libcurl().multi_remove_handle(multi_, easy);
    transfer.finish(CURLE_ABORTED_BY_CALLBACK);
  }

  CURLM* multi_ = nullptr;
  std::thread thread_;
  std::atomic<bool> stop_ = false;
  std::map<CURL*, std::shared_ptr<Transfer>> running_;  ///< of the thread
  std::mutex mutex_;
  std::vector<std::shared_ptr<Transfer>> new_;
};

class BodyStream final : public ByteStream {
 public:
  BodyStream(std::shared_ptr<Loop> loop, std::shared_ptr<Transfer> transfer)
      : loop_(std::move(loop)), transfer_(std::move(transfer)) {}
  ~BodyStream() override {
    transfer_->cancel();
    loop_->wake();
  }
  Result<std::size_t> read(MutableByteSpan out) override {
    return transfer_->read(out, [this] { loop_->wake(); });
  }

 private:
  std::shared_ptr<Loop> loop_;
  std::shared_ptr<Transfer> transfer_;
};

class CurlClient final : public HttpClient {
 public:
  CurlClient(std::shared_ptr<Loop> loop, const HttpTimeouts& timeouts)
      : loop_(std::move(loop)), timeouts_(timeouts) {}

  Result<HttpResponse> send(HttpRequest request) override {
    auto transfer = TRY(Transfer::create(std::move(request), timeouts_));
    loop_->add(transfer);
    auto body = std::make_unique<BodyStream>(loop_, transfer);
    HttpResponse response = TRY(transfer->wait_for_headers());
    response.body = std::move(body);
    return response;
  }

 private:
  std::shared_ptr<Loop> loop_;
  HttpTimeouts timeouts_;
};

}  // namespace

std::string HttpResponse::header(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [&](const HttpHeader& header) { return header.first == name; });
  return found == headers.end() ? std::string() : found->second;
}

std::vector<std::string> HttpResponse::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : headers)
    if (key == name) values.push_back(value);
  return values;
}

Result<std::shared_ptr<HttpClient>> HttpClient::create(const HttpTimeouts& timeouts) {
  auto loop = std::make_shared<Loop>();
  TRY(loop->start());
  return std::shared_ptr<HttpClient>(std::make_shared<CurlClient>(std::move(loop), timeouts));
}

}  // namespace intact::registry
