#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::serve {

/// Listening sockets for NBD clients.
class NbdListener {
 public:
  /// `address`: the path of a unix socket, or tcp:HOST:PORT (an IPv6 address in brackets; for a
  /// name all of its addresses). A unix socket without a listener is replaced. busy: the address is
  /// in use. Only the user may connect to a unix socket.
  static Result<NbdListener> bind(const std::string& address);

  NbdListener(NbdListener&&) = default;
  NbdListener& operator=(NbdListener&&) = delete;
  /// Removes the unix socket, unless it was released.
  ~NbdListener();

  const std::vector<UniqueFd>& sockets() const { return sockets_; }  ///< listening
  const std::string& uri() const { return uri_; }                    ///< for clients
  /// Absolute path of the unix socket; empty for TCP.
  const std::string& path() const { return path_.value; }
  /// Leaves it to others to remove the socket.
  void release() { path_.value.clear(); }

 private:
  struct MovedString {
    std::string value;
    MovedString() = default;
    MovedString(MovedString&& other) noexcept : value(std::exchange(other.value, {})) {}
  };
  NbdListener() = default;
  Result<void> bind_unix(const std::string& path);
  Result<void> bind_tcp(std::string_view address);

  std::vector<UniqueFd> sockets_;
  std::string uri_;
  MovedString path_;
};

}  // namespace intact::serve
