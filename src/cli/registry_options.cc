#include "registry_options.h"

#include "command.h"

namespace intact::cli {
namespace {

constexpr const char* kGroup = "Registries";

}  // namespace

struct RegistryOptions::Values {
  std::string auth_file;
  std::string cert_directory;
  bool anonymous = false;
  bool tls_verify = true;
  const CLI::Option* tls_option = nullptr;
};

RegistryOptions::RegistryOptions(CLI::App* command, const std::string& prefix)
    : values_(std::make_shared<Values>()) {
  const std::string of = prefix == "src-"    ? " of the source's registry"
                         : prefix == "dest-" ? " of the destination's registry"
                                             : "";
  command
      ->add_option("--" + prefix + "authfile", values_->auth_file,
                   "File with the credentials" + of +
                       " (default: $REGISTRY_AUTH_FILE, otherwise those of podman and docker)")
      ->type_name("FILE")
      ->group(kGroup);
  command
      ->add_flag("--" + prefix + "no-creds", values_->anonymous,
                 "Use no credentials, even if there are some")
      ->group(kGroup);
  command
      ->add_option("--" + prefix + "cert-dir", values_->cert_directory,
                   "Directory with certificates" + of +
                       ": *.crt of authorities, *.cert and *.key of the client")
      ->type_name("DIR")
      ->group(kGroup);
  values_->tls_option = command
                            ->add_flag("--" + prefix + "tls-verify", values_->tls_verify,
                                       "Require TLS and a trusted certificate" + of +
                                           " (default, except on this machine); =false: neither")
                            ->group(kGroup);
}

registry::Options RegistryOptions::options() const {
  registry::Options options;
  options.credentials.auth_file = values_->auth_file;
  options.credentials.anonymous = values_->anonymous;
  options.cert_directory = values_->cert_directory;
  if (values_->tls_option->count() != 0) options.tls_verify = values_->tls_verify;
  options.warn = [](const std::string& text) { warn(text); };
  return options;
}

}  // namespace intact::cli
