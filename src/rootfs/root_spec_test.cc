#include <gtest/gtest.h>

#include <intact/rootfs/root.h>

namespace intact::rootfs {
namespace {

using image::VerityMode;

constexpr Methods kNone;
constexpr Methods kFuse = {.fuse = true};
constexpr Methods kKernel = {.kernel = true};
constexpr Methods kKernelFirst = {.kernel = true, .fuse = true};

/// A root for which the kernel keeps every promise.
RootSpec shared_root() {
  return {.others = true};
}

TEST(MethodsFor, TheKernelFirstWhereItKeepsEveryPromise) {
  EXPECT_EQ(methods_for(shared_root(), true), kKernelFirst);
}

TEST(MethodsFor, FuseWhereOnePromiseWouldBeBroken) {
  EXPECT_EQ(methods_for(shared_root(), false), kFuse);
  EXPECT_EQ(methods_for(RootSpec(), true), kFuse);
  for (const VerityMode mode : {VerityMode::on, VerityMode::validate, VerityMode::off}) {
    RootSpec spec = shared_root();
    spec.verity = mode;
    EXPECT_EQ(methods_for(spec, true), kFuse);
  }
  RootSpec writable = shared_root();
  writable.overlaid = true;
  EXPECT_EQ(methods_for(writable, true), kFuse);
  RootSpec watched = shared_root();
  watched.reports = true;
  EXPECT_EQ(methods_for(watched, true), kFuse);
}

/// Calls `check` for every root that can be asked for.
template <typename Check>
void for_all_specs(const Check& check) {
  for (const Method method : {Method::automatic, Method::fuse, Method::kernel})
    for (const VerityMode verity :
         {VerityMode::require, VerityMode::on, VerityMode::validate, VerityMode::off})
      for (int bits = 0; bits < 8; ++bits)
        check(RootSpec{.method = method,
                       .verity = verity,
                       .others = (bits & 1) != 0,
                       .overlaid = (bits & 2) != 0,
                       .reports = (bits & 4) != 0});
}

TEST(MethodsFor, AllInputs) {
  int kernel_first = 0;
  for_all_specs([&](const RootSpec& spec) {
    for (const bool is_root : {false, true}) {
      const Methods methods = methods_for(spec, is_root);
      if (methods == kKernelFirst) ++kernel_first;
      switch (spec.method) {
        case Method::fuse:
          EXPECT_EQ(methods, kFuse);
          break;
        case Method::kernel:
          // A caller that names it is told what is missing when it is tried.
          EXPECT_EQ(methods, spec.overlaid || spec.reports ? kNone : kKernel);
          break;
        case Method::automatic:
          EXPECT_TRUE(methods.fuse);
          break;
      }
    }
  });
  EXPECT_EQ(kernel_first, 1);
}

TEST(KernelLimit, IsTheSameForAllMethods) {
  for_all_specs([](const RootSpec& spec) {
    const auto expected = spec.overlaid  ? std::optional(KernelLimit::overlaid)
                          : spec.reports ? std::optional(KernelLimit::reports)
                                         : std::nullopt;
    EXPECT_EQ(kernel_limit(spec), expected);
  });
}

TEST(ParseMethod, TakesTheWordsOfTheOption) {
  EXPECT_EQ(*parse_method("auto"), Method::automatic);
  EXPECT_EQ(*parse_method("fuse"), Method::fuse);
  EXPECT_EQ(*parse_method("kernel"), Method::kernel);
  for (const char* text : {"", "Auto", "automatic", "fuse ", "kernel,fuse"}) {
    const auto method = parse_method(text);
    ASSERT_FALSE(method) << text;
    EXPECT_EQ(method.error().kind(), ErrorKind::invalid_argument);
    EXPECT_EQ(method.error().message(),
              "--method " + std::string(text) + ": not one of auto, fuse and kernel");
  }
}

}  // namespace
}  // namespace intact::rootfs
