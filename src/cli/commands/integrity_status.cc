#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/console/output.h>
#include <intact/integrity/dm_target.h>
#include <intact/integrity/inspect.h>
#include <intact/report/integrity.h>
#include <intact/service/status_server.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

/// Who uses the file: the servers of its owner or the caller, and anyone who has locked it.
Result<void> find_users(int fd, report::IntegrityUse& use) {
  struct stat st;
  if (::fstat(fd, &st) != 0) return Error::from_errno("fstat", errno);
  use.is_locked = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  for (const uid_t user : std::set{::geteuid(), st.st_uid})
    for (const std::string& answer : service::ask_status_servers(user, fd))
      use.add_server(answer, user);
  return {};
}

Result<int> file_status(const IntegrityCommand& options) {
  // Opened once: superblock and users are those of the same file.
  const auto file = TRY(open_unlocked(options.device));
  report::IntegrityUse use{
      .device = options.device,
      .superblock = TRY(integrity::superblock_at(*file, options.start).context(options.device))};
  TRY(find_users(file->fd(), use));
  use.journal = TRY(integrity::journal_size(use.superblock));
  print_result(options.json, report::to_json(use), report::to_text(use));
  return 0;
}

Result<int> mapping_status(const IntegrityCommand& options) {
  const std::string name = kernel::mapping_name(options.device);
  const std::string device = std::string(kernel::kMapperDirectory) + name;
  auto found = kernel::find_mapping_of("integrity", name);
  if (!found && found.error().kind() == ErrorKind::not_found && !options.json)
    print("{} is inactive.\n", device);
  kernel::MappingState state = TRY(std::move(found));
  const auto counts = TRY(integrity::parse_status(state.status));
  auto table = TRY(integrity::parse_table(state.mapping.lines[0].parameters.expose_text()));
  const report::IntegrityMapping mapping{
      .device = device, .state = std::move(state), .counts = counts, .table = std::move(table)};
  print_result(options.json, report::to_json(mapping), report::to_text(mapping));
  return 0;
}

Result<int> status(const IntegrityCommand& options) {
  if (options.device.starts_with(kernel::kMapperDirectory)) return mapping_status(options);
  if (options.device.find('/') != std::string::npos || ::access(options.device.c_str(), F_OK) == 0)
    return file_status(options);
  auto done = mapping_status(options);
  if (!done && done.error().kind() == ErrorKind::unsupported)
    return Error(
        ErrorKind::not_found,
        fmt::format("{}: no such file, and the device mapper is not available", options.device));
  return done;
}

}  // namespace

void add_integrity_status_command(Program& program, CLI::App* group) {
  const auto [command, options] = add_integrity_command<IntegrityCommand>(
      program, group, "status",
      "Show whether a device is in use, its state, and the counters of its servers", status);
  command
      ->add_option("FILE", options->device, "Device or file, or the name of a device-mapper device")
      ->type_name("FILE|DEVICE")
      ->required();
  options->add_place(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
