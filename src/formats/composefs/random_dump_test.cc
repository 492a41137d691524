#include "random_dump.h"

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <set>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <intact/composefs/dump.h>

#include "testing.h"

namespace intact::composefs::test {
namespace {

/// Distributions of the standard library differ from one to the next: only the engine is fixed.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t end) { return engine_() % end; }
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + below(high - low + 1);
  }
  bool chance(unsigned percent) { return below(100) < percent; }
  template <typename Container>
  auto pick(const Container& from) {
    return *(from.begin() + static_cast<std::ptrdiff_t>(below(from.size())));
  }
  std::string text(std::size_t length, std::string_view alphabet) {
    std::string out;
    for (std::size_t i = 0; i < length; ++i) out += alphabet[below(alphabet.size())];
    return out;
  }
  std::string bytes(std::size_t length) {
    std::string out;
    for (std::size_t i = 0; i < length; ++i) out += static_cast<char>(below(256));
    return out;
  }

 private:
  std::mt19937_64 engine_;
};

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kHex = "0123456789abcdef";

std::string escaped(std::string_view text, Escape escape) {
  std::string out;
  append_escaped(out, text, escape);
  return out;
}

/// Orders paths as a depth-first walk meets them.
bool before(std::string a, std::string b) {
  std::replace(a.begin(), a.end(), '/', '\0');
  std::replace(b.begin(), b.end(), '/', '\0');
  return a < b;
}

class Generator {
 public:
  Generator(std::uint64_t seed, const RandomDumpOptions& options)
      : random_(seed), options_(options) {
    for (int i = 0; i < 12; ++i) xattr_pool_.push_back(make_xattr());
    if (random_.chance(20))  // more than an inode may share
      for (int i = 0; i < 150; ++i)
        many_.push_back({fmt::format("user.m{:03d}", i), random_.text(3, kLetters)});
  }

  std::string run() {
    add_line("/", "0 40755 2", "-", "-", "-");
    std::vector<std::string> directories = {""};
    const std::uint64_t count = random_.between(5, 80);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string path = new_path(random_.pick(directories));
      if (path.size() > 2000) continue;
      switch (random_.below(12)) {
        case 0:
        case 1:
          add_line(path, fmt::format("0 40{:o} 2", random_.below(01000) | 0100), "-", "-", "-");
          directories.push_back(path);
          break;
        case 2:
        case 3:
          add_inline(path);
          break;
        case 4:
        case 5:
          add_external(path);
          break;
        case 6:
          add_symlink(path);
          break;
        case 7:
          add_special(path);
          break;
        case 8:
          if (random_.chance(30)) add_line(path, "0 20000 1", "-", "-", "-", 0);  // whiteout
          break;
        case 9:
          add_hard_link(path);
          break;
        case 10:
          if (random_.chance(25)) {
            add_line(path, "0 40755 2", "-", "-", "-");
            fill_directory(path);
          }
          break;
        default:
          add_line(path, "0 100644 1", "-", "-", "-");
      }
    }
    std::string dump;
    for (const auto& [path, line] : lines_) dump += line;
    return dump + links_;
  }

 private:
  struct Pair {
    std::string name;
    std::string value;
  };

  Pair make_xattr() {
    static constexpr std::array<std::string_view, 9> kPrefixes = {"user.",
                                                                  "user.",
                                                                  "trusted.",
                                                                  "security.",
                                                                  "trusted.overlay.",
                                                                  "user.long",
                                                                  "trusted.overlay.overlay.",
                                                                  "user.overlay.",
                                                                  "security.sel"};
    std::string name(random_.pick(kPrefixes));
    name += random_.text(random_.between(1, random_.chance(10) ? 200 : 12), kLetters);
    if (options_.foreign_xattrs && random_.chance(8)) name = "lustre." + name;
    if (options_.foreign_xattrs && random_.chance(8))
      name = random_.chance(50) ? "system.posix_acl_access" : "system.posix_acl_default";
    if (options_.lossy && random_.chance(5))
      name = random_.chance(50) ? "user.overlay.whiteouts" : "trusted.overlay.opaque";
    // composefs-info overlooks an entry of 4 bytes (an ACL without a value) after all others.
    const bool may_be_empty = !name.starts_with("system.");
    std::uint64_t length = random_.between(1, 40);
    if (random_.chance(5)) length = random_.between(100, 3000);
    if (may_be_empty && random_.chance(30)) length = 0;
    return {name, random_.bytes(length)};
  }

  std::string xattrs() {
    std::map<std::string, std::string> chosen;
    const std::uint64_t count = random_.chance(50) ? 0 : random_.between(1, 5);
    for (std::uint64_t i = 0; i < count; ++i) {
      const Pair pair = random_.chance(60) ? random_.pick(xattr_pool_) : make_xattr();
      chosen[pair.name] = pair.value;
    }
    if (random_.chance(10))
      for (const Pair& pair : many_) chosen[pair.name] = pair.value;
    std::size_t total = 200;
    std::string text;
    for (const auto& [name, value] : chosen) {
      total += name.size() + value.size() + 16;
      if (total > 30000) break;
      text += fmt::format(" {}={}", escaped(name, Escape::equal_sign),
                          escaped(value, Escape::equal_sign));
    }
    return text;
  }

  std::string new_path(const std::string& directory) {
    for (;;) {
      std::string name;
      switch (random_.below(8)) {
        case 0:
          name = random_.bytes(random_.between(1, 40));
          std::replace(name.begin(), name.end(), '/', 'S');
          std::replace(name.begin(), name.end(), '\0', 'N');
          break;
        case 1:
          name = random_.text(random_.between(200, 255), kLetters);
          break;
        case 2:
          name = random_.text(2, kHex);  // may be one of the 256
          break;
        case 3:
          name = std::string(1, "-+ =\\!~."[random_.below(8)]) + random_.text(1, kLetters);
          break;
        default:
          name = random_.text(random_.between(1, 12), kLetters);
      }
      if (name == "." || name == "..") continue;
      const std::string path = directory + "/" + name;
      if (used_.insert(path).second) return path;
    }
  }

  std::string time() {
    static constexpr std::array<std::string_view, 6> kTimes = {
        "0.0", "0.0", "1700000000.123456789", "-5.7", "4294967296.1", "0.1"};
    return std::string(random_.pick(kTimes));
  }

  std::uint64_t id() {
    static constexpr std::array<std::uint64_t, 6> kIds = {0, 0, 1000, 65535, 65536, 4294967294};
    return random_.pick(kIds);
  }

  /// `head` is SIZE MODE NLINK.
  void add_line(const std::string& path, const std::string& head, const std::string& payload,
                const std::string& content, const std::string& digest, std::uint64_t rdev = 0) {
    const std::uint64_t uid = random_.chance(70) ? 0 : id();
    const std::uint64_t gid = random_.chance(70) ? 0 : id();
    lines_[before_key(path)] =
        fmt::format("{} {} {} {} {} {} {} {} {}{}\n", escaped(path, Escape::standard), head, uid,
                    gid, rdev, time(), payload, content, digest, xattrs());
    if (path != "/" && head.find(" 40") == std::string::npos && rdev == 0) files_.push_back(path);
  }

  /// Lines are in walk order, so that parents come first.
  static std::string before_key(std::string path) {
    std::replace(path.begin(), path.end(), '/', '\0');
    return path == std::string(1, '\0') ? "" : path;
  }

  std::uint64_t links() { return random_.chance(95) ? 1 : 70000; }

  void add_inline(const std::string& path) {
    static constexpr std::array<std::uint64_t, 12> kSizes = {1,    63,   64,   65,   2047, 2048,
                                                             2049, 4095, 4096, 4097, 4999, 5000};
    const std::uint64_t size = random_.chance(50) ? random_.pick(kSizes) : random_.between(1, 5000);
    const std::string content =
        random_.chance(90) ? random_.text(size, kLetters) : random_.bytes(size);
    add_line(path, fmt::format("{} 100644 {}", size, links()), "-",
             escaped(content, Escape::lone_dash), "-");
  }

  void add_external(const std::string& path) {
    static constexpr std::array<std::uint64_t, 10> kSizes = {
        1,
        4095,
        4096,
        4097,
        (std::uint64_t{1} << 32) - 1,
        std::uint64_t{1} << 32,
        std::uint64_t{1} << 43,
        (std::uint64_t{1} << 43) + 1,
        std::uint64_t{1} << 52,
        std::uint64_t{1} << 53,
    };
    const std::uint64_t size =
        random_.chance(40) ? random_.pick(kSizes) : random_.between(65, 1 << 20);
    std::string hex =
        random_.chance(30) ? std::string(64, kHex[random_.below(4)]) : random_.text(64, kHex);
    std::string payload = hex.substr(0, 2) + "/" + hex.substr(2);
    if (random_.chance(5)) payload = "-";
    if (options_.lossy && random_.chance(20))
      payload = random_.text(random_.between(1, 900), kLetters);
    add_line(path, fmt::format("{} 100755 {}", size, links()), payload, "-",
             random_.chance(10) ? "-" : hex);
  }

  void add_symlink(const std::string& path) {
    const std::uint64_t size = random_.chance(50)   ? random_.between(1, 40)
                               : random_.chance(50) ? random_.between(3900, 4095)
                                                    : random_.between(40, 4095);
    add_line(path, fmt::format("{} 120777 1", size), random_.text(size, "abc/xyz"), "-", "-");
  }

  void add_special(const std::string& path) {
    const std::string size = options_.lossy
                                 ? std::to_string(random_.pick(
                                       std::array<std::uint64_t, 3>{0, 7, std::uint64_t{1} << 33}))
                                 : "0";
    switch (random_.below(4)) {
      case 0:
        return add_line(path, size + " 10644 1", "-", "-", "-");
      case 1:
        return add_line(path, size + " 140755 1", "-", "-", "-");
      case 2:
        return add_line(path, size + " 60660 1", "-", "-", "-", random_.between(1, 100000));
      default:
        return add_line(path, size + " 20666 1", "-", "-", "-", random_.between(1, 100000));
    }
  }

  void add_hard_link(const std::string& path) {
    if (files_.empty()) return;
    const std::string target = random_.pick(files_);
    // The first name becomes the primary one when the image is read.
    if (!options_.lossy && !before(target, path)) return;
    links_ += fmt::format("{} 0 @100644 1 0 0 0 0.0 {} - -\n", escaped(path, Escape::standard),
                          escaped(target, Escape::lone_dash));
    if (options_.lossy && random_.chance(30)) files_.push_back(path);  // chains
  }

  /// Enough entries for several blocks, or just about half of one.
  void fill_directory(const std::string& path) {
    const bool large = random_.chance(50);
    const std::uint64_t count = large ? random_.between(200, 900) : random_.between(20, 40);
    const std::uint64_t length = large ? random_.between(1, 60) : 2048 / count - 12;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string child =
          fmt::format("{}/{:03d}{}", path, i, std::string(random_.below(2) + length, 'n'));
      if (used_.insert(child).second) add_line(child, "0 100600 1", "-", "-", "-");
    }
  }

  Random random_;
  RandomDumpOptions options_;
  std::vector<Pair> xattr_pool_;
  std::vector<Pair> many_;
  std::map<std::string, std::string> lines_;
  std::string links_;
  std::set<std::string> used_;
  std::vector<std::string> files_;
};

}  // namespace

std::string random_dump(std::uint64_t seed, const RandomDumpOptions& options) {
  return Generator(seed, options).run();
}

namespace {

TEST(RandomTrees, SurviveBeingWrittenAndReadBack) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const unsigned version = seed % 2;
    const WriteOptions options{.min_version = version, .max_version = version};
    const Bytes image = image_of(random_dump(seed), options);
    const std::string dump = dump_of(image);
    ASSERT_TRUE(equal(image_of(dump, options), image));
  }
}

TEST(RandomTrees, ReadBackTheSameEvenIfTheFormatForgetsSomething) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    // A whiteout with several names marks another directory once its first name is the primary one.
    const std::string once = dump_of(image_of(random_dump(seed, {.lossy = true})));
    const std::string twice = dump_of(image_of(once));
    ASSERT_EQ(dump_of(image_of(twice)), twice);
  }
}

}  // namespace
}  // namespace intact::composefs::test
