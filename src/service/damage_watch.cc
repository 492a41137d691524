#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <new>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <intact/base/visible.h>
#include <intact/service/damage_watch.h>

namespace intact::service {
namespace {

constexpr std::size_t kMaxSeen = 10'000;
// Bytes that wait for a slow reader of stderr; what does not fit is counted but not printed.
constexpr int kQueueSize = 1024 * 1024;
constexpr char kEnd = '\0';  // no line has it: visible_message() replaces it

/// Prints lines until the end, or until all processes that could write some are gone.
void print_lines(int queue, DamageWatch::Print print) {
  std::string pending;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t count = ::read(queue, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    for (const char c : std::string_view(buffer.data(), static_cast<std::size_t>(count))) {
      if (c == kEnd) return;
      if (c != '\n') {
        pending += c;
        continue;
      }
      print(pending);
      pending.clear();
    }
  }
}

/// The process that prints. It keeps nothing of the caller's open but stderr.
Result<pid_t> start_printer(const UniqueFd& read_end, UniqueFd& write_end,
                            DamageWatch::Print print) {
  const pid_t child = ::fork();
  if (child < 0) return Error::from_errno("fork", errno);
  if (child > 0) return child;
  // The terminal's signals are for the container; this process ends with the last that may write.
  for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2})
    std::signal(signal, SIG_IGN);
  if (read_end.get() > STDERR_FILENO) {
    ::close(STDIN_FILENO);
    ::close(STDOUT_FILENO);
  }
  write_end.reset();
  const auto kept = static_cast<unsigned>(read_end.get());
  if (kept > STDERR_FILENO + 1) ::syscall(SYS_close_range, STDERR_FILENO + 1U, kept - 1, 0U);
  ::syscall(SYS_close_range, std::max(kept, STDERR_FILENO + 0U) + 1, ~0U, 0U);
  print_lines(read_end.get(), print);
  ::_exit(0);
}

}  // namespace

Result<std::unique_ptr<DamageWatch>> DamageWatch::create(Print print) {
  static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return Error::from_errno("eventfd", errno);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno("pipe", errno);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  // Only the writer must not block. More room is a convenience that an ordinary user may lack.
  (void)::fcntl(write_end.get(), F_SETPIPE_SZ, kQueueSize);
  if (::fcntl(write_end.get(), F_SETFL, O_NONBLOCK) != 0) return Error::from_errno("pipe", errno);
  void* page =
      ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return Error::from_errno("mmap", errno);
  auto printer = start_printer(read_end, write_end, print);
  if (!printer) {
    ::munmap(page, sizeof(Counts));
    return std::move(printer).error();
  }
  return std::unique_ptr<DamageWatch>(
      new DamageWatch(new (page) Counts, std::move(event), std::move(write_end), *printer, print));
}

DamageWatch::~DamageWatch() {
  finish();
  ::munmap(counts_, sizeof *counts_);
}

void DamageWatch::note(const Damage& damage, std::string_view nameless) {
  const std::uint64_t block = damage.range.value_or(DamagedRange()).first;
  const std::lock_guard lock(mutex_);
  if (seen_.size() >= kMaxSeen || !seen_.insert({damage.object, block}).second) return;
  counts_->damaged.fetch_add(1);
  // First the line, which is never waited for: the event may end this process at once.
  log("damaged: " + damage_line(damage, nameless));
  const std::uint64_t one = 1;
  (void)(::write(event_.get(), &one, sizeof one) == sizeof one);
}

void DamageWatch::log(std::string_view line) {
  if (lines_.add(line) != DistinctLines::Verdict::fresh) return;
  std::string text = visible_message(line);
  // So much is written to a pipe at once or not at all.
  text.resize(std::min<std::size_t>(text.size(), PIPE_BUF - 1));
  text += '\n';
  if (::write(queue_.get(), text.data(), text.size()) < 0) counts_->lost.fetch_add(1);
}

void DamageWatch::finish() {
  if (creator_ != ::getpid() || printer_ < 0) return;
  pollfd event = {queue_.get(), POLLOUT, 0};
  while (::write(queue_.get(), &kEnd, 1) < 0 && (errno == EAGAIN || errno == EINTR))
    ::poll(&event, 1, -1);
  while (::waitpid(printer_, nullptr, 0) < 0 && errno == EINTR) {
  }
  printer_ = -1;
  if (const std::uint32_t lost = counts_->lost.exchange(0))
    print_(fmt::format("{} line{} about damage could not be printed in time", lost,
                       lost == 1 ? "" : "s"));
}

std::uint32_t DamageWatch::count() const {
  return counts_->damaged.load();
}

}  // namespace intact::service
