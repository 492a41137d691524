#pragma once

#include <intact/oci/tar_reader.h>
#include <intact/tree/tree.h>

namespace intact::oci {

/// Sees the entries of layers as the archives have them, while a LayerApplier applies them: for
/// another tree of the same layers, made by other rules, without reading them twice. All calls come
/// from one thread.
class EntryObserver {
 public:
  virtual ~EntryObserver() = default;
  /// Before the entry is applied, and whether or not the applier has a use for it. That it was
  /// shown does not mean that it is well-formed: the applier may refuse it.
  virtual void entry(const TarEntry& entry) = 0;
  /// The regular file that entry() has shown last has its content in this inode, as soon as
  /// ContentSink::wait() has returned. Not called for whiteouts.
  virtual void content(const tree::InodePtr& inode) = 0;
};

}  // namespace intact::oci
