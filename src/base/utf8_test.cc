#include "base/utf8.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

TEST(Utf8, AcceptsWellFormedText) {
  for (const std::string_view text :
       {"", "plain", "caf\xc3\xa9", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
  }
}

TEST(Utf8, RefusesEverythingElse) {
  for (const std::string_view text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe2\x82",
        "\xe2(\xa1", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x8d",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xfe"}) {
    EXPECT_FALSE(IsUtf8(text));
  }
}

TEST(Utf8, CleanTextCanBeShown) {
  EXPECT_EQ(CleanUtf8("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8d\x8e", "?"), "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8d\x8e");
  EXPECT_EQ(CleanUtf8("a\nb\x1b[31m\x7f\xc2\x9b"
                      "2J",
                      "?"),
            "a?b?[31m??2J");
  EXPECT_EQ(CleanUtf8("\xff\xc3(\xe2\x82", "?"), "\x3f?(\x3f?");
  EXPECT_EQ(CleanUtf8("\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd", "?"), "??\xef\xbf\xbd");
}

}  // namespace
}  // namespace assay
