#pragma once

// A small HTTP/1.1 server on loopback for tests. It answers what it is told to, also what no server
// should, and knows nothing of the client under test.

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace intact::registry::test {

struct Request {
  std::string method, target, body;
  std::map<std::string, std::string> headers;  ///< names in lower case

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
  std::string path() const { return target.substr(0, target.find('?')); }
  /// A parameter of the query; %3A and %2F are decoded.
  std::string query(const std::string& name) const {
    const std::size_t start = target.find('?');
    if (start == std::string::npos) return "";
    std::string rest = "&" + target.substr(start + 1);
    const std::size_t at = rest.find("&" + name + "=");
    if (at == std::string::npos) return "";
    std::string value = rest.substr(at + name.size() + 2);
    value = value.substr(0, value.find('&'));
    for (const auto& [code, plain] : {std::pair("%3A", ":"), std::pair("%2F", "/")})
      for (std::size_t p; (p = value.find(code)) != std::string::npos;) value.replace(p, 3, plain);
    return value;
  }
};

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  std::optional<std::size_t> cut = {};  ///< closes the connection after so many bytes of the body
  std::optional<std::size_t> length = {};  ///< said in Content-Length, whatever the body is
  bool endless = false;                    ///< repeats the body until the client goes
  std::chrono::milliseconds drip{0};       ///< between single bytes of the body
  bool hang_up = false;                    ///< closes without any answer
};

class Server {
 public:
  using Handler = std::function<Response(const Request&)>;

  explicit Server(Handler handler) : handler_(std::move(handler)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 64);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~Server() {
    stop_ = true;
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
    ::close(listener_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  std::vector<Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::size_t count(const std::string& method, const std::string& part) const {
    std::size_t n = 0;
    for (const Request& one : requests())
      n += one.method == method && one.target.find(part) != std::string::npos;
    return n;
  }

 private:
  void accept_all() {
    while (!stop_) {
      pollfd waiting{listener_, POLLIN, 0};
      if (::poll(&waiting, 1, 10) <= 0) continue;
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) threads_.emplace_back([this, fd] { serve(fd); });
    }
  }

  bool fill(int fd, std::string& buffer) {
    for (;;) {
      pollfd waiting{fd, POLLIN, 0};
      if (stop_) return false;
      if (::poll(&waiting, 1, 10) <= 0) continue;
      char piece[65536];
      const ssize_t n = ::recv(fd, piece, sizeof piece, 0);
      if (n <= 0) return false;
      buffer.append(piece, static_cast<std::size_t>(n));
      return true;
    }
  }

  bool write(int fd, std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0 || stop_) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  void serve(int fd) {
    const timeval patience{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    // Headers and bodies are sent one after the other: each pair would take 40 ms.
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    std::string buffer;
    while (answer(fd, buffer)) {
    }
    ::close(fd);
  }

  bool answer(int fd, std::string& buffer) {
    std::size_t end;
    while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
      // The beginning of TLS, which this server does not speak.
      if (!buffer.empty() && buffer[0] == 0x16) return false;
      if (!fill(fd, buffer)) return false;
    }
    Request request;
    const std::string head = buffer.substr(0, end + 2);
    buffer.erase(0, end + 4);
    std::size_t line = head.find("\r\n");
    const std::string first = head.substr(0, line);
    request.method = first.substr(0, first.find(' '));
    request.target =
        first.substr(request.method.size() + 1, first.rfind(' ') - request.method.size() - 1);
    for (std::size_t at = line + 2; at < head.size(); at = line + 2) {
      line = head.find("\r\n", at);
      const std::string one = head.substr(at, line - at);
      const std::size_t colon = one.find(':');
      std::string name = one.substr(0, colon);
      for (char& c : name) c = static_cast<char>(std::tolower(c));
      std::string value = one.substr(colon + 1);
      value.erase(0, value.find_first_not_of(' '));
      request.headers[name] = value;
    }
    const std::size_t length = std::strtoul(request.header("content-length").c_str(), nullptr, 10);
    while (buffer.size() < length)
      if (!fill(fd, buffer)) return false;
    request.body = buffer.substr(0, length);
    buffer.erase(0, length);
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    return send(fd, request, handler_(request));
  }

  bool send(int fd, const Request& request, const Response& response) {
    if (response.hang_up) return false;
    std::string text = "HTTP/1.1 " + std::to_string(response.status) + " X\r\n";
    for (const auto& [name, value] : response.headers) text += name + ": " + value + "\r\n";
    if (!response.endless)
      text += "Content-Length: " + std::to_string(response.length.value_or(response.body.size())) +
              "\r\n";
    text += "\r\n";
    if (request.method == "HEAD") return write(fd, text);
    if (response.drip.count() != 0) {
      if (!write(fd, text)) return false;
      for (const char c : response.body) {
        std::this_thread::sleep_for(response.drip);
        if (!write(fd, {&c, 1})) return false;
      }
      return true;
    }
    if (!write(fd, text)) return false;
    if (response.endless)
      while (write(fd, response.body)) {
      }
    if (!write(fd, std::string_view(response.body).substr(0, response.cut.value_or(-1))))
      return false;
    return !response.endless && !response.cut &&
           response.length.value_or(response.body.size()) == response.body.size();
  }

  Handler handler_;
  int listener_ = -1;
  unsigned port_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread acceptor_;
  std::vector<std::thread> threads_;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
};

}  // namespace intact::registry::test
