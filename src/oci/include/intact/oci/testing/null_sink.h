#pragma once

#include <cstdint>
#include <memory>

#include <intact/oci/layer_applier.h>

namespace intact::oci {

/// Reads the content and keeps nothing: where only the metadata matters.
class NullSink final : public ContentSink {
 public:
  Result<std::unique_ptr<File>> begin(std::uint64_t) override {
    return std::unique_ptr<File>(std::make_unique<NullFile>());
  }
  Result<void> wait() override { return {}; }

 private:
  class NullFile final : public File {
   public:
    Result<void> write(ByteSpan) override { return {}; }
    Result<void> finish(const tree::InodePtr&) override { return {}; }
  };
};

}  // namespace intact::oci
