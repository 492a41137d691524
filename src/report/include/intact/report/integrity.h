#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include <intact/integrity/detect.h>
#include <intact/integrity/dm_target.h>
#include <intact/integrity/inspect.h>
#include <intact/integrity/manage.h>
#include <intact/json/json.h>
#include <intact/kernel/device_mapper.h>

namespace intact::report {

// What is said of dm-integrity devices: to_text() for people, with the field names of
// integritysetup where it has them, and to_json() for programs. `device` is what the user calls the
// device.

/// The superblock, as `dump` shows it.
Json to_json(const integrity::Superblock& superblock);
std::string to_text(const integrity::Superblock& superblock, const std::string& device);

/// A file or device, and who uses it.
struct IntegrityUse {
  std::string device;
  integrity::Superblock superblock;
  std::uint64_t journal = 0;  ///< bytes
  bool is_locked = false;     ///< somebody writes to it
  /// The counters of its servers, layer by layer, as stack::Stack::status() has them, with "pid"
  /// and "user".
  std::vector<Json> layers = {};

  bool active() const { return is_locked || !layers.empty(); }
  /// Adds the layers of an answer of a status server of `user`, which is what the server cannot
  /// choose. Text in another form is ignored: no server of Intact sends it.
  void add_server(const std::string& answer, uid_t user);
};
Json to_json(const IntegrityUse& use);
std::string to_text(const IntegrityUse& use);

/// A device of the kernel with the target integrity, in its only line.
struct IntegrityMapping {
  std::string device;
  kernel::MappingState state;
  integrity::StatusLine counts;
  integrity::TableLine table;
};
Json to_json(const IntegrityMapping& mapping);
std::string to_text(const IntegrityMapping& mapping);

Json to_json(const integrity::Detection& found);
/// `with_key`: a key was tried as well.
std::string to_text(const integrity::Detection& found, const std::string& device, bool with_key);

/// All damage of a device, and what could not be checked.
Json to_json(const integrity::ScanReport& report, const std::string& device);
std::string to_text(const integrity::ScanReport& report, const std::string& device);

/// What a replay of the journal would do.
Json to_json(const integrity::JournalReport& report);
std::string to_text(const integrity::JournalReport& report, const std::string& device);
/// What it did.
Json to_json(const integrity::Replayed& done, const std::string& device);
std::string to_text(const integrity::Replayed& done, const std::string& device);

/// What the tags showed before new ones hide it, as a warning without an end of line; empty if
/// that is nothing.
std::string to_text(const integrity::TagSample& sample, const std::string& device);

Json to_json(const integrity::Recalculated& done, const std::string& device);
std::string to_text(const integrity::Recalculated& done, const std::string& device);

Json to_json(const integrity::Resized& resized, const std::string& device);
/// `file`: that with the data.
std::string to_text(const integrity::Resized& resized, const std::string& device,
                    const std::string& file);

}  // namespace intact::report
