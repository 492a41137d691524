#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <intact/oci/image_source.h>
#include <intact/registry/registry.h>

#include "session.h"

namespace intact::registry {

/// A repository, on its mirrors and its registry.
class Places {
 public:
  static Result<std::shared_ptr<Places>> open(const std::string& repository,
                                              const Options& options);

  /// Does `work` with one place after the other until it succeeds, but not with those of `without`;
  /// a connection is made when a place is first used. The error is that of the last one, which is
  /// the registry itself, and of a place before it that had wrong bytes (tampered).
  template <typename Work>
  auto first_of(bool by_digest, const Work& work, const std::set<std::string>& without = {})
      -> decltype(work(std::shared_ptr<Session>())) {
    std::optional<Error> wrong, failed;
    for (Place& place : places_) {
      if (!serves(place, by_digest) || without.contains(place.endpoint.repository)) continue;
      auto session = session_of(place);
      if (!session) {
        failed = std::move(session).error();
        continue;
      }
      auto result = work(*session);
      if (result) return result;
      failed = std::move(result).error();
      if (failed->kind() == ErrorKind::tampered && !wrong) wrong = *failed;
    }
    if (!failed) return Error(ErrorKind::not_found, "no other place has it");
    if (!wrong || failed->kind() == ErrorKind::tampered) return std::move(*failed);
    return Error(ErrorKind::tampered, wrong->message() + "; " + failed->message());
  }
  /// Whether there is a place for blobs that is not among these.
  bool has_others(const std::set<std::string>& without) const {
    return std::ranges::any_of(places_, [&](const Place& place) {
      return serves(place, true) && !without.contains(place.endpoint.repository);
    });
  }
  /// The registry itself.
  Result<std::shared_ptr<Session>> registry() { return session_of(places_.back()); }

 private:
  struct Place {
    Endpoint endpoint;
    std::shared_ptr<Session> session;
  };
  explicit Places(Options options) : options_(std::move(options)) {}
  Result<std::shared_ptr<Session>> session_of(Place& place);
  bool serves(const Place& place, bool by_digest) const {
    using Use = Endpoint::Use;
    return &place == &places_.back() ||
           place.endpoint.use != (by_digest ? Use::tags : Use::digests);
  }

  Options options_;
  std::mutex mutex_;
  std::vector<Place> places_;
};

/// A repository of a registry as a source of images.
class RegistrySource final : public oci::ImageSource {
 public:
  RegistrySource(std::string where, std::shared_ptr<Places> places, std::optional<Digest> digest)
      : where_(std::move(where)), places_(std::move(places)), digest_(digest) {}

  Result<oci::Descriptor> find(const std::string& tag) const override;
  Result<oci::Located> locate(const std::string& tag, const oci::Platform& platform) const override;
  Result<std::unique_ptr<ByteStream>> open_blob(const oci::Descriptor& blob) const override;
  Result<std::unique_ptr<ByteStream>> continue_blob(const oci::Descriptor& blob,
                                                    std::uint64_t offset) const override;
  unsigned streams() const override { return kStreams; }
  Blame blame(const oci::Descriptor& blob) const override;
  Result<std::optional<oci::Descriptor>> find_signatures(const Digest& manifest) const override;
  Result<std::optional<oci::Descriptor>> find_attestations(const Digest& manifest) const override;
  Result<std::vector<oci::Descriptor>> referrers(const Digest& manifest) const override;
  std::vector<std::string> names() const override;

  Places& places() const { return *places_; }

 private:
  /// The manifest with that tag, if there is one.
  Result<std::optional<oci::Descriptor>> find_tagged(const std::string& tag) const;

  static constexpr unsigned kStreams = 3;

  std::string where_;
  std::shared_ptr<Places> places_;
  std::optional<Digest> digest_;  ///< that the reference gave

  /// The places of a blob, as repositories.
  struct Served {
    std::string by;             ///< where it was opened last
    std::set<std::string> bad;  ///< where it was wrong
  };
  mutable std::mutex mutex_;
  mutable std::map<Digest, Served> served_;  ///< guarded by mutex_
};

/// A manifest or index that was fetched by its tag or digest.
struct FoundDocument {
  oci::Descriptor descriptor;
  Bytes bytes;
};

/// `reference` is a tag or a digest. not_found: it does not exist; unsupported: something that is
/// not a manifest.
Result<FoundDocument> get_manifest(Session& session, const std::string& reference,
                                   bool for_writing = false);

/// The manifests that a registry lists as referring to another, by its API and by its list under a
/// tag; nothing of it is checked. Bounded; an error when either listing fails.
Result<std::vector<oci::Descriptor>> list_referrers(Session& session, const Digest& manifest);

/// All tags of the repository.
Result<std::vector<std::string>> get_tags(Session& session);

}  // namespace intact::registry
