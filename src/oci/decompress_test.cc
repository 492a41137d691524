#include <random>

#include <bzlib.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lzma.h>
#include <sys/resource.h>
#include <zlib.h>
#include <zstd.h>

#include <intact/oci/decompress.h>

namespace intact::oci {
namespace {

std::string sample(std::size_t size) {
  std::mt19937 random(1);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>('a' + random() % 7);
  return text;
}

std::string gzip(const std::string& text, int level = 6) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&z, text.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  out.resize(ZSTD_compress2(context, out.data(), out.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  return out;
}

std::string xz(const std::string& text, lzma_check check = LZMA_CHECK_CRC64) {
  lzma_stream stream = LZMA_STREAM_INIT;
  EXPECT_EQ(lzma_easy_encoder(&stream, 1, check), LZMA_OK);
  std::string out(lzma_stream_buffer_bound(text.size()), '\0');
  stream.next_in = reinterpret_cast<const std::uint8_t*>(text.data());
  stream.avail_in = text.size();
  stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
  stream.avail_out = out.size();
  EXPECT_EQ(lzma_code(&stream, LZMA_FINISH), LZMA_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  lzma_end(&stream);
  return out;
}

/// The same, but the header of its block asks for a dictionary of another size: (2 + `code` % 2)
/// times 2^(`code` / 2 + 11) bytes.
std::string xz_with_dictionary(const std::string& text, int code) {
  std::string out = xz(text);
  constexpr std::size_t kBlock = 12;  // after the header of the stream
  const std::size_t size = (static_cast<std::uint8_t>(out[kBlock]) + 1u) * 4;
  EXPECT_EQ(out.substr(kBlock + 2, 2), "\x21\x01");  // LZMA2 and one byte of properties
  out[kBlock + 4] = static_cast<char>(code);
  const std::uint32_t sum =
      lzma_crc32(reinterpret_cast<const std::uint8_t*>(out.data()) + kBlock, size - 4, 0);
  for (std::size_t i = 0; i < 4; ++i)
    out[kBlock + size - 4 + i] = static_cast<char>(sum >> (8 * i) & 0xff);
  return out;
}

std::string bzip2(const std::string& text) {
  std::string out(text.size() + text.size() / 50 + 1000, '\0');
  auto size = static_cast<unsigned>(out.size());
  EXPECT_EQ(BZ2_bzBuffToBuffCompress(out.data(), &size, const_cast<char*>(text.data()),
                                     static_cast<unsigned>(text.size()), 9, 0, 0),
            BZ_OK);
  out.resize(size);
  return out;
}

Result<std::string> unpack(const std::string& packed, const DecompressLimits& limits = {},
                           Compression* found = nullptr, std::size_t piece_size = 10'000) {
  auto stream = TRY(decompress(std::make_unique<MemoryStream>(to_bytes(packed)), limits, found));
  std::string text;
  Bytes piece(piece_size);
  while (const std::size_t n = TRY(stream->read(piece))) text += as_text(ByteSpan(piece).first(n));
  return text;
}

struct Method {
  const char* name;
  Compression compression;
  std::string (*pack)(const std::string&);
};

void PrintTo(const Method& method, std::ostream* out) {
  *out << method.name;
}

std::string gzip_default(const std::string& text) {
  return gzip(text);
}
std::string xz_default(const std::string& text) {
  return xz(text);
}
std::string plain(const std::string& text) {
  return text;
}

class Decompress : public testing::TestWithParam<Method> {};

TEST_P(Decompress, GivesTheBytesBack) {
  for (const std::size_t size : {1u, 100u, 65'536u, 200'000u}) {
    const std::string text = sample(size);
    for (const std::size_t piece : {1000u, 300'000u}) {
      Compression found{};
      const auto result = unpack(GetParam().pack(text), {}, &found, piece);
      ASSERT_TRUE(result) << result.error().message();
      EXPECT_EQ(*result, text);
      EXPECT_EQ(found, GetParam().compression);
    }
  }
}

TEST_P(Decompress, TakesSeveralMembers) {
  const std::string packed =
      GetParam().pack(sample(70'000)) + GetParam().pack(sample(10)) + GetParam().pack(sample(1));
  const auto result = unpack(packed);
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_TRUE(*result == sample(70'000) + sample(10) + sample(1));
}

TEST_P(Decompress, RefusesEveryCut) {
  if (GetParam().compression == Compression::none) return;
  const std::string packed = GetParam().pack(sample(3000));
  ASSERT_TRUE(unpack(packed));
  // Cut within the magic, it is not a compressed stream any more.
  for (std::size_t size = 6; size < packed.size(); ++size) {
    const auto result = unpack(packed.substr(0, size));
    ASSERT_FALSE(result) << size << " of " << packed.size();
    EXPECT_EQ(result.error().kind(), ErrorKind::malformed);
  }
}

TEST_P(Decompress, RefusesBytesBehindTheEnd) {
  if (GetParam().compression == Compression::none) return;
  const std::string packed = GetParam().pack(sample(3000));
  for (const std::string& garbage :
       {std::string("x"), std::string("garbage"), std::string(1, '\0'), std::string(512, '\0'),
        packed.substr(0, 9), packed.substr(0, packed.size() - 1)}) {
    // Padding in fours is part of the xz format.
    if (GetParam().compression == Compression::xz && garbage.size() == 512) continue;
    const auto result = unpack(packed + garbage);
    ASSERT_FALSE(result) << garbage.size();
    EXPECT_EQ(result.error().kind(), ErrorKind::malformed);
  }
}

TEST_P(Decompress, RefusesEveryFlippedByteOrGivesTheSameBytes) {
  if (GetParam().compression == Compression::none) return;
  const std::string text = sample(2000);
  const std::string packed = GetParam().pack(text);
  for (std::size_t at = 6; at < packed.size(); ++at) {
    std::string damaged = packed;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    const auto result = unpack(damaged);
    // Some header fields (time, system) mean nothing to the content.
    if (result) {
      EXPECT_TRUE(*result == text) << at;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, Decompress,
                         testing::Values(Method{"none", Compression::none, plain},
                                         Method{"gzip", Compression::gzip, gzip_default},
                                         Method{"zstd", Compression::zstd, zstd},
                                         Method{"xz", Compression::xz, xz_default},
                                         Method{"bzip2", Compression::bzip2, bzip2}),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(DecompressGzip, ChecksChecksumAndLength) {
  const std::string packed = gzip(sample(5000));
  for (std::size_t back = 1; back <= 8; ++back) {
    std::string damaged = packed;
    damaged[packed.size() - back] = static_cast<char>(damaged[packed.size() - back] ^ 1);
    EXPECT_FALSE(unpack(damaged)) << back;
  }
  EXPECT_TRUE(unpack(packed));
}

/// A member whose header has everything that one can have.
std::string with_full_header(const std::string& member, int flags = 0x1e) {
  std::string header("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
  header[3] = static_cast<char>(flags);
  header += std::string("\x04\0SG\0\0", 6) + std::string("a name\0", 7) + std::string("why\0", 4);
  const auto sum =
      crc32(0, reinterpret_cast<const Bytef*>(header.data()), static_cast<uInt>(header.size()));
  header += static_cast<char>(sum & 0xff);
  header += static_cast<char>(sum >> 8 & 0xff);
  return header + member.substr(10);
}

/// Hands out its bytes in pieces of a given size.
class InPieces final : public ByteStream {
 public:
  InPieces(const std::string& bytes, std::size_t size) : stream_(to_bytes(bytes)), size_(size) {}
  Result<std::size_t> read(MutableByteSpan out) override {
    return stream_.read(out.first(std::min(out.size(), size_)));
  }

 private:
  MemoryStream stream_;
  std::size_t size_;
};

TEST(DecompressGzip, ReadsWholeHeadersInPieces) {
  const std::string packed = with_full_header(gzip(sample(700))) + with_full_header(gzip("b"));
  for (const std::size_t size : {1u, 2u, 3u, 9u, 11u, 20u, 28u, 1000u}) {
    auto stream = decompress(std::make_unique<InPieces>(packed, size), {});
    ASSERT_TRUE(stream);
    Bytes text(1000);
    const auto got = read_fully(**stream, text);
    ASSERT_TRUE(got) << size << ": " << got.error().message();
    EXPECT_EQ(as_text(ByteSpan(text).first(*got)), sample(700) + "b");
  }
}

TEST(DecompressGzip, RefusesBadHeaders) {
  const std::string member = gzip(sample(100));
  ASSERT_TRUE(unpack(member));
  std::string wrong = with_full_header(member);
  ASSERT_TRUE(unpack(wrong));
  wrong[27] = static_cast<char>(wrong[27] ^ 1);  // of the header's checksum
  EXPECT_EQ(unpack(wrong).error().kind(), ErrorKind::malformed);
  for (const int flags : {0x3e, 0x5e, 0x9e})
    EXPECT_EQ(unpack(with_full_header(member, flags)).error().kind(), ErrorKind::malformed);
}

TEST(DecompressZstd, SkipsSkippableFrames) {
  const std::string skip(
      "\x50\x2a\x4d\x18\x03\x00\x00\x00"
      "abc",
      11);
  const auto result = unpack(skip + zstd("one") + skip + zstd("two") + skip);
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(*result, "onetwo");
}

/// A frame whose header asks for a window of 2^`log` bytes, with one raw block of three bytes.
std::string zstd_with_window(int log) {
  std::string frame("\x28\xb5\x2f\xfd\x00", 5);
  frame += static_cast<char>((log - 10) << 3);
  return frame + std::string(
                     "\x19\x00\x00"
                     "abc",
                     6);
}

/// The most memory that this process has had, in bytes.
std::uint64_t peak_memory() {
  rusage usage{};
  EXPECT_EQ(::getrusage(RUSAGE_SELF, &usage), 0);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

TEST(DecompressMemory, XzHasALimit) {
  const std::string text = sample(10'000);
  for (const int fits : {16, 28, 29})  // 1 MiB, 64 MiB as of xz -9, 96 MiB
    EXPECT_EQ(unpack(xz_with_dictionary(text, fits)).value(), text);
  const std::uint64_t before = peak_memory();
  for (const int large : {30, 34, 37, 40}) {  // 128 MiB, 512 MiB, 1.5 GiB, 4 GiB
    const std::string packed = xz_with_dictionary(text, large);
    for (const std::string& stream : {packed, xz("before") + packed}) {
      const auto refused = unpack(stream);
      ASSERT_FALSE(refused) << large;
      EXPECT_EQ(refused.error().kind(), ErrorKind::limit);
      EXPECT_THAT(refused.error().message(),
                  testing::MatchesRegex("xz: its dictionary needs [0-9]+ MiB, over the limit of "
                                        "128 MiB for decoders; raise --max-decoder-memory"));
    }
  }
  EXPECT_LT(peak_memory(), before + (64 << 20));
  EXPECT_EQ(unpack(xz_with_dictionary(text, 30), {.memory_bytes = 256 << 20}).value(), text);
  EXPECT_EQ(unpack(xz_with_dictionary(text, 22), {.memory_bytes = 4 << 20}).error().kind(),
            ErrorKind::limit);
}

TEST(DecompressMemory, XzKnowsEveryChecksum) {
  for (const lzma_check check :
       {LZMA_CHECK_NONE, LZMA_CHECK_CRC32, LZMA_CHECK_CRC64, LZMA_CHECK_SHA256})
    EXPECT_EQ(unpack(xz("text", check)).value(), "text");
}

TEST(DecompressMemory, ZstdHasALimit) {
  EXPECT_EQ(unpack(zstd_with_window(20)).value(), "abc");
  EXPECT_EQ(unpack(zstd_with_window(27)).value(), "abc");  // zstd --ultra -22, zstd --long
  for (const int large : {28, 31, 40}) {
    for (const std::string& stream :
         {zstd_with_window(large), zstd("a") + zstd_with_window(large)}) {
      const auto refused = unpack(stream);
      ASSERT_FALSE(refused) << large;
      EXPECT_EQ(refused.error().kind(), ErrorKind::limit);
      EXPECT_EQ(refused.error().message(),
                "zstd: its window is over the limit of 128 MiB for decoders; raise "
                "--max-decoder-memory");
    }
  }
  EXPECT_EQ(unpack(zstd_with_window(28), {.memory_bytes = 256 << 20}).value(), "abc");
  EXPECT_FALSE(unpack(zstd_with_window(21), {.memory_bytes = 1 << 20}));
  EXPECT_FALSE(unpack(zstd_with_window(21), {.memory_bytes = 0}));
}

TEST(DecompressMemory, MembersWithoutContentCostNone) {
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += gzip("");
  EXPECT_EQ(unpack(many + gzip("x")).value(), "x");
  const std::string empty = bzip2("");
  many.clear();
  for (int i = 0; i < 2000; ++i) many += empty;
  EXPECT_EQ(unpack(many + bzip2("x")).value(), "x");
}

TEST(Decompress, StopsBombs) {
  const std::string zeros(1 << 20, '\0');
  const DecompressLimits limits{.ratio = 100, .ratio_from = 1 << 18};
  for (const auto& pack : {gzip_default, zstd, bzip2, xz_default}) {
    const std::string packed = pack(zeros);
    EXPECT_EQ(unpack(packed, limits).error().kind(), ErrorKind::limit);
    EXPECT_TRUE(unpack(packed));
  }
  // Below the amount from which it counts, any ratio is fine.
  EXPECT_TRUE(unpack(gzip(zeros.substr(0, 1 << 18)), limits));
  EXPECT_TRUE(unpack(gzip(sample(1 << 20)), limits));
  EXPECT_EQ(unpack(sample(1001), {.output_bytes = 1000}).error().kind(), ErrorKind::limit);
  EXPECT_TRUE(unpack(sample(1000), {.output_bytes = 1000}));
}

TEST(Decompress, StreamsShareTheirLimits) {
  const std::string zeros(1 << 20, '\0');
  const std::string text = sample(1 << 20);
  const auto both = [](const std::string& first, const std::string& second,
                       const DecompressLimits& limits) -> Result<void> {
    const auto total = std::make_shared<Expansion>();
    for (const std::string& packed : {first, second}) {
      auto stream =
          TRY(decompress(std::make_unique<MemoryStream>(to_bytes(packed)), limits, nullptr, total));
      Bytes piece(4096);
      while (TRY(stream->read(piece)) != 0) continue;
    }
    return {};
  };
  const DecompressLimits ratio{.ratio = 100, .ratio_from = 3 << 19};
  EXPECT_TRUE(unpack(gzip(zeros), ratio));
  EXPECT_TRUE(both(gzip(zeros), gzip(text), ratio));
  EXPECT_EQ(both(gzip(zeros), gzip(zeros), ratio).error().kind(), ErrorKind::limit);
  EXPECT_TRUE(both(gzip(text), gzip(text), {.total_bytes = 2 << 20}));
  EXPECT_EQ(both(gzip(text), gzip(text), {.total_bytes = (2 << 20) - 1}).error().kind(),
            ErrorKind::limit);
}

TEST(Decompress, AnEmptyStreamIsEmpty) {
  EXPECT_EQ(unpack("").value(), "");
  EXPECT_EQ(unpack(gzip("")).value(), "");
  EXPECT_EQ(unpack(zstd("")).value(), "");
}

}  // namespace
}  // namespace intact::oci
