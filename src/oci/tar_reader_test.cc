#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include <intact/oci/tar_reader.h>
#include <intact/oci/testing/test_tar.h>

namespace intact::oci {
namespace {

using namespace test;

struct Got {
  TarEntry entry;
  std::string content;
};

/// Hands out its bytes in pieces of a given size.
class Trickle final : public ByteStream {
 public:
  Trickle(Bytes bytes, std::size_t piece) : bytes_(std::move(bytes)), piece_(piece) {}
  Result<std::size_t> read(MutableByteSpan out) override {
    const std::size_t n = std::min({piece_, out.size(), bytes_.size() - at_});
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at_), n, out.begin());
    at_ += n;
    return n;
  }
  bool at_end() const { return at_ == bytes_.size(); }

 private:
  Bytes bytes_;
  std::size_t piece_;
  std::size_t at_ = 0;
};

Result<std::vector<Got>> read_all(ByteStream& stream, const TarLimits& limits = {}) {
  TarReader reader(stream, limits);
  std::vector<Got> all;
  while (auto entry = TRY(reader.next())) {
    Got got{std::move(*entry), {}};
    Bytes piece(100);
    while (const std::size_t n = TRY(reader.read_content(piece)))
      got.content += as_text(ByteSpan(piece).first(n));
    all.push_back(std::move(got));
  }
  return all;
}

Result<std::vector<Got>> read_all(const Bytes& bytes, const TarLimits& limits = {}) {
  MemoryStream stream(bytes);
  return read_all(stream, limits);
}

Got read_one(const Bytes& bytes) {
  auto all = read_all(bytes);
  EXPECT_TRUE(all) << all.error().message();
  if (!all || all->size() != 1) {
    ADD_FAILURE() << "not one entry";
    return {};
  }
  return all->front();
}

TEST(TarReader, ReadsEveryType) {
  const auto all = read_all(archive({
      file("f", "hello"),
      hard_link("h", "f"),
      symlink("s", "../target"),
      raw({.name = "c", .type = '3', .major = "0000001", .minor = "0000003"}),
      raw({.name = "b", .type = '4', .major = "0000010", .minor = "0000400"}),
      dir("d/", "0001777"),
      raw({.name = "p", .type = '6'}),
      raw({.name = "seven", .type = '7', .content = "x"}),
      raw({.name = "nul", .type = '\0', .content = "y"}),
      raw({.name = "old/", .type = '\0'}),
  }));
  ASSERT_TRUE(all) << all.error().message();
  std::vector<TarType> types;
  for (const Got& got : *all) types.push_back(got.entry.type);
  EXPECT_THAT(types, testing::ElementsAre(TarType::regular, TarType::hard_link, TarType::symlink,
                                          TarType::character_device, TarType::block_device,
                                          TarType::directory, TarType::fifo, TarType::regular,
                                          TarType::regular, TarType::directory));
  EXPECT_EQ((*all)[0].content, "hello");
  EXPECT_EQ((*all)[0].entry.mode, 0644u);
  EXPECT_EQ((*all)[1].entry.link, "f");
  EXPECT_EQ((*all)[2].entry.link, "../target");
  EXPECT_EQ((*all)[3].entry.rdev, makedev(1, 3));
  EXPECT_EQ((*all)[4].entry.rdev, makedev(8, 256));
  EXPECT_EQ((*all)[5].entry.mode, 01777u);
  EXPECT_EQ((*all)[7].content, "x");
  EXPECT_EQ((*all)[8].content, "y");
}

TEST(TarReader, ReadsItWhateverThePieces) {
  const Bytes bytes = archive({file("a", std::string(1000, 'a')), file("b", std::string(513, 'b')),
                               pax(pax_record("path", std::string(300, 'p'))), file("x", "c")});
  for (const std::size_t piece : {1u, 7u, 511u, 512u, 513u, 100000u}) {
    Trickle stream(bytes, piece);
    const auto all = read_all(stream);
    ASSERT_TRUE(all) << all.error().message();
    ASSERT_EQ(all->size(), 3u);
    EXPECT_EQ((*all)[0].content, std::string(1000, 'a'));
    EXPECT_EQ((*all)[1].content, std::string(513, 'b'));
    EXPECT_EQ((*all)[2].entry.path, std::string(300, 'p'));
    EXPECT_TRUE(stream.at_end());
  }
}

TEST(TarReader, SkipsContentThatNobodyReads) {
  MemoryStream stream(archive({file("a", std::string(300'000, 'a')), file("b", "bb")}));
  TarReader reader(stream);
  ASSERT_TRUE(reader.next());
  const auto second = reader.next();
  ASSERT_TRUE(second);
  EXPECT_EQ((*second)->path, "b");
  EXPECT_EQ((*second)->content_offset, 512u + 300'032 + 512);
}

TEST(TarReader, NamesOfEveryDialect) {
  const std::string gnu("ustar  \0", 8);
  // The prefix counts in ustar, and only there.
  EXPECT_EQ(read_one(archive({raw({.name = "n", .prefix = "dir/sub"})})).entry.path, "dir/sub/n");
  EXPECT_EQ(read_one(archive({raw({.name = "n", .magic = gnu, .prefix = "14001"})})).entry.path,
            "n");
  EXPECT_EQ(read_one(archive({raw({.name = "n", .magic = "", .prefix = "x"})})).entry.path, "n");
  const std::string long_name(2000, 'l');
  EXPECT_EQ(read_one(archive({raw({.name = "././@LongLink",
                                   .type = 'L',
                                   .content = long_name + '\0',
                                   .magic = gnu}),
                              raw({.name = "cut", .magic = gnu})}))
                .entry.path,
            long_name);
  const Got link = read_one(archive(
      {raw({.name = "././@LongLink", .type = 'K', .content = long_name + '\0', .magic = gnu}),
       raw({.name = "s", .type = '2', .link = "cut", .magic = gnu})}));
  EXPECT_EQ(link.entry.link, long_name);
  EXPECT_EQ(read_one(archive({pax(pax_record("path", "a") + pax_record("path", "b")), file("x")}))
                .entry.path,
            "b");
  EXPECT_EQ(read_one(archive({file(std::string(100, 'n'))})).entry.path, std::string(100, 'n'));
}

TEST(TarReader, Numbers) {
  const auto base256 = [](std::uint64_t value, std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = size; i-- > 1; value >>= 8) text[i] = static_cast<char>(value & 0xff);
    text[0] = '\x80';
    return text;
  };
  EXPECT_EQ(read_one(archive({raw({.name = "f", .uid = base256(3'000'000'000, 8)})})).entry.uid,
            3'000'000'000u);
  EXPECT_EQ(read_one(archive({raw({.name = "f", .uid = "77777777"})})).entry.uid, 077777777u);
  EXPECT_EQ(read_one(archive({raw({.name = "f", .uid = "   17 "})})).entry.uid, 017u);
  EXPECT_EQ(read_one(archive({raw({.name = "f", .mtime = std::string(12, '\xff')})})).entry.mtime,
            (tree::Timestamp{-1, 0}));
  EXPECT_EQ(
      read_one(archive({raw({.name = "f", .content = "abc", .size = base256(3, 12)})})).content,
      "abc");
  // Header checksums of old writers took bytes as signed.
  std::string block = raw({.name = "\xff\xfe"});
  int sum = 0;
  std::string blank = block;
  blank.replace(148, 8, 8, ' ');
  for (const char c : blank) sum += static_cast<signed char>(c);
  block.replace(148, 8, octal(static_cast<unsigned>(sum), 6) + '\0' + ' ');
  EXPECT_EQ(read_one(archive({block})).entry.path, "\xff\xfe");
}

TEST(TarReader, PaxRecords) {
  const std::string nul("a\0b=c\n", 6);
  const Got got = read_one(archive({
      pax(pax_record("mtime", "1700000000.123456789") + pax_record("uid", "70000") +
          pax_record("gid", "4294967294") + pax_record("size", "3") +
          pax_record("SCHILY.xattr.user.a", nul) + pax_record("SCHILY.xattr.user.empty", "") +
          pax_record("LIBARCHIVE.xattr.user.%62", "eA") + pax_record("comment", "?") +
          pax_record("SCHILY.acl.access", "user::rwx")),
      raw({.name = "f", .content = "abc", .size = "00000000007"}),
  }));
  EXPECT_EQ(got.entry.mtime, (tree::Timestamp{1700000000, 123456789}));
  EXPECT_EQ(got.entry.uid, 70000u);
  EXPECT_EQ(got.entry.gid, 4294967294u);
  EXPECT_EQ(got.content, "abc");
  EXPECT_THAT(got.entry.xattrs,
              testing::UnorderedElementsAre(tree::Xattr{"user.a", nul}, tree::Xattr{"user.b", "x"},
                                            tree::Xattr{"user.empty", ""}));
  EXPECT_TRUE(got.entry.has_acl_text);
}

TEST(TarReader, PaxTimes) {
  const std::vector<std::pair<std::string, tree::Timestamp>> times{
      {"0", {0, 0}},
      {"-1", {-1, 0}},
      {"-1.5", {-2, 500'000'000}},
      {"1.", {1, 0}},
      {"1.5", {1, 500'000'000}},
      {"1.0000000019", {1, 1}},
      {"-0.25", {-1, 750'000'000}},
  };
  for (const auto& [text, time] : times)
    EXPECT_EQ(read_one(archive({pax(pax_record("mtime", text)), file("f")})).entry.mtime, time)
        << text;
}

TEST(TarReader, GlobalRecordsHoldUntilReplaced) {
  const auto all = read_all(archive({
      pax(pax_record("uid", "5") + pax_record("comment", "x"), 'g'),
      file("a"),
      pax(pax_record("uid", "6")),
      file("b"),
      file("c"),
      pax(pax_record("uid", ""), 'g'),
      file("d"),
  }));
  ASSERT_TRUE(all) << all.error().message();
  std::vector<std::uint32_t> uids;
  for (const Got& got : *all) uids.push_back(got.entry.uid);
  EXPECT_THAT(uids, testing::ElementsAre(5, 6, 5, 0));
}

struct Bad {
  const char* what;
  std::string damaged;
  std::string twin;  ///< the same without the damage: must be read
  ErrorKind kind = ErrorKind::malformed;
};

TEST(TarReader, RefusesEachDamageAndTakesItsTwin) {
  const std::string f = file("f", "abc");
  const std::string gnu("ustar  \0", 8);
  const std::string long_name = raw({.name = "L", .type = 'L', .content = "long"});
  const std::vector<Bad> table{
      {"checksum", raw({.name = "f", .checksum_error = 1}), raw({.name = "f"})},
      {"negative size", raw({.name = "f", .size = std::string(12, '\xff')}), f},
      {"overflowing base-256 size",
       raw({.name = "f", .size = "\x80" + std::string(3, '\0') + std::string(8, '\x7f') + ""}), f,
       ErrorKind::limit},
      {"base-256 size over 63 bits", raw({.name = "f", .size = "\x80\x01" + std::string(10, '\0')}),
       f},
      {"size that is not a number", raw({.name = "f", .size = "0000000000x"}), f},
      {"size of another base", raw({.name = "f", .content = "abc", .size = "00000000008"}),
       raw({.name = "f", .content = "abc", .size = "00000000003"})},
      {"negative uid", raw({.name = "f", .uid = std::string(8, '\xff')}), f},
      {"uid 2^32-1", pax(pax_record("uid", "4294967295")) + f,
       pax(pax_record("uid", "4294967294")) + f, ErrorKind::limit},
      {"gid over 32 bits", pax(pax_record("gid", "4294967296")) + f,
       pax(pax_record("gid", "1")) + f, ErrorKind::limit},
      {"negative PAX uid", pax(pax_record("uid", "-1")) + f, pax(pax_record("uid", "1")) + f},
      {"negative PAX size", pax(pax_record("size", "-3")) + f, pax(pax_record("size", "3")) + f},
      {"PAX size over 63 bits", pax(pax_record("size", "9223372036854775808")) + f,
       pax(pax_record("size", "3")) + f},
      {"NUL in a PAX path", pax(pax_record("path", std::string("a\0b", 3))) + f,
       pax(pax_record("path", "ab")) + f},
      {"NUL in a PAX key", pax(pax_record(std::string("k\0", 2), "v")) + f,
       pax(pax_record("k", "v")) + f},
      {"PAX length too short", pax("5 a=bc\n") + f, pax("7 a=bc\n") + f},
      {"PAX length too long", pax("99 a=bc\n") + f, pax("7 a=bc\n") + f},
      {"PAX length absent", pax("a=bc\n") + f, pax("7 a=bc\n") + f},
      {"PAX without newline", pax("7 a=bcd") + f, pax("7 a=bc\n") + f},
      {"PAX without =", pax("6 abc\n") + f, pax("7 a=bc\n") + f},
      {"PAX without a key", pax("6 =bc\n") + f, pax("7 a=bc\n") + f},
      {"bad mtime", pax(pax_record("mtime", "1.2.3")) + f, pax(pax_record("mtime", "1.2")) + f},
      {"other charset", pax(pax_record("hdrcharset", "KOI-8")) + f,
       pax(pax_record("hdrcharset", "BINARY")) + f, ErrorKind::unsupported},
      {"xattr without a name", pax(pax_record("SCHILY.xattr.", "v")) + f,
       pax(pax_record("SCHILY.xattr.u", "v")) + f},
      {"xattr name too long", pax(pax_record("SCHILY.xattr." + std::string(256, 'n'), "v")) + f,
       pax(pax_record("SCHILY.xattr." + std::string(255, 'n'), "v")) + f, ErrorKind::limit},
      {"xattr value too long", pax(pax_record("SCHILY.xattr.u", std::string(65536, 'v'))) + f,
       pax(pax_record("SCHILY.xattr.u", std::string(65535, 'v'))) + f, ErrorKind::limit},
      {"xattr not base64", pax(pax_record("LIBARCHIVE.xattr.u", "!")) + f,
       pax(pax_record("LIBARCHIVE.xattr.u", "dg==")) + f},
      {"xattr with two values",
       pax(pax_record("LIBARCHIVE.xattr.u", "dg==") + pax_record("SCHILY.xattr.u", "w")) + f,
       pax(pax_record("LIBARCHIVE.xattr.u", "dg==") + pax_record("SCHILY.xattr.u", "v")) + f},
      {"two PAX headers", pax("7 a=bc\n") + pax("7 a=bc\n") + f, pax("7 a=bc\n") + f},
      {"PAX header for nothing", f + pax("7 a=bc\n"), f},
      {"global path", pax(pax_record("path", "p"), 'g') + f, pax(pax_record("uid", "1"), 'g') + f},
      {"global size", pax(pax_record("size", "3"), 'g') + f, pax(pax_record("uid", "1"), 'g') + f},
      {"global header in between", pax("7 a=bc\n") + pax("7 a=bc\n", 'g') + f,
       pax("7 a=bc\n", 'g') + pax("7 a=bc\n") + f},
      {"PAX header over the limit", pax(pax_record("comment", std::string((1 << 20) - 5, 'c'))) + f,
       pax(pax_record("comment", std::string((1 << 20) - 100, 'c'))) + f, ErrorKind::limit},
      {"two long names", long_name + long_name + f, long_name + f},
      {"a name from GNU and from PAX", long_name + pax(pax_record("path", "p")) + f,
       long_name + pax(pax_record("uid", "1")) + f},
      {"empty long name", raw({.name = "L", .type = 'L'}) + f, long_name + f},
      {"NUL in a long name", raw({.name = "L", .type = 'L', .content = std::string("a\0b", 3)}) + f,
       raw({.name = "L", .type = 'L', .content = std::string("ab\0", 3)}) + f},
      {"empty name", raw({.name = ""}), raw({.name = "x"})},
      {"path of 4096 bytes", pax(pax_record("path", std::string(4096, 'p'))) + f,
       pax(pax_record("path", std::string(4095, 'p'))) + f, ErrorKind::limit},
      {"symlink to nothing", symlink("s", ""), symlink("s", "t")},
      {"hard link to nothing", hard_link("h", ""), hard_link("h", "t")},
      {"symlink target of 4096 bytes",
       pax(pax_record("linkpath", std::string(4096, 't'))) + symlink("s", "t"),
       pax(pax_record("linkpath", std::string(4095, 't'))) + symlink("s", "t"), ErrorKind::limit},
      {"directory with content", raw({.name = "d", .type = '5', .content = "abc"}),
       raw({.name = "d", .type = '5'})},
      {"hard link with content", raw({.name = "h", .type = '1', .content = "abc", .link = "f"}),
       hard_link("h", "f")},
      {"symlink with content", raw({.name = "s", .type = '2', .content = "abc", .link = "f"}),
       symlink("s", "f")},
      {"a directory by its name with content", raw({.name = "d/", .content = "abc"}),
       raw({.name = "d/"})},
      {"multi-volume", raw({.name = "f", .type = 'M', .magic = gnu}),
       raw({.name = "f", .magic = gnu}), ErrorKind::unsupported},
      {"device major over 12 bits", raw({.name = "c", .type = '3', .major = "0010000"}),
       raw({.name = "c", .type = '3', .major = "0007777"}), ErrorKind::limit},
      {"device number that is none", raw({.name = "c", .type = '3', .major = "9"}),
       raw({.name = "c", .type = '3', .major = "7"})},
  };
  for (const Bad& bad : table) {
    const auto damaged = read_all(to_bytes(bad.damaged + kEnd));
    ASSERT_FALSE(damaged) << bad.what;
    EXPECT_EQ(damaged.error().kind(), bad.kind) << bad.what << ": " << damaged.error().message();
    const auto twin = read_all(to_bytes(bad.twin + kEnd));
    EXPECT_TRUE(twin) << bad.what << ": " << twin.error().message();
  }
}

TEST(TarReader, RefusesEveryCut) {
  const std::string whole =
      pax(pax_record("mtime", "1.5")) + file("f", std::string(700, 'x')) + kEnd;
  ASSERT_TRUE(read_all(to_bytes(whole)));
  // Without (all of) the end mark it is whole; nothing is an archive, too.
  const auto is_whole = [&](std::size_t size) {
    return size == 0 || size == whole.size() - 512 || size == whole.size() - 1024;
  };
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(read_all(to_bytes(whole.substr(0, size))).has_value(), is_whole(size)) << size;
}

TEST(TarReader, SaysWhetherThereIsAnEndMark) {
  for (const auto& [end, expected] : {std::pair<std::string, bool>{"", false},
                                      {std::string(512, '\0'), false},
                                      {std::string(1024, '\0'), true},
                                      {std::string(10240, '\0'), true}}) {
    MemoryStream stream(to_bytes(file("f", "abc") + end));
    TarReader reader(stream);
    ASSERT_TRUE(reader.next().value());
    ASSERT_FALSE(reader.next().value());
    EXPECT_EQ(reader.has_end_mark(), expected) << end.size();
  }
}

TEST(TarReader, ASizeSaysNothingWhereNoContentFollows) {
  // As the writers do whose layers are in registries: the header only, with the size of the target.
  const std::string after = file("after", "x");
  for (const std::string& entry :
       {raw({.name = "e", .type = '1', .link = "f", .size = "00000000005"}),
        raw({.name = "e", .type = '2', .link = "f", .size = "00000010000"}),
        raw({.name = "e", .type = '3', .size = "00000000005", .major = "1", .minor = "3"}),
        raw({.name = "e", .type = '4', .size = "00000000005", .major = "1", .minor = "3"}),
        raw({.name = "e/", .type = '5', .size = "00000010000"}),
        raw({.name = "e/", .type = '\0', .size = "00000010000"}),
        raw({.name = "e", .type = '6', .size = "00000000005"}),
        pax(pax_record("size", "5")) + raw({.name = "e", .type = '1', .link = "f"}),
        pax(pax_record("size", "99999999999999")) + raw({.name = "e", .type = '5'})}) {
    const auto entries = read_all(to_bytes(entry + after + kEnd));
    ASSERT_TRUE(entries) << entries.error().message();
    ASSERT_EQ(entries->size(), 2u);
    EXPECT_EQ((*entries)[0].entry.size, 0u);
    EXPECT_EQ((*entries)[1].entry.path, "after");
    EXPECT_EQ((*entries)[1].content, "x");
  }
}

TEST(TarReader, ZerosMayFollowTheEndAndNothingElse) {
  const std::string f = file("f");
  EXPECT_TRUE(read_all(to_bytes(f + kEnd)));
  EXPECT_TRUE(read_all(to_bytes(f + kEnd + std::string(9216, '\0'))));
  EXPECT_TRUE(read_all(to_bytes(f + kEnd + std::string(3, '\0'))));
  EXPECT_TRUE(read_all(to_bytes(kEnd)));
  EXPECT_FALSE(read_all(to_bytes(f + kEnd + "x")));
  EXPECT_FALSE(read_all(to_bytes(f + kEnd + std::string(70'000, '\0') + "x")));
  EXPECT_FALSE(read_all(to_bytes(f + std::string(512, '\0') + f + kEnd)));
  EXPECT_FALSE(read_all(to_bytes(f + kEnd + f + kEnd)));
}

TEST(TarReader, KeepsToItsLimits) {
  const Bytes two = archive({file("a"), file("b")});
  EXPECT_TRUE(read_all(two, {.headers = 2}));
  EXPECT_EQ(read_all(two, {.headers = 1}).error().kind(), ErrorKind::limit);
  const Bytes named = archive({pax(pax_record("path", "c")), file("a")});
  EXPECT_TRUE(read_all(named, {.headers = 2}));
  EXPECT_EQ(read_all(named, {.headers = 1}).error().kind(), ErrorKind::limit);
  const Bytes large = archive({file("a", std::string(5000, 'a'))});
  EXPECT_TRUE(read_all(large, {.stream_bytes = 8192}));
  EXPECT_EQ(read_all(large, {.stream_bytes = 4096}).error().kind(), ErrorKind::limit);
}

TEST(TarReader, LimitsXattrs) {
  const Bytes two =
      archive({pax(pax_record("SCHILY.xattr.user.a", "1") + pax_record("SCHILY.xattr.user.b", "2")),
               file("f")});
  EXPECT_TRUE(read_all(two, {.xattrs = 2}));
  EXPECT_EQ(read_all(two, {.xattrs = 1}).error().kind(), ErrorKind::limit);
}

TEST(TarReader, LimitsWhatGlobalHeadersPutUnderEveryEntry) {
  const auto globals = [](const std::string& key, int count) {
    std::string all;
    for (int i = 0; i < count; ++i)
      all += pax(pax_record(key + std::to_string(i), std::string(30'000, 'c')), 'g');
    return to_bytes(all + file("f") + kEnd);
  };
  EXPECT_TRUE(read_all(globals("SCHILY.xattr.user.a", 2)));
  EXPECT_EQ(read_all(globals("SCHILY.xattr.user.a", 3)).error().kind(), ErrorKind::limit);
  // What no entry uses is not laid under any.
  EXPECT_TRUE(read_all(globals("comment", 3)));
}

TEST(TarReader, ErrorsOfTheStreamComeThrough) {
  class Failing final : public ByteStream {
    Result<std::size_t> read(MutableByteSpan) override {
      return Error(ErrorKind::tampered, "bad blob");
    }
  } failing;
  EXPECT_EQ(read_all(failing).error().kind(), ErrorKind::tampered);
}

}  // namespace
}  // namespace intact::oci
