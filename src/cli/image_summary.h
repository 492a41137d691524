#pragma once

#include <optional>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/json/json.h>
#include <intact/oci/config.h>
#include <intact/oci/manifest.h>
#include <intact/store/store.h>

namespace intact::cli {

/// What the documents of an image in the store say about it. They are compared with their digests,
/// but no signature is checked here.
struct ImageSummary {
  store::NamedImage record;
  oci::Manifest manifest;
  oci::ImageConfig config;
  std::vector<bool> layer_present;      ///< one for each layer of the manifest
  std::vector<std::string> identities;  ///< names that the signatures were made for
};

/// `name` is as in store::resolve_image().
Result<ImageSummary> summarize(const store::Store& store, const std::string& name);

/// All details.
Json to_json(const ImageSummary& summary);
/// The same under the names that users of podman's `--format` expect.
Json to_fields(const ImageSummary& summary);
/// For people: a screen of lines.
std::string to_lines(const ImageSummary& summary);

/// "2026-01-31T12:00:00Z", from seconds since 1970.
std::string format_time(std::int64_t seconds);
/// "210.3 MB", in powers of 1000.
std::string format_size(std::uint64_t bytes);

}  // namespace intact::cli
