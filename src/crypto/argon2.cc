#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <argon2.h>
#include <sys/mman.h>

#include <intact/base/thread.h>
#include <intact/crypto/kdf.h>

namespace intact::crypto {
namespace {

/// Memory for the blocks: large pages, for each pass reads all of it here and there, and never in a
/// core dump. The library wipes it before it is released.
int allocate(std::uint8_t** memory, std::size_t size) {
  void* const pages =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return ARGON2_MEMORY_ALLOCATION_ERROR;
  (void)::madvise(pages, size, MADV_HUGEPAGE);
  (void)::madvise(pages, size, MADV_DONTDUMP);
  *memory = static_cast<std::uint8_t*>(pages);
  return ARGON2_OK;
}

void release(std::uint8_t* memory, std::size_t size) {
  ::munmap(memory, size);
}

/// Whether `count` threads can exist at the same time. They all end before this returns.
bool can_start(std::uint32_t count) {
  std::mutex mutex;
  std::condition_variable done;
  bool over = false;
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < count; ++i) {
    auto thread = start_thread([&] {
      std::unique_lock lock(mutex);
      done.wait(lock, [&] { return over; });
    });
    if (!thread) break;
    threads.push_back(*std::move(thread));
  }
  {
    const std::lock_guard lock(mutex);
    over = true;
  }
  done.notify_all();
  for (std::thread& thread : threads) thread.join();
  return threads.size() == count;
}

std::uint8_t* raw(ByteSpan bytes) {
  // The library only reads what it takes by such a pointer, unless its flags ask for more.
  return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

Error argon2_error(int code) {
  const ErrorKind kind =
      code == ARGON2_MEMORY_ALLOCATION_ERROR ? ErrorKind::io : ErrorKind::invalid_argument;
  return Error(kind, std::string("argon2: ") + argon2_error_message(code));
}

}  // namespace

std::string_view to_string(Argon2Type type) {
  return type == Argon2Type::argon2i ? "argon2i" : "argon2id";
}

Result<Secret> argon2(const Secret& password, ByteSpan salt, const Argon2Params& params,
                      std::size_t size) {
  constexpr std::size_t kMax = std::numeric_limits<std::uint32_t>::max();
  if (size < ARGON2_MIN_OUTLEN || size > kMax || salt.size() > kMax || password.size() > kMax)
    return Error(ErrorKind::invalid_argument, "argon2: key, salt or password of a wrong size");
  Secret key(size);
  argon2_context context{};
  context.out = reinterpret_cast<std::uint8_t*>(key.expose().data());
  context.outlen = static_cast<std::uint32_t>(size);
  context.pwd = raw(password.expose());
  context.pwdlen = static_cast<std::uint32_t>(password.size());
  context.salt = raw(salt);
  context.saltlen = static_cast<std::uint32_t>(salt.size());
  context.t_cost = params.time;
  context.m_cost = params.memory;
  context.lanes = params.lanes;
  context.version = ARGON2_VERSION_13;
  context.allocate_cbk = allocate;
  context.free_cbk = release;
  // Versions before 2019 return with threads still running if one of them cannot be started.
  constexpr std::uint32_t kMaxThreads = 64;
  const bool many = params.lanes > 1 && params.lanes <= kMaxThreads && can_start(params.lanes);
  context.threads = many ? params.lanes : 1;
  const int code =
      argon2_ctx(&context, params.type == Argon2Type::argon2i ? argon2_type::Argon2_i
                                                              : argon2_type::Argon2_id);
  if (code == ARGON2_THREAD_FAIL) {
    std::fputs("intact: argon2: a thread that was available a moment ago cannot be started\n",
               stderr);
    std::abort();  // those that run use memory that the library has released
  }
  if (code != ARGON2_OK) return argon2_error(code);
  return key;
}

}  // namespace intact::crypto
