#include "transfer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>

#include <intact/base/visible.h>

#include "libcurl.h"
#include "proxy.h"

namespace intact::registry {
namespace {

constexpr std::size_t kMaxHeaders = 64 * 1024;        // bytes
constexpr std::size_t kMaxArrived = 2 * 1024 * 1024;  // bytes that wait for the reader
constexpr long kReceiveBuffer = 256 * 1024;           // bytes
constexpr long kLeastSpeed = 100;                     // bytes a second

bool is_clean(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

/// Sent again, such a request may succeed.
bool is_interruption(CURLcode code) {
  switch (code) {
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_WEIRD_SERVER_REPLY:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool is_transient(const Error& error) {
  return error.kind() == ErrorKind::io && error.sys_errno() == ECONNRESET;
}

Result<std::shared_ptr<Transfer>> Transfer::create(HttpRequest request,
                                                   const HttpTimeouts& timeouts) {
  TRY(load_libcurl());
  CURL* const easy = libcurl().easy_init();
  if (!easy) return Error(ErrorKind::io, "libcurl: out of memory");
  std::shared_ptr<Transfer> made(new Transfer(std::move(request), easy));
  TRY(made->set_up(timeouts));
  return made;
}

Transfer::~Transfer() {
  libcurl().easy_cleanup(easy_);
  // One of them may be a password.
  for (curl_slist* one = header_list_; one; one = one->next)
    crypto::wipe({reinterpret_cast<std::byte*>(one->data), std::strlen(one->data)});
  libcurl().slist_free_all(header_list_);
  libcurl().slist_free_all(addresses_);
}

Result<void> Transfer::add_header(std::string_view name, std::string_view value) {
  // A line break would begin another header, or another request.
  if (!is_clean(name) || !is_clean(value))
    return Error(ErrorKind::invalid_argument,
                 "the header " + visible(name) + " would contain control characters");
  std::string line = std::string(name) + ":";
  if (!value.empty()) line += " " + std::string(value);
  curl_slist* const longer = libcurl().slist_append(header_list_, line.c_str());
  crypto::wipe(std::as_writable_bytes(std::span(line)));
  if (!longer) return Error(ErrorKind::io, "libcurl: out of memory");
  header_list_ = longer;
  return {};
}

Result<void> Transfer::set_up(const HttpTimeouts& timeouts) {
  const auto set = [this](auto option, auto value) { libcurl().easy_setopt(easy_, option, value); };
  // A proxy resolves names itself, so that only what is written can be judged.
  if (request_.refuse_local && is_local_host(request_.url.host)) return refusal();
  for (const auto& [name, value] : request_.headers) TRY(add_header(name, value));
  if (request_.authorization)
    TRY(add_header("authorization", request_.authorization->expose_text()));
  TRY(add_header("Expect", ""));  // servers that do not answer it cost a second
  set(CURLOPT_HTTPHEADER, header_list_);
  set(CURLOPT_URL, request_.url.text().c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_USERAGENT, "intact/0.1");
  set(CURLOPT_ERRORBUFFER, message_);
  set(CURLOPT_BUFFERSIZE, kReceiveBuffer);
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(CURLOPT_PIPEWAIT, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  // libcurl's own choice would have to be guessed where an address is judged.
  const std::string proxy = proxy_for(request_.url);
  set(CURLOPT_PROXY, proxy.c_str());
  set(CURLOPT_NOPROXY, "");
  has_proxy_ = !proxy.empty();

  const std::chrono::seconds stall = request_.stall.count() != 0 ? request_.stall : timeouts.stall;
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeouts.connect.count()));
  set(CURLOPT_LOW_SPEED_LIMIT, kLeastSpeed);
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(stall.count()));
  // How long a body may take to arrive is for its reader to say: it may be slow itself.
  std::chrono::seconds whole = timeouts.document;
  if (request_.body) whole += std::chrono::seconds(request_.body->size / timeouts.least_rate);
  if (!request_.is_transfer || request_.body)
    set(CURLOPT_TIMEOUT, static_cast<long>(whole.count()));
  for (const std::string& known : timeouts.addresses) {
    curl_slist* const longer = libcurl().slist_append(addresses_, known.c_str());
    if (!longer) return Error(ErrorKind::io, "libcurl: out of memory");
    addresses_ = longer;
  }
  if (addresses_) set(CURLOPT_RESOLVE, addresses_);

  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, request_.tls.verify ? 1L : 0L);
  set(CURLOPT_SSL_VERIFYHOST, request_.tls.verify ? 2L : 0L);
  if (!request_.tls.authorities.empty()) {
    curl_blob authorities{.data = request_.tls.authorities.data(),
                          .len = request_.tls.authorities.size(),
                          .flags = CURL_BLOB_COPY};
    set(CURLOPT_CAINFO_BLOB, &authorities);
  }
  if (!request_.tls.certificate.empty()) {
    set(CURLOPT_SSLCERT, request_.tls.certificate.c_str());
    set(CURLOPT_SSLKEY, request_.tls.key.c_str());
  }

  if (request_.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (request_.method != "GET") {
    const bool sends = request_.method != "DELETE";
    if (sends) {
      set(CURLOPT_UPLOAD, 1L);
      set(CURLOPT_INFILESIZE_LARGE,
          static_cast<curl_off_t>(request_.body ? request_.body->size : 0));
    }
    set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
  // On an old connection that turns out to be closed libcurl would send it again by itself,
  // although the server may have got it.
  if (request_.method == "PATCH") set(CURLOPT_FRESH_CONNECT, 1L);
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_READFUNCTION, &Transfer::on_read);
  set(CURLOPT_READDATA, this);
  set(CURLOPT_SEEKFUNCTION, &Transfer::on_seek);
  set(CURLOPT_SEEKDATA, this);
  set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::on_socket);
  set(CURLOPT_OPENSOCKETDATA, this);
  set(CURLOPT_PRIVATE, this);
  return {};
}

std::size_t Transfer::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::lock_guard lock(transfer.mutex_);
  if (transfer.cancelled_) return CURL_WRITEFUNC_ERROR;
  if (transfer.arrived_.size() >= kMaxArrived) {
    transfer.paused_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  const ByteSpan bytes = as_bytes({data, size * count});
  transfer.arrived_.insert(transfer.arrived_.end(), bytes.begin(), bytes.end());
  transfer.changed_.notify_all();
  return bytes.size();
}

std::size_t Transfer::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t length = size * count;
  transfer.header_bytes_ += length;
  if (transfer.header_bytes_ > kMaxHeaders) {
    transfer.too_long_ = true;
    return CURL_WRITEFUNC_ERROR;
  }
  const std::lock_guard lock(transfer.mutex_);
  transfer.take_header({data, length});
  return length;
}

void Transfer::take_header(std::string_view line) {
  if (headers_done_) return;  // trailers
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    headers_.clear();
    return;
  }
  if (line.empty()) {
    libcurl().easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status_);
    if (status_ / 100 == 1) return;  // the answer is still to come
    headers_done_ = true;
    changed_.notify_all();
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string name(line.substr(0, colon));
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  headers_.emplace_back(std::move(name), value);
}

std::size_t Transfer::on_read(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (!transfer.request_.body || transfer.cancelled()) return 0;
  const HttpBody& body = *transfer.request_.body;
  const std::size_t n =
      static_cast<std::size_t>(std::min<std::uint64_t>(size * count, body.size - transfer.sent_));
  if (n == 0) return 0;
  const MutableByteSpan out(reinterpret_cast<std::byte*>(data), n);
  if (auto read = body.source->read(body.offset + transfer.sent_, out); !read) {
    transfer.body_error_ = std::move(read).error();
    return CURL_READFUNC_ABORT;
  }
  transfer.sent_ += n;
  return n;
}

int Transfer::on_seek(void* self, curl_off_t offset, int origin) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::uint64_t size = transfer.request_.body ? transfer.request_.body->size : 0;
  if (origin != SEEK_SET || offset < 0 || static_cast<std::uint64_t>(offset) > size)
    return CURL_SEEKFUNC_FAIL;
  transfer.sent_ = static_cast<std::uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

curl_socket_t Transfer::on_socket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (transfer.request_.refuse_local && !transfer.has_proxy_ && is_local_address(address->addr)) {
    transfer.refused_local_ = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void Transfer::finish(CURLcode code) {
  const std::lock_guard lock(mutex_);
  ended_ = code;
  changed_.notify_all();
}

void Transfer::resume() {
  {
    const std::lock_guard lock(mutex_);
    if (!paused_ || arrived_.size() >= kMaxArrived) return;
    paused_ = false;
  }
  libcurl().easy_pause(easy_, CURLPAUSE_CONT);  // may call on_body()
}

bool Transfer::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

void Transfer::cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
}

Error Transfer::refusal() const {
  return Error(ErrorKind::untrusted,
               request_.url.host + ":" + request_.url.port +
                   ": the registry refers to this machine; that is not followed");
}

Error Transfer::failure(CURLcode code) const {
  const std::string where = request_.url.host + ":" + request_.url.port;
  const std::string why = visible(message_[0] ? message_ : libcurl().easy_strerror(code));
  if (body_error_) return Error(*body_error_);
  if (refused_local_) return refusal();
  if (too_long_)
    return Error(ErrorKind::limit, where + ": more than " + std::to_string(kMaxHeaders) +
                                       " bytes of headers in an answer");
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
      return Error(ErrorKind::untrusted, where + ": its TLS certificate is not trusted (" + why +
                                             "); put its authority into /etc/containers/certs.d/" +
                                             where + "/ca.crt, or pass --cert-dir");
    case CURLE_SSL_CONNECT_ERROR:
      return Error(ErrorKind::io, where + ": no TLS connection (" + why +
                                      "); for a registry that speaks plain http pass "
                                      "--tls-verify=false");
    default:
      return Error(ErrorKind::io, where + ": " + why, is_interruption(code) ? ECONNRESET : 0);
  }
}

Result<HttpResponse> Transfer::wait_for_headers() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return headers_done_ || ended_; });
  if (!headers_done_) return failure(*ended_ == CURLE_OK ? CURLE_GOT_NOTHING : *ended_);
  HttpResponse response;
  response.status = status_;
  response.headers = headers_;
  return response;
}

Result<std::size_t> Transfer::read(MutableByteSpan out, const std::function<void()>& wake) {
  if (used_ == taken_.size()) {
    taken_.clear();
    used_ = 0;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !arrived_.empty() || ended_; });
    if (arrived_.empty()) {
      if (*ended_ != CURLE_OK) return failure(*ended_);
      return std::size_t{0};
    }
    taken_.swap(arrived_);
    const bool wanted = paused_;
    lock.unlock();
    if (wanted) wake();
  }
  const std::size_t n = std::min(out.size(), taken_.size() - used_);
  std::memcpy(out.data(), taken_.data() + used_, n);
  used_ += n;
  return n;
}

}  // namespace intact::registry
