#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <intact/base/stream.h>
#include <intact/composefs/dump.h>
#include <intact/composefs/read.h>
#include <intact/composefs/write.h>

/// Helpers of this room's tests.
namespace intact::composefs::test {

inline Result<tree::Tree> parse(std::string_view dump, bool strict = false) {
  MemoryStream stream(to_bytes(dump));
  return parse_dump(stream, {.strict = strict});
}

inline std::shared_ptr<const ByteSource> source_of(Bytes image) {
  return std::make_shared<MemorySource>(std::move(image));
}

/// The image of a dump; a failed expectation and no bytes if there is none.
inline Bytes image_of(std::string_view dump, const WriteOptions& options = {}) {
  auto tree = parse(dump);
  if (!tree) {
    ADD_FAILURE() << tree.error().message();
    return {};
  }
  auto image = write_image(*tree, options);
  if (!image) {
    ADD_FAILURE() << image.error().message();
    return {};
  }
  return *std::move(image);
}

inline std::string dump_of(const tree::Tree& tree) {
  std::string text;
  auto outcome = write_dump(tree, [&](std::string_view part) -> Result<void> {
    text += part;
    return {};
  });
  if (!outcome) ADD_FAILURE() << outcome.error().message();
  return text;
}

inline std::string dump_of(const Bytes& image) {
  auto tree = read_tree(source_of(image));
  if (!tree) {
    ADD_FAILURE() << tree.error().message();
    return {};
  }
  return dump_of(*tree);
}

}  // namespace intact::composefs::test
