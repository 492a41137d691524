#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <intact/base/file.h>
#include <intact/report/view.h>

#include "escape.h"

namespace intact::report {
namespace {

using testing::HasSubstr;
using testing::Not;

tree::InodePtr add(tree::Inode& parent, const std::string& name, std::uint32_t mode,
                   std::uint64_t size = 0, const std::string& payload = "") {
  auto inode = std::make_shared<tree::Inode>();
  inode->attributes.mode = mode;
  inode->attributes.size = size;
  inode->payload = payload;
  parent.entries[name] = {inode, false};
  return inode;
}

/// /etc/{a,b} and /usr/share/{large,link}; `large` has 50,000 blocks.
tree::Tree small_tree() {
  tree::Tree tree;
  const auto etc = add(tree.root(), "etc", S_IFDIR | 0755);
  add(*etc, "a", S_IFREG | 0644, 100, "aa/1");
  add(*etc, "b", S_IFREG | 0644, 5000, "bb/2");
  const auto usr = add(tree.root(), "usr", S_IFDIR | 0755);
  const auto share = add(*usr, "share", S_IFDIR | 0755);
  add(*share, "large", S_IFREG | 0644, 50'000 * 4096ULL, "cc/3");
  add(*share, "link", S_IFLNK | 0777, 5, "large");
  return tree;
}

image::VerifyReport damaged_at(std::uint64_t block) {
  image::VerifyReport report;
  report.signer = sign::Verdict{"sha256:1234", "host/app:1"};
  report.damaged.push_back({.object = "objects/cc/3",
                            .range = DamagedRange{.first = block, .offset = block * 4096},
                            .path = "/usr/share/large",
                            .reason = "its hash differs"});
  return report;
}

TEST(Escape, NothingIsMarkup) {
  EXPECT_EQ(html("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
  EXPECT_EQ(html("\x1b"), "\\x1b");
}

TEST(View, SumsUpDirectoriesAndDamage) {
  const tree::Tree tree = small_tree();
  const View view = make_view("app", 0, damaged_at(7), &tree);
  ASSERT_EQ(view.rows.size(), 8U);
  EXPECT_EQ(view.rows[0].files, 7U);
  EXPECT_EQ(view.rows[0].damaged, 1U);
  EXPECT_EQ(view.rows[1].name, "etc");
  EXPECT_EQ(view.rows[1].size, 5100U);
  EXPECT_EQ(view.rows[1].damaged, 0U);
  EXPECT_EQ(view.damaged_files, 1U);
  EXPECT_FALSE(view.ok);
  EXPECT_TRUE(make_view("app", 0, {}, &tree).ok);
}

TEST(View, OneContentUnderTwoNamesIsDamagedUnderBoth) {
  tree::Tree tree = small_tree();
  add(tree.root(), "copy", S_IFREG | 0644, 50'000 * 4096ULL, "cc/3");
  const View view = make_view("app", 0, damaged_at(7), &tree);
  EXPECT_EQ(view.damaged_files, 2U);
  EXPECT_EQ(view.contents.size(), 3U);
}

image::VerifyReport report_of_layers(bool first_good) {
  image::VerifyReport report;
  report.signer = sign::Verdict{"sha256:1234", "host/app:1"};
  report.layer_checks = {{*Digest::parse_hex(std::string(64, 'a')), 9000, first_good},
                         {*Digest::parse_hex(std::string(64, 'b')), 4096, true}};
  if (!first_good)
    report.damaged.push_back(
        {.object = "blobs/sha256/" + std::string(64, 'a'), .reason = "its digest differs"});
  return report;
}

std::vector<std::string> bad_links(const View& view) {
  std::vector<std::string> titles;
  for (const Link& link : view.chain)
    if (link.status != Link::Status::good) titles.push_back(link.title);
  return titles;
}

TEST(View, ADamagedLayerIsUnknownFromItsBeginningAndEndsTheChain) {
  const View view = make_view("oci:app", 0, report_of_layers(false), nullptr);
  EXPECT_FALSE(view.ok);
  EXPECT_THAT(bad_links(view), testing::ElementsAre("Layers", "Image digest", "Files"));
  const BlockMap map = make_block_map(view.contents, 100);
  EXPECT_EQ(map.blocks, 4U);
  EXPECT_EQ(map.bad_blocks, 1U);
  EXPECT_EQ(map.unknown_blocks, 2U);
  EXPECT_TRUE(map.cells[2].unknown);
  EXPECT_FALSE(map.cells[3].unknown);
  EXPECT_THAT(to_terminal(view, {}), HasSubstr("X damaged, ? unknown from there on"));
  ASSERT_EQ(map.groups.size(), 2U);
  EXPECT_EQ(map.groups[0].folder, "/layer 1");
  const std::string page = to_html(view);
  EXPECT_THAT(page, HasSubstr("The layers of the image are not what was signed"));
  EXPECT_THAT(page, HasSubstr("its digest differs"));
}

TEST(View, GoodLayersThatMakeAnotherTreeAreTold) {
  image::VerifyReport report = report_of_layers(true);
  report.damaged.push_back(
      {.object = "images/00", .range = DamagedRange(), .reason = "another image"});
  const View view = make_view("oci:app", 0, report, nullptr);
  EXPECT_THAT(bad_links(view), testing::ElementsAre("Image digest", "Files"));
  EXPECT_EQ(make_block_map(view.contents, 100).bad_blocks, 0U);
}

TEST(View, GoodLayersShowTheTree) {
  const tree::Tree tree = small_tree();
  const View view = make_view("oci:app", 0, report_of_layers(true), &tree);
  EXPECT_TRUE(view.ok);
  EXPECT_THAT(bad_links(view), testing::IsEmpty());
  EXPECT_EQ(view.contents.size(), 3U);
  EXPECT_THAT(to_html(view), HasSubstr("large"));
}

TEST(BlockMap, OneBadBlockAmongManyIsSeen) {
  const tree::Tree tree = small_tree();
  for (const std::uint64_t block : {0, 1, 25'000, 49'999}) {
    const BlockMap map =
        make_block_map(make_view("app", 0, damaged_at(block), &tree).contents, 100);
    EXPECT_EQ(map.blocks, 50'003U);
    EXPECT_LE(map.cells.size(), 100U);
    std::size_t bad = 0;
    for (std::size_t i = 0; i < map.cells.size(); ++i) {
      if (map.cells[i].bad_blocks == 0) continue;
      ++bad;
      EXPECT_EQ(i, (block + 3) / map.blocks_per_cell);
    }
    EXPECT_EQ(bad, 1U) << block;
  }
  EXPECT_EQ(make_block_map(make_view("app", 0, {}, &tree).contents, 100).bad_blocks, 0U);
}

TEST(BlockMap, DamageBehindTheEndOfAnObjectIsSeen) {
  const tree::Tree tree = small_tree();
  const BlockMap map =
      make_block_map(make_view("app", 0, damaged_at(1U << 30), &tree).contents, 100);
  EXPECT_EQ(map.cells.back().bad_blocks, 1U);
}

TEST(BlockMap, FewBlocksHaveASquareEach) {
  std::vector<Content> contents{{"/a", "objects/1", 2, {1}, false, {}},
                                {"/b/c", "objects/2", 1, {}, false, {}}};
  const BlockMap map = make_block_map(contents, 100);
  ASSERT_EQ(map.cells.size(), 3U);
  EXPECT_EQ(map.blocks_per_cell, 1U);
  EXPECT_EQ(map.cells[0].bad_blocks, 0U);
  EXPECT_EQ(map.cells[1].bad_blocks, 1U);
  EXPECT_EQ(map.groups[map.cells[2].group].folder, "/b");
  EXPECT_TRUE(make_block_map({}, 100).cells.empty());
}

TEST(TerminalMap, IsAsciiUnlessMoreIsAskedFor) {
  const tree::Tree tree = small_tree();
  const View view = make_view("app", 0, damaged_at(30'000), &tree);
  const std::string plain = to_terminal(view, {});
  for (const char c : plain) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << int(c);
  EXPECT_THAT(plain, HasSubstr(".X."));
  EXPECT_THAT(plain, HasSubstr("1 of 50003 blocks"));
  const std::string rich = to_terminal(view, {.columns = 80, .unicode = true, .colour = true});
  EXPECT_THAT(rich, HasSubstr("\x1b[1;31m\u2588"));
  EXPECT_THAT(to_terminal(make_view("app", 0, {}, &tree), {}), HasSubstr("there is none"));
}

TEST(TerminalMap, LinesFitAndHostileFoldersDoNothing) {
  std::vector<Content> contents{{"/\x1b[2J/x/\n", "objects/1", 9000, {8000}, false, {}}};
  View view;
  view.contents = contents;
  const std::string text = to_terminal(view, {.columns = 60});
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    EXPECT_LT(end - at, 60U);
}

TEST(HtmlPage, ShowsTheDamageAndOpensTheWayToIt) {
  const tree::Tree tree = small_tree();
  const std::string page = to_html(make_view("app", 0, damaged_at(7), &tree));
  EXPECT_THAT(page, HasSubstr("/usr/share/large"));
  EXPECT_THAT(page, HasSubstr("objects/cc/3"));
  EXPECT_THAT(page, HasSubstr("1 file is not what was signed"));
  EXPECT_THAT(page,
              HasSubstr("<details open><summary><div class=\"r\"><span class=\"name\">share/"));
  EXPECT_THAT(page, HasSubstr("<details><summary><div class=\"r\"><span class=\"name\">etc/"));
  EXPECT_THAT(page, HasSubstr("class=\"ring\""));

  const std::string good = to_html(make_view("app", 0, {}, &tree));
  EXPECT_THAT(good, HasSubstr("<b>Intact.</b>"));
  EXPECT_THAT(good, Not(HasSubstr("class=\"ring\"")));
  EXPECT_THAT(good, Not(HasSubstr("class=\"badge\"")));
}

TEST(TerminalMap, ABarForEachDirectoryShowsItsOwnDamage) {
  std::vector<Content> contents{{"/etc/a", "objects/1", 3, {}, false, {}},
                                {"/usr/bin/b", "objects/2", 100, {}, false, {}},
                                {"/etc/c", "objects/3", 1, {0}, false, {}},
                                {"/usr/lib/d", "objects/4", 50, {49}, false, {}}};
  View view;
  view.contents = contents;
  const std::string text = to_terminal(view, {.columns = 100});
  EXPECT_THAT(text, testing::ContainsRegex("/etc +\\.*X +0\\.0 MB  1 bad\n"));
  EXPECT_THAT(text, testing::ContainsRegex("/usr/bin +\\.+ +0\\.4 MB\n"));
  EXPECT_THAT(text, testing::ContainsRegex("/usr/lib +\\.+X +0\\.2 MB  1 bad\n"));
}

TEST(TerminalMap, ManyDirectoriesShareTheLastBarUnlessTheyAreDamaged) {
  View view;
  for (int i = 0; i < 300; ++i)
    view.contents.push_back({"/usr/d" + std::to_string(i) + "/f",
                             "objects/" + std::to_string(i),
                             static_cast<std::uint64_t>(i == 0 ? 1 : 10),
                             {},
                             false,
                             {}});
  view.contents[0].bad_blocks = {0};
  const std::string text = to_terminal(view, {});
  EXPECT_THAT(text, testing::ContainsRegex("/usr/d0 +X"));
  EXPECT_THAT(text, HasSubstr("elsewhere"));
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 21);
}

TEST(HtmlPage, SaysHowItWasMadeAndWhatToDo) {
  const tree::Tree tree = small_tree();
  image::VerifyReport report = damaged_at(7);
  report.name = "host/app:1";
  report.source = "oci:/srv/it's here:1";
  const Circumstances circumstances{.host = "node7",
                                    .store = "/srv/store",
                                    .default_store = false,
                                    .policy = "/etc/intact/policy.json",
                                    .signer_label = "the builder",
                                    .seconds = 75,
                                    .also_in = {{"objects/cc/3", {"other", "third"}}}};
  const std::string page = to_html(make_view("app", 0, report, &tree, circumstances));
  for (const char* text : {"node7", "/srv/store", "/etc/intact/policy.json",
                           "the builder (sha256:1234)", "1 min 15 s", "<td>other, third</td>",
                           "intact pull &#39;oci:/srv/it&#39;\\&#39;&#39;s here:1&#39; host/app:1 "
                           "--verify --store /srv/store",
                           "intact verify host/app:1 --store /srv/store"})
    EXPECT_THAT(page, HasSubstr(text));
  EXPECT_THAT(to_html(make_view("app", 0, {}, &tree)), Not(HasSubstr("What to do next")));
  const std::string refused =
      to_html(make_failed_view("app", 0, Error(ErrorKind::untrusted, "why"), circumstances));
  EXPECT_THAT(refused, HasSubstr("until you know who made it"));
  EXPECT_THAT(refused, Not(HasSubstr("trust add")));
}

TEST(HtmlPage, OfAHugeImageListsDamageAndTheFirstLevels) {
  tree::Tree tree = small_tree();
  const auto many = add(tree.root(), "many", S_IFDIR | 0755);
  for (int i = 0; i < 20'000; ++i) add(*many, "name" + std::to_string(i), S_IFREG | 0644, 0);
  const std::string page = to_html(make_view("app", 0, damaged_at(7), &tree));
  EXPECT_LT(page.size(), 1'000'000U);
  EXPECT_THAT(page, HasSubstr("names are not listed"));
  EXPECT_THAT(page, HasSubstr("1 of 50,000 blocks"));
  EXPECT_THAT(page, HasSubstr(">many/</span>"));
}

TEST(HtmlPage, NeedsNothingElse) {
  const tree::Tree tree = small_tree();
  const std::string page = to_html(make_view("app", 0, damaged_at(7), &tree));
  for (const char* word :
       {"http:", "https:", "<script", "<link", "<img", "url(", "@import", "src="})
    EXPECT_THAT(page, Not(HasSubstr(word)));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
}

TEST(HtmlPage, HostileNamesAreText) {
  const std::string evil = "<script>alert(1)</script>\"'\x1b]0;x\x07\xff";
  tree::Tree tree;
  const auto dir = add(tree.root(), evil, S_IFDIR | 0755);
  const auto below = add(*dir, evil, S_IFDIR | 0755);
  add(*below, evil, S_IFREG | 0644, 8000, "cc/3");
  add(*below, "link", S_IFLNK | 0777, 1, evil);
  image::VerifyReport report = damaged_at(1);
  report.damaged[0].reason = evil;
  report.signer->identity = evil;
  for (const std::string& page :
       {to_html(make_view(evil, 0, report, &tree)), to_html(make_view(evil, 0, report, nullptr)),
        to_html(make_failed_view(evil, 0, Error(ErrorKind::untrusted, evil)))}) {
    EXPECT_THAT(page, Not(HasSubstr("<script")));
    EXPECT_THAT(page, Not(HasSubstr("\x1b")));
    EXPECT_THAT(page, Not(HasSubstr("\xff")));
    EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;"));
  }
}

TEST(HtmlPage, DetailsAreClosedAsOftenAsTheyAreOpened) {
  const tree::Tree tree = small_tree();
  const std::string page = to_html(make_view("app", 0, damaged_at(7), &tree));
  const auto count = [&](std::string_view word) {
    std::size_t n = 0;
    for (std::size_t at = 0; (at = page.find(word, at)) != std::string::npos; ++at) ++n;
    return n;
  };
  for (const char* tag : {"details", "ul", "li", "div", "svg", "table", "g"}) {
    const std::string name = tag;
    EXPECT_EQ(count("<" + name + ">") + count("<" + name + " "), count("</" + name + ">")) << tag;
  }
}

TEST(PageFile, IsWrittenForVerdictsOnly) {
  const auto dir = TempDir::create();
  ASSERT_TRUE(dir);
  const std::string path = dir->path("page.html");
  const Error untrusted(ErrorKind::untrusted, "nobody signed it");
  {
    PageFile page(path, [](const std::string& text) { ADD_FAILURE() << text; });
    page.write_failure("app", 0, Error(ErrorKind::not_found, "no such image"));
    EXPECT_FALSE(page.failure());
  }
  EXPECT_FALSE(read_file(path, 1 << 20));
  PageFile page(path, [](const std::string& text) { ADD_FAILURE() << text; });
  page.write_failure("app", 0, untrusted);
  EXPECT_FALSE(page.failure());
  EXPECT_THAT(std::string(as_text(read_file(path, 1 << 20).value())),
              HasSubstr("nobody signed it"));
}

TEST(PageFile, ThatCannotBeMadeIsAWarning) {
  std::string said;
  PageFile page("/proc/no-such-directory/page", [&](const std::string& text) { said = text; });
  ASSERT_TRUE(page.failure());
  EXPECT_THAT(said, HasSubstr("the report: "));
  page.write_failure("app", 0, Error(ErrorKind::untrusted, "nobody signed it"));
  PageFile none("", [](const std::string& text) { ADD_FAILURE() << text; });
  EXPECT_FALSE(none.failure());
}

TEST(TerminalStyle, IsPlainWhereThereIsNoTerminal) {
  const auto null = open_file("/dev/null", O_RDWR);
  ASSERT_TRUE(null);
  const TerminalStyle style = style_of(null->get());
  EXPECT_EQ(style.columns, 80u);
  EXPECT_FALSE(style.unicode);
  EXPECT_FALSE(style.colour);
}

}  // namespace
}  // namespace intact::report
