#include <cerrno>

#include <fmt/format.h>
#include <sys/mount.h>

#include <intact/base/text.h>
#include <intact/kernel/overlay.h>

#include "file_system.h"

namespace intact::kernel {
namespace {

Error invalid(std::string_view why) {
  return {ErrorKind::invalid_argument, fmt::format("overlay: {}", why)};
}

// Colons end a layer in lowerdir, and commas end an option in the text of mount(2).
constexpr std::string_view kSpecial = ":,";

/// "LOWER:LOWER::DATA::DATA"
std::string joined_layers(const Overlay& overlay) {
  std::string out;
  for (const auto& path : overlay.lower)
    out += (out.empty() ? "" : ":") + backslashed(path, kSpecial);
  for (const auto& path : overlay.data) out += "::" + backslashed(path, kSpecial);
  return out;
}

Result<void> check_path(const std::string& path) {
  if (path.empty()) return invalid("the path of a layer is empty");
  if (path.find('\0') != std::string::npos) return invalid("the path of a layer contains a NUL");
  return {};
}

Result<void> check(const Overlay& overlay) {
  if (overlay.lower.empty()) return invalid("no lower layer");
  for (const auto& path : overlay.lower) TRY(check_path(path));
  for (const auto& path : overlay.data) TRY(check_path(path));
  if (overlay.upper) {
    TRY(check_path(overlay.upper->directory));
    TRY(check_path(overlay.upper->work));
  } else if (overlay.lower.size() + overlay.data.size() < 2) {
    return invalid("a single layer that cannot be written to");
  }
  if (overlay.follow && overlay.user_xattrs)
    return invalid("attributes of users cannot name data in other layers");
  if (!overlay.follow && overlay.verity != Verity::off)
    return invalid("only metadata-only files have a digest to compare");
  if (!overlay.follow && !overlay.data.empty())
    return invalid("only metadata-only files have their data in a data-only layer");
  return {};
}

void add_layers(const Overlay& overlay, LayerOptions layers, OverlayOptions& options) {
  if (layers == LayerOptions::joined) {
    options.emplace_back("lowerdir", joined_layers(overlay));
    return;
  }
  for (const auto& path : overlay.lower) options.emplace_back("lowerdir+", path);
  for (const auto& path : overlay.data) options.emplace_back("datadir+", path);
}

}  // namespace

Result<OverlayOptions> overlay_options(const Overlay& overlay, LayerOptions layers) {
  TRY(check(overlay));
  OverlayOptions options;
  if (overlay.user_xattrs) {
    // Which also keeps metacopy and redirect_dir off.
    options.emplace_back("userxattr", "");
  } else {
    options.emplace_back("metacopy", overlay.follow ? "on" : "off");
    options.emplace_back("redirect_dir", overlay.follow ? "on" : "nofollow");
  }
  if (overlay.verity != Verity::off)
    options.emplace_back("verity", overlay.verity == Verity::require ? "require" : "on");
  add_layers(overlay, layers, options);
  if (overlay.upper) {
    // Unlike layers that are given one by one, these two are unescaped by the kernel.
    options.emplace_back("upperdir", backslashed(overlay.upper->directory, kSpecial));
    options.emplace_back("workdir", backslashed(overlay.upper->work, kSpecial));
  }
  return options;
}

Result<std::string> fuse_overlay_options(const Overlay& overlay) {
  TRY(check(overlay));
  if (!overlay.data.empty() || overlay.verity != Verity::off)
    return Error(ErrorKind::unsupported, "fuse-overlayfs has no data-only layers and no verity");
  std::string layers;
  for (const auto& path : overlay.lower) {
    if (path.find(':') != std::string::npos)
      return Error(ErrorKind::unsupported,
                   fmt::format("fuse-overlayfs cannot use {}, which contains a colon", path));
    layers += (layers.empty() ? "" : ":") + backslashed(path, ",");
  }
  std::string text = "lowerdir=" + layers;
  if (overlay.upper)
    text += fmt::format(",upperdir={},workdir={}", backslashed(overlay.upper->directory, ","),
                        backslashed(overlay.upper->work, ","));
  return text;
}

Result<UniqueFd> mount_overlay(const Overlay& overlay, unsigned attributes, LayerOptions layers) {
  const OverlayOptions options = TRY(overlay_options(overlay, layers));
  auto file_system = TRY(FileSystem::open("overlay"));
  TRY(file_system.set("source", overlay.source));
  if (!overlay.upper) TRY(file_system.set_flag("ro"));
  for (const auto& [option, value] : options) {
    auto done = value.empty() ? file_system.set_flag(option.c_str())
                              : file_system.set(option.c_str(), value);
    if (done) continue;
    // The first one tells whether the kernel knows the option at all.
    if (option == "lowerdir+" && value == overlay.lower.front() &&
        done.error().sys_errno() == EINVAL)
      return mount_overlay(overlay, attributes, LayerOptions::joined);
    return Error(done.error());
  }
  return file_system.mount(attributes);
}

Result<void> mount_overlay_on(const Overlay& overlay, const std::string& mountpoint) {
  std::string text;
  for (const auto& [option, value] : TRY(overlay_options(overlay, LayerOptions::joined)))
    text += (text.empty() ? "" : ",") + option + (value.empty() ? "" : "=" + value);
  const unsigned long read_only = overlay.upper ? 0 : MS_RDONLY;
  if (::mount(overlay.source.c_str(), mountpoint.c_str(), "overlay",
              MS_NOSUID | MS_NODEV | read_only, text.c_str()) != 0)
    return mount_error("overlay", errno);
  return {};
}

}  // namespace intact::kernel
