#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <intact/oci/image_source.h>

namespace intact::oci {

/// An image layout, in a directory or an archive.
class LayoutSource : public ImageSource {
 public:
  LayoutSource(std::string where, Index index)
      : where_(std::move(where)), index_(std::move(index)) {}

  Result<Descriptor> find(const std::string& tag) const override;
  Result<Located> locate(const std::string& tag, const Platform& platform) const override;
  Result<std::optional<Descriptor>> find_signatures(const Digest& manifest) const override;
  Result<std::optional<Descriptor>> find_attestations(const Digest& manifest) const override;
  Result<std::vector<Descriptor>> referrers(const Digest& manifest) const override;
  std::vector<std::string> names() const override;

 protected:
  const std::string& where() const { return where_; }  ///< for messages
  /// Manifests that may refer to others, besides those that the index names.
  virtual Result<std::vector<Descriptor>> unlisted() const { return std::vector<Descriptor>(); }
  /// Whether the caller has read this blob and knows that it refers to nothing.
  virtual bool is_known(const Digest& /*blob*/) const { return false; }

 private:
  /// The one manifest with this name, if there is one.
  Result<std::optional<Descriptor>> find_tag(const std::string& tag) const;

  std::string where_;
  Index index_;
};

/// A layout in an open directory whose index has been read. The search for signatures that no list
/// names does not open blobs that are `known`.
std::unique_ptr<ImageSource> layout_source(std::string where, Index index, UniqueFd directory,
                                           std::set<Digest> known = {});

}  // namespace intact::oci
