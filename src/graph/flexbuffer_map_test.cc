#include "graph/flexbuffer_map.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"

namespace assay::graph {
namespace {

// {a: -3, b: 300, c: 2.5, d: true, e: null, f: "x"} as the format's own library writes it.
const std::vector<uint8_t> kMap = {0x61, 0x00, 0x62, 0x00, 0x63, 0x00, 0x64, 0x00, 0x65, 0x00, 0x66, 0x00, 0x01, 0x78,
                                   0x00, 0x06, 0x10, 0x0f, 0x0e, 0x0d, 0x0c, 0x0b, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00,
                                   0x01, 0x00, 0x00, 0x00, 0x06, 0x00, 0x00, 0x00, 0xfd, 0xff, 0xff, 0xff, 0x2c, 0x01,
                                   0x00, 0x00, 0x00, 0x00, 0x20, 0x40, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                   0x2b, 0x00, 0x00, 0x00, 0x06, 0x06, 0x0e, 0x6a, 0x02, 0x14, 0x1e, 0x26, 0x01};

std::string Message(const std::vector<uint8_t>& bytes) {
  try {
    const FlexbufferMap map(bytes);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(FlexbufferMap, ConvertsBetweenKindsOfNumbers) {
  const FlexbufferMap map(kMap);
  EXPECT_EQ(map.Int32("a", 0), -3);
  EXPECT_EQ(map.Float("a", 0), -3.0F);
  EXPECT_EQ(map.Int32("b", 0), 300);
  EXPECT_EQ(map.Float("c", 0), 2.5F);
  EXPECT_EQ(map.Int32("c", 0), 2);
  EXPECT_TRUE(map.Bool("d", false));
  EXPECT_TRUE(map.Bool("a", false));
}

TEST(FlexbufferMap, AbsentAndNullGiveTheOther) {
  const FlexbufferMap map(kMap);
  EXPECT_EQ(map.Int32("e", 7), 7);
  EXPECT_EQ(map.Int32("zz", 8), 8);
  EXPECT_FALSE(map.Has("e"));
  EXPECT_TRUE(map.Has("f"));
  EXPECT_THROW(map.Int32("f", 0), Error);
}

TEST(FlexbufferMap, RefusesWhatIsNoMap) {
  EXPECT_NE(Message({}).find("0 bytes are no FlexBuffers map"), std::string::npos);
  EXPECT_NE(Message({1, 2, 3, 3}).find("a width of 3 bytes"), std::string::npos);
  EXPECT_NE(Message({5, 4, 1}).find("no FlexBuffers map (type 1)"), std::string::npos);
  EXPECT_NE(Message({9, 36, 1}).find("points in front of the start"), std::string::npos);
}

TEST(FlexbufferMap, AnyBytesAreReadOrRefused) {
  size_t refused = 0;
  const auto feed = [&](const std::vector<uint8_t>& bytes) {
    try {
      const FlexbufferMap map(bytes);
      for (const char* name : {"a", "b", "c", "d", "e", "f"}) (void)map.Has(name);
    } catch (const Error&) {
      ++refused;
    }
  };
  for (size_t length = 0; length <= kMap.size(); ++length) {
    feed({kMap.begin(), kMap.begin() + static_cast<std::ptrdiff_t>(length)});
    feed({kMap.end() - static_cast<std::ptrdiff_t>(length), kMap.end()});
  }
  for (size_t at = 0; at < kMap.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::vector<uint8_t> bytes = kMap;
      bytes[at] = static_cast<uint8_t>(value);
      feed(bytes);
    }
  }
  EXPECT_GT(refused, 1000U);
}

}  // namespace
}  // namespace assay::graph
