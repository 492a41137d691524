#include "certificates.h"

#include <algorithm>
#include <cstdlib>

#include <fcntl.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>

#include "libcurl.h"

namespace intact::registry {
namespace {

constexpr std::uint64_t kMaxAuthorities = 16 * 1024 * 1024;  // bytes

Result<std::string> system_authorities() {
  const char* const named = std::getenv("SSL_CERT_FILE");
  TRY(load_libcurl());
  const char* const usual = libcurl().version_info(CURLVERSION_NOW)->cainfo;
  const std::string path = named && *named ? named : usual ? usual : "";
  if (path.empty()) return std::string();
  auto bytes = read_file(path, kMaxAuthorities);
  if (!bytes && bytes.error().kind() == ErrorKind::not_found) return std::string();
  return std::string(as_text(TRY(std::move(bytes))));
}

/// The open directory of a host and its path; no descriptor if there is none.
Result<std::pair<UniqueFd, std::string>> find_directory(const std::string& host) {
  std::vector<std::string> places{"/etc/containers/certs.d", "/etc/docker/certs.d"};
  const char* const home = std::getenv("HOME");
  if (home && home[0] == '/')
    places.insert(places.begin(), std::string(home) + "/.config/containers/certs.d");
  for (const std::string& place : places) {
    const std::string path = place + "/" + host;
    auto fd = open_file(path, O_RDONLY | O_DIRECTORY);
    if (fd) return std::pair(std::move(*fd), path);
    if (fd.error().kind() != ErrorKind::not_found) return std::move(fd).error();
  }
  return std::pair(UniqueFd(), std::string());
}

}  // namespace

Result<TlsFiles> find_certificates(const std::string& host, const std::string& directory) {
  TlsFiles files;
  std::pair<UniqueFd, std::string> found;
  if (directory.empty()) {
    found = TRY(find_directory(host));
  } else {
    found = {TRY(open_file(directory, O_RDONLY | O_DIRECTORY)), directory};
  }
  const auto& [fd, path] = found;
  if (!fd) {
    if (std::getenv("SSL_CERT_FILE")) files.authorities = TRY(system_authorities());
    return files;
  }
  const std::vector<std::string> names = TRY(list_names(fd.get()).context(path));
  std::string own;
  for (const std::string& name : names) {
    if (name.ends_with(".crt")) {
      const UniqueFd file = TRY(open_at(fd.get(), name, O_RDONLY | O_NONBLOCK).context(path));
      own += std::string(as_text(TRY(read_fd(file.get(), kMaxAuthorities).context(path)))) + "\n";
    }
    if (!name.ends_with(".cert")) continue;
    const std::string key = name.substr(0, name.size() - 5) + ".key";
    if (std::find(names.begin(), names.end(), key) == names.end())
      return Error(ErrorKind::not_found,
                   path + ": " + name + " has no " + key + ", the key of the certificate");
    if (files.certificate.empty()) {
      files.certificate = path + "/" + name;
      files.key = path + "/" + key;
    }
  }
  if (!own.empty() || std::getenv("SSL_CERT_FILE"))
    files.authorities = own + TRY(system_authorities());
  return files;
}

}  // namespace intact::registry
