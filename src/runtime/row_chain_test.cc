#include "runtime/row_chain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/random.h"

namespace assay::runtime {
namespace {

// What row y of an image is, from the rows of its window: any function in which every row counts.
uint64_t Mix(uint64_t sum, int64_t place, uint64_t row) {
  return (sum + row) * 0x9E3779B97F4A7C15U + static_cast<uint64_t>(place);
}

struct Chain {
  std::vector<RowChain::Member> members;
  std::vector<int64_t> input_heights;
  int64_t images;
};

// A chain of windows with, now and then, a member that reads two others row by row.
Chain DrawChain(Random& random) {
  Chain chain;
  chain.images = random.Between(1, 3);
  int64_t height = random.Between(1, 40);
  const size_t count = static_cast<size_t>(random.Between(2, 6));
  for (size_t m = 0; m < count; ++m) {
    RowChain::Member member = {m, {}, {m == 0 ? RowChain::kOutside : static_cast<int>(m) - 1}, height, 8};
    const bool joins = m >= 2 && chain.members[m - 1].height == chain.members[m - 2].height && random.Chance(0.4);
    if (joins) {
      member.inputs.push_back(static_cast<int>(m) - 2);
    } else {
      member.window = {random.Between(1, 3), random.Between(0, 2), random.Between(1, 4)};
      const int64_t room = height + 2 * member.window.pad - member.window.reach;
      if (room < 0) member.window = {};
      const int64_t whole = height + 2 * member.window.pad - member.window.reach;
      member.height = whole / member.window.stride + 1;
    }
    chain.input_heights.push_back(height);
    height = member.height;
    chain.members.push_back(member);
  }
  return chain;
}

uint64_t Outside(int64_t row) { return static_cast<uint64_t>(row) * 77 + 5; }

TEST(RowChain, IsNoneForVeryManyRows) {
  const auto chain = [](int64_t height) {
    RowChain::Member first = {0, {}, {RowChain::kOutside}, height, 8}, second = {1, {}, {0}, height, 8};
    return RowChain({first, second}, 1);
  };
  EXPECT_TRUE(chain(4096).is_valid());
  EXPECT_FALSE(chain(4097).is_valid());
  EXPECT_FALSE(chain(int64_t{1} << 40).is_valid());
}

TEST(RowChain, ComputesWhatOpsComputeOneByOne) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Random random(51, seed);
    Chain drawn = DrawChain(random);
    // Rows so wide that a few or only one fits.
    const uint64_t row_bytes = random.Chance(0.5) ? 8 : 8 << random.Between(8, 12);
    for (RowChain::Member& member : drawn.members) member.row_bytes = row_bytes;
    const auto& members = drawn.members;
    const auto value = [&](size_t m, int64_t image, int64_t y, const auto& row_of) {
      uint64_t sum = m;
      const ops::RowWindow& w = members[m].window;
      for (size_t i = 0; i < members[m].inputs.size(); ++i) {
        for (int64_t k = 0; k < w.reach; ++k) {
          const int64_t from = y * w.stride - w.pad + k;
          if (from < 0 || from >= drawn.input_heights[m]) continue;
          const int64_t row = image * drawn.input_heights[m] + from;
          const int producer = members[m].inputs[i];
          sum = Mix(sum, k, producer == RowChain::kOutside ? Outside(row) : row_of(producer, row));
        }
      }
      return sum;
    };
    std::vector<std::vector<uint64_t>> expected;
    for (size_t m = 0; m < members.size(); ++m) {
      expected.emplace_back();
      for (int64_t row = 0; row < drawn.images * members[m].height; ++row) {
        expected[m].push_back(value(m, row / members[m].height, row % members[m].height, [&](int p, int64_t r) {
          return expected[static_cast<size_t>(p)][static_cast<size_t>(r)];
        }));
      }
    }
    const RowChain chain(members, drawn.images);
    if (!chain.is_valid()) continue;
    std::vector<uint64_t> got(expected.back().size());
    std::vector<uint8_t> buffer(chain.buffer_bytes());
    const auto run = [&](size_t m, const ops::RunContext::Part& part, const std::vector<uint8_t*>& data) {
      ASSERT_EQ(part.whole, static_cast<size_t>(drawn.images * members[m].height));
      const auto address = [&](size_t p, int64_t r) {
        return reinterpret_cast<uint8_t*>(reinterpret_cast<uintptr_t>(data[p]) + static_cast<uint64_t>(r) * row_bytes);
      };
      for (auto row = static_cast<int64_t>(part.first); row < static_cast<int64_t>(part.last); ++row) {
        const uint64_t y = value(m, row / members[m].height, row % members[m].height, [&](int p, int64_t r) {
          uint64_t v;
          uint8_t* at = address(static_cast<size_t>(p), r);
          EXPECT_TRUE(at >= buffer.data() && at + row_bytes <= buffer.data() + buffer.size());
          std::memcpy(&v, at, sizeof(v));
          return v;
        });
        if (m + 1 == members.size()) {
          got[static_cast<size_t>(row)] = y;
        } else {
          uint8_t* at = address(m, row);
          ASSERT_TRUE(at >= buffer.data() && at + row_bytes <= buffer.data() + buffer.size());
          std::memcpy(at, &y, sizeof(y));
        }
      }
    };
    const auto rows = static_cast<int64_t>(got.size()), cut = rows / 3;
    chain.Run(0, cut, 0, buffer.data(), run);
    chain.Run(cut, rows, 0, buffer.data(), run);
    EXPECT_EQ(got, expected.back()) << "seed " << seed;
  }
}

TEST(RowChain, IsInvalidWhereOneRowTakesTooMuch) {
  const uint64_t row_bytes = uint64_t{1} << 20;
  EXPECT_FALSE(RowChain({{0, {}, {RowChain::kOutside}, 4, row_bytes}, {1, {}, {0}, 4, row_bytes}}, 1).is_valid());
  EXPECT_TRUE(RowChain({{0, {}, {RowChain::kOutside}, 4, 1024}, {1, {}, {0}, 4, row_bytes}}, 1).is_valid());
}

}  // namespace
}  // namespace assay::runtime
