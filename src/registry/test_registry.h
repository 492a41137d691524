#pragma once

// A registry in memory, without and with faults.

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include <intact/base/file.h>
#include <intact/crypto/hash.h>
#include <intact/registry/registry.h>

#include "test_server.h"

namespace intact::registry::test {

inline std::string digest_of(const std::string& bytes) {
  return crypto::sha256(as_bytes(bytes)).to_string();
}

/// Repositories in memory. `fault` sees each request first, and may answer it.
class Registry {
 public:
  using Fault = std::function<std::optional<Response>(const Request&)>;

  Registry() : server_([this](const Request& request) { return answer(request); }) {}

  Server& server() { return server_; }
  std::string place() const { return server_.host() + "/team/app"; }
  void set_fault(Fault fault) {
    const std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
  }

  std::string add_blob(const std::string& bytes) {
    const std::lock_guard lock(mutex_);
    blobs_[digest_of(bytes)] = bytes;
    return digest_of(bytes);
  }
  /// A manifest or an index, also under a tag.
  std::string add_manifest(const std::string& bytes, const std::string& tag = {},
                           const std::string& type = std::string(oci_manifest())) {
    const std::lock_guard lock(mutex_);
    manifests_[digest_of(bytes)] = {bytes, type};
    if (!tag.empty()) manifests_[tag] = {bytes, type};
    return digest_of(bytes);
  }
  static std::string_view oci_manifest() { return "application/vnd.oci.image.manifest.v1+json"; }

  std::optional<std::string> blob(const std::string& digest) const {
    const std::lock_guard lock(mutex_);
    const auto found = blobs_.find(digest);
    return found == blobs_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<std::string> manifest(const std::string& reference) const {
    const std::lock_guard lock(mutex_);
    const auto found = manifests_.find(reference);
    return found == manifests_.end() ? std::nullopt : std::optional(found->second.bytes);
  }
  bool has_referrers = false;   ///< it has the API for referrers
  bool supports_mount = false;  ///< of any blob

 private:
  struct Document {
    std::string bytes, type;
  };

  Response answer(const Request& request) {
    Fault fault;
    {
      const std::lock_guard lock(mutex_);
      fault = fault_;
    }
    if (fault)
      if (auto made = fault(request)) return *made;
    const std::lock_guard lock(mutex_);
    const std::string path = request.path();
    if (path == "/v2/") return {.body = "{}"};
    const std::size_t part = find_part(path);
    if (part == std::string::npos) return {.status = 404, .body = "404 page not found"};
    const std::string rest = path.substr(part + 1);
    const std::size_t slash = rest.find('/');
    const std::string kind = rest.substr(0, slash), name = rest.substr(slash + 1);
    if (kind == "manifests") return manifest_request(request, name);
    if (kind == "referrers") return {.status = 404, .body = "404 page not found"};
    if (name.starts_with("uploads/")) return upload(request, path);
    if (kind == "blobs") return get_blob(request, name);
    return {.status = 404};
  }

  static std::size_t find_part(const std::string& path) {
    for (const char* kind : {"/manifests/", "/blobs/", "/referrers/", "/tags/"})
      if (const std::size_t at = path.find(kind); at != std::string::npos) return at;
    return std::string::npos;
  }

  Response manifest_request(const Request& request, const std::string& name) {
    if (request.method == "PUT") {
      const Document document{request.body, request.header("content-type")};
      manifests_[digest_of(request.body)] = document;
      manifests_[name] = document;
      Response response{.status = 201};
      if (has_referrers) response.headers.emplace_back("OCI-Subject", "sha256:1");
      return response;
    }
    const auto found = manifests_.find(name);
    if (found == manifests_.end())
      return {.status = 404,
              .body = R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]})"};
    return {.headers = {{"Content-Type", found->second.type}}, .body = found->second.bytes};
  }

  Response get_blob(const Request& request, const std::string& name) {
    const auto found = blobs_.find(name);
    if (found == blobs_.end())
      return {.status = 404,
              .body = R"({"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown"}]})"};
    const std::string range = request.header("range");
    if (range.empty()) return {.body = found->second};
    std::size_t first = 0, last = 0;
    std::sscanf(range.c_str(), "bytes=%zu-%zu", &first, &last);
    return {.status = 206,
            .headers = {{"Content-Range", "bytes " + std::to_string(first) + "-" +
                                              std::to_string(last) + "/" +
                                              std::to_string(found->second.size())}},
            .body = found->second.substr(first, last - first + 1)};
  }

  Response upload(const Request& request, const std::string& path) {
    const auto where = [&](const std::string& id, const std::string& bytes) -> Response {
      return {.status = request.method == "GET" ? 204 : 202,
              .headers = {{"Location", path.substr(0, path.find("/uploads/")) + "/uploads/" + id +
                                           "?state=" + std::to_string(bytes.size())},
                          {"Range", "0-" + std::to_string(bytes.empty() ? 0 : bytes.size() - 1)}}};
    };
    if (request.method == "POST") {
      if (const std::string mount = request.query("mount");
          supports_mount && blobs_.contains(mount))
        return {.status = 201};
      const std::string id = std::to_string(++last_upload_);
      uploads_[id] = "";
      return where(id, "");
    }
    const std::string id = path.substr(path.rfind('/') + 1);
    const auto found = uploads_.find(id);
    if (found == uploads_.end())
      return {.status = 404, .body = R"({"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]})"};
    if (request.method == "GET") return where(id, found->second);
    if (request.method == "DELETE") {
      uploads_.erase(found);
      return {.status = 204};
    }
    const std::string start = request.header("content-range");
    if (request.method == "PATCH" &&
        start.substr(0, start.find('-')) != std::to_string(found->second.size()))
      return {.status = 416};
    found->second += request.body;
    if (request.method == "PATCH") return where(id, found->second);
    const std::string digest = request.query("digest");
    if (digest_of(found->second) != digest)
      return {.status = 400, .body = R"({"errors":[{"code":"DIGEST_INVALID"}]})"};
    blobs_[digest] = found->second;
    uploads_.erase(found);
    return {.status = 201};
  }

  mutable std::mutex mutex_;
  Fault fault_;
  std::map<std::string, std::string> blobs_;
  std::map<std::string, Document> manifests_;
  std::map<std::string, std::string> uploads_;
  unsigned last_upload_ = 0;
  Server server_;  ///< the last: it uses the rest
};

/// Quick, and with nothing of the machine's configuration.
inline Options test_options() {
  Options options;
  options.registries_conf = "/nonexistent/registries.conf";
  options.credentials.auth_file = "/nonexistent/auth.json";
  options.retry_delay = std::chrono::milliseconds(1);
  options.stall_timeout = std::chrono::seconds(2);
  options.document_timeout = std::chrono::seconds(5);
  return options;
}

inline oci::Reference reference_to(const std::string& place, const std::string& tag) {
  return {oci::Reference::Transport::docker, place, tag, {}};
}

}  // namespace intact::registry::test
