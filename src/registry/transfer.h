#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <curl/curl.h>

#include "http.h"

namespace intact::registry {

/// One request on its way. The thread of the client drives it, another thread takes what arrives;
/// when that one is slow the transfer pauses, so that it needs little memory.
class Transfer {
 public:
  /// invalid_argument: a header contains control characters.
  static Result<std::shared_ptr<Transfer>> create(HttpRequest request,
                                                  const HttpTimeouts& timeouts);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  CURL* easy() const { return easy_; }

  // For the thread of the client.
  void finish(CURLcode code);
  void resume();  ///< if it is paused and there is room
  bool cancelled() const;

  // For the one that waits.
  /// The status and headers, without the body.
  Result<HttpResponse> wait_for_headers();
  /// Bytes of the body; `wake` is called when the client should call resume().
  Result<std::size_t> read(MutableByteSpan out, const std::function<void()>& wake);
  void cancel();

 private:
  Transfer(HttpRequest request, CURL* easy) : request_(std::move(request)), easy_(easy) {}
  Result<void> set_up(const HttpTimeouts& timeouts);
  Result<void> add_header(std::string_view name, std::string_view value);
  void take_header(std::string_view line);
  Error failure(CURLcode code) const;
  Error refusal() const;  ///< to be led to this machine

  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_read(char* data, std::size_t size, std::size_t count, void* self);
  static int on_seek(void* self, curl_off_t offset, int origin);
  static curl_socket_t on_socket(void* self, curlsocktype purpose, curl_sockaddr* address);

  HttpRequest request_;
  CURL* easy_;
  curl_slist* header_list_ = nullptr;
  curl_slist* addresses_ = nullptr;
  char message_[CURL_ERROR_SIZE] = {};
  std::uint64_t sent_ = 0;  ///< of the body
  std::size_t header_bytes_ = 0;
  bool has_proxy_ = false;  ///< so that the address that we connect to is the proxy's
  bool refused_local_ = false;
  bool too_long_ = false;
  std::optional<Error> body_error_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  long status_ = 0;
  std::vector<HttpHeader> headers_;
  Bytes arrived_;
  bool headers_done_ = false;
  bool paused_ = false;
  bool cancelled_ = false;
  std::optional<CURLcode> ended_;
  // Of the one that reads.
  Bytes taken_;
  std::size_t used_ = 0;
};

}  // namespace intact::registry
