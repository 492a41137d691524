#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::serve {

/// Sockets at which NBD clients are awaited.
class NbdListener {
 public:
  /// `address`: the path of a unix socket, or tcp:HOST:PORT (an IPv6 address in brackets; all of
  /// the addresses that a name stands for). A unix socket that nobody listens at any more is
  /// replaced; one that is in use: busy. Only the user may connect to a unix socket.
  static Result<NbdListener> bind(const std::string& address);

  NbdListener(NbdListener&&) = default;
  NbdListener& operator=(NbdListener&&) = delete;
  /// Takes the unix socket's name away, unless it was released.
  ~NbdListener();

  const std::vector<UniqueFd>& sockets() const { return sockets_; }  ///< listening
  const std::string& uri() const { return uri_; }                    ///< as clients take it
  /// Absolute path of the unix socket; empty for TCP.
  const std::string& path() const { return path_.value; }
  /// Leaves it to others to take the name away.
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
