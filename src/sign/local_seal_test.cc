#include <cstdlib>

#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/crypto/base64.h>
#include <intact/crypto/hash.h>
#include <intact/json/json.h>
#include <intact/sign/local_seal.h>
#include <intact/sign/payload.h>
#include <intact/sign/policy.h>

#include "testing.h"

namespace intact::sign {
namespace {

class LocalSealTest : public testing::Test {
 protected:
  std::string state(const std::string& name) const { return dir_.path(name); }
  MachineKey key(const std::string& name) const {
    auto made = MachineKey::load_or_create(state(name));
    EXPECT_TRUE(made) << why(made);
    return *std::move(made);
  }
  std::vector<MachinePublicKey> keys(const std::string& name) const {
    return *load_machine_keys({state(name)});
  }

  TempDir dir_ = *TempDir::create();
  LocalSeal seal_{.name = "app",
                  .manifest = crypto::sha256(as_bytes("manifest")),
                  .image = crypto::sha256(as_bytes("image")),
                  .format = "composefs-1",
                  .created = 1'700'000'000,
                  .basis = Basis::pin};
};

mode_t mode_of(const std::string& path) {
  struct stat st;
  return ::stat(path.c_str(), &st) == 0 ? st.st_mode & 07777 : 0;
}

TEST_F(LocalSealTest, SaysWhatThisMachineSigned) {
  const MachineKey mine = key("a");
  for (const Basis basis : {Basis::none, Basis::signature, Basis::pin, Basis::first_use}) {
    seal_.basis = basis;
    seal_.signer = basis == Basis::signature ? mine.public_key().fingerprint() : "";
    const auto document = make_local_seal(seal_, mine);
    ASSERT_TRUE(document) << why(document);
    const auto opened = open_local_seal(*document, keys("a"));
    ASSERT_TRUE(opened) << why(opened);
    EXPECT_EQ(*opened, seal_);
    EXPECT_EQ(*read_local_seal_unverified(*document), seal_);
    seal_.base = seal_.base ? std::nullopt : std::optional(crypto::sha256(as_bytes("base")));
  }
}

TEST_F(LocalSealTest, TheSealOfAnotherMachineDoesNotCount) {
  const auto document = make_local_seal(seal_, key("a"));
  ASSERT_TRUE(document);
  key("b");
  EXPECT_EQ(kind_of(open_local_seal(*document, keys("b"))), ErrorKind::untrusted);
  EXPECT_EQ(kind_of(open_local_seal(*document, {})), ErrorKind::untrusted);
  // Root's seals count for everybody: one good key is enough.
  EXPECT_TRUE(open_local_seal(*document, *load_machine_keys({state("b"), state("a")})));
}

TEST_F(LocalSealTest, EveryFieldIsSigned) {
  const MachineKey mine = key("a");
  const Bytes document = *make_local_seal(seal_, mine);
  const Json envelope = *parse_json(document);
  const Bytes payload = *crypto::decode_base64(envelope["payload"].get<std::string>());
  const Json statement = *parse_json(payload);
  for (const auto& [name, value] : statement.items()) {
    Json changed = statement;
    if (value.is_number())
      changed[name] = value.get<std::uint64_t>() + 1;
    else
      changed[name] = value.get<std::string>() + "0";
    Json other = envelope;
    other["payload"] = crypto::encode_base64(as_bytes(to_text(changed)));
    EXPECT_EQ(kind_of(open_local_seal(as_bytes(to_text(other)), keys("a"))), ErrorKind::untrusted)
        << name;
  }
  // The same bytes in another order of members are another payload.
  EXPECT_TRUE(open_local_seal(document, keys("a")));
}

TEST_F(LocalSealTest, NothingButItsMembersIsTaken) {
  const Json envelope = *parse_json(*make_local_seal(seal_, key("a")));
  const auto refused = [&](const Json& changed) {
    return kind_of(open_local_seal(as_bytes(to_text(changed)), keys("a"))) == ErrorKind::malformed;
  };
  for (const char* member : {"payloadType", "payload", "signatures"}) {
    Json changed = envelope;
    changed.erase(member);
    EXPECT_TRUE(refused(changed)) << member;
  }
  Json changed = envelope;
  changed["more"] = 1;
  EXPECT_TRUE(refused(changed));
  changed = envelope;
  changed["payloadType"] = "application/vnd.in-toto+json";
  EXPECT_TRUE(refused(changed));
  changed = envelope;
  changed["signatures"].push_back(envelope["signatures"].front());
  EXPECT_TRUE(refused(changed));
  changed = envelope;
  changed["signatures"].front()["keyid"] = "";
  EXPECT_TRUE(refused(changed));
  EXPECT_TRUE(refused(Json::array()));
  EXPECT_EQ(kind_of(open_local_seal(Bytes(kMaxLocalSealSize + 1), keys("a"))), ErrorKind::limit);
}

TEST_F(LocalSealTest, TheKeyIsMadeOnceAndPrivate) {
  const std::string first = key("a").public_key().fingerprint();
  EXPECT_EQ(key("a").public_key().fingerprint(), first);
  EXPECT_EQ(keys("a").front().fingerprint(), first);
  EXPECT_EQ(mode_of(state("a/local-seal")), 0700U);
  EXPECT_EQ(mode_of(state("a/local-seal/key.pem")), 0600U);
  EXPECT_EQ(mode_of(state("a/local-seal.pub")), 0644U);
  // A public half that was lost or replaced is written again.
  ASSERT_EQ(::unlink(state("a/local-seal.pub").c_str()), 0);
  EXPECT_TRUE(keys("a").empty());
  EXPECT_EQ(key("a").public_key().fingerprint(), first);
  EXPECT_EQ(keys("a").front().fingerprint(), first);
}

TEST_F(LocalSealTest, AKeyThatOthersMayReadIsRefused) {
  key("a");
  const auto loads = [&] { return MachineKey::load_or_create(state("a")); };
  const auto with_mode = [&](const std::string& path, mode_t mode) {
    const mode_t before = mode_of(path);
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    const auto result = loads();
    EXPECT_EQ(::chmod(path.c_str(), before), 0);
    return kind_of(result);
  };
  EXPECT_EQ(with_mode(state("a/local-seal/key.pem"), 0640), ErrorKind::untrusted);
  EXPECT_EQ(with_mode(state("a/local-seal"), 0755), ErrorKind::untrusted);
  EXPECT_EQ(with_mode(state("a"), 0777), ErrorKind::untrusted);
  EXPECT_TRUE(loads());
  ASSERT_EQ(::chmod(state("a/local-seal.pub").c_str(), 0666), 0);
  EXPECT_EQ(kind_of(load_machine_keys({state("a")})), ErrorKind::untrusted);
}

TEST_F(LocalSealTest, IsNeverAPublishersKeyNorTheOtherWayRound) {
  key("a");
  EXPECT_EQ(kind_of(PublicKey::load(state("a/local-seal.pub"))), ErrorKind::unsupported);
  EXPECT_EQ(kind_of(PrivateKey::load(state("a/local-seal/key.pem"), no_password())),
            ErrorKind::unsupported);
  const PrivateKey publisher = generate_key();
  EXPECT_EQ(kind_of(MachinePublicKey::from_pem(publisher.public_key().to_pem())),
            ErrorKind::malformed);
  ASSERT_TRUE(write_file_durably(state("a/local-seal.pub"),
                                 as_bytes(publisher.public_key().to_pem()), 0644));
  EXPECT_EQ(kind_of(load_machine_keys({state("a")})), ErrorKind::malformed);
  // What one signs never reads as what the other does.
  EXPECT_FALSE(parse_payload(*make_local_seal(seal_, key("a"))));
}

}  // namespace
}  // namespace intact::sign
