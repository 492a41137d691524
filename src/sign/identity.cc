#include <algorithm>
#include <vector>

#include <intact/sign/identity.h>

namespace intact::sign {
namespace {

Error bad_identity(std::string_view text, std::string_view why) {
  return Error(ErrorKind::invalid_argument,
               "'" + std::string(text.substr(0, 200)) +
                   "' is not a name like HOST/REPO[:TAG]: " + std::string(why));
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

bool all_name_characters(std::string_view text) {
  return std::ranges::all_of(text, is_name_character);
}

std::vector<std::string_view> components_of(std::string_view path) {
  std::vector<std::string_view> components;
  for (;;) {
    const std::size_t slash = path.find('/');
    components.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return components;
    path.remove_prefix(slash + 1);
  }
}

/// HOST/REPO and TAG: a colon before the last slash belongs to the host (its port).
std::pair<std::string_view, std::string_view> split_tag(std::string_view text) {
  const std::size_t slash = text.rfind('/');
  const std::size_t colon = text.find(':', slash == std::string_view::npos ? 0 : slash);
  if (colon == std::string_view::npos) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

bool is_host(std::string_view component) {
  return component == "localhost" || std::ranges::any_of(component, [](char c) {
           return c == '.' || c == ':' || (c >= 'A' && c <= 'Z');
         });
}

/// Matches a component against a component pattern. Only the last `*` needs to be tried again, so
/// the time is at most the product of the lengths.
bool matches_component(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos && text[retry] != ':') {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

/// The same one level up: components against component patterns, where `**` matches one or more.
bool matches_path(std::string_view pattern, std::string_view text) {
  const auto patterns = components_of(pattern);
  const auto parts = components_of(text);
  // reached[t]: the patterns so far can match the first t parts.
  std::vector<bool> reached(parts.size() + 1);
  reached[0] = true;
  for (const std::string_view each : patterns) {
    std::vector<bool> next(parts.size() + 1);
    for (std::size_t t = 1; t <= parts.size(); ++t) {
      if (each == "**") {
        next[t] = reached[t - 1] || next[t - 1];
      } else {
        next[t] = reached[t - 1] && matches_component(each, parts[t - 1]);
      }
    }
    reached = std::move(next);
  }
  return reached[parts.size()];
}

}  // namespace

Result<Identity> parse_identity(std::string_view text) {
  if (text.size() > kMaxIdentitySize) return bad_identity(text, "it is too long");
  Identity identity;
  std::string_view name = text;
  if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
    auto digest = Digest::parse(text.substr(at + 1));
    if (!digest) return bad_identity(text, digest.error().message());
    identity.digest = *digest;
    name = text.substr(0, at);
  }
  const auto [repository, tag] = split_tag(name);
  if (!all_name_characters(tag))
    return bad_identity(text, "it has a character that a tag cannot have");
  if (tag.empty() && repository.size() != name.size())
    return bad_identity(text, "the tag is empty");
  const auto components = components_of(repository);
  for (std::size_t i = 0; i < components.size(); ++i) {
    const std::string_view component = components[i];
    if (component.empty() || component == "." || component == "..")
      return bad_identity(text, "a component is empty or consists of dots");
    const bool valid = std::ranges::all_of(component, [&](char c) {
      const bool is_host_character = i == 0 && components.size() > 1 && c == ':';
      return is_name_character(c) || is_host_character;
    });
    if (!valid) return bad_identity(text, "it has a character that names cannot have");
  }
  identity.repository = repository;
  identity.tag = tag;
  return identity;
}

std::string canonical_repository(std::string_view repository) {
  constexpr std::string_view kHub = "docker.io/";
  std::string name(repository);
  const std::size_t slash = name.find('/');
  const std::string first = name.substr(0, slash);
  const bool has_host =
      slash != std::string::npos && (is_host(first) || first.find('*') != std::string::npos);
  if (!has_host) name.insert(0, kHub);
  if (name.starts_with("index.docker.io/")) name.erase(0, std::string_view("index.").size());
  if (name.starts_with(kHub) && name.find('/', kHub.size()) == std::string::npos &&
      name.substr(kHub.size()) != "**")
    name.insert(kHub.size(), "library/");
  return name;
}

Result<void> check_identity_pattern(std::string_view pattern) {
  if (pattern.empty()) return Error(ErrorKind::invalid_argument, "the identity pattern is empty");
  if (pattern.find('@') != std::string_view::npos)
    return bad_identity(pattern, "a pattern cannot have a digest; use --pin");
  const auto [repository, tag] = split_tag(pattern);
  if (tag.find("**") != std::string_view::npos)
    return bad_identity(pattern, "'**' matches whole components, not tags");
  const auto components = components_of(repository);
  for (std::size_t i = 0; i < components.size(); ++i)
    if (components[i].find("**") != std::string_view::npos && (components[i] != "**" || i == 0))
      return bad_identity(pattern, "'**' must be a whole component after the host");
  // What is left must be a name once every star is replaced by something.
  std::string example(pattern);
  std::ranges::replace(example, '*', 'x');
  if (auto parsed = parse_identity(example); !parsed)
    return bad_identity(pattern, "as a pattern it matches nothing");
  return {};
}

bool matches_pattern(std::string_view pattern, std::string_view identity) {
  const auto parsed = parse_identity(identity);
  if (!parsed || !check_identity_pattern(pattern)) return false;
  const auto [repository, tag] = split_tag(pattern);
  if (!matches_path(canonical_repository(repository), canonical_repository(parsed->repository)))
    return false;
  if (tag.empty()) return true;
  return !parsed->tag.empty() && matches_component(tag, parsed->tag);
}

std::string describe_pattern(std::string_view pattern) {
  const auto [repository, tag] = split_tag(pattern);
  std::string text = canonical_repository(repository);
  if (!tag.empty()) return text.append(":").append(tag);
  return text + " with any tag";
}

bool matches_any_registry(std::string_view pattern) {
  const auto [repository, tag] = split_tag(pattern);
  const auto components = components_of(repository);
  const auto is_wild = [](std::string_view part) {
    return part.find_first_not_of('*') == std::string_view::npos;
  };
  // A host without letters and digits, such as "*.*" or "*:*", names nobody.
  return components.size() > 1 && components[0].find('*') != std::string_view::npos &&
         components[0].find_first_not_of("*.:-_") == std::string_view::npos &&
         std::all_of(components.begin() + 1, components.end(), is_wild) && is_wild(tag);
}

std::string suspicion_about_pattern(std::string_view pattern) {
  const std::string shown(pattern);
  const auto [repository, tag] = split_tag(pattern);
  const auto components = components_of(repository);
  const std::string canonical = canonical_repository(repository);
  if (components.size() == 1) {
    std::string means =
        "'" + shown + "' has no host, so it matches only " + canonical + " on Docker Hub";
    if (repository.find('*') != std::string_view::npos)
      return means + "; use 'HOST/**' for all images of a registry, or --any for every image";
    if (repository.find('.') != std::string_view::npos)
      return means + "; use '" + shown + "/**' for all images of a registry";
    return means;
  }
  if (components[0].find('*') != std::string_view::npos)
    return "'" + shown + "' matches any host that fits '" + std::string(components[0]) +
           "', and so images of anyone who runs such a host";
  const std::string_view last = components.back();
  if (last.size() > 1 && last.ends_with('*') && last != "**" && tag.empty()) {
    const std::string stem(repository.substr(0, repository.size() - 1));
    const bool has_separator = last[last.size() - 2] == '-' || last[last.size() - 2] == '_' ||
                               last[last.size() - 2] == '.';
    if (!has_separator)
      return "'" + shown + "' matches " + stem + " and " + stem + "x, but not " + stem +
             "/app; use '" + stem + "/*' for images below it, or '" + stem + "/**' for all depths";
  }
  if (!is_host(components[0]))
    return "'" + shown + "' has no host, so it matches only " + canonical + " on Docker Hub";
  return "";
}

bool identity_allows_name(std::string_view identity, std::string_view name,
                          const Digest& manifest) {
  if (identity.empty()) return true;
  const auto is_signed = parse_identity(identity);
  if (!is_signed || (is_signed->digest && *is_signed->digest != manifest)) return false;
  if (name.find('/') == std::string_view::npos) return true;
  const auto claimed = parse_identity(name);
  if (!claimed || (claimed->digest && *claimed->digest != manifest)) return false;

  const std::string repository = canonical_repository(is_signed->repository);
  if (canonical_repository(claimed->repository) != repository) {
    // Without a host the name may be the end of what was signed: team/app of HOST/team/app.
    const bool has_host = is_host(components_of(claimed->repository).front());
    if (has_host || !repository.ends_with("/" + claimed->repository)) return false;
  }
  return is_signed->tag.empty() || is_signed->tag == claimed->tag;
}

}  // namespace intact::sign
