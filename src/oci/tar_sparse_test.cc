#include "tar_sparse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/oci/tar_reader.h>
#include <intact/oci/testing/test_tar.h>

namespace intact::oci {
namespace {

using namespace test;

const std::string kGnu("ustar  \0", 8);

struct Extents {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> list;  ///< offsets and lengths
};

/// An entry of GNU's old format.
std::string gnu_sparse(const std::string& content, std::uint64_t size, const Extents& extents,
                       const std::string& type = "S", const std::string& magic = kGnu) {
  std::string places;
  std::string extensions;
  std::size_t at = 0;
  const auto fill = [&](std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i, ++at) {
      if (at < extents.list.size())
        out += octal(extents.list[at].first, 11) + '\0' + octal(extents.list[at].second, 11) + '\0';
      else
        out += std::string(24, '\0');
    }
    return out + (at < extents.list.size() ? '\1' : '\0');
  };
  places = fill(4) + octal(size, 11);
  while (at < extents.list.size()) extensions += padded(fill(21));
  std::string header = raw({.name = "f",
                            .type = type[0],
                            .size = octal(content.size(), 11),
                            .magic = magic,
                            .prefix = std::string(41, '\0') + places});
  return header + extensions + padded(content);
}

/// Format 0.0, 0.1 or 1.0.
std::string pax_sparse(const std::string& version, const std::string& content, std::uint64_t size,
                       const Extents& extents, const std::string& name = "f") {
  std::string records;
  std::string map;
  std::string list;
  for (const auto& [offset, length] : extents.list) {
    records += pax_record("GNU.sparse.offset", std::to_string(offset)) +
               pax_record("GNU.sparse.numbytes", std::to_string(length));
    map += (map.empty() ? "" : ",") + std::to_string(offset) + "," + std::to_string(length);
    list += std::to_string(offset) + "\n" + std::to_string(length) + "\n";
  }
  const std::string count = std::to_string(extents.list.size());
  const std::string total = std::to_string(size);
  if (version == "1.0")
    return pax(pax_record("GNU.sparse.major", "1") + pax_record("GNU.sparse.minor", "0") +
               pax_record("GNU.sparse.name", name) + pax_record("GNU.sparse.realsize", total)) +
           file("./GNUSparseFile.7/f", padded(count + "\n" + list) + content);
  const std::string common =
      pax_record("GNU.sparse.size", total) + pax_record("GNU.sparse.numblocks", count);
  if (version == "0.0") return pax(common + records) + file(name, content);
  return pax(common + pax_record("GNU.sparse.map", map) + pax_record("GNU.sparse.name", name)) +
         file("./GNUSparseFile.7/f", content);
}

struct Read {
  TarEntry entry;
  std::string content;
};

/// The first entry; there must be a file "after" behind it.
Result<Read> read_first(const std::string& tar, const TarLimits& limits = {},
                        std::size_t piece_size = 100) {
  MemoryStream stream(to_bytes(tar + file("after", "x") + kEnd));
  TarReader reader(stream, limits);
  auto entry = TRY(reader.next());
  Read read{std::move(*entry), {}};
  Bytes piece(piece_size);
  while (const std::size_t n = TRY(reader.read_content(piece)))
    read.content += as_text(ByteSpan(piece).first(n));
  const auto after = TRY(reader.next());
  if (!after || after->path != "after" || TRY(reader.next()))
    return Error(ErrorKind::io, "what follows is not what was written");
  return read;
}

std::string expected(const std::string& stored, std::uint64_t size, const Extents& extents) {
  std::string whole(size, '\0');
  std::size_t at = 0;
  for (const auto& [offset, length] : extents.list) {
    whole.replace(offset, length, stored.substr(at, length));
    at += length;
  }
  return whole;
}

std::string sample(std::size_t size) {
  std::string text;
  while (text.size() < size) text += std::to_string(text.size()) + " ";
  return text.substr(0, size);
}

struct Case {
  const char* what;
  std::uint64_t size;
  Extents extents;
};

const std::vector<Case> kCases{
    {"no hole", 700, {{{0, 700}}}},
    {"a hole at the start", 5000, {{{4096, 904}}}},
    {"a hole at the end", 5000, {{{0, 512}, {5000, 0}}}},
    {"a hole at the end that the map does not say", 5000, {{{0, 512}}}},
    {"only a hole", 5000, {{{5000, 0}}}},
    {"nothing", 0, {}},
    {"unaligned pieces next to each other", 100, {{{3, 5}, {8, 1}, {20, 0}, {50, 50}}}},
    {"four", 10'000, {{{0, 1}, {1000, 1}, {2000, 1}, {3000, 1}}}},
};

std::uint64_t stored(const Extents& extents) {
  std::uint64_t sum = 0;
  for (const auto& extent : extents.list) sum += extent.second;
  return sum;
}

TEST(TarSparse, EveryFormatReadsAsTheWholeFile) {
  std::vector<Case> cases = kCases;
  Case many{"many", 1'000'000, {}};
  for (std::uint64_t i = 0; i < 100; ++i) many.extents.list.emplace_back(i * 10'000, 7);
  cases.push_back(many);
  for (const Case& c : cases) {
    const std::string content = sample(stored(c.extents));
    for (const std::string& tar :
         {gnu_sparse(content, c.size, c.extents), pax_sparse("0.0", content, c.size, c.extents),
          pax_sparse("0.1", content, c.size, c.extents),
          pax_sparse("1.0", content, c.size, c.extents)}) {
      for (const std::size_t piece : {1u, 100u, 1'000'000u}) {
        if (piece == 1 && c.size > 10'000) continue;
        const auto read = read_first(tar, {}, piece);
        ASSERT_TRUE(read) << c.what << ": " << read.error().message();
        EXPECT_EQ(read->entry.path, "f");
        EXPECT_EQ(read->entry.size, c.size);
        EXPECT_TRUE(read->content == expected(content, c.size, c.extents)) << c.what;
      }
      // Nobody has to read it.
      MemoryStream stream(to_bytes(tar + file("after") + kEnd));
      TarReader reader(stream);
      ASSERT_TRUE(reader.next());
      EXPECT_EQ(reader.next().value()->path, "after");
    }
  }
}

TEST(TarSparse, RefusesMapsThatReadersDifferAbout) {
  const Extents two{{{0, 3}, {10, 3}}};
  const std::string six = "abcdef";
  for (const std::string version : {"0.0", "0.1", "1.0"}) {
    ASSERT_TRUE(read_first(pax_sparse(version, six, 20, two)));
    for (const auto& [what, tar] : std::vector<std::pair<const char*, std::string>>{
             {"out of order", pax_sparse(version, six, 20, {{{10, 3}, {0, 3}}})},
             {"overlapping", pax_sparse(version, six, 20, {{{0, 3}, {2, 3}}})},
             {"beyond the end", pax_sparse(version, six, 12, two)},
             {"overflowing", pax_sparse(version, six, 20, {{{0, 3}, {9223372036854775807, 3}}})},
             {"fewer bytes than stored", pax_sparse(version, six + "g", 20, two)},
             {"more bytes than stored", pax_sparse(version, "abcde", 20, two)},
             {"huge lengths",
              pax_sparse(version, six, 20, {{{0, 9223372036854775807}, {0, 3}}})}}) {
      const auto read = read_first(tar);
      ASSERT_FALSE(read) << version << ": " << what;
      EXPECT_EQ(read.error().kind(), ErrorKind::malformed) << what << read.error().message();
    }
  }
  ASSERT_TRUE(read_first(gnu_sparse(six, 20, two)));
  EXPECT_FALSE(read_first(gnu_sparse(six, 20, two, "S", std::string("ustar\00000", 8))));
  EXPECT_FALSE(read_first(gnu_sparse(six, 12, two)));
  EXPECT_FALSE(read_first(gnu_sparse(six, 20, {{{10, 3}, {0, 3}}})));
  EXPECT_FALSE(read_first(pax(pax_record("GNU.sparse.size", "20")) + gnu_sparse(six, 20, two)));
}

TEST(TarSparse, RefusesWhatIsNotInTheFormats) {
  const std::string f = file("f", "abc");
  const auto record = [](const char* key, const char* value) {
    return pax_record(std::string("GNU.sparse.") + key, value);
  };
  const std::string good = record("size", "9") + record("map", "1,3");
  ASSERT_TRUE(read_first(pax(good) + f));
  for (const std::string& records :
       {record("map", "1,3"), record("size", "9") + record("map", "1"),
        record("size", "9") + record("map", "1,3,"), record("size", "9") + record("map", ",1,3"),
        record("size", "-9") + record("map", "1,3"), record("size", "9") + record("map", "1,+3"),
        good + record("numblocks", "2"), good + record("realsize", "10"),
        good + record("offset", "1") + record("numbytes", "3"),
        record("size", "9") + record("offset", "1"),
        record("size", "9") + record("numbytes", "3") + record("offset", "1"),
        record("size", "9") + record("offset", "1,3") + record("numbytes", "3"),
        record("major", "1") + record("minor", "0") + good}) {
    const auto read = read_first(pax(records) + f);
    ASSERT_FALSE(read) << records;
    EXPECT_EQ(read.error().kind(), ErrorKind::malformed) << records;
  }
  for (const std::string& records : {good + record("major", "2") + record("minor", "0"),
                                     good + record("major", "1"), good + record("strange", "1")}) {
    const auto read = read_first(pax(records) + f);
    ASSERT_FALSE(read) << records;
    EXPECT_EQ(read.error().kind(), ErrorKind::unsupported) << records;
  }
  EXPECT_FALSE(read_first(pax(good, 'g') + f));
  EXPECT_FALSE(read_first(pax(record("offset", "1"), 'g') + f));
  for (const std::string& other : {dir("d/"), symlink("s", "t"), hard_link("h", "f")}) {
    EXPECT_TRUE(read_first(other));
    EXPECT_FALSE(read_first(pax(record("size", "0")) + other));
  }
}

TEST(TarSparse, RefusesBadMapsInTheContent) {
  const auto tar = [](const std::string& map) {
    return pax(pax_record("GNU.sparse.major", "1") + pax_record("GNU.sparse.minor", "0") +
               pax_record("GNU.sparse.realsize", "9")) +
           file("f", map + "abc");
  };
  ASSERT_TRUE(read_first(tar(padded("1\n1\n3\n"))));
  for (const std::string& map : {std::string(), padded("1\n1\n3"), padded("x\n1\n3\n"),
                                 padded("2\n1\n3\n"), padded("-1\n1\n3\n"), padded("\n1\n3\n"),
                                 padded("99999999999\n1\n3\n"), std::string("1\n1\n3\n")}) {
    const auto read = read_first(tar(map));
    ASSERT_FALSE(read) << map;
    EXPECT_EQ(read.error().kind(), ErrorKind::malformed) << map;
  }
}

TEST(TarSparse, HolesHaveALimit) {
  const std::string file_of_zeros = pax_sparse("0.1", "", 1 << 20, {});
  EXPECT_TRUE(read_first(file_of_zeros, {.hole_bytes = 1 << 20}));
  const auto refused = read_first(file_of_zeros, {.hole_bytes = (1 << 20) - 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::limit);
  EXPECT_THAT(refused.error().message(), testing::HasSubstr("raise --max-holes"));
  // All files of an archive together.
  EXPECT_EQ(read_first(file_of_zeros + file_of_zeros, {.hole_bytes = 3 << 19}).error().kind(),
            ErrorKind::limit);
  EXPECT_EQ(read_first(pax_sparse("1.0", "", 1ull << 62, {})).error().kind(), ErrorKind::limit);
  EXPECT_EQ(
      read_first(gnu_sparse("", (1ull << 33) - 1, {}), {.stream_bytes = 1 << 20}).error().kind(),
      ErrorKind::limit);
  // Maps cost memory.
  Extents many;
  for (std::uint64_t i = 0; i < 3000; ++i) many.list.emplace_back(i * 2, 1);
  const std::string content(3000, 'x');
  for (const std::string& tar :
       {gnu_sparse(content, 6000, many), pax_sparse("1.0", content, 6000, many)}) {
    EXPECT_TRUE(read_first(tar));
    EXPECT_EQ(read_first(tar, {.pax_bytes = 10'000}).error().kind(), ErrorKind::limit);
  }
}

}  // namespace
}  // namespace intact::oci
