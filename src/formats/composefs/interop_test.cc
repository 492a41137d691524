// Compares what we write with the reference tools and the kernel, where this machine has them.

#include <algorithm>
#include <cstdlib>
#include <map>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/composefs/scan.h>
#include <intact/erofs/image.h>
#include <intact/fsverity/tree.h>

#include "random_dump.h"
#include "testing.h"

namespace intact::composefs::test {
namespace {

bool have_program(const std::string& name) {
  return std::system(("command -v " + name + " >/dev/null 2>&1").c_str()) == 0;
}

/// How many random trees to compare: INTACT_RANDOM_TREES, else few enough for every day.
std::uint64_t tree_count() {
  const char* text = std::getenv("INTACT_RANDOM_TREES");
  return text ? std::strtoull(text, nullptr, 10) : 5;
}

std::string random_dump_for(std::uint64_t seed) {
  return random_dump(seed, {.lossy = seed % 3 == 0});
}

class Interop : public testing::Test {
 protected:
  void SetUp() override {
    auto temp = TempDir::create();
    ASSERT_TRUE(temp);
    temp_.emplace(*std::move(temp));
  }
  void put(const std::string& name, ByteSpan bytes) {
    ASSERT_TRUE(write_file_durably(temp_->path(name), bytes, 0644));
  }
  Bytes get(const std::string& name) {
    auto bytes = read_file(temp_->path(name), std::uint64_t{1} << 30);
    return bytes ? *std::move(bytes) : Bytes();
  }
  /// Runs a command in the temporary directory; its output goes to the file "log".
  int run(const std::string& command) {
    return std::system(("cd " + temp_->path() + " && { " + command + "; } >log 2>&1").c_str());
  }
  std::string log() { return std::string(as_text(get("log"))); }

  std::optional<TempDir> temp_;
};

TEST_F(Interop, MkcomposefsWritesTheSameImages) {
  if (!have_program("mkcomposefs")) GTEST_SKIP() << "mkcomposefs is not installed";
  for (std::uint64_t seed = 1; seed <= tree_count(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const std::string dump = random_dump_for(seed);
    put("dump", as_bytes(dump));
    const unsigned min = seed % 4 == 1 ? 1 : 0;
    const unsigned max = seed % 4 == 2 ? 0 : 1;
    const int status = run(fmt::format(
        "mkcomposefs --from-file --min-version={} --max-version={} dump image", min, max));
    auto tree = parse(dump);
    ASSERT_TRUE(tree) << tree.error().message();
    auto image = write_image(*tree, {.min_version = min, .max_version = max});
    if (status != 0) {
      // It counts the attributes of a directory with whiteouts wrongly and gives up at times.
      EXPECT_NE(log().find("Numerical result out of range"), std::string::npos) << log();
      continue;
    }
    ASSERT_TRUE(image) << image.error().message();
    ASSERT_TRUE(equal(*image, get("image")));
  }
}

TEST_F(Interop, ComposefsInfoPrintsTheSameDumps) {
  if (!have_program("composefs-info")) GTEST_SKIP() << "composefs-info is not installed";
  for (std::uint64_t seed = 1; seed <= tree_count(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Bytes image = image_of(random_dump(seed));
    put("image", image);
    ASSERT_EQ(run("composefs-info dump image > dump"), 0) << log();
    ASSERT_EQ(dump_of(image), as_text(get("dump")));
  }
}

TEST_F(Interop, MkcomposefsScansDirectoriesAlike) {
  if (!have_program("mkcomposefs")) GTEST_SKIP() << "mkcomposefs is not installed";
  ASSERT_EQ(run("mkdir -p tree/sub/deep && cd tree && printf hi > small && head -c 100000 "
                "/dev/zero > large && ln -s small link && ln large again && : > empty && mkfifo "
                "pipe && head -c 65 /dev/zero > sub/sixty-five && head -c 64 /dev/zero > "
                "sub/deep/sixty-four"),
            0)
      << log();
  for (const char* options : {"", "--use-epoch", "--skip-xattrs", "--user-xattrs"}) {
    SCOPED_TRACE(options);
    const std::string_view name = options;
    ASSERT_EQ(run(fmt::format("mkcomposefs {} --digest-store=theirs tree image", options)), 0)
        << log();
    const auto tree = scan_directory(temp_->path("tree"), {.use_epoch = name == "--use-epoch",
                                                           .skip_xattrs = name == "--skip-xattrs",
                                                           .user_xattrs = name == "--user-xattrs",
                                                           .digest_store = temp_->path("ours")});
    ASSERT_TRUE(tree) << tree.error().message();
    const auto image = write_image(*tree);
    ASSERT_TRUE(image) << image.error().message();
    EXPECT_TRUE(equal(*image, get("image")));
  }
  EXPECT_EQ(run("diff -r ours theirs"), 0) << log();
}

TEST_F(Interop, FsckFindsNothingWrong) {
  if (!have_program("fsck.erofs")) GTEST_SKIP() << "fsck.erofs is not installed";
  for (std::uint64_t seed = 1; seed <= tree_count(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    put("image", image_of(random_dump(seed, {.foreign_xattrs = false})));
    ASSERT_EQ(run("fsck.erofs image"), 0) << log();
  }
}

// --- the kernel ---------------------------------------------------------------------------------

/// What a file of the image looks like, as text that can be compared.
using View = std::map<std::string, std::string>;

std::string describe(const tree::Attributes& a) {
  return fmt::format("{:o} {} {}:{} {} {}.{} ", a.mode, a.nlink, a.uid, a.gid, a.size,
                     a.mtime.seconds, a.mtime.nanoseconds) +
         (a.is_device() ? std::to_string(a.rdev) : "");
}

/// Kernels show ACLs only if they are well-formed, no name of an unknown prefix, and those of users
/// at files and directories only.
bool shown_by_kernels(std::string_view name, const tree::Attributes& a) {
  if (name.starts_with("user.")) return a.is_regular() || a.is_directory();
  return name.starts_with("trusted.") || name.starts_with("security.");
}

void add_xattrs(std::string& text, std::vector<tree::Xattr> xattrs, const tree::Attributes& a) {
  std::sort(xattrs.begin(), xattrs.end());
  for (const tree::Xattr& xattr : xattrs) {
    if (!shown_by_kernels(xattr.name, a)) continue;
    text += " " + xattr.name + "=" + to_hex(as_bytes(xattr.value));
  }
}

constexpr std::uint64_t kReadLimit = 100'000;

void view_image(const erofs::Image& image, std::uint64_t nid, const std::string& path, View& view) {
  auto inode = image.inode(nid);
  ASSERT_TRUE(inode) << inode.error().message();
  std::string text = describe(inode->attributes);
  auto xattrs = image.xattrs(*inode);
  ASSERT_TRUE(xattrs) << xattrs.error().message();
  add_xattrs(text, *xattrs, inode->attributes);
  if (inode->attributes.is_symlink()) text += " -> " + *image.read_link(*inode);
  if (inode->attributes.is_regular() && inode->attributes.size < kReadLimit) {
    std::string content(inode->attributes.size, '\0');
    if (inode->layout != erofs::Layout::chunked) {
      ASSERT_TRUE(image.read(*inode, 0, std::as_writable_bytes(std::span(content))));
    }
    text += " " + to_hex(as_bytes(content));
  }
  view[path] = text;
  if (!inode->is_directory()) return;
  std::vector<std::pair<std::string, std::uint64_t>> children;
  ASSERT_TRUE(image.list(*inode, 0, [&](const erofs::Dirent& entry, std::uint64_t) -> Result<bool> {
    if (entry.name != "." && entry.name != "..") children.emplace_back(entry.name, entry.nid);
    return true;
  }));
  for (const auto& [name, child] : children) {
    const auto found = image.lookup(*inode, name);
    ASSERT_TRUE(found && *found && (*found)->nid == child) << path << "/" << name;
    view_image(image, child, path + "/" + name, view);
  }
}

std::vector<tree::Xattr> kernel_xattrs(const std::string& path) {
  std::string names(65536, '\0');
  const ssize_t length = ::llistxattr(path.c_str(), names.data(), names.size());
  std::vector<tree::Xattr> xattrs;
  if (length < 0) return xattrs;
  for (std::size_t at = 0; at < static_cast<std::size_t>(length);) {
    const std::string name = names.c_str() + at;
    at += name.size() + 1;
    std::string value(65536, '\0');
    const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    value.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    if (size < 0) value = "cannot be read";
    xattrs.push_back({name, value});
  }
  return xattrs;
}

void view_mount(int parent, const std::string& name, const std::string& path, View& view) {
  struct stat st;
  ASSERT_EQ(::fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW), 0) << path;
  tree::Attributes a;
  a.mode = st.st_mode;
  a.nlink = static_cast<std::uint32_t>(st.st_nlink);
  a.uid = st.st_uid;
  a.gid = st.st_gid;
  a.rdev = static_cast<std::uint32_t>(st.st_rdev);
  a.size = static_cast<std::uint64_t>(st.st_size);
  a.mtime = {st.st_mtim.tv_sec, static_cast<std::uint32_t>(st.st_mtim.tv_nsec)};
  std::string text = describe(a);
  const std::string at = fmt::format("/proc/self/fd/{}/{}", parent, name);
  add_xattrs(text, kernel_xattrs(at), a);
  if (a.is_symlink()) {
    std::string target(5000, '\0');
    target.resize(static_cast<std::size_t>(
        std::max<ssize_t>(0, ::readlinkat(parent, name.c_str(), target.data(), target.size()))));
    text += " -> " + target;
  }
  if (a.is_regular() && a.size < kReadLimit) {
    const auto fd = open_at(parent, name, O_RDONLY);
    ASSERT_TRUE(fd);
    const auto content = read_fd(fd->get(), kReadLimit);
    ASSERT_TRUE(content);
    text += " " + to_hex(*content);
  }
  view[path] = text;
  if (!a.is_directory()) return;
  auto fd = open_at(parent, name, O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(fd);
  DIR* dir = ::fdopendir(::dup(fd->get()));
  ASSERT_NE(dir, nullptr);
  std::vector<std::string> children;
  while (const dirent* entry = ::readdir(dir)) children.push_back(entry->d_name);
  ::closedir(dir);
  for (const std::string& child : children) {
    if (child != "." && child != "..") view_mount(fd->get(), child, path + "/" + child, view);
  }
}

TEST_F(Interop, TheKernelSeesWhatWeSee) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  ASSERT_EQ(::mkdir(temp_->path("mount").c_str(), 0755), 0);
  for (std::uint64_t seed = 1; seed <= tree_count(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Bytes image = image_of(random_dump(seed, {.foreign_xattrs = seed % 2 == 0}));
    put("image", image);
    // Malformed ACLs would make the kernel refuse the files.
    if (run("mount -t erofs -o ro,noacl image mount") != 0) {
      ASSERT_EQ(seed, 1u) << log();
      GTEST_SKIP() << "this kernel or container cannot mount EROFS: " << log();
    }
    const auto opened = erofs::Image::open(source_of(image));
    View ours;
    View theirs;
    if (opened) view_image(**opened, (*opened)->root(), "", ours);
    if (const auto mount = open_file(temp_->path("mount"), O_RDONLY | O_DIRECTORY))
      view_mount(mount->get(), ".", "", theirs);
    ASSERT_EQ(run("umount mount"), 0) << log();
    ASSERT_TRUE(opened);
    EXPECT_EQ(ours.size(), theirs.size());
    for (const auto& [path, text] : ours) ASSERT_EQ(text, theirs[path]) << path;
  }
}

}  // namespace
}  // namespace intact::composefs::test
