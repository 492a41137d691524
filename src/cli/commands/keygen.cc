#include <memory>

#include <intact/sign/key.h>

#include "../command.h"
#include "../commands.h"
#include "../password.h"

namespace intact::cli {
namespace {

struct Options {
  std::string prefix;
  PasswordOptions password;
};

Result<int> keygen(const Options& options) {
  const std::string key_path = options.prefix + ".key";
  // Before anybody is made to think up a password.
  TRY(sign::check_key_pair_is_new(options.prefix));
  const auto key = TRY(sign::PrivateKey::generate());
  const crypto::Secret password =
      TRY(read_password(options.password, "the key " + key_path, PasswordUse::fresh));
  TRY(sign::write_key_pair(options.prefix, key, password));
  print("Wrote {} (private: keep it secret) and {}.pub\n", key_path, options.prefix);
  print("  {}\n", key.public_key().fingerprint());
  if (password.empty()) warn("the password is empty, so whoever reads " + key_path + " can sign");
  return 0;
}

}  // namespace

void add_keygen_command(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* const command = program.add(
      program.app(), "keygen", "Make a key to sign images with, in the form that cosign uses");
  command->add_option("PREFIX", options->prefix, "Writes PREFIX.key and PREFIX.pub")->required();
  add_password_options(command, options->password);
  program.on_chosen(command, [options] { return keygen(*options); });
}

}  // namespace intact::cli
