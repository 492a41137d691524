#include <set>
#include <vector>

#include <intact/json/json.h>

namespace intact {
namespace {

/// Builds the document from parse events, where duplicate keys, depth and counts can still be seen:
/// the library's own parser silently keeps the last of duplicate keys.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return fail(ErrorKind::malformed, "binary value"); }

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& key) override {
    if (!levels_.back().keys.insert(key).second)
      return fail(ErrorKind::malformed, "duplicate key \"" + key.substr(0, 100) + "\"");
    levels_.back().key = std::move(key);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& e) override {
    // The library's text is "[json.exception.parse_error.101] parse error at line 1, ...: syntax
    // error ...".
    std::string text = e.what();
    if (const auto end = text.find("] "); end != std::string::npos) text.erase(0, end + 2);
    return fail(ErrorKind::malformed,
                "byte " + std::to_string(position) + ": " + text.substr(0, 200));
  }

  std::optional<Error>& error() { return error_; }
  Json take() { return std::move(root_); }

 private:
  struct Level {
    Json* value;
    std::string key;
    std::set<std::string> keys;  ///< sorted: nobody can choose keys that collide
  };

  bool fail(ErrorKind kind, const std::string& text) {
    if (!error_) error_.emplace(kind, "JSON: " + text);
    return false;
  }

  Json* place(Json value) {
    if (++count_ > limits_.values) {
      fail(ErrorKind::limit, "more than " + std::to_string(limits_.values) + " values");
      return nullptr;
    }
    if (levels_.empty()) return &(root_ = std::move(value));
    Level& level = levels_.back();
    if (level.value->is_array()) {
      level.value->push_back(std::move(value));
      return &level.value->back();
    }
    // The vector's own emplace_back: the map's searches all keys each time, and keys are known to
    // be new.
    auto& members = level.value->get_ref<Json::object_t&>();
    return &members.emplace_back(std::move(level.key), std::move(value)).second;
  }

  bool add(Json value) { return place(std::move(value)) != nullptr; }

  bool open(Json value) {
    if (levels_.size() >= limits_.depth)
      return fail(ErrorKind::limit,
                  "nested deeper than " + std::to_string(limits_.depth) + " levels");
    Json* placed = place(std::move(value));
    if (!placed) return false;
    levels_.push_back({placed, {}, {}});
    return true;
  }

  bool close() {
    levels_.pop_back();
    return true;
  }

  const JsonLimits& limits_;
  Json root_;
  std::vector<Level> levels_;
  std::size_t count_ = 0;
  std::optional<Error> error_;
};

Error wrong_type(std::string_view key, std::string_view want) {
  return Error(ErrorKind::malformed,
               "JSON: \"" + std::string(key) + "\" is not " + std::string(want));
}

Error missing(std::string_view key) {
  return Error(ErrorKind::malformed, "JSON: \"" + std::string(key) + "\" is missing");
}

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes)
    return Error(ErrorKind::limit, "JSON: document of " + std::to_string(text.size()) +
                                       " bytes, over the limit of " + std::to_string(limits.bytes));
  // To the library a NUL is the end of the text, whatever may follow it.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos)
    return Error(ErrorKind::malformed, "JSON: byte " + std::to_string(nul + 1) + ": NUL");
  Builder builder(limits);
  const bool whole = Json::sax_parse(text.begin(), text.end(), &builder);
  if (builder.error()) return std::move(*builder.error());
  if (!whole) return Error(ErrorKind::malformed, "JSON: not a document");
  return builder.take();
}

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<const Json*> find_member(const Json& object, std::string_view key) {
  if (!object.is_object()) return Error(ErrorKind::malformed, "JSON: not an object");
  for (const auto& [name, value] : object.get_ref<const Json::object_t&>()) {
    if (name == key) return value.is_null() ? nullptr : &value;
  }
  return nullptr;
}

Result<std::optional<std::string>> optional_string(const Json& object, std::string_view key) {
  const Json* value = TRY(find_member(object, key));
  if (!value) return std::optional<std::string>();
  if (!value->is_string()) return wrong_type(key, "a string");
  return std::optional<std::string>(value->get<std::string>());
}

Result<std::string> require_string(const Json& object, std::string_view key) {
  auto value = TRY(optional_string(object, key));
  if (!value) return missing(key);
  return std::move(*value);
}

Result<std::optional<std::uint64_t>> optional_uint(const Json& object, std::string_view key) {
  const Json* value = TRY(find_member(object, key));
  if (!value) return std::optional<std::uint64_t>();
  if (!value->is_number_integer()) return wrong_type(key, "an integer");
  if (!value->is_number_unsigned() && value->get<std::int64_t>() < 0)
    return wrong_type(key, "0 or more");
  const auto number = value->get<std::uint64_t>();
  if (number > INT64_MAX) return wrong_type(key, "below 2^63");
  return std::optional<std::uint64_t>(number);
}

Result<std::uint64_t> require_uint(const Json& object, std::string_view key) {
  const auto value = TRY(optional_uint(object, key));
  if (!value) return missing(key);
  return *value;
}

Result<const Json*> optional_object(const Json& object, std::string_view key) {
  const Json* value = TRY(find_member(object, key));
  if (value && !value->is_object()) return wrong_type(key, "an object");
  return value;
}

Result<const Json*> require_object(const Json& object, std::string_view key) {
  const Json* value = TRY(optional_object(object, key));
  if (!value) return missing(key);
  return value;
}

Result<const Json*> optional_array(const Json& object, std::string_view key) {
  const Json* value = TRY(find_member(object, key));
  if (value && !value->is_array()) return wrong_type(key, "an array");
  return value;
}

Result<const Json*> require_array(const Json& object, std::string_view key) {
  const Json* value = TRY(optional_array(object, key));
  if (!value) return missing(key);
  return value;
}

}  // namespace intact
