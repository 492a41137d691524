#pragma once

#include <memory>
#include <vector>

#include <CLI/CLI.hpp>

#include <intact/base/result.h>
#include <intact/block/device_files.h>
#include <intact/stack/discover.h>

namespace intact::cli {

/// The options with which a user says what volumes of one format contain and need, for commands
/// that find out the format of a file.
class VolumeOptions {
 public:
  VolumeOptions() = default;
  VolumeOptions(const VolumeOptions&) = delete;
  VolumeOptions& operator=(const VolumeOptions&) = delete;
  virtual ~VolumeOptions() = default;

  /// Of commands that open a file.
  virtual void add_to_open(CLI::App* command) = 0;
  /// Of commands that only look at it: where headers are.
  virtual void add_to_look(CLI::App*) {}

  /// The first option given that says how to check a file; null if there is none.
  virtual const char* first_given() const = 0;
  /// Reads keys and opens the files that were named; null if nothing was said. A part that is in
  /// `file` is not a file of its own.
  virtual Result<std::shared_ptr<const dm::Credentials>> credentials(
      block::DeviceFiles& files, const dm::File& file) const = 0;
};

std::unique_ptr<VolumeOptions> make_verity_volume_options();
std::unique_ptr<VolumeOptions> make_integrity_volume_options();

/// The options of all formats.
class AllVolumeOptions {
 public:
  AllVolumeOptions();

  void add_to_open(CLI::App* command);
  void add_to_look(CLI::App* command);
  const char* first_given() const;
  Result<stack::Credentials> credentials(block::DeviceFiles& files, const dm::File& file) const;

 private:
  std::vector<std::unique_ptr<VolumeOptions>> all_;
};

}  // namespace intact::cli
