#include "hosts_file.h"

#include <intact/base/text.h>

namespace intact::run {
namespace {

constexpr std::string_view kBlanks = " \t\r";

/// Whether a line maps an address to `name`.
bool names_host(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    line = line.substr(0, line.find('#'));
    for (bool address = true; !line.empty();) {
      const auto word_end = line.find_first_of(kBlanks);
      const std::string_view word = line.substr(0, word_end);
      line = word_end == std::string_view::npos ? std::string_view() : line.substr(word_end + 1);
      if (word.empty()) continue;
      if (!address && word == name) return true;
      address = false;
    }
  }
  return false;
}

}  // namespace

std::string make_hosts_file(std::string_view base, std::string_view hostname) {
  std::string text(base);
  if (!text.empty() && text.back() != '\n') text += '\n';
  if (!names_host(text, "localhost"))
    text += "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  if (!names_host(text, hostname)) text += "127.0.1.1\t" + std::string(hostname) + "\n";
  return text;
}

}  // namespace intact::run
