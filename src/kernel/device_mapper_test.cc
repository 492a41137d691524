#include <gtest/gtest.h>

#include <intact/kernel/device_mapper.h>

namespace intact::kernel {
namespace {

constexpr const char* kKey = "c0ffee00c0ffee00c0ffee00c0ffee00";

std::vector<MappingLine> one_line(const std::string& arguments) {
  std::vector<MappingLine> lines;
  lines.push_back({.sectors = 8,
                   .target = "integrity",
                   .parameters = crypto::Secret::copy_of(as_bytes(arguments))});
  return lines;
}

/// A table that every kernel refuses, with a key in it.
Mapping refused() {
  const std::string table =
      std::string("7:250 0 16 J 2 internal_hash:hmac(sha256):") + kKey + " no_such_option:" + kKey;
  return {.name = "intact-test-refused",
          .uuid = "CRYPT-INTEGRITY-intact-test-refused",
          .lines = one_line(table)};
}

TEST(DeviceMapper, NamesMayBeGivenWithTheirDirectory) {
  EXPECT_EQ(mapping_name("/dev/mapper/data"), "data");
  EXPECT_EQ(mapping_name("data"), "data");
  EXPECT_EQ(mapping_name("/dev/dm-0"), "/dev/dm-0");
}

TEST(DeviceMapper, DescribesADeviceWithoutItsTable) {
  MappingState state{.mapping = refused(), .status = "", .open_count = 2};
  EXPECT_EQ(describe(state),
            "/dev/mapper/intact-test-refused: 8 sectors of dm-integrity, open 2 times, UUID "
            "CRYPT-INTEGRITY-intact-test-refused.");
}

// Without a device mapper another reason is given; the virtual machine has one (tests/vm).
TEST(DeviceMapper, ErrorsQuoteNoKey) {
  const auto created = create_mapping(refused());
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().message().find("c0ffee"), std::string::npos)
      << created.error().message();
  EXPECT_EQ(created.error().message().find("internal_hash"), std::string::npos)
      << created.error().message();
}

TEST(DeviceMapper, NamesAreOneComponent) {
  Mapping mapping = refused();
  for (const char* name :
       {"", "a/b",
        "a-name-that-is-longer-than-the-128-bytes-that-the-device-mapper-allows-for-names-"
        "0123456789012345678901234567890123456789012345678901234567890123456789"}) {
    mapping.name = name;
    const auto created = create_mapping(mapping);
    ASSERT_FALSE(created) << name;
    EXPECT_EQ(created.error().kind(), ErrorKind::invalid_argument) << name;
  }
}

}  // namespace
}  // namespace intact::kernel
