#pragma once

#include <memory>
#include <string>
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

  /// Adds those of commands that open a file. first_given() knows all of them.
  void add_open_options(CLI::App* command);
  /// Of commands that only look at it: where headers are.
  virtual void add_to_look(CLI::App*) {}

  /// The first of the open options that was given; empty if there is none.
  std::string first_given() const;
  /// Reads keys and opens the files that were named; null if nothing was said. A part that is in
  /// `file` is not a file of its own.
  virtual Result<std::shared_ptr<const dm::Credentials>> credentials(
      block::DeviceFiles& files, const dm::File& file) const = 0;

 protected:
  virtual void add_to_open(CLI::App* command) = 0;

 private:
  std::vector<const CLI::Option*> options_;
};

std::unique_ptr<VolumeOptions> make_verity_volume_options();
std::unique_ptr<VolumeOptions> make_integrity_volume_options();

/// The options of all formats.
class AllVolumeOptions {
 public:
  AllVolumeOptions();

  void add_to_open(CLI::App* command);
  void add_to_look(CLI::App* command);
  std::string first_given() const;
  Result<stack::Credentials> credentials(block::DeviceFiles& files, const dm::File& file) const;

 private:
  std::vector<std::unique_ptr<VolumeOptions>> all_;
};

}  // namespace intact::cli
