#!/usr/bin/env bash
# The words that HACKING.md ("English") keeps out of messages, help, manual pages and comments stay out.
. "$(dirname "$0")/lib.sh"
requires perl git
check=$root/tools/check-wording

# The check finds each kind of text, across line breaks too, and leaves good text and plain code alone.
cat > "$work/bad.cc" << 'TEXT'
// What is told to whoever
// asks. A block is
// no hash block.
auto mended = error("the key lies "
                    "behind the header");
TEXT
cat > "$work/good.cc" << 'TEXT'
// What anyone who asks is told. A block is no longer a hash block. Data lies behind this comment.
auto mended = rubbish("the key follows the header", '"', 1'000);  // An identifier is not text.
TEXT
printf 'It is mended\nfor\never.\n\n    rubbish in an example\n' > "$work/bad.md"
printf 'It is repaired permanently; see `formats/rubbish.h`.\n\n    rubbish in an example\n' > "$work/good.md"
expect 1 "$check" "$work/bad.cc"
said 'bad.cc:1: "whoever": write anyone who'
said 'bad.cc:1: "is no h": write is not a'
said 'bad.cc:4: "lies": write is, or extends'
said 'bad.cc:4: "behind": write after, or before'
expect 1 "$check" "$work/bad.md"
said 'bad.md:1: "mended"'
said 'bad.md:1: "for ever"'
expect 0 "$check" "$work/good.cc" "$work/good.md"
expect 2 "$check" "$work/missing.md"
said 'missing.md: no such file'

# The project's own texts.
git -C "$root" rev-parse > /dev/null 2>&1 || skip "not a git checkout"
cd "$root" || exit
expect 0 "$check"

# What the program prints as help, as people see it: options and texts that are put together at run time.
commands() { "$intact" help "$@" | sed -n '/^Subcommands:/,$ s/^  \([a-z]*\) .*/\1/p'; }
for command in $(commands); do
  "$intact" "$command" --help
  for sub in $(commands "$command"); do "$intact" "$command" "$sub" --help; done
done > "$work/help.md"
sed -i 's/^ *//' "$work/help.md"
expect 0 "$check" "$work/help.md"
