#include <algorithm>
#include <fstream>
#include <random>
#include <set>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/oci/testing/test_tar.h>
#include <intact/oci/tree_tar.h>

#include "test_command.h"
#include "test_layers.h"
#include "test_layout.h"

namespace intact::oci {
namespace {

using namespace test;

/// Makes layers that use everything but what section 12 and umoci see differently: every parent has
/// an entry, and empty xattrs do not occur (umoci drops them).
class LayerMaker {
 public:
  explicit LayerMaker(unsigned seed) : random_(seed) {}

  Bytes layer(bool first) {
    parts_.clear();
    touched_.clear();
    made_.clear();
    // All directories are there from the start, so that every name has a parent.
    if (first) {
      add("./", '5');
      for (const std::string& d : kDirectories) add(d, '5');
      add("lib", '2', {}, "usr/lib");
      add("abs", '2', {}, "/usr/bin");
    }
    const int count = 10 + pick(30);
    for (int i = 0; i < count; ++i) step(first);
    return archive(parts_);
  }

 private:
  inline static const std::vector<std::string> kDirectories{"usr",     "usr/bin", "usr/lib", "etc",
                                                            "etc/sub", "var",     "var/a"};

  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  template <typename T>
  const T& one_of(const std::vector<T>& list) {
    return list[static_cast<std::size_t>(pick(static_cast<int>(list.size())))];
  }

  void add(const std::string& name, char type, std::string content = {}, std::string link = {}) {
    std::string records;
    if (pick(3) == 0)
      records += pax_record("mtime", std::to_string(1'500'000'000 + pick(1'000'000)) + "." +
                                         octal(static_cast<unsigned>(pick(1000)), 9));
    if ((type == '0' || type == '5') && pick(4) == 0)
      records += pax_record("SCHILY.xattr.user.k" + std::to_string(pick(3)),
                            std::string(static_cast<std::size_t>(1 + pick(20)), 'v'));
    if (type == '1') records.clear();
    made_.insert(name.starts_with("lib/")   ? "usr/" + name
                 : name.starts_with("abs/") ? "usr/bin/" + name.substr(4)
                                            : name);
    parts_.push_back(
        (records.empty() ? "" : pax(records)) +
        raw({.name = name,
             .type = type,
             .content = std::move(content),
             .link = std::move(link),
             .mode = type == '2' ? "0000777" : octal(static_cast<unsigned>(0500 + pick(0300)), 7),
             .uid = octal(static_cast<unsigned>(pick(3000)), 7),
             .gid = octal(static_cast<unsigned>(pick(3000)), 7),
             .mtime = octal(static_cast<unsigned>(1'400'000'000 + pick(1'000'000)), 11),
             .major = "0000001",
             .minor = "0000003"}));
  }

  void step(bool first) {
    // Some names lead through symlinks.
    static const std::vector<std::string> kParents{"usr", "usr/bin", "usr/lib", "etc", "etc/sub",
                                                   "var", "var/a",   "lib",     "abs"};
    const std::string& parent = one_of(kParents);
    const std::string name = "f" + std::to_string(pick(6));
    const std::string path = parent + "/" + name;
    // The same file by another way counts as the same.
    const std::string real = (parent == "lib"   ? "usr/lib"
                              : parent == "abs" ? "usr/bin"
                                                : parent) +
                             "/" + name;
    switch (first ? pick(6) : pick(9)) {
      case 0:
      case 1:
        if (touched_.insert(real).second) {
          add(path, '0', std::string(static_cast<std::size_t>(pick(300)), 'c'));
          files_.insert(real);
        }
        break;
      case 2:
        if (touched_.insert(real).second) {
          add(path, '2', {}, "some/target" + std::to_string(pick(5)));
          files_.erase(real);
        }
        break;
      case 3:
        if (touched_.insert(real).second) {
          add(path, pick(2) == 0 ? '3' : '6');
          files_.erase(real);
        }
        break;
      case 4:
        if (!files_.empty() && !touched_.contains(real)) {
          const std::string target =
              *std::next(files_.begin(), pick(static_cast<int>(files_.size())));
          if (target == real) break;
          touched_.insert(real);
          // Its own layer must not change the target later: extractors differ about that.
          touched_.insert(target);
          add(path, '1', {}, target);
          files_.insert(real);
        }
        break;
      case 5:
        if (touched_.insert(real).second) {
          add(path, '5');
          files_.erase(real);
        }
        break;
      case 6:
      case 7:
        if (touched_.insert(real).second) {
          parts_.push_back(file(parent + "/.wh." + name));
          files_.erase(real);
        }
        break;
      case 8: {
        const std::string where = "var/a";
        parts_.push_back(file(where + "/.wh..wh..opq"));
        std::erase_if(files_, [&](const std::string& f) {
          return f.starts_with(where + "/") && !made_.contains(f);
        });
        break;
      }
    }
  }

  std::mt19937 random_;
  std::vector<std::string> parts_;
  std::set<std::string> touched_;  ///< in this layer, in any way
  std::set<std::string> made_;     ///< by this layer
  std::set<std::string> files_;    ///< regular, in all layers so far
};

std::string describe_xattrs(std::vector<tree::Xattr> xattrs) {
  std::sort(xattrs.begin(), xattrs.end());
  std::string text;
  for (const tree::Xattr& x : xattrs) text += " " + x.name + "=" + x.value;
  return text;
}

std::string line_of(const std::string& path, std::uint32_t mode, std::uint64_t uid,
                    std::uint64_t gid, std::uint64_t size, std::uint64_t rdev,
                    const tree::Timestamp& mtime, const std::string& content,
                    const std::string& xattrs, const std::string& first_name) {
  return path + " " + octal(mode, 6) + " " + std::to_string(uid) + ":" + std::to_string(gid) + " " +
         std::to_string(size) + " " + std::to_string(rdev) + " " + std::to_string(mtime.seconds) +
         "." + std::to_string(mtime.nanoseconds) + " '" + content + "'" + xattrs + " " + first_name;
}

std::vector<std::string> describe(const tree::Tree& tree) {
  std::vector<std::string> lines;
  std::map<const tree::Inode*, std::string> first;
  (void)tree.walk([&](const std::string& path, const tree::Entry& entry) -> Result<void> {
    const tree::Inode& inode = *entry.inode;
    const tree::Attributes& a = inode.attributes;
    const std::string name = a.is_directory() ? path : first.emplace(&inode, path).first->second;
    lines.push_back(line_of(path, a.mode, a.uid, a.gid, a.is_directory() ? 0 : a.size, a.rdev,
                            a.mtime, inode.content + inode.payload, describe_xattrs(inode.xattrs),
                            name));
    return {};
  });
  return lines;
}

void describe_directory(const std::string& root, const std::string& path,
                        std::map<ino_t, std::string>& first, std::vector<std::string>& lines) {
  const std::string full = root + path;
  struct stat st;
  ASSERT_EQ(::lstat(full.c_str(), &st), 0);
  std::string content;
  if (S_ISLNK(st.st_mode)) content = std::filesystem::read_symlink(full).string();
  if (S_ISREG(st.st_mode)) content = as_text(read_file(full, 1 << 20).value());
  std::vector<tree::Xattr> xattrs;
  char names[4096];
  const ssize_t n = ::llistxattr(full.c_str(), names, sizeof names);
  for (ssize_t at = 0; at < n;) {
    const std::string name = names + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    char value[4096];
    const ssize_t size = ::lgetxattr(full.c_str(), name.c_str(), value, sizeof value);
    if (name.starts_with("user.") && size >= 0)
      xattrs.push_back({name, std::string(value, static_cast<std::size_t>(size))});
  }
  const std::string shown = path.empty() ? "/" : path;
  const std::string name =
      S_ISDIR(st.st_mode) ? shown : first.emplace(st.st_ino, shown).first->second;
  lines.push_back(line_of(shown, st.st_mode, st.st_uid, st.st_gid,
                          S_ISDIR(st.st_mode) ? 0 : static_cast<std::uint64_t>(st.st_size),
                          S_ISCHR(st.st_mode) ? st.st_rdev : 0,
                          {st.st_mtim.tv_sec, static_cast<std::uint32_t>(st.st_mtim.tv_nsec)},
                          content, describe_xattrs(xattrs), name));
  if (!S_ISDIR(st.st_mode)) return;
  std::vector<std::string> children;
  for (const auto& child : std::filesystem::directory_iterator(full))
    children.push_back(child.path().filename().string());
  std::sort(children.begin(), children.end());
  for (const std::string& child : children)
    describe_directory(root, path + "/" + child, first, lines);
}

TEST(Umoci, UnpacksRandomLayersToTheSameTree) {
  if (!has_command("umoci")) GTEST_SKIP() << "umoci is not installed";
  if (::geteuid() != 0) GTEST_SKIP() << "only root can unpack owners and devices";
  for (unsigned seed = 1; seed <= 10; ++seed) {
    LayerMaker maker(seed);
    std::vector<Bytes> layers;
    std::vector<std::string> tars;
    for (int i = 0; i < 4; ++i) {
      layers.push_back(maker.layer(i == 0));
      tars.emplace_back(as_text(layers.back()));
    }
    TestLayout layout;
    layout.index({TestLayout::descriptor(kManifest, layout.image("amd64", tars), named("t"))});
    const TempDir out = TempDir::create().value();
    const std::string log =
        run("umoci unpack --image " + layout.path() + ":t " + out.path("bundle"));
    ASSERT_TRUE(std::filesystem::exists(out.path("bundle/config.json"))) << log;
    const auto applied = apply(layers);
    ASSERT_TRUE(applied) << applied.error().message();
    std::vector<std::string> theirs;
    std::map<ino_t, std::string> first;
    describe_directory(out.path("bundle/rootfs"), "", first, theirs);
    const std::vector<std::string> ours = describe(applied->tree);
    for (std::size_t i = 0; i < std::max(ours.size(), theirs.size()); ++i) {
      const std::string a = i < ours.size() ? ours[i] : "";
      const std::string b = i < theirs.size() ? theirs[i] : "";
      ASSERT_EQ(a, b) << "ours and umoci's, seed " << seed;
    }
  }
}

}  // namespace
}  // namespace intact::oci
