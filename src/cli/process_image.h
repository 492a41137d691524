#pragma once

#include <intact/oci/config.h>
#include <intact/run/options.h>

namespace intact::cli {

/// The part of an image's config that a container is started by.
inline run::ProcessImage process_image(const oci::ImageConfig& config) {
  return {.user = config.user,
          .working_dir = config.working_dir,
          .env = config.env,
          .entrypoint = config.entrypoint,
          .cmd = config.cmd,
          .volumes = config.volumes};
}

}  // namespace intact::cli
