#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/block/file_target.h>
#include <intact/block/target.h>
#include <intact/json/json.h>

namespace intact::stack {

/// A file or block device below a stack. One that is used in several places is the same object in
/// all of them. The stack may write if it is writable.
using File = std::shared_ptr<block::FileTarget>;

/// A layer of a volume is a struct with everything that is needed to open one format on the device
/// below it:
///
///     struct Format {
///       static constexpr const char* kName;     // in descriptions and messages
///       static constexpr bool kWritable;        // false: nothing above it is ever written
///       Result<OpenLayer> open(const Opening& opening) const;
///       Result<Json> encode(OutgoingDescriptors& descriptors) const;
///       static Result<Format> decode(const Json& json, IncomingDescriptors& descriptors);
///     };
///
/// It names the files that it needs besides the device below; a null File is that device. decode()
/// reads what encode() has written, in another process. It is one of the AnyLayer of volume.h.
class OutgoingDescriptors;
class IncomingDescriptors;

/// Callbacks of an open stack. Called by reading threads, by several at once.
struct Events {
  std::function<void(std::string_view line)> log;  ///< one line about damage
  std::function<void()> stop = {};                 ///< damage was found; all later reads fail
};

/// What a layer is opened on, and how.
struct Opening {
  std::shared_ptr<block::BlockTarget> below;
  std::string name;        ///< what the log calls it
  const Events& events;    ///< to copy if needed longer
  bool read_only = false;  ///< write nothing, whatever the device below allows
};

/// An open layer. Everything but the device may be empty.
struct OpenLayer {
  std::shared_ptr<block::BlockTarget> device;  ///< thread-safe
  std::function<std::string()> summary = {};   ///< of damage; returns an empty text without any
  std::function<Json()> status = {};           ///< its counters, an object; thread-safe
  File known_by = {};                          ///< file whose identity names the status socket
  std::function<Result<void>()> close = {};    ///< after the last flush
};

}  // namespace intact::stack
