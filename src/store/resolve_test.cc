#include <intact/base/file.h>
#include <intact/store/name.h>
#include <intact/store/resolve.h>

#include "record.h"
#include "test_images.h"

namespace intact::store {
namespace {

using testing::HasSubstr;

class ResolveTest : public StoreTest {
 protected:
  ResolveTest() {
    must(pull(*store_, "host/app:1", {"one"}));
    must(pull(*store_, "tool", {"two"}));
    app_ = must(store_->find("host/app:1"));
    tool_ = must(store_->find("tool"));
  }
  std::string name_of(const std::string& text) { return must(resolve_image(*store_, text)).name; }
  NamedImage app_, tool_;
};

TEST_F(ResolveTest, FindsNamesAndDigestsWholeOrShort) {
  EXPECT_EQ(name_of("tool"), "tool");
  EXPECT_EQ(name_of(app_.manifest.to_string()), "host/app:1");
  EXPECT_EQ(name_of(app_.manifest.hex().substr(0, 12)), "host/app:1");
  EXPECT_EQ(name_of("sha256:" + app_.manifest.hex().substr(0, 8)), "host/app:1");
  EXPECT_EQ(name_of(tool_.image.digest.hex()), "tool");
  EXPECT_ERROR(not_found, resolve_image(*store_, std::string(64, '0')));
  EXPECT_ERROR(not_found, resolve_image(*store_, app_.manifest.hex().substr(0, 3)));
  EXPECT_ERROR(not_found, resolve_image(*store_, "nobody"));
  EXPECT_ERROR(invalid_argument, resolve_image(*store_, "oci:x"));
}

TEST_F(ResolveTest, ADigestAfterANameHasToBeThatOfTheManifest) {
  EXPECT_EQ(name_of("host/app:1@" + app_.manifest.to_string()), "host/app:1");
  EXPECT_EQ(name_of("tool@" + tool_.manifest.hex().substr(0, 12)), "tool");
  EXPECT_ERROR(not_found, resolve_image(*store_, "tool@" + app_.manifest.to_string()));
  EXPECT_ERROR(not_found, resolve_image(*store_, "nobody@" + app_.manifest.to_string()));
}

TEST_F(ResolveTest, ARecordNamedLikeADigestDoesNotStandForAnother) {
  const std::string name = "tool@" + tool_.manifest.to_string();
  EXPECT_ERROR(invalid_argument, pull(*store_, name, {"forged"}));
  // Anyone who can write to the store can write such a record.
  NamedImage forged = app_;
  forged.name = name;
  must(write_file_durably(store_->path() + "/names/" + encode_name(name) + ".json",
                          as_bytes(encode_record(forged)), 0644));
  EXPECT_ERROR(not_found, resolve_image(*store_, name));
  must(pull(*store_, name, {"two"}, true));
  EXPECT_EQ(name_of(name), name);
}

// Anyone who can write to the store can write such a record, and a layout may suggest such a name.
TEST_F(ResolveTest, ADigestIsNeverAName) {
  const std::string hex = app_.manifest.hex();
  for (const std::string& name :
       {"sha256:" + hex, hex, hex.substr(0, 12), "sha256:" + hex.substr(0, 6)}) {
    EXPECT_ERROR(invalid_argument, pull(*store_, name, {"two"}));
    NamedImage forged = tool_;
    forged.name = name;
    must(write_file_durably(store_->path() + "/names/" + encode_name(name) + ".json",
                            as_bytes(encode_record(forged)), 0644));
    EXPECT_EQ(must(resolve_image(*store_, name)).manifest, app_.manifest);
    must(store_->remove("host/app:1"));
    EXPECT_ERROR(not_found, resolve_image(*store_, name));
    must(pull(*store_, "host/app:1", {"one"}));
  }
  std::vector<Error> damaged;
  must(store_->list(&damaged));
  EXPECT_EQ(damaged.size(), 4u);
}

TEST_F(ResolveTest, ADigestThatIsSpelledOtherwiseIsNotANameEither) {
  const std::string hex = app_.manifest.hex();
  std::string upper = hex;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  for (const std::string& name :
       {"SHA256:" + hex, "sha256:" + upper, upper, "sha512:" + hex + hex, "tool@SHA256:" + hex,
        "tool@sha256:" + upper, "tool@sha512:" + hex + hex, "tool@" + upper}) {
    EXPECT_ERROR(invalid_argument, pull(*store_, name, {"two"}));
    NamedImage forged = tool_;
    forged.name = name;
    must(write_file_durably(store_->path() + "/names/" + encode_name(name) + ".json",
                            as_bytes(encode_record(forged)), 0644));
    EXPECT_FALSE(resolve_image(*store_, name)) << name;
  }
}

TEST_F(ResolveTest, FewDigitsMayBeANameIfTheyMeanNothingElse) {
  const std::string name = app_.manifest.hex().substr(0, 8);
  must(pull(*store_, name, {"two"}));
  EXPECT_ERROR(invalid_argument, resolve_image(*store_, name));
  EXPECT_EQ(must(resolve_image(*store_, "sha256:" + name)).manifest, app_.manifest);
  must(store_->remove("host/app:1"));
  EXPECT_EQ(must(resolve_image(*store_, name)).manifest, tool_.manifest);
  must(pull(*store_, "20261130", {"two"}));
  EXPECT_EQ(name_of("20261130"), "20261130");
}

TEST_F(ResolveTest, ADigestHasAllNamesOfItsImage) {
  must(pull(*store_, "also", {"two"}));
  const auto names = must(resolve_names(*store_, tool_.manifest.to_string()));
  ASSERT_EQ(names.size(), 2u);
  EXPECT_EQ(names[0].name, "also");
  EXPECT_EQ(names[1].name, "tool");
  EXPECT_EQ(must(resolve_names(*store_, "tool")).size(), 1u);
}

TEST_F(ResolveTest, DigitsOfSeveralImagesAreRefused) {
  // Until two manifests share their first four digits.
  std::map<std::string, std::string> seen;
  for (int i = 0;; ++i) {
    const std::string content = "image " + std::to_string(i);
    const std::string start = TestImage({content}).record("x").manifest.hex().substr(0, 4);
    const auto [other, added] = seen.emplace(start, content);
    if (added) continue;
    must(pull(*store_, "a", {other->second}));
    must(pull(*store_, "b", {content}));
    const auto found = resolve_image(*store_, start);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind(), ErrorKind::invalid_argument);
    EXPECT_THAT(found.error().message(), HasSubstr("'a' and 'b'"));
    return;
  }
}

}  // namespace
}  // namespace intact::store
