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

/// What can be told about an image in the store from its documents. They are compared with their
/// digests, but nobody's signature is checked here.
struct ImageSummary {
  store::NamedImage record;
  oci::Manifest manifest;
  oci::ImageConfig config;
  std::vector<bool> layer_present;      ///< one for each layer of the manifest
  std::vector<std::string> identities;  ///< what the signatures say they were made for
};

Result<ImageSummary> summarize(const store::Store& store, const std::string& name);

/// For machines: everything that is known.
Json to_json(const ImageSummary& summary);
/// For people: a screen of lines.
std::string to_lines(const ImageSummary& summary);

/// "2026-01-31T12:00:00Z", from seconds since 1970.
std::string format_time(std::int64_t seconds);
/// "210.3 MB", in powers of 1000.
std::string format_size(std::uint64_t bytes);

}  // namespace intact::cli
