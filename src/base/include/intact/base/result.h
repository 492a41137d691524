#pragma once

#include <cassert>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <intact/base/error.h>

namespace intact {

/// A value or an Error. The member names are those of std::expected<T, Error>, so that it can
/// become an alias once the baseline compilers have one that is [[nodiscard]].
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  template <typename U>
    requires(!std::is_same_v<std::remove_cvref_t<U>, T> &&
             !std::is_same_v<std::remove_cvref_t<U>, Error> &&
             !std::is_same_v<std::remove_cvref_t<U>, Result> && std::is_convertible_v<U, T>)
  Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return assert(has_value()), *std::get_if<0>(&state_); }
  const T& value() const& { return assert(has_value()), *std::get_if<0>(&state_); }
  T&& value() && { return assert(has_value()), std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  template <typename U>
  T value_or(U&& other) && {
    return has_value() ? std::move(*this).value() : static_cast<T>(std::forward<U>(other));
  }

  Error& error() & { return assert(!has_value()), *std::get_if<1>(&state_); }
  const Error& error() const& { return assert(!has_value()), *std::get_if<1>(&state_); }
  Error&& error() && { return assert(!has_value()), std::move(*std::get_if<1>(&state_)); }

  /// The same result; an error gets "CONTEXT: " before its message.
  Result context(std::string_view text) && {
    if (has_value()) return std::move(*this);
    return std::move(*this).error().with_context(text);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool has_value() const { return !error_; }
  explicit operator bool() const { return has_value(); }
  void value() const { assert(has_value()); }
  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

  Result context(std::string_view text) && {
    if (has_value()) return {};
    return std::move(*error_).with_context(text);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace intact

/// `auto x = TRY(f());` takes the value of a Result or returns its error from the current function.
/// `TRY(f());` alone does the same for Result<void>.
#define TRY(...) INTACT_TRY(__COUNTER__, __VA_ARGS__)

// The counter gives each use a name of its own, so that TRYs can be nested.
#define INTACT_TRY(counter, ...) INTACT_TRY_NAMED(INTACT_TRY_NAME(counter), __VA_ARGS__)
#define INTACT_TRY_NAME(counter) try_result_##counter
#define INTACT_TRY_NAMED(name, ...)     \
  __extension__({                       \
    auto name = (__VA_ARGS__);          \
    if (!name.has_value()) [[unlikely]] \
      return std::move(name).error();   \
    std::move(name).value();            \
  })
