#include <intact/registry/registry.h>

#include "destination.h"
#include "source.h"

namespace intact::registry {

using Transport = oci::Reference::Transport;

Result<std::unique_ptr<oci::ImageSource>> open_source(const oci::Reference& reference,
                                                      const oci::DecompressLimits& limits,
                                                      const Options& options) {
  if (reference.transport != Transport::docker) return oci::ImageSource::open(reference, limits);
  return std::unique_ptr<oci::ImageSource>(std::make_unique<RegistrySource>(
      to_string(reference), TRY(Places::open(reference.path, options)), reference.digest));
}

Result<std::unique_ptr<oci::ImageDestination>> open_destination(const oci::Reference& reference,
                                                                const Options& options) {
  if (reference.transport != Transport::docker) return oci::ImageDestination::open(reference);
  if (reference.digest)
    return Error(ErrorKind::invalid_argument,
                 to_string(reference) + ": a destination has a tag, not a digest");
  oci::Reference named = reference;
  if (named.tag.empty()) named.tag = "latest";
  return open_registry_destination(named, options);
}

Result<std::vector<std::string>> list_tags(const oci::Reference& reference,
                                           const Options& options) {
  const auto places = TRY(Places::open(reference.path, options));
  return get_tags(*TRY(places->registry()));
}

Result<void> check_login(const std::string& host, const Credential& credential,
                         const Options& options) {
  Options mine = options;
  mine.credentials.credential = std::make_shared<const Credential>(
      Credential{.user = credential.user,
                 .password = crypto::Secret::copy_of(credential.password.expose()),
                 .identity_token = {},
                 .origin = credential.origin});
  const auto session = TRY(Session::open({host.substr(0, host.find('/'))}, host, mine));
  HttpResponse response = TRY(session->call({.method = "GET"}));
  if (response.status == 404) return Error(ErrorKind::unsupported, host + ": not a registry");
  if (response.status != 200) return session->failure(response, "login");
  return {};
}

}  // namespace intact::registry
