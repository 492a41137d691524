#include <gtest/gtest.h>

#include <intact/kernel/overlay.h>

namespace intact::kernel {
namespace {

/// What a composefs mount is made of.
Overlay image() {
  return {.source = "intact:app",
          .lower = {"image"},
          .data = {"objects", "more"},
          .follow = true,
          .verity = Verity::require};
}

/// What a writable root is made of.
Overlay writable() {
  return {.source = "intact",
          .lower = {"/room/image"},
          .upper = Overlay::Upper{.directory = "/room/upper", .work = "/room/work"}};
}

std::string text_of(const Result<OverlayOptions>& options) {
  if (!options) return "error: " + options.error().message();
  std::string text;
  for (const auto& [option, value] : *options)
    text += (text.empty() ? "" : " ") + option + (value.empty() ? "" : "=" + value);
  return text;
}

void expect_refused(const Overlay& overlay, std::string_view why) {
  for (const auto layers : {LayerOptions::one_by_one, LayerOptions::joined}) {
    const auto options = overlay_options(overlay, layers);
    ASSERT_FALSE(options) << text_of(options);
    EXPECT_EQ(options.error().kind(), ErrorKind::invalid_argument);
    EXPECT_EQ(options.error().message(), "overlay: " + std::string(why));
  }
  EXPECT_FALSE(fuse_overlay_options(overlay));
}

TEST(OverlayOptions, OfAnImageWithObjects) {
  EXPECT_EQ(text_of(overlay_options(image(), LayerOptions::one_by_one)),
            "metacopy=on redirect_dir=on verity=require lowerdir+=image datadir+=objects "
            "datadir+=more");
  EXPECT_EQ(text_of(overlay_options(image(), LayerOptions::joined)),
            "metacopy=on redirect_dir=on verity=require lowerdir=image::objects::more");
}

TEST(OverlayOptions, SayHowDigestsAreCompared) {
  Overlay overlay = image();
  overlay.data = {"objects"};
  overlay.verity = Verity::on;
  EXPECT_EQ(text_of(overlay_options(overlay, LayerOptions::joined)),
            "metacopy=on redirect_dir=on verity=on lowerdir=image::objects");
  overlay.verity = Verity::off;
  EXPECT_EQ(text_of(overlay_options(overlay, LayerOptions::joined)),
            "metacopy=on redirect_dir=on lowerdir=image::objects");
}

TEST(OverlayOptions, OfAWritableRootIgnoreWhatTheImageSaysAboutLayers) {
  Overlay overlay = writable();
  EXPECT_EQ(text_of(overlay_options(overlay, LayerOptions::joined)),
            "metacopy=off redirect_dir=nofollow lowerdir=/room/image upperdir=/room/upper "
            "workdir=/room/work");
  overlay.user_xattrs = true;
  EXPECT_EQ(text_of(overlay_options(overlay, LayerOptions::joined)),
            "userxattr lowerdir=/room/image upperdir=/room/upper workdir=/room/work");
}

TEST(OverlayOptions, KeepTheOrderOfLayers) {
  Overlay overlay = writable();
  overlay.lower = {"/c", "/b", "/a"};
  EXPECT_EQ(text_of(overlay_options(overlay, LayerOptions::joined)),
            "metacopy=off redirect_dir=nofollow lowerdir=/c:/b:/a upperdir=/room/upper "
            "workdir=/room/work");
  EXPECT_EQ(text_of(overlay_options(overlay, LayerOptions::one_by_one)),
            "metacopy=off redirect_dir=nofollow lowerdir+=/c lowerdir+=/b lowerdir+=/a "
            "upperdir=/room/upper workdir=/room/work");
}

TEST(OverlayOptions, EscapePathsWhereTheKernelUnescapesThem) {
  Overlay overlay = image();
  overlay.lower = {R"(/a:b,c\d)"};
  overlay.data = {R"(/e:f,g\h)"};
  EXPECT_EQ(text_of(overlay_options(overlay, LayerOptions::joined)),
            R"(metacopy=on redirect_dir=on verity=require lowerdir=/a\:b\,c\\d::/e\:f\,g\\h)");
  EXPECT_EQ(text_of(overlay_options(overlay, LayerOptions::one_by_one)),
            R"(metacopy=on redirect_dir=on verity=require lowerdir+=/a:b,c\d datadir+=/e:f,g\h)");
  overlay = writable();
  overlay.upper = {.directory = R"(/u:p,p\er)", .work = R"(/w:o,r\k)"};
  for (const auto layers : {LayerOptions::one_by_one, LayerOptions::joined})
    EXPECT_TRUE(text_of(overlay_options(overlay, layers))
                    .ends_with(R"( upperdir=/u\:p\,p\\er workdir=/w\:o\,r\\k)"))
        << text_of(overlay_options(overlay, layers));
}

/// What overlayfs makes of lowerdir: layers end at colons without a backslash before them.
std::vector<std::string> split_as_the_kernel_does(std::string_view text) {
  std::vector<std::string> layers = {""};
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size())
      layers.back() += text[++i];
    else if (text[i] == ':')
      layers.emplace_back();
    else
      layers.back() += text[i];
  }
  return layers;
}

TEST(OverlayOptions, NoPathIsTakenForSeveral) {
  Overlay overlay = image();
  const std::vector<std::string> hostile = {
      ":",   "::",       "\\",       "\\\\", "a\\:b", "/x::/etc", ",upperdir=/etc", "/x,verity=off",
      "a b", "\n\t\x01", "\xff\xfe", "a\\",  "\\:",   ":a",       "lowerdir=/"};
  overlay.lower = hostile;
  overlay.data.clear();
  const auto options = overlay_options(overlay, LayerOptions::joined);
  ASSERT_TRUE(options) << text_of(options);
  EXPECT_EQ(options->back().first, "lowerdir");
  EXPECT_EQ(split_as_the_kernel_does(options->back().second), hostile);
  const std::string& text = options->back().second;
  for (auto at = text.find(','); at != std::string::npos; at = text.find(',', at + 1))
    EXPECT_EQ(text[at - 1], '\\') << "at " << at;
}

TEST(OverlayOptions, TakeTheNamesOfDescriptorsAsTheyAre) {
  Overlay overlay = image();
  overlay.lower = {"/proc/self/fd/5"};
  overlay.data = {"/proc/self/fd/17"};
  EXPECT_EQ(text_of(overlay_options(overlay, LayerOptions::one_by_one)),
            "metacopy=on redirect_dir=on verity=require lowerdir+=/proc/self/fd/5 "
            "datadir+=/proc/self/fd/17");
  EXPECT_EQ(text_of(overlay_options(overlay, LayerOptions::joined)),
            "metacopy=on redirect_dir=on verity=require "
            "lowerdir=/proc/self/fd/5::/proc/self/fd/17");
}

TEST(OverlayOptions, RefuseWhatNoOverlayCanBe) {
  Overlay overlay = image();
  overlay.lower.clear();
  expect_refused(overlay, "no lower layer");
  overlay = image();
  overlay.data.clear();
  expect_refused(overlay, "a single layer that cannot be written to");
  for (auto* layers : {&overlay.lower, &overlay.data}) {
    overlay = image();
    layers->back().clear();
    expect_refused(overlay, "the path of a layer is empty");
    layers->back() = std::string("a\0b", 3);
    expect_refused(overlay, "the path of a layer contains a NUL");
  }
  EXPECT_TRUE(overlay_options(image(), LayerOptions::joined));
  overlay = writable();
  overlay.upper->directory.clear();
  expect_refused(overlay, "the path of a layer is empty");
  overlay = writable();
  overlay.upper->work = std::string(1, '\0');
  expect_refused(overlay, "the path of a layer contains a NUL");
}

TEST(OverlayOptions, RefuseCombinationsThatOverlayfsExcludes) {
  Overlay overlay = image();
  overlay.user_xattrs = true;
  expect_refused(overlay, "attributes of users cannot name data in other layers");
  overlay = image();
  overlay.follow = false;
  expect_refused(overlay, "only metadata-only files have a digest to compare");
  overlay.verity = Verity::off;
  expect_refused(overlay, "only metadata-only files have their data in a data-only layer");
}

TEST(FuseOverlayOptions, EscapeWhatTheProgramUnescapes) {
  Overlay overlay = writable();
  overlay.lower = {"/room/image", R"(/b,c\d)"};
  overlay.upper = {.directory = R"(/u:p,p\er)", .work = "/work"};
  const auto text = fuse_overlay_options(overlay);
  ASSERT_TRUE(text) << text.error().message();
  EXPECT_EQ(*text, R"(lowerdir=/room/image:/b\,c\\d,upperdir=/u:p\,p\\er,workdir=/work)");
}

TEST(FuseOverlayOptions, RefuseWhatTheProgramCannotExpress) {
  Overlay overlay = writable();
  overlay.lower = {"/a:b"};
  const auto colon = fuse_overlay_options(overlay);
  ASSERT_FALSE(colon);
  EXPECT_EQ(colon.error().kind(), ErrorKind::unsupported);
  EXPECT_EQ(colon.error().message(), "fuse-overlayfs cannot use /a:b, which contains a colon");
  const auto data = fuse_overlay_options(image());
  ASSERT_FALSE(data);
  EXPECT_EQ(data.error().kind(), ErrorKind::unsupported);
}

}  // namespace
}  // namespace intact::kernel
