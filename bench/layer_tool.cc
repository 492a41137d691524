// layer_tool files N: a layer of N small files on stdout, 10,000 to a directory of directories:
// every
//     second one is kept in the image itself, the others have 1,000 contents among them.
// layer_tool large BYTES: a layer of one file, of which gzip makes about half.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace {

constexpr std::uint64_t kDistinct = 1000;
constexpr std::size_t kBlock = 512;
constexpr std::size_t kPiece = 1 << 20;

void put(std::string_view bytes) {
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
}

void put_header(std::string_view name, char type, std::uint64_t size) {
  std::string header(kBlock, '\0');
  const auto set = [&](std::size_t at, std::string_view text) {
    header.replace(at, text.size(), text);
  };
  set(0, name);
  set(100, type == '5' ? "0000755" : "0000644");  // mode
  set(108, "0000000");                            // uid
  set(116, "0000000");                            // gid
  set(124, fmt::format("{:011o}", size));
  set(136, fmt::format("{:011o}", 1700000000));  // mtime
  set(148, "        ");                          // the checksum, for the sum
  set(156, std::string_view(&type, 1));
  set(257, "ustar");
  set(263, "00");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  set(148, fmt::format("{:06o}", sum));
  header[154] = '\0';
  put(header);
}

void put_files(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string top = fmt::format("d{:03}/", i / 10000);
    const std::string directory = fmt::format("{}e{:02}/", top, i / 100 % 100);
    if (i % 10000 == 0) put_header(top, '5', 0);
    if (i % 100 == 0) put_header(directory, '5', 0);
    std::string content = i % 2 == 0 ? fmt::format("object {}\n", i / 2 % kDistinct)
                                     : fmt::format("content of file {}\n", i);
    if (i % 2 == 0) content.resize(kBlock, '.');
    put_header(fmt::format("{}file-{:06}.txt", directory, i), '0', content.size());
    content.resize(kBlock, '\0');
    put(content);
  }
}

/// The blocks are all different; the first half of each is noise.
void put_large(std::uint64_t size) {
  put_header("large", '0', size);
  std::mt19937_64 noise(1);
  std::vector<std::uint64_t> piece(kPiece / sizeof(std::uint64_t));
  for (std::uint64_t left = size; left != 0;) {
    constexpr std::size_t kWords = 4096 / sizeof(std::uint64_t);
    for (std::size_t at = 0; at < piece.size(); at += kWords)
      std::generate_n(piece.begin() + static_cast<std::ptrdiff_t>(at), kWords / 2, std::ref(noise));
    const std::uint64_t n = std::min<std::uint64_t>(left, kPiece);
    std::fwrite(piece.data(), 1, n, stdout);
    left -= n;
  }
  put(std::string((kBlock - size % kBlock) % kBlock, '\0'));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::uint64_t n = std::stoull(argv[2]);
  if (argv[1] == std::string_view("files"))
    put_files(n);
  else
    put_large(n);
  put(std::string(2 * kBlock, '\0'));
  return std::fflush(stdout) == 0 ? 0 : 1;
}
