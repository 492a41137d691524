// Serves an open stack through nbdkit. become_nbdkit() starts it and passes by descriptors what to
// open; the command line contains no secrets.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <shared_mutex>
#include <string>

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <intact/base/error.h>
#include <intact/base/file.h>
#include <intact/base/text.h>
#include <intact/service/background.h>
#include <intact/stack/plan.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>
#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

#include "ending.h"
#include "server.h"

namespace intact {

Server& server() {
  static Server instance;
  return instance;
}

namespace {

constexpr std::uint64_t kMaxDescription = 1 << 20;  // bytes
constexpr std::uint32_t kMaxPreferredBlock = 32u << 20;

block::Device& device() {
  return *server().device;
}

// --- the beginning -------------------------------------------------------------------------------

int config(const char* key, const char* value) {
  const std::string_view name = key;
  const std::string_view text = value;
  if (name == "announce") return server().announcement = text, 0;
  if (name == "unlink") return server().unlink = text, 0;
  UniqueFd* const fd = name == "stack-fd"    ? &server().description
                       : name == "log-fd"    ? &server().log
                       : name == "ready-fd"  ? &server().ready
                       : name == "output-fd" ? &server().output
                                             : nullptr;
  const int number = whole_number<int>(text).value_or(-1);
  if (fd == nullptr || number <= STDERR_FILENO || ::fcntl(number, F_SETFD, FD_CLOEXEC) != 0) {
    nbdkit_error("this plugin is only for `intact ... open --nbd`");
    return -1;
  }
  fd->reset(number);
  return 0;
}

Result<void> open_stack() {
  Server& own = server();
  // nbdkit would exit with 1 and without a word.
  own.life.emplace(service::Server::Options{.log_fd = own.log ? own.log.get() : STDERR_FILENO,
                                            .logs_errors = true});
  if (!own.description) return Error(ErrorKind::invalid_argument, "stack description: missing");
  if (::lseek(own.description.get(), 0, SEEK_SET) != 0)
    return Error::from_errno("description", errno);
  const Bytes text = TRY(read_fd(own.description.get(), kMaxDescription));
  own.description.reset();
  stack::Plan plan = TRY(stack::take_over(as_text(text)));
  own.stack =
      TRY(stack::open(plan, {.log = own.life->log_sink(), .stop = [&own] { own.life->stop(); }}));
  own.device = own.stack->top();
  if (own.device->writable() && own.device->block_size() > 1)
    own.device = std::make_shared<block::ByteDevice>(own.device);
  return {};
}

int config_complete() {
  const auto opened = open_stack();
  if (opened) return 0;
  nbdkit_error("%s", opened.error().message().c_str());
  return -1;
}

// --- what nbdkit calls --------------------------------------------------------------------------

int after_fork() {
  Server& own = server();
  auto end = own.life->end_on_request(end_server);
  if (!end) {
    nbdkit_error("%s", end.error().message().c_str());
    return -1;
  }
  own.end = std::move(*end);
  own.serving = true;
  if (own.stack->has_status() && own.stack->known_by())
    own.life->publish_status(own.stack->known_by()->fd(),
                             [&own] { return to_text(own.stack->status()); });
  // With inherited sockets nbdkit asks to end with its parent, which is what started `intact`.
  ::prctl(PR_SET_PDEATHSIG, 0);
  if (own.output) (void)write_all(own.output.get(), as_bytes(own.announcement + "\n"));
  own.output.reset();
  if (!own.ready) return 0;
  // Who waits for this expects that our descriptors are closed by then.
  if (own.log) service::leave_terminal(own.log.get());
  (void)service::tell_ready(std::move(own.ready));
  return 0;
}

void* open_connection(int) {
  return NBDKIT_HANDLE_NOT_NEEDED;
}

std::int64_t get_size(void*) {
  return static_cast<std::int64_t>(device().size());
}

int no(void*) {
  return 0;
}

/// All connections see one device: one reads and flushes what another has written.
int yes(void*) {
  return 1;
}

int writable(void*) {
  return device().writable() ? 1 : 0;
}

int block_size(void*, std::uint32_t* minimum, std::uint32_t* preferred, std::uint32_t* maximum) {
  *minimum = 1;  // whole blocks are read and checked, even for requests of parts
  *preferred =
      std::clamp<std::uint32_t>(server().stack->top()->block_size(), 4096, kMaxPreferredBlock);
  *maximum = 0xffffffff;
  return 0;
}

/// Reports a failed request to nbdkit.
int fail(const Error& error) {
  // Damage has been logged already with its block, other errors have not.
  if (error.kind() != ErrorKind::tampered) server().life->log().add(error.message());
  nbdkit_set_error(errno_of_content(error));
  return -1;
}

int pread(void*, void* buffer, std::uint32_t count, std::uint64_t offset, std::uint32_t) {
  const auto done = device().read(offset, {static_cast<std::byte*>(buffer), count});
  return done ? 0 : fail(done.error());
}

/// Calls `change` while writing is allowed.
template <typename Change>
int write(Change change) {
  Server& own = server();
  const std::shared_lock lock(own.writing);
  if (own.closed) {
    nbdkit_set_error(ESHUTDOWN);
    return -1;
  }
  const Result<void> done = change(*own.device);
  return done ? 0 : fail(done.error());
}

// FUA never arrives here: nbdkit turns it into a flush.

int pwrite(void*, const void* buffer, std::uint32_t count, std::uint64_t offset, std::uint32_t) {
  return write([&](block::Device& target) {
    return target.write(offset, {static_cast<const std::byte*>(buffer), count});
  });
}

int flush(void*, std::uint32_t) {
  return write([](block::Device& target) { return target.flush(); });
}

/// A trim is advice: if it is not possible, nothing changes.
int trim(void*, std::uint32_t count, std::uint64_t offset, std::uint32_t) {
  return write([&](block::Device& target) -> Result<void> {
    Result<void> done = target.discard(offset, count);
    if (!done && done.error().kind() == ErrorKind::unsupported) return {};
    return done;
  });
}

/// With or without the flag that allows a hole: the target decides.
int zero(void*, std::uint32_t count, std::uint64_t offset, std::uint32_t) {
  return write([&](block::Device& target) { return target.zero(offset, count); });
}

int extents(void*, std::uint32_t count, std::uint64_t offset, std::uint32_t flags,
            nbdkit_extents* found) {
  bool added = true;
  const auto done = device().extents(offset, count, [&](const block::Extent& extent) {
    const std::uint32_t type = extent.kind == block::ExtentKind::data ? 0
                               : extent.kind == block::ExtentKind::zero
                                   ? NBDKIT_EXTENT_ZERO
                                   : NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO;
    added = nbdkit_add_extent(found, extent.offset, extent.length, type) == 0;
    return added && (flags & NBDKIT_FLAG_REQ_ONE) == 0;
  });
  if (!done) return fail(done.error());
  return added ? 0 : -1;
}

nbdkit_plugin make_plugin() {
  nbdkit_plugin made{};
  made.name = "intact";
  made.version = "1";
  made.longname = "Intact";
  made.description = "Serves a stack of block devices";
  made.config = config;
  made.config_complete = config_complete;
  made.after_fork = after_fork;
  made.cleanup = cleanup;
  made.unload = unload;
  made.open = open_connection;
  made.get_size = get_size;
  made.can_write = writable;
  made.can_flush = writable;
  made.can_trim = writable;
  made.can_zero = writable;
  made.can_multi_conn = yes;
  made.can_extents = yes;
  made.is_rotational = no;
  made.block_size = block_size;
  made.pread = pread;
  made.pwrite = pwrite;
  made.flush = flush;
  made.trim = trim;
  made.zero = zero;
  made.extents = extents;
  return made;
}

nbdkit_plugin plugin = make_plugin();

}  // namespace
}  // namespace intact

using intact::plugin;
NBDKIT_REGISTER_PLUGIN(plugin)
