#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <intact/base/digest.h>
#include <intact/composefs/read.h>
#include <intact/json/json.h>
#include <intact/stack/discover.h>

namespace intact::report {

// What is said of a file that was only looked into: to_text() for people, to_json() for programs.

/// What was found in a disk image.
struct FoundLayers {
  std::string file;  ///< as the user calls it
  std::uint64_t size = 0;
  std::vector<stack::Content> layers = {};  ///< the outermost first
};
std::string to_text(const FoundLayers& found);
Json to_json(const FoundLayers& found);

/// A composefs image.
struct ComposefsImage {
  std::string file;  ///< as the user calls it
  composefs::ImageInfo info;
  Digest digest;  ///< fs-verity's, of the whole image
};
std::string to_text(const ComposefsImage& image);
Json to_json(const ComposefsImage& image);

/// The lines of a dump, for programs.
Json dump_json(std::string_view dump);

}  // namespace intact::report
