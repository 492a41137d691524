#pragma once

// A small tar writer for tests that knows nothing of the one under test and writes whatever it is
// told to, sense or nonsense.

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>

namespace intact::oci::test {

struct RawEntry {
  std::string name;
  char type = '0';
  std::string content = {};
  std::string link = {};
  std::string mode = "0000644";
  std::string uid = "0000000";
  std::string gid = "0000000";
  std::string size = {};  ///< as it stands in the field; empty: that of the content
  std::string mtime = "00000000000";
  std::string magic = std::string("ustar\00000", 8);
  std::string major = {};
  std::string minor = {};
  std::string prefix = {};
  int checksum_error = 0;
};

inline std::string octal(std::uint64_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
  return text;
}

inline std::string padded(std::string content) {
  content.resize((content.size() + 511) / 512 * 512);
  return content;
}

inline std::string raw(const RawEntry& e) {
  std::string block(512, '\0');
  const auto put = [&](std::size_t at, std::size_t size, std::string_view text) {
    text = text.substr(0, size);
    block.replace(at, text.size(), text);
  };
  put(0, 100, e.name);
  put(100, 8, e.mode);
  put(108, 8, e.uid);
  put(116, 8, e.gid);
  put(124, 12, e.size.empty() ? octal(e.content.size(), 11) : e.size);
  put(136, 12, e.mtime);
  put(148, 8, "        ");
  block[156] = e.type;
  put(157, 100, e.link);
  put(257, 8, e.magic);
  put(329, 8, e.major);
  put(337, 8, e.minor);
  put(345, 155, e.prefix);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(148, 8, octal(sum + static_cast<unsigned>(e.checksum_error), 6) + '\0' + ' ');
  return block + padded(e.content);
}

inline std::string pax_record(std::string_view key, std::string_view value) {
  std::string rest = " " + std::string(key) + "=" + std::string(value) + "\n";
  std::size_t length = rest.size() + 1;
  while (std::to_string(length).size() + rest.size() != length) ++length;
  return std::to_string(length) + rest;
}

inline std::string pax(const std::string& records, char type = 'x') {
  return raw({.name = "PaxHeaders/x", .type = type, .content = records});
}

inline std::string file(std::string name, std::string content = {}) {
  return raw({.name = std::move(name), .content = std::move(content)});
}
inline std::string dir(std::string name, std::string mode = "0000755") {
  return raw({.name = std::move(name), .type = '5', .mode = std::move(mode)});
}
inline std::string symlink(std::string name, std::string target) {
  return raw({.name = std::move(name), .type = '2', .link = std::move(target)});
}
inline std::string hard_link(std::string name, std::string target) {
  return raw({.name = std::move(name), .type = '1', .link = std::move(target)});
}

inline const std::string kEnd(1024, '\0');

inline Bytes archive(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += part;
  return to_bytes(all + kEnd);
}

}  // namespace intact::oci::test
