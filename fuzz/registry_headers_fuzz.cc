// What registries and token servers say in headers, and files with credentials. The first byte
// chooses; nothing may be believed that is not there, and nothing may take long.
#include <intact/crypto/base64.h>
#include <intact/registry/credentials.h>

#include "../src/registry/auth_file.h"
#include "../src/registry/headers.h"
#include "../src/registry/registries_conf.h"
#include "../src/registry/url.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  using namespace intact::registry;
  if (size == 0) return 0;
  const ByteSpan bytes = fuzz::input(data + 1, size - 1);
  const std::string text(as_text(bytes));
  switch (data[0] % 6) {
    case 0:
      fuzz::require(parse_challenges({text}).size() <= 16);
      break;
    case 1:
      if (const auto link = next_link({text}))
        fuzz::require(text.find("<" + *link + ">") != std::string::npos);
      break;
    case 2:
      if (const auto range = parse_range(text)) fuzz::require(range->first <= range->last);
      if (const auto range = parse_content_range(text))
        fuzz::require(range->first <= range->last &&
                      (!range->whole || *range->whole > range->last));
      (void)parse_retry_after(text);
      break;
    case 3:
      if (const auto file = AuthFile::parse(bytes, "f")) {
        (void)file->find("h.io/a/b", [](const std::string&, const std::string&) {
          return Result<std::optional<Credential>>(std::optional<Credential>());
        });
      }
      break;
    case 4: {
      RegistriesConf conf;
      if (conf.add(text, "f")) (void)conf.endpoints("h.io/a/b");
      break;
    }
    default: {
      const Url base = parse_url("https://h.io/v2/").value();
      if (const auto url = resolve_url(base, text)) {
        fuzz::require(url->scheme == "http" || url->scheme == "https");
        fuzz::require(url->text().find_first_of("\r\n") == std::string::npos);
        // Written and read again it is on the same server.
        const auto again = parse_url(url->text());
        fuzz::require(again.has_value() && same_origin(*again, *url));
      }
    }
  }
  return 0;
}
