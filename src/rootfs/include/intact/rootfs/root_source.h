#pragma once

#include <memory>

#include <intact/image/opened_image.h>
#include <intact/store/store.h>

namespace intact::rootfs {

/// An image that has been opened, and the store that its contents are in.
struct RootSource {
  std::shared_ptr<store::Store> store;
  std::shared_ptr<const image::OpenedImage> image;
};

}  // namespace intact::rootfs
