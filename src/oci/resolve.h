#pragma once

#include <set>
#include <string>
#include <vector>

#include <intact/oci/image_source.h>

namespace intact::oci {

/// Finds the image that a name of a layout means, through indexes and platforms.
class Resolver {
 public:
  Resolver(const ImageSource& source, const Index& index, const Platform& platform)
      : source_(source), index_(index), platform_(platform) {}

  /// See ImageSource::find().
  Result<Descriptor> find(const std::string& tag);
  /// See ImageSource::locate().
  Result<Located> locate(const std::string& tag);

 private:
  Result<std::vector<Descriptor>> candidates(const std::string& tag) const;
  Result<Descriptor> choose(const std::vector<Descriptor>& candidates, const std::string& tag);
  Result<std::optional<Descriptor>> search(const Descriptor& index, unsigned depth);
  Result<std::optional<Platform>> platform_of(const Descriptor& manifest);
  Result<Descriptor> find_digest(const Digest& digest);
  Error no_platform() const;

  const ImageSource& source_;
  const Index& index_;
  const Platform& platform_;
  std::set<Digest> seen_;          ///< indexes that were searched
  std::vector<Digest> through_;    ///< those that contain what was found, the innermost first
  std::set<std::string> offered_;  ///< platforms that were met, for the message
};

/// Whether it is cosign's: signatures, attestations or SBOMs of another manifest.
bool is_signature(const Descriptor& descriptor);

}  // namespace intact::oci
