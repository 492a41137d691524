// crypt_lab encrypt|decrypt|refuse LINES PLAIN DIR: for line N of the file LINES, of the form
//
//     SPEC KEY IV_OFFSET [OPTION...]        as in a line of dm-crypt
//
// encrypt writes what the file PLAIN becomes to DIR/N, and the records to DIR/N.records; decrypt
// compares what is there with PLAIN; refuse prints why the line is refused.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include <intact/crypt/options.h>
#include <intact/crypt/sector_crypt.h>

namespace intact {
namespace {

struct Opened {
  std::unique_ptr<const crypt::SectorCrypt> crypt;
  std::size_t sector_size = 0, record_size = 0;
};

Result<Opened> open(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words{std::istream_iterator<std::string>(stream), {}};
  if (words.size() < 3) return Error(ErrorKind::invalid_argument, "Not enough arguments");
  const auto spec = TRY(crypt::CipherSpec::parse(words[0]));
  const Bytes key = TRY(from_hex(words[1]));
  const auto options = TRY(crypt::Options::parse(std::span(words).subspan(3)));
  const auto params = options.sector_params(spec, std::stoull(words[2]));
  return Opened{TRY(crypt::SectorCrypt::create(params, key)), params.sector_size,
                params.record_size};
}

Bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return to_bytes(text);
}

void write_file(const std::string& path, ByteSpan bytes) {
  std::ofstream(path, std::ios::binary) << as_text(bytes);
}

bool encrypt(const Opened& opened, ByteSpan plain, const std::string& path) {
  Bytes out(plain.size()), records(plain.size() / opened.sector_size * opened.record_size);
  opened.crypt->encrypt(0, plain, out, records);
  write_file(path, out);
  if (!records.empty()) write_file(path + ".records", records);
  return true;
}

bool decrypt(const Opened& opened, ByteSpan plain, const std::string& path) {
  Bytes bytes = read_file(path), records(plain.size() / opened.sector_size * opened.record_size);
  if (!records.empty()) records = read_file(path + ".records");
  if (bytes.size() != plain.size() ||
      records.size() != plain.size() / opened.sector_size * opened.record_size)
    return false;
  return opened.crypt->decrypt(0, bytes, records, bytes).empty() && equal(bytes, plain);
}

int run(const std::string& what, const std::string& lines, const std::string& plain_path,
        const std::string& dir) {
  const Bytes plain = read_file(plain_path);
  std::ifstream file(lines);
  int status = 0, number = 0;
  for (std::string line; std::getline(file, line);) {
    const std::string path = dir + "/" + std::to_string(++number);
    const auto opened = open(line);
    if (what == "refuse") {
      std::printf("%s\n", opened ? "accepted" : opened.error().message().c_str());
    } else if (!opened || !(what == "encrypt" ? encrypt : decrypt)(*opened, plain, path)) {
      std::printf("line %d: %s: %s\n", number, line.c_str(),
                  opened ? "another content" : opened.error().message().c_str());
      status = 1;
    }
  }
  return status;
}

}  // namespace
}  // namespace intact

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  return intact::run(argv[1], argv[2], argv[3], argv[4]);
}
