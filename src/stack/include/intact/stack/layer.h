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

/// A file or block device that a stack stands on. One that is used in several places is the same
/// object in all of them. It says whether the stack may write.
using File = std::shared_ptr<block::FileTarget>;

/// A layer of a volume is a struct that says all that is needed to open one format on the device
/// below it:
///
///     struct Format {
///       static constexpr const char* kName;     // in descriptions and for people
///       static constexpr bool kWritable;        // else nothing above it is ever written
///       Result<OpenLayer> open(const Opening& opening) const;
///       Result<Json> encode(OutgoingDescriptors& descriptors) const;
///       static Result<Format> decode(const Json& json, IncomingDescriptors& descriptors);
///     };
///
/// It names the files that it needs beside the device below; a null File is that device. What
/// encode() writes decode() reads in another process. It is one of the AnyLayer of volume.h.
class OutgoingDescriptors;
class IncomingDescriptors;

/// Whom an open stack tells things. Called by reading threads, several at once.
struct Events {
  std::function<void(std::string_view line)> log;  ///< of damage, one line
  std::function<void()> stop = {};  ///< damage was met, and no read will be answered any more
};

/// What a layer is opened on, and for.
struct Opening {
  std::shared_ptr<block::BlockTarget> below;
  std::string name;        ///< what the log calls it
  const Events& events;    ///< copied by whoever needs them longer
  bool read_only = false;  ///< nothing may be written, whatever the device below allows
};

/// An open layer. All but the device may be empty.
struct OpenLayer {
  std::shared_ptr<block::BlockTarget> device;  ///< thread-safe
  std::function<std::string()> summary = {};   ///< empty where there is nothing to tell
  std::function<Json()> status = {};           ///< an object, what it counts; by any thread
  File known_by = {};                          ///< whoever asks for that knows it by this file
  std::function<Result<void>()> close = {};    ///< after the last flush
};

}  // namespace intact::stack
