#include "gzip_writer.h"

#include <random>

#include <gtest/gtest.h>
#include <zlib.h>

namespace intact::image {
namespace {

constexpr std::size_t kBlock = GzipWriter::kBlock;

/// Neither random nor empty: matches that cross the ends of blocks.
Bytes make_content(std::size_t size) {
  std::mt19937 random(static_cast<unsigned>(size));
  Bytes content(size);
  for (std::size_t i = 0; i < size; ++i)
    content[i] = i > 5000 && random() % 4 ? content[i - 5000] : std::byte(random());
  return content;
}

Bytes compress(ByteSpan content, std::size_t piece) {
  Bytes out;
  GzipWriter gzip([&](ByteSpan bytes) -> Result<void> {
    out.insert(out.end(), bytes.begin(), bytes.end());
    return {};
  });
  for (std::size_t at = 0; at < content.size(); at += piece)
    EXPECT_TRUE(gzip.write(content.subspan(at, std::min(piece, content.size() - at))));
  EXPECT_TRUE(gzip.finish());
  return out;
}

/// zlib's word on one whole member: its content, and how many bytes are left behind it.
Bytes inflate_member(ByteSpan member, std::size_t room, std::size_t& left) {
  Bytes out(room + 1);
  z_stream z{};
  EXPECT_EQ(inflateInit2(&z, 15 + 16), Z_OK);
  z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(member.data()));
  z.avail_in = static_cast<uInt>(member.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&z, Z_FINISH), Z_STREAM_END);
  left = z.avail_in;
  out.resize(z.total_out);
  inflateEnd(&z);
  return out;
}

TEST(GzipWriter, OneMemberWithTheContentForEverySize) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kBlock - 1, kBlock, kBlock + 1,
                                 2 * kBlock, 5 * kBlock + 12345}) {
    const Bytes content = make_content(size);
    const Bytes member = compress(content, 100000);
    std::size_t left = 1;
    EXPECT_TRUE(inflate_member(member, size, left) == content) << size;
    EXPECT_EQ(left, 0u) << size;
  }
}

TEST(GzipWriter, TheSameWhateverThePieces) {
  const Bytes content = make_content(3 * kBlock + 777);
  const Bytes whole = compress(content, content.size());
  for (const std::size_t piece : {std::size_t{511}, kBlock - 1, kBlock, kBlock + 1})
    EXPECT_TRUE(compress(content, piece) == whole) << piece;
}

TEST(GzipWriter, AFailingSinkEndsIt) {
  const Bytes content = make_content(kBlock);
  GzipWriter gzip([](ByteSpan) -> Result<void> { return Error(ErrorKind::io, "full"); });
  EXPECT_TRUE(gzip.write(content));
  const auto finished = gzip.finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().message(), "full");
}

}  // namespace
}  // namespace intact::image
