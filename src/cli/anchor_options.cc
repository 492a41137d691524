#include "anchor_options.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "command.h"

namespace intact::cli {

struct AnchorOptions::Values {
  std::vector<std::string> keys;
  std::optional<std::string> policy;
  std::optional<std::string> signature_policy;
  std::string identity;
  std::vector<std::string> authorities;
  std::vector<std::string> attestations;
  std::optional<std::int64_t> max_age;
  bool insecure_unsigned = false;
};

AnchorOptions::AnchorOptions(CLI::App* command) : values_(std::make_shared<Values>()) {
  // cosign's users know the option as --key.
  repeatable(
      command
          ->add_option("--pub,--key", values_->keys,
                       "Trust this public key (PEM) instead of the policy's; may be repeated")
          ->type_name("FILE"));
  repeatable(
      command
          ->add_option("--ca", values_->authorities,
                       "Trust signers with a certificate of this authority (PEM) instead of the "
                       "policy's; may be repeated")
          ->type_name("FILE"));
  repeatable(
      command
          ->add_option("--require-attestation", values_->attestations,
                       "Require an attestation of this type (a URI, or cosign's name for one) by a "
                       "trusted signer; may be repeated")
          ->type_name("TYPE"));
  command
      ->add_option_function<std::string>(
          "--max-age",
          [values = values_](const std::string& text) {
            const auto age = sign::parse_age(text);
            if (!age) throw CLI::ValidationError("--max-age", age.error().message());
            values->max_age = *age;
          },
          "Refuse signatures older than this, e.g. 90d or 12h")
      ->type_name("AGE");
  // An empty name is a missing policy, which trusts nobody; it does not mean the default ones.
  allow_empty(command
                  ->add_option("--policy", values_->policy,
                               "Use this trust policy instead of the system's and the user's")
                  ->type_name("FILE"));
  command
      ->add_option("--signature-policy", values_->signature_policy,
                   "Let this policy.json of containers/image (podman, skopeo) say which keys may "
                   "sign which images")
      ->type_name("FILE")
      ->excludes("--pub")
      ->excludes("--ca");
  command
      ->add_option("--identity", values_->identity,
                   "Require a signature for a name that matches this pattern")
      ->type_name("HOST/REPO[:TAG]");
  command->add_flag("--insecure-unsigned", values_->insecure_unsigned,
                    "Accept images without a trusted signature (dangerous)");
}

sign::Anchors AnchorOptions::anchors() const {
  sign::Anchors anchors;
  anchors.key_files = values_->keys;
  anchors.policy_file = values_->policy;
  anchors.signature_policy = values_->signature_policy;
  anchors.identity = values_->identity;
  anchors.authority_files = values_->authorities;
  for (const std::string& type : values_->attestations)
    anchors.attestations.push_back(sign::attestation_type(type));
  anchors.max_age = values_->max_age;
  anchors.insecure_unsigned = values_->insecure_unsigned;
  if (anchors.insecure_unsigned) warn("--insecure-unsigned: anyone may have made this image");
  return anchors;
}

}  // namespace intact::cli
