#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <intact/base/text.h>
#include <intact/serve/nbdkit.h>

namespace intact::serve {

namespace {

constexpr std::string_view kTcp = "tcp:";
constexpr int kBacklog = 128;

Error cannot_listen(const std::string& where, int code) {
  if (code != EADDRINUSE) return Error::from_errno(fmt::format("{}: cannot listen", where), code);
  // At a path it may also be a file that is not a socket, which is left alone.
  return Error(ErrorKind::busy,
               fmt::format("{}: cannot listen: the address is in use; {}", where,
                           where.starts_with(kTcp) ? "pass another port, or end the server there"
                                                   : "pass another path, or end the server there "
                                                     "with `intact umount`"));
}

Result<UniqueFd> open_socket(int family) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return Error::from_errno("cannot create a socket", errno);
  return fd;
}

Result<std::string> absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  const std::unique_ptr<char, decltype(&std::free)> here(::getcwd(nullptr, 0), std::free);
  if (!here) return Error::from_errno("cannot tell the current directory", errno);
  return fmt::format("{}/{}", here.get(), path);
}

/// Whether the address is a socket without a listener, as a killed server leaves it.
bool is_abandoned(const sockaddr_un& address) {
  struct stat status;
  if (::lstat(address.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const auto probe = open_socket(AF_UNIX);
  // It need not be taken: whose socket this is, is not known.
  return probe && ::fcntl(probe->get(), F_SETFL, O_NONBLOCK) == 0 &&
         ::connect(probe->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
             0 &&
         errno == ECONNREFUSED;
}

/// Percent-encodes what RFC 3986 does not allow in a query.
std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || std::strchr("/-_.~", c);
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

struct HostAndPort {
  std::string host, port;
};

Result<HostAndPort> split(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  HostAndPort parts;
  if (colon != std::string_view::npos)
    parts = {.host = std::string(text.substr(0, colon)),
             .port = std::string(text.substr(colon + 1))};
  if (parts.host.starts_with('[') && parts.host.ends_with(']'))
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  else if (parts.host.find(':') != std::string::npos)
    parts = {};
  const auto port = whole_number<std::uint16_t>(parts.port);
  if (parts.host.empty() || !port || *port == 0 || parts.port.size() > 5)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("'tcp:{}': not of the form tcp:HOST:PORT", text));
  return parts;
}

}  // namespace

NbdListener::~NbdListener() {
  if (!path_.value.empty()) ::unlink(path_.value.c_str());
}

Result<NbdListener> NbdListener::bind(const std::string& address) {
  NbdListener listener;
  if (address.starts_with(kTcp))
    TRY(listener.bind_tcp(std::string_view(address).substr(kTcp.size())));
  else
    TRY(listener.bind_unix(address));
  return listener;
}

Result<void> NbdListener::bind_unix(const std::string& given) {
  const std::string path = TRY(absolute(given));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("{}: too long for a unix socket; the maximum is {} bytes", path,
                             sizeof address.sun_path - 1));
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (is_abandoned(address)) ::unlink(path.c_str());
  UniqueFd fd = TRY(open_socket(AF_UNIX));
  // The mode must be right from the first moment, so chmod afterwards would be too late.
  const mode_t mask = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int code = errno;
  ::umask(mask);
  if (bound != 0) return cannot_listen(path, code);
  path_.value = path;
  if (::listen(fd.get(), kBacklog) != 0) return cannot_listen(path, errno);
  uri_ = "nbd+unix:///?socket=" + percent_encoded(path);
  sockets_.push_back(std::move(fd));
  return {};
}

Result<void> NbdListener::bind_tcp(std::string_view given) {
  const HostAndPort parts = TRY(split(given));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(parts.host.c_str(), parts.port.c_str(), &hints, &found))
    return Error(ErrorKind::not_found,
                 fmt::format("{}: cannot listen: {}", parts.host, ::gai_strerror(code)));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
  int last = EADDRNOTAVAIL;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    auto fd = open_socket(at->ai_family);
    const int one = 1;
    if (fd) {
      ::setsockopt(fd->get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
      // Its own address alone: the other family has a socket of its own.
      if (at->ai_family == AF_INET6)
        ::setsockopt(fd->get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    }
    if (fd && ::bind(fd->get(), at->ai_addr, at->ai_addrlen) == 0 &&
        ::listen(fd->get(), kBacklog) == 0) {
      sockets_.push_back(std::move(*fd));
      continue;
    }
    last = errno;
    // A name may have addresses of a family that this machine lacks.
    if (last != EAFNOSUPPORT && last != EADDRNOTAVAIL)
      return cannot_listen(fmt::format("tcp:{}", given), last);
  }
  if (sockets_.empty()) return cannot_listen(fmt::format("tcp:{}", given), last);
  const bool is_ipv6 = parts.host.find(':') != std::string::npos;
  uri_ = "nbd://" + (is_ipv6 ? "[" + parts.host + "]" : parts.host) + ":" + parts.port;
  return {};
}

}  // namespace intact::serve
