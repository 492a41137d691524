#include "recorder.h"

#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>

namespace intact::crash {
namespace {

/// Where the next write to a descriptor goes.
std::optional<std::uint64_t> file_position(pid_t thread, int fd) {
  std::ifstream info(fmt::format("/proc/{}/fdinfo/{}", thread, fd));
  std::string key;
  std::uint64_t position = 0;
  if (info >> key >> position && key == "pos:") return position;
  return std::nullopt;
}

}  // namespace

Recorder::Recorder(std::string root, const Disk& before) : root_(std::move(root)), disk_(before) {}

void Recorder::fail(const std::string& why) {
  if (!failure_) failure_ = why;
}

int Recorder::before(const SystemCall& call) {
  auto file_call = read_file_call(call);
  // A bad address fails the call itself.
  if (file_call && file_call->kind != CallKind::none)
    calls_.insert_or_assign(call.thread, std::move(*file_call));
  return 0;
}

void Recorder::after(const SystemCall& call, std::int64_t result) {
  const auto node = calls_.extract(call.thread);
  if (node.empty() || result < 0) return;
  record(node.mapped(), call, static_cast<std::uint64_t>(result));
}

std::optional<std::string> Recorder::below(const std::string& path) const {
  return path_below(path, root_);
}

std::optional<InodeId> Recorder::find(const std::string& path) const {
  const auto inside = below(path);
  return inside ? disk_.find(*inside) : std::nullopt;
}

std::optional<Recorder::Place> Recorder::place(const std::string& path) const {
  const auto inside = below(path);
  if (!inside || inside->empty()) return std::nullopt;
  const std::size_t slash = inside->rfind('/');
  const auto directory = disk_.find(slash == std::string::npos ? "" : inside->substr(0, slash));
  if (!directory) return std::nullopt;
  return Place{*directory, inside->substr(slash == std::string::npos ? 0 : slash + 1)};
}

void Recorder::add(Operation operation) {
  disk_.apply(operation);
  operations_.push_back(std::move(operation));
}

void Recorder::record(const FileCall& call, const SystemCall& raw, std::uint64_t result) {
  using Kind = Operation::Kind;
  const bool from_here = below(call.path).has_value();
  const bool to_here = !call.to_path.empty() && below(call.to_path).has_value();
  if (!from_here && !to_here) return;
  const auto from = place(call.path);
  switch (call.kind) {
    case CallKind::open:
      return record_open(call);
    case CallKind::write:
    case CallKind::pwrite:
      return record_write(call, raw, result);
    case CallKind::resize:
      if (const auto inode = find(call.path))
        add({.kind = Kind::resize,
             .inode = *inode,
             .offset = call.offset,
             .text = "resize " + *below(call.path)});
      return;
    case CallKind::make_directory:
      if (!from) return fail("mkdir of " + call.path);
      return add({.kind = Kind::create,
                  .inode = disk_.next_id(),
                  .directory = from->directory,
                  .name = from->name,
                  .is_directory = true,
                  .mode = call.mode,
                  .text = "mkdir " + *below(call.path)});
    case CallKind::remove:
      if (!from) return fail("unlink of " + call.path);
      return add({.kind = Kind::remove,
                  .directory = from->directory,
                  .name = from->name,
                  .text = "unlink " + *below(call.path)});
    case CallKind::link:
    case CallKind::rename: {
      const auto inode = find(call.path);
      const auto to = place(call.to_path);
      if (!inode || !from || !to)
        return fail(fmt::format("rename or link of {} to {}", call.path, call.to_path));
      // Two names of one file: the call does nothing, says POSIX.
      if (call.kind == CallKind::rename && find(call.to_path) == inode) return;
      if (call.kind == CallKind::link)
        return add({.kind = Kind::link,
                    .inode = *inode,
                    .directory = to->directory,
                    .name = to->name,
                    .text = fmt::format("link {} {}", *below(call.path), *below(call.to_path))});
      return add({.kind = Kind::rename,
                  .inode = *inode,
                  .directory = from->directory,
                  .name = from->name,
                  .to_directory = to->directory,
                  .to_name = to->name,
                  .text = fmt::format("rename {} {}", *below(call.path), *below(call.to_path))});
    }
    case CallKind::sync:
      if (const auto inode = find(call.path))
        add({.kind = Kind::sync_inode, .inode = *inode, .text = "fsync " + *below(call.path)});
      return;
    case CallKind::sync_all:
      return add({.kind = Kind::sync_all, .text = "syncfs"});
    case CallKind::other_change:
      return fail(fmt::format("system call {} on {}", raw.number, call.path));
    case CallKind::none:
    case CallKind::read:
    case CallKind::list:
    case CallKind::stat:
    case CallKind::change_mode:
      return;
  }
}

void Recorder::record_open(const FileCall& call) {
  if (const auto inode = find(call.path)) {
    if ((call.open_flags & O_TRUNC) && !disk_.inode(*inode)->data.empty())
      add({.kind = Operation::Kind::resize,
           .inode = *inode,
           .text = "truncate " + *below(call.path)});
    return;
  }
  const auto at = place(call.path);
  if (!at || !(call.open_flags & O_CREAT)) return fail("open of " + call.path);
  add({.kind = Operation::Kind::create,
       .inode = disk_.next_id(),
       .directory = at->directory,
       .name = at->name,
       .mode = call.mode,
       .text = "create " + *below(call.path)});
}

void Recorder::record_write(const FileCall& call, const SystemCall& raw, std::uint64_t size) {
  const auto inode = find(call.path);
  if (!inode || size == 0) return;  // of a file without a name: whatever it holds is lost
  std::uint64_t offset = call.offset;
  if (call.kind == CallKind::write) {
    const auto end = file_position(raw.thread, call.descriptor);
    if (!end || *end < size) return fail("position in " + call.path);
    offset = *end - size;
  }
  auto data = read_memory(raw.thread, call.buffer, static_cast<std::size_t>(size));
  if (!data) return fail(data.error().message());
  std::string text = fmt::format("write {} bytes at {} of {}", size, offset, *below(call.path));
  add({.kind = Operation::Kind::write,
       .inode = *inode,
       .offset = offset,
       .data = std::move(*data),
       .text = std::move(text)});
}

Result<void> Recorder::check() const {
  if (failure_) return Error(ErrorKind::unsupported, "not written down: " + *failure_);
  const Disk now = TRY(Disk::load(root_));
  if (now.describe() != disk_.describe())
    return Error(ErrorKind::io, "what was written down does not lead to what is there");
  return {};
}

}  // namespace intact::crash
