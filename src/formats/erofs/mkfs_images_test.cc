// Where content is stored, compared with the output of dump.erofs for images of mkfs.erofs.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <random>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <intact/base/checked.h>
#include <intact/base/file.h>
#include <intact/erofs/extent_map.h>

namespace intact::erofs {
namespace {

bool have_program(const std::string& name) {
  return std::system(("command -v " + name + " >/dev/null 2>&1").c_str()) == 0;
}

/// Text that compresses, but not too well.
std::string text(std::mt19937& random, std::size_t size) {
  std::vector<std::string> words;
  for (int i = 0; i < 300; ++i) {
    std::string word;
    for (auto left = 2 + random() % 8; left > 0; --left)
      word += static_cast<char>('a' + random() % 10);
    words.push_back(word + ' ');
  }
  std::string result;
  while (result.size() < size) result += words[random() % words.size()];
  return result.substr(0, size);
}

std::string noise(std::mt19937& random, std::size_t size) {
  std::string result(size, '\0');
  for (char& c : result) c = static_cast<char>(random());
  return result;
}

/// Files of many sizes and kinds of content, by their paths.
std::map<std::string, std::string> make_files() {
  std::mt19937 random(11);
  std::map<std::string, std::string> files;
  files["/large"] = text(random, 1'000'001);
  files["/middle"] = text(random, 70'000);
  files["/noise"] = noise(random, 50'000);
  files["/zeros"] = std::string(600'000, '\0');
  files["/whole-blocks"] = text(random, 40'960);
  files["/mixed"] = text(random, 20'000) + noise(random, 30'000) + text(random, 40'000) +
                    std::string(200'000, '\0') + text(random, 5);
  files["/copy"] = text(random, 100) + files["/large"].substr(0, 300'000);
  files["/empty"] = "";
  for (const int size : {1, 100, 4095, 4096, 4097, 8191, 8192, 8193})
    files[fmt::format("/size-{}", size)] = text(random, static_cast<std::size_t>(size));
  for (int i = 0; i < 6; ++i) files[fmt::format("/some-{}", i)] = text(random, random() % 30'000);
  return files;
}

/// An extent as dump.erofs prints it: a file's bytes and those of the image, both without their
/// end.
using Line = std::array<std::uint64_t, 4>;

std::vector<Line> parse_dump(const std::string& dump) {
  std::vector<Line> lines;
  std::istringstream stream(dump);
  for (std::string line; std::getline(stream, line);) {
    unsigned long number, length, begin, end, offset, offset_end;
    if (std::sscanf(line.c_str(), "%lu: %lu.. %lu | %lu : %lu.. %lu |", &number, &begin, &end,
                    &length, &offset, &offset_end) != 6)
      continue;
    lines.push_back({begin, end, offset, offset_end});
  }
  return lines;
}

struct Maker {
  const char* name;
  const char* version;  ///< of mkfs.erofs and dump.erofs: the suffix of their names
  const char* options;
  bool has_fragments = false;
};
void PrintTo(const Maker& maker, std::ostream* stream) {
  *stream << "mkfs.erofs" << maker.version << " " << maker.options;
}

class MkfsImages : public testing::TestWithParam<Maker> {
 protected:
  void SetUp() override {
    for (const std::string tool : {"mkfs.erofs", "dump.erofs"})
      if (!have_program(tool + GetParam().version))
        GTEST_SKIP() << tool << GetParam().version << " is not installed";
    auto temp = TempDir::create();
    ASSERT_TRUE(temp);
    temp_.emplace(*std::move(temp));
    ASSERT_EQ(run("mkdir tree"), 0);
    files_ = make_files();
    for (const auto& [path, content] : files_)
      ASSERT_TRUE(write_file_durably(temp_->path("tree" + path), as_bytes(content), 0644));
    ASSERT_EQ(
        run(fmt::format("mkfs.erofs{} {} image tree", GetParam().version, GetParam().options)), 0)
        << output();
    auto fd = open_file(temp_->path("image"), O_RDONLY);
    ASSERT_TRUE(fd);
    auto source = FileSource::open(*std::move(fd));
    ASSERT_TRUE(source);
    auto image = Image::open(*std::move(source), Accept::mappable);
    ASSERT_TRUE(image) << image.error().message();
    image_ = *std::move(image);
  }

  /// Runs a command in the temporary directory.
  int run(const std::string& command) {
    return std::system(
        ("cd " + temp_->path() + " && { " + command + "; } >output 2>error").c_str());
  }
  std::string output() {
    const auto bytes = read_file(temp_->path("output"), 1 << 24);
    return bytes ? std::string(as_text(*bytes)) : "";
  }
  int dump(const std::string& options) {
    return run(fmt::format("dump.erofs{} {} image", GetParam().version, options));
  }

  Result<Inode> inode_of(const std::string& path) {
    const auto found = TRY(image_->lookup(TRY(image_->inode(image_->root())), path.substr(1)));
    if (!found) return Error(ErrorKind::not_found, path);
    return image_->inode(found->nid);
  }

  std::vector<Extent> extents_of(const std::string& path) {
    const auto inode = inode_of(path);
    if (!inode) {
      ADD_FAILURE() << path << ": " << inode.error().message();
      return {};
    }
    const auto map = ExtentMap::open(*image_, *inode);
    if (!map) {
      ADD_FAILURE() << path << ": " << map.error().message();
      return {};
    }
    std::vector<Extent> extents;
    const auto listed = map->list([&](const Extent& extent) -> Result<void> {
      extents.push_back(extent);
      return {};
    });
    EXPECT_TRUE(listed) << path << ": " << listed.error().message();
    return extents;
  }

  std::optional<TempDir> temp_;
  std::map<std::string, std::string> files_;
  std::unique_ptr<Image> image_;
};

TEST_P(MkfsImages, HaveTheExtentsThatDumpErofsShows) {
  std::size_t extents = 0;
  for (const auto& [path, content] : files_) {
    ASSERT_EQ(dump("-e --path=" + path), 0);
    const std::vector<Line> want = parse_dump(output());
    // Where whole blocks are uncompressed it shows all of the last one.
    const Layout layout = inode_of(path)->layout;
    const std::uint64_t unit =
        layout == Layout::plain || layout == Layout::chunked ? kBlockSize : 1;
    std::vector<Line> got;
    for (const Extent& extent : extents_of(path)) {
      const std::uint64_t end = align_up(extent.logical + extent.length, unit);
      if (extent.place == Extent::Place::packed)  // where in the packed inode is not shown
        got.push_back({extent.logical, end, 0, 0});
      else
        got.push_back({extent.logical, end, extent.offset,
                       align_up(extent.offset + extent.stored_length, unit)});
    }
    EXPECT_EQ(got, want) << path;
    extents += got.size();
  }
  EXPECT_GE(extents, files_.size() - 1);  // one file is empty
}

TEST_P(MkfsImages, HaveFragmentsWhereTheMapSaysSo) {
  const std::uint64_t packed = image_->superblock().packed_nid;
  ASSERT_EQ(packed != 0, GetParam().has_fragments);
  if (packed == 0) return;
  ASSERT_EQ(dump(fmt::format("--cat --nid={}", packed)), 0);
  const std::string fragments = output();
  std::size_t found = 0;
  for (const auto& [path, content] : files_) {
    for (const Extent& extent : extents_of(path)) {
      if (extent.place != Extent::Place::packed) continue;
      ++found;
      ASSERT_LE(extent.offset + extent.length, fragments.size()) << path;
      EXPECT_EQ(content.substr(extent.logical, extent.length),
                fragments.substr(extent.offset, extent.length))
          << path;
    }
  }
  EXPECT_GT(found, 5u);
}

INSTANTIATE_TEST_SUITE_P(
    , MkfsImages,
    testing::Values(Maker{"Plain", "", ""}, Maker{"PlainWithoutTails", "", "-Enoinline_data"},
                    Maker{"Chunks", "", "--chunksize=8192"}, Maker{"Lz4", "", "-zlz4"},
                    Maker{"FullIndex", "", "-zlz4hc -Elegacy-compress"},
                    Maker{"BigClusters", "", "-zlz4hc -C65536"},
                    Maker{"FullIndexBigClusters", "", "-zlz4hc -C65536 -Elegacy-compress"},
                    Maker{"Inline", "", "-zlz4hc -Eztailpacking"},
                    Maker{"InlineBigClusters", "", "-zlz4hc -C16384 -Eztailpacking"},
                    Maker{"InlineFullIndex", "", "-zlz4hc -Eztailpacking,legacy-compress"},
                    Maker{"ShortExtents", "", "-zlz4hc --max-extent-bytes=5000"},
                    Maker{"Fragments", "-1.8", "-zlz4hc -Efragments", true},
                    Maker{"FragmentsBigClusters", "-1.8", "-zlz4hc -C65536 -Efragments", true},
                    Maker{"FragmentsFullIndex", "-1.8", "-zlz4hc -Efragments,legacy-compress",
                          true},
                    Maker{"OnlyFragments", "-1.8", "-zlz4hc -Eall-fragments", true},
                    Maker{"Dedupe", "-1.8", "-zlz4hc -Ededupe -C16384"},
                    Maker{"DedupeFragments", "-1.8", "-zlz4hc -Ededupe,fragments", true},
                    Maker{"Deflate", "-1.8", "-zdeflate -C65536"},
                    Maker{"Zstd", "-1.8", "-zzstd -C65536"},
                    Maker{"Lzma", "-1.8", "-zlzma -C65536"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace intact::erofs
